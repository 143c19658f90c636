"""Judges of the fitting and the late phase (theory D8): predictions P13 to P16.

One idea: once neurons are aligned the flow is one equation per subclass (p > 2) or class (p < 2),
solved by an exponential integral, and outputs at the centers determine loss, norm and margin.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from gflow.judges.evidence import Evidence
from gflow.judges.finding import Opinion, unmet
from gflow.judges.prediction import MV25, Prediction
from gflow.judges.series import Comparison, opinion_of
from gflow.judges.shared_hypotheses import (
    aligned_mass,
    equal_weights,
    late,
    normalized,
    recorded,
    the_flow,
)
from gflow.judges.slope import slope
from gflow.laws.hypothesis import Hypothesis
from gflow.laws.timescales import (
    SOLVED,
    aligned_squared_norm,
    fit,
    late_loss,
    late_margin,
    potential,
    relu_floor,
    smoothed_margin,
)
from gflow.measure.distance import distance
from gflow.network.reference import average_target

EI_LAW = 0.005
"""Relative error allowed in Ei(z) - Ei(z0) against 2π_k t, without noise (P13)."""

EI_LAW_NOISY = 0.05
"""The same with noise (P13)."""

LATE_GAP = 0.02
"""Relative error allowed in q₊ - q₋ (P14)."""

FLOOR = 0.1
"""Relative error allowed in the floor of the distance to F, at α = 0 (P14)."""

FLOOR_NOISY = 0.25
"""The same up to `FLOOR_NOISE` (P14)."""

FLOOR_NOISE = 0.01
"""Largest α at which the gap, a small difference, is that of the noise-free laws, and the distance
is the floor alone (P14)."""

LATE = 0.05
"""Relative error allowed in loss and squared norm (P15)."""

MARGIN_LIMIT = 0.03
"""Relative error allowed in the extrapolated normalized margin (P16)."""

MARGIN_ROUNDING = 1e-8
"""Relative decrease of the smoothed margin that counts as none (P16)."""

GROWN = 0.1
"""Output from which a subclass is followed: below it the law says little."""

SATURATED = 0.99
"""Output up to which it is followed under a loss that saturates at 1."""


class Group(NamedTuple):
    """Subclasses whose output obeys one law: one for p > 2, a whole class at p = 1."""

    name: str
    pi: float
    """Weight of one subclass."""
    m: int
    """Subclasses that grow as one."""
    z: Float[np.ndarray, " T"]
    """|f(μ_k)|, its mean over the group."""


def judge_ei_law(evidence: Evidence) -> Opinion:
    """Ei(z_k) - Ei(z_k0) = 2 π_k t, and likewise for other losses (theory D8, prediction P13)."""
    allowed = EI_LAW if evidence.alpha == 0 else EI_LAW_NOISY
    expected = f"growth of the potential within {allowed:.1%} of 2π_k t"
    hypotheses = (*_aligned(evidence), _solved(evidence), _resolved_by(evidence, allowed))
    if opinion := unmet(expected, hypotheses):
        return opinion
    parts = [_follows(evidence, group, allowed) for group in followed(evidence)]
    return opinion_of(
        expected, parts, hypotheses, f"From |f(μ_k)| = {GROWN:g} on, at recorded times."
    )


def judge_late_gap(evidence: Evidence) -> Opinion:
    """p = 1: q₊ - q₋ by two Ei laws, and the distance to F it leaves (D8, prediction P14)."""
    expected = f"q₊ - q₋ within {LATE_GAP:.0%} of its law; floor of the distance to F"
    noise = np.inf if evidence.alpha is None else evidence.alpha
    hypotheses = (
        Hypothesis.that("p", evidence.p, "=", 1),
        Hypothesis.that("α", noise, "<=", FLOOR_NOISE),
        _unequal_classes(evidence),
        *_aligned(evidence),
        _exponential(evidence),
    )
    if opinion := unmet(expected, hypotheses):
        return opinion
    parts = [_gap(evidence), _floor(evidence)]
    return opinion_of(expected, parts, hypotheses, "At the last recorded time.")


def judge_late_rates(evidence: Evidence) -> Opinion:
    """Loss (1/2t) Σ E(z_k) and squared norm 2 Σ z_k, likewise at p = 1 (D8, prediction P15)."""
    expected = f"loss and ‖θ‖² within {LATE:.0%} of their laws"
    hypotheses = (*_aligned(evidence), _exponential(evidence), late(evidence))
    if opinion := unmet(expected, hypotheses):
        return opinion
    last, groups = evidence.record.isel(time=-1), followed(evidence)
    z, m = np.array([group.z[-1] for group in groups]), np.array([group.m for group in groups])
    t = float(evidence.times[-1])
    pairs = (
        ("loss", float(last["loss"]), late_loss(z, t, m)),
        ("‖θ‖²", float(last["squared_norm"]), aligned_squared_norm(z, m)),
    )
    parts = [
        Comparison(name, bool(abs(measured / law - 1) <= LATE), f"{measured:.4g} (law {law:.4g})")
        for name, measured, law in pairs
    ]
    return opinion_of(expected, parts, hypotheses, "At the last recorded time.")


def judge_margin(evidence: Evidence) -> Opinion:
    """The smoothed margin never falls, and the normalized one has its limit (prediction P16)."""
    expected = f"no decrease; at α = 0 limit within {MARGIN_LIMIT:.0%}, extrapolated in 1/log t"
    known = Hypothesis.whether("samples of the mixture", evidence.facts.drawn is not None)
    hypotheses = (known, *_aligned(evidence), _exponential(evidence), late(evidence))
    if opinion := unmet(expected, hypotheses):
        return opinion
    parts, reason = [_never_falls(evidence)], "From where every sample is fitted."
    if evidence.alpha == 0:
        parts.append(_margin_limit(evidence))
    else:
        reason += f" The limit is known without noise only; here: {_margin_limit(evidence).text}."
    return opinion_of(expected, parts, hypotheses, reason)


def _aligned(evidence: Evidence) -> tuple[Hypothesis, ...]:
    return (
        recorded(evidence),
        *aligned_mass(evidence),
        Hypothesis("no early stop", evidence.outcome.reason.value, evidence.outcome.complete),
        normalized(evidence),
        the_flow(evidence),
        # Else a class does not follow one equation (theory D8).
        *equal_weights(evidence, needed=evidence.p < 2),
    )


def _unequal_classes(evidence: Evidence) -> Hypothesis:
    K1, K2 = evidence.centers.K1, evidence.centers.K2
    return Hypothesis("classes of unequal size", f"K1 = {K1}, K2 = {K2}", K1 != K2)


def _exponential(evidence: Evidence) -> Hypothesis:
    loss = evidence.scenario.flow.loss
    return Hypothesis("exponential loss", loss, loss == "exponential")


def _solved(evidence: Evidence) -> Hypothesis:
    loss = evidence.scenario.flow.loss
    return Hypothesis("a loss whose potential has a closed form", loss, loss in SOLVED)


def _resolved_by(evidence: Evidence, allowed: float) -> Hypothesis:
    tolerance = evidence.scenario.flow.tolerance
    text = f"tolerance <= {allowed / 5:.0e}"
    return Hypothesis(text, f"{tolerance:.0e}", tolerance <= allowed / 5)


def followed(evidence: Evidence) -> list[Group]:
    """The outputs of a run that obey one equation each while it fits."""
    z = np.abs(evidence.record["center_output"].values)
    if evidence.p > 2:
        return [Group(f"μ_{k + 1}", float(pi), 1, z[:, k]) for k, pi in enumerate(evidence.pi)]
    groups = []
    for name, s in (("+", 1), ("-", -1)):
        mine = evidence.centers.label == s
        pi, output = float(evidence.pi[mine].mean()), z[:, mine].mean(axis=1)
        groups.append(Group(f"class {name}", pi, int(mine.sum()), output))
    return groups


def _follows(evidence: Evidence, group: Group, allowed: float) -> Comparison:
    """Largest deviation of the potential from its straight line, relative to the line's rise."""
    line = potential_line(evidence, group)
    if line is None:
        return Comparison(group.name, None, "it never grows")
    error = float(np.abs(line.rise / line.law - 1).max())
    return Comparison(group.name, error <= allowed, f"{error:.1e}")


