"""Judges of the fitting and the late phase (theory D8): predictions P13 to P16.

One idea: once neurons are aligned the flow is one equation per subclass (p > 2) or class (p < 2),
solved by an exponential integral, and outputs at the centers determine loss, norm and margin.
Every law is taken with its start and with its own error, so that a miss is one at any time.
"""

import numpy as np

from gflow.judges.evidence import Evidence
from gflow.judges.far_enough import complete, escaped, longer
from gflow.judges.finding import Opinion, unmet
from gflow.judges.fitting_line import (
    DEVIATIONS,
    GROWN,
    Group,
    Line,
    followed,
    held,
    imperfection,
    potential_line,
    predicted_outputs,
    standing,
)
from gflow.judges.prediction import MV25, Prediction
from gflow.judges.series import Comparison, opinion_of
from gflow.judges.shared_hypotheses import (
    aligned_mass,
    equal_weights,
    normalized,
    orthonormal,
    recorded,
    the_flow,
)
from gflow.judges.slope import slope
from gflow.laws.hypothesis import Hypothesis
from gflow.laws.spread import mean_force
from gflow.laws.timescales import (
    SOLVED,
    aligned_squared_norm,
    late_margin,
    relu_floor,
    scaled_exponential_integral,
    smoothed_margin,
)
from gflow.measure.distance import distance
from gflow.measure.phases import ESCAPE_LEVEL
from gflow.network.reference import average_target

EI_LAW = 0.005
"""Relative error allowed in the growth of the potential, without noise (P13)."""

EI_LAW_NOISY = 0.05
"""The same with noise, where the law with its spread resolves as much (P13)."""

LARGEST_DEVIATION = 0.5
"""Largest deviation of the forces of a subclass over their mean at which its law is derived
(P13)."""

LARGEST_LATE_DEVIATION = 1.0
"""The same where an excess of force mostly cancels, in the loss times the time (P15)."""

SMALL_NORM = 0.01
"""Largest ‖θ‖² at the start: a neuron is balanced from `GROWN` on whatever it began with."""

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

MEANINGFUL = 0.1
"""Largest standard error of the law of the loss at which agreement says something (P15)."""

MARGIN_LIMIT = 0.03
"""Relative error allowed in the extrapolated normalized margin (P16)."""

MARGIN_ROUNDING = 1e-8
"""Relative decrease of the smoothed margin that counts as none (P16)."""


def judge_ei_law(evidence: Evidence) -> Opinion:
    """ψ(z_k) - ψ(z_k0) = 2 π_k t, ψ by the mean force of noisy samples (theory D8, P13)."""
    allowed = EI_LAW if evidence.alpha == 0 else EI_LAW_NOISY
    expected = f"growth of the potential within {allowed:.1%} of 2π_k t"
    hypotheses = (*_aligned(evidence), _solved(evidence), _resolved_by(evidence, allowed))
    if opinion := unmet(expected, hypotheses):
        return opinion
    parts = [_follows(evidence, group, allowed) for group in followed(evidence)]
    reason = f"From |f(μ_k)| = {GROWN:g} on, at recorded times, as far as the law resolves as much."
    undecided = (
        "The record has too few times, or the samples of a subclass are too few for their noise: "
        "with more `data.samples` or `data.dimension` the law is sharper."
    )
    return opinion_of(expected, parts, hypotheses, reason, undecided=undecided)


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
        escaped(evidence, every=True),
    )
    if opinion := unmet(expected, hypotheses):
        return opinion
    parts = [_gap(evidence), _floor(evidence)]
    undecided = "The record is too short, or noise or the lean of neurons is too large for the law."
    return opinion_of(
        expected, parts, hypotheses, "At the last recorded time.", undecided=undecided
    )


def judge_late_rates(evidence: Evidence) -> Opinion:
    """Loss Σ √m E(z_k)/2t, with the start of every law, and norm 2 Σ √m z_k (D8, P15)."""
    expected = f"loss and ‖θ‖² within {LATE:.0%} of their laws"
    hypotheses = (*_aligned(evidence), _exponential(evidence), escaped(evidence, every=True))
    if opinion := unmet(expected, hypotheses):
        return opinion
    parts = [_loss(evidence), _norm(evidence)]
    undecided = (
        "The record has too few times since outputs escaped, or the samples of a subclass are too "
        "few for their noise: with more `data.samples` or `data.dimension` the law is sharper."
    )
    reason = "At the last recorded time, by laws that begin where outputs have grown."
    return opinion_of(expected, parts, hypotheses, reason, undecided=undecided)