class Line(NamedTuple):
    """How the potential of an output has risen, and what the law says, at recorded times."""

    law: Float[np.ndarray, " q"]
    """2 π √m t, since the output was `GROWN`."""
    rise: Float[np.ndarray, " q"]


def potential_line(evidence: Evidence, group: Group) -> Line | None:
    """The rise of a group's potential; None unless it has grown at three recorded times.

    There is none either if the potential of the loss has no closed form.  Under a loss that
    saturates the output tends to 1 and its potential to infinity, so it is followed up to
    `SATURATED` only.
    """
    loss = evidence.loss
    if loss.name not in SOLVED:
        return None
    ceiling = SATURATED if loss.saturates else np.inf
    grown = np.flatnonzero((group.z >= GROWN) & (group.z <= ceiling))
    if len(grown) < 3:
        return None
    z, t = group.z[grown], evidence.times[grown]
    rise = np.asarray(potential(z, loss.name)) - np.asarray(potential(z[:1], loss.name))
    return Line(2 * group.pi * np.sqrt(group.m) * (t - t[0])[1:], rise[1:])


def _gap(evidence: Evidence) -> Comparison:
    """q₊ - q₋ at the end, against both laws begun where both classes have grown."""
    plus, minus = followed(evidence)
    begun = np.flatnonzero((plus.z >= GROWN) & (minus.z >= GROWN))
    if len(begun) < 2 or evidence.times[-1] < 2 * evidence.times[begun[0]]:
        return Comparison("gap", None, "the classes have not grown long enough")
    start, t = begun[0], np.array([evidence.times[-1] - evidence.times[begun[0]]])
    ends = [
        float(np.asarray(fit(float(g.z[start]), t, g.pi, "exponential", m=g.m))[0])
        for g in (plus, minus)
    ]
    measured, law = float(plus.z[-1] - minus.z[-1]), ends[0] - ends[1]
    fits = abs(measured - law) <= LATE_GAP * abs(law)
    return Comparison("gap", fits, f"{measured:.4f} (law {law:.4f})")