def judge_margin(evidence: Evidence) -> Opinion:
    """The smoothed margin never falls, and the normalized one has its limit (prediction P16)."""
    expected = f"no decrease; at α = 0 limit within {MARGIN_LIMIT:.0%}, extrapolated in 1/log t"
    known = Hypothesis.whether("samples of the mixture", evidence.facts.drawn is not None)
    hypotheses = (known, *_aligned(evidence), _exponential(evidence), _below_weight(evidence))
    if evidence.alpha == 0:
        hypotheses = (*hypotheses, escaped(evidence, every=True))
    if opinion := unmet(expected, hypotheses):
        return opinion
    falls, reason = _never_falls(evidence), "From where every sample is fitted."
    if evidence.alpha != 0:
        reason += " The limit is known without noise only."
        return opinion_of(expected, [falls], hypotheses, reason)
    # The limit is approached like 1/log t, by the law of the outputs with their start as well.
    settled = _law_settled(evidence)
    parts = [falls, _margin_limit(evidence, settled)]
    if settled.met is None and falls.fits is not False:
        hypotheses = (*hypotheses, settled)
        undecided = unmet(expected, hypotheses)
        assert undecided is not None
        return undecided
    return opinion_of(expected, parts, hypotheses, reason)


def _aligned(evidence: Evidence) -> tuple[Hypothesis, ...]:
    return (
        recorded(evidence),
        the_flow(evidence),
        normalized(evidence),
        orthonormal(evidence),
        _known_noise(evidence),
        _small(evidence),
        # Else a class does not follow one equation (theory D8).
        *equal_weights(evidence, needed=evidence.p < 2),
        complete(evidence),
        escaped(evidence),
        *aligned_mass(evidence),
    )


def _known_noise(evidence: Evidence) -> Hypothesis:
    """The mean force of noisy samples is that of the mixture."""
    known = evidence.alpha == 0 or evidence.facts.tau is not None
    return Hypothesis.whether("noise of a known law, or none", known)


def _small(evidence: Evidence) -> Hypothesis:
    """|v_j| = ‖w_j‖ once outputs have grown: their squares differ by what they began with."""
    start = float(evidence.record["squared_norm"].values[0])
    text = f"‖θ‖² <= {SMALL_NORM:g} at the start"
    return Hypothesis(text, f"‖θ‖² = {start:.1e}", start <= SMALL_NORM)


def _below_weight(evidence: Evidence) -> Hypothesis:
    """L below the weight of a sample, from where the smoothed margin is defined."""
    weight, loss = _sample_weight(evidence), evidence.record["loss"].values
    met = True if int((loss < weight).sum()) >= 3 else None
    measured = f"the flow ended at loss {loss[-1]:.2g}, and a sample weighs {weight:.2g}"
    return Hypothesis(
        "a loss below the weight of a sample at three recorded times",
        measured,
        met,
        "" if met else longer(evidence, None),
    )


def _sample_weight(evidence: Evidence) -> float:
    drawn = evidence.facts.drawn or 1
    return 1.0 if evidence.scenario.flow.convention == "sum" else 1.0 / drawn


def _unequal_classes(evidence: Evidence) -> Hypothesis:
    K1, K2 = evidence.centers.K1, evidence.centers.K2
    return Hypothesis("classes of unequal size", f"K1 = {K1}, K2 = {K2}", K1 != K2)


def _exponential(evidence: Evidence) -> Hypothesis:
    loss = evidence.scenario.flow.loss
    return Hypothesis("the exponential loss", f"it is {loss}", loss == "exponential")


def _solved(evidence: Evidence) -> Hypothesis:
    loss = evidence.scenario.flow.loss
    text = "a loss whose potential has a closed form"
    return Hypothesis(text, f"it is {loss}", loss in SOLVED)


def _resolved_by(evidence: Evidence, allowed: float) -> Hypothesis:
    tolerance, needed = evidence.scenario.flow.tolerance, allowed / 5
    met = True if tolerance <= needed else None
    measured = f"at tolerance {tolerance:.0e} the law is not resolved"
    cure = "" if met else f"give `flow.tolerance` {needed:.0e} or less"
    return Hypothesis(f"`flow.tolerance` <= {needed:.0e}", measured, met, cure)