def _floor(evidence: Evidence) -> Comparison:
    """The searched distance to F against the floor set by unequal classes (theory D8)."""
    plus, minus = (float(group.z[-1]) for group in followed(evidence))
    centers = evidence.centers
    law = relu_floor(plus, minus, centers.K1, centers.K2)
    target = average_target(centers)
    bracket = distance(evidence.network, target, evidence.scenario.seed)
    measured = bracket.lower * bracket.supremum
    allowed = FLOOR if evidence.alpha == 0 else FLOOR_NOISY
    return Comparison(
        "floor", bool(abs(measured / law - 1) <= allowed), f"{measured:.4f} (law {law:.4f})"
    )


def _never_falls(evidence: Evidence) -> Comparison:
    """Largest relative decrease of the smoothed margin between two recorded times."""
    assert evidence.facts.drawn is not None, "it is a hypothesis"
    weight = 1.0 if evidence.scenario.flow.convention == "sum" else 1.0 / evidence.facts.drawn
    loss, size = (evidence.record[name].values for name in ("loss", "squared_norm"))
    begun = loss < weight
    if begun.sum() < 3:
        return Comparison("smoothed margin", None, "the loss is never below the weight of a sample")
    margin = np.asarray(smoothed_margin(loss[begun], weight, size[begun]))
    fall = float(np.maximum(-np.diff(margin) / margin[1:], 0).max())
    allowed = max(MARGIN_ROUNDING, 1e-2 * evidence.scenario.flow.tolerance)
    return Comparison("smoothed margin", fall <= allowed, f"largest decrease {fall:.0e}")


def _margin_limit(evidence: Evidence) -> Comparison:
    """min y f/‖θ‖² over the last decade of time, extrapolated in 1/log t."""
    t, record = evidence.times, evidence.record
    last = t >= t[-1] / 10
    if last.sum() < 4:
        return Comparison("normalized margin", None, "fewer than four times in the last decade")
    normalized = (record["margin_min"].values / record["squared_norm"].values)[last]
    measured = slope(1 / np.log(t[last]), normalized).intercept
    centers = evidence.centers
    law = late_margin(evidence.p, centers.K1, centers.K2)
    fits = abs(measured / law - 1) <= MARGIN_LIMIT
    return Comparison("normalized margin", fits, f"tends to {measured:.4f} (law {law:.4f})")


PREDICTIONS = (
    Prediction(
        "ei-law", "P13",
        "Outputs at the centers grow by an exponential integral law.",
        "theory D8, P13; open in " + MV25 + " for exponential loss",
        "Ei(z_k(t)) - Ei(z_k(0)) = 2 π_k t (exponential loss)",
        judge=judge_ei_law, scenario="ei-law", figure="fitting_law",
    ),
    Prediction(
        "late-gap", "P14",
        "ReLU classes of unequal size keep a gap that dies like 1/log t, and so does the distance.",
        "theory D8, P14",
        "Ei(q±) = 2 π √K± t; floor = √(K1 K2) |q₊ - q₋|/√(K1 q₊² + K2 q₋²)",
        judge=judge_late_gap, scenario="late-gap",
    ),
    Prediction(
        "late-rates", "P15",
        "Late loss and norm follow from the outputs at the centers.",
        "theory D8, P15",
        "2 t L = Σ_k E(z_k), E(z) = Ei(z) e^(-z); ‖θ‖² = 2 Σ_k z_k",
        judge=judge_late_rates, scenario="ei-law",
    ),
    Prediction(
        "margin", "P16",
        "The smoothed margin never falls, and the normalized margin has a known limit.",
        "Lyu and Li, ICLR 2020; theory D8, C3, P16",
        "min y f/‖θ‖² → 1/(2K) for p >= 2, 1/(2(√K1 + √K2)) at p = 1",
        judge=judge_margin, scenario="ei-law",
    ),
)  # fmt: skip