def _follows(evidence: Evidence, group: Group, allowed: float) -> Comparison:
    """Largest deviation of the potential from its straight line, where the law resolves as much."""
    line = potential_line(evidence, group)
    if line is None:
        return Comparison(group.name, None, "it never grows")
    now = standing(evidence, group, line)
    bound = now.growth.bound
    derived = np.maximum.accumulate(line.deviation) <= LARGEST_DEVIATION
    verdicts = [
        held(miss, error, allowed)
        for miss, error in zip(now.miss[derived], bound[derived], strict=True)
    ]
    if False in verdicts:
        first = verdicts.index(False)
        text = f"{now.miss[first]:.1%} at |f| = {line.z[first]:.3g}"
        return Comparison(
            group.name, False, f"{text}, where the law may be off by {bound[first]:.1%}"
        )
    within = derived & (np.maximum.accumulate(bound) <= allowed)
    if not within.any():
        return Comparison(group.name, None, f"the law may be off by {bound.min():.1%} and more")
    reach, miss = float(line.z[within].max()), float(now.miss[within].max())
    text = f"{miss:.1e} up to |f| = {reach:.3g}"
    enough = within.sum() >= 2 and reach >= ESCAPE_LEVEL and miss <= allowed
    return Comparison(group.name, True if enough else None, text)


def _gap(evidence: Evidence) -> Comparison:
    """q₊ - q₋ at the end, against both laws from where their class has grown."""
    laws = predicted_outputs(evidence, evidence.times[-1:])
    lines = _lines(evidence)
    if laws is None or lines is None:
        return Comparison("gap", None, "the classes have not grown long enough")
    plus, minus = (float(group.z[-1]) for group, _ in lines)
    measured, law = plus - minus, float(laws[0, 0] - laws[0, 1])
    # An output moves by zE(z) times the relative error of its growth, and by its mean force.
    bias, variance = 0.0, 0.0
    for group, line in lines:
        growth = standing(evidence, group, line).growth
        moved = float(group.z[-1] * scaled_exponential_integral(group.z[-1])) / abs(law)
        bias += moved * float(growth.bias[-1] + line.past_deviation[-1] ** 2 / 2)
        variance += (moved * float(growth.sampling[-1])) ** 2
    error, bound = bias + variance**0.5, bias + DEVIATIONS * variance**0.5
    fits = held(abs(measured / law - 1), error, LATE_GAP, bound=bound)
    return Comparison("gap", fits, f"{measured:.4f} (law {law:.4f} ± {error:.1%})")


def _lines(evidence: Evidence) -> list[tuple[Group, Line]] | None:
    """The groups and their lines; None if one has not grown at three recorded times."""
    pairs = [(group, potential_line(evidence, group)) for group in followed(evidence)]
    lines = [(group, line) for group, line in pairs if line is not None]
    return lines if len(lines) == len(pairs) else None


def _floor(evidence: Evidence) -> Comparison:
    """The bracket of the distance to F against the floor set by unequal classes (theory D8)."""
    groups = followed(evidence)
    plus, minus = (float(group.z[-1]) for group in groups)
    centers = evidence.centers
    law = float(relu_floor(plus, minus, centers.K1, centers.K2))
    bracket = distance(evidence.network, average_target(centers), evidence.scenario.seed)
    low, high = bracket.lower * bracket.supremum, bracket.upper * bracket.supremum
    # Neurons that lean by θ change c f by θ times the gain √K of a class, to first order, and the
    # supremum by no more; in quadrature where they lean out of the plane of the averages.
    lean = max(float(imperfection(evidence, group).lean[-1]) for group in groups) ** 0.5
    bound = lean * max(centers.K1, centers.K2) ** 0.5 / law
    error = float(np.hypot(1, bound) - 1)
    allowed = FLOOR if evidence.alpha == 0 else FLOOR_NOISY
    # The search is a lower bound: it misses from below only if the certificate does.
    miss = max(low / law - 1, 1 - high / law, 0.0)
    fits = held(miss, error, allowed, bound=bound)
    fits = None if fits and low < (1 - allowed) * law else fits
    return Comparison("floor", fits, f"{low:.4f} (law {law:.4f} ± {error:.0%})")


def _loss(evidence: Evidence) -> Comparison:
    """L at the end over Σ m π E ℓ(zS) · (rise of ψ)/(2π√m t), and what that may be off by."""
    lines = _lines(evidence)
    if lines is None:
        return Comparison("loss", None, "an output has grown at fewer than three recorded times")
    if max(line.deviation[-1] for _, line in lines) > LARGEST_LATE_DEVIATION:
        return Comparison("loss", None, "the samples of a subclass differ too much")
    measured, laws, errors = float(evidence.record["loss"].values[-1]), [], []
    for group, line in lines:
        mean = float(mean_force(group.z[-1:], evidence.loss, group.spread).loss[0])
        laws.append(group.m * group.pi * mean * float(line.rise[-1] / line.law[-1]))
        off = standing(evidence, group, line).loss
        errors.append((float(off.bias[-1]), float(off.sampling[-1])))
    # Biases add up; samples of different subclasses err independently.
    law, share = sum(laws), np.array(laws) / sum(laws)
    bias, sampling = np.array(errors).T
    systematic, random = float(share @ bias), float(np.sqrt(share**2 @ sampling**2))
    error, bound = systematic + random, systematic + DEVIATIONS * random
    fits = held(abs(measured / law - 1), error, LATE, bound=bound, meaningful=MEANINGFUL)
    return Comparison("loss", fits, f"{measured:.4g} (law {law:.4g} ± {error:.1%})")


def _norm(evidence: Evidence) -> Comparison:
    """‖θ‖² against 2 Σ √m z, short by the mass that gives no output at its target."""
    groups = followed(evidence)
    z, m = np.array([g.z[-1] for g in groups]), np.array([g.m for g in groups])
    measured = float(evidence.record["squared_norm"].values[-1])
    law = float(aligned_squared_norm(z, m))
    cosine = np.maximum(evidence.target_cosine[-1], 0)
    error = max(float(1 - evidence.share @ cosine**evidence.p), 0.0)
    fits = held(abs(measured / law - 1), error, LATE)
    return Comparison("‖θ‖²", fits, f"{measured:.4g} (law {law:.4g} ± {error:.1%})")


def _never_falls(evidence: Evidence) -> Comparison:
    """Largest relative decrease of the smoothed margin between two recorded times.

    That it never falls is a theorem, so a decrease is an error of the integrator: it counts beyond
    a hundredth of the tolerance, and up to the tolerance it decides nothing.
    """
    weight, tolerance = _sample_weight(evidence), evidence.scenario.flow.tolerance
    loss, size = (evidence.record[name].values for name in ("loss", "squared_norm"))
    begun = loss < weight
    margin = np.asarray(smoothed_margin(loss[begun], weight, size[begun]))
    fall = float(np.maximum(-np.diff(margin) / margin[1:], 0).max())
    none = max(MARGIN_ROUNDING, 1e-2 * tolerance)
    fits = True if fall <= none else False if fall > max(none, tolerance) else None
    return Comparison("smoothed margin", fits, f"largest decrease {fall:.0e}")


def _margin_limit(evidence: Evidence, settled: Hypothesis) -> Comparison:
    """min y f/‖θ‖² over the last decade of time, extrapolated in 1/log t."""
    t, record = evidence.times, evidence.record
    last = t >= t[-1] / 10
    if last.sum() < 4:
        return Comparison("normalized margin", None, "fewer than four times in the last decade")
    normalized = (record["margin_min"].values / record["squared_norm"].values)[last]
    measured = slope(1 / np.log(t[last]), normalized).intercept
    law = late_margin(evidence.p, evidence.centers.K1, evidence.centers.K2)
    fits = bool(abs(measured / law - 1) <= MARGIN_LIMIT) if settled.met else None
    return Comparison("normalized margin", fits, f"tends to {measured:.4f} (law {law:.4f})")


def _law_settled(evidence: Evidence) -> Hypothesis:
    """That the law itself, extrapolated like the record, is at its limit in spite of its start."""
    end = float(evidence.times[-1])
    off = _law_off(evidence, end)
    met = True if off <= MARGIN_LIMIT / 2 else None
    later = end
    while later < 1e6 * end and _law_off(evidence, later) > MARGIN_LIMIT / 2:
        later *= 1.2
    cure = "" if met else longer(evidence, later)
    measured = f"at t = {end:.4g} the start of the outputs still moves the limit by {off:.1%}"
    return Hypothesis("a start that no longer counts", measured, met, cure)


def _law_off(evidence: Evidence, end: float) -> float:
    """Relative error of the limit of the laws of the outputs, extrapolated up to `end`."""
    t = np.geomspace(end / 10, end, 20)
    z = predicted_outputs(evidence, t)
    if z is None or t[0] <= 1:
        return np.inf
    m = np.array([group.m for group in followed(evidence)])
    normalized = z.min(axis=-1) / np.asarray(aligned_squared_norm(z, m))
    law = late_margin(evidence.p, evidence.centers.K1, evidence.centers.K2)
    return abs(slope(1 / np.log(t), normalized).intercept / law - 1)


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
