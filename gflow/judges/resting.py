"""Judges of how neurons come to rest (theory D4, D5): predictions P9 and P10.

Near a fixed point a direction has one rate, and the sample shifts the fixed point by an angle that
can be predicted; both are read off chords, which keep all their digits however small they are.
"""

import numpy as np
from jaxtyping import Bool, Float
from scipy.special import gamma

from gflow.judges.alignment_phase import (
    clock,
    coordinates,
    known,
    negligible,
    noise_free,
    own,
    signs,
)
from gflow.judges.evidence import Evidence
from gflow.judges.far_enough import at_rest
from gflow.judges.finding import Opinion, earned, unmet
from gflow.judges.prediction import Prediction, Subject
from gflow.judges.separation import SMALLER, law_angle, law_at_center
from gflow.judges.series import Comparison, opinion_of
from gflow.judges.shared_hypotheses import equal_weights, vanishing, within
from gflow.judges.slope import slope
from gflow.laws.hypothesis import Hypothesis
from gflow.laws.reduced import stability_rates, tilt
from gflow.measure.alignment import to_target

RATE = 0.02
"""Relative error allowed in a rate or slope (P9, P10)."""

RESTING_ANGLE = 0.2
"""Relative error allowed in the angle at which neurons come to rest (P8, P10)."""

JITTER = 5.0
"""Tolerances by which steps across kinks move a resting ReLU direction at most; measured 3 (P8)."""

CLOSE = 1e-2
"""Largest chord to a fixed point at which its linear rate is read (P9, P10)."""

CLOSER = 1e-4
"""Smallest such chord (P9, P10)."""

RESTED = 1e-2
"""Σ m_j up to which forces are equal; by then neurons have had the most time to come to rest."""

READ = "Read while the network is negligible."


def judge_stability(evidence: Evidence) -> Opinion:
    """Chords to a fixed point shrink or grow at its linear rate (theory D5, prediction P9)."""
    expected = f"rates within {RATE:.0%} of theory D5"
    hypotheses = (
        *noise_free(evidence),
        *equal_weights(evidence, needed=evidence.p < 2),
        vanishing(evidence, RESTED),
        Hypothesis("p ≠ 2", f"p = {evidence.p:g}", evidence.p != 2),
    )
    if opinion := unmet(expected, hypotheses):
        return opinion
    at_saddle = evidence.p > 2 and evidence.neurons.init == "averaged"
    parts = [_rate_at_saddle(evidence) if at_saddle else _rate_at_target(evidence)]
    opinion = opinion_of(
        expected, parts, hypotheses, "Median over neurons, in alignment time p κ π t."
    )
    return earned(opinion, _fine_steps(evidence), *(() if at_saddle else (_linear(evidence),)))


def judge_angle_and_norm(evidence: Evidence) -> Opinion:
    """p > 2: angle ∝ (ρ(0)/ρ)^p without noise, a plateau α/√N with it (prediction P10)."""
    hypotheses = (
        Hypothesis.that("p", evidence.p, ">", 2),
        *known(evidence),
        *equal_weights(evidence, needed=evidence.alpha != 0),
        vanishing(evidence, RESTED),
    )
    expected = (
        f"slope of log angle over log ρ within {RATE:.0%} of -p"
        if evidence.alpha == 0
        else f"resting angle within {RESTING_ANGLE:.0%} of α/√N"
    )
    if opinion := unmet(expected, hypotheses):
        return opinion
    # Without noise the angle falls with the norm for ever; with it, it comes to rest.
    if evidence.alpha == 0:
        log_norm = evidence.record["log_norm"].values
        comparison = _against("slope", _slopes(evidence, log_norm), -evidence.p)
        conditions = (_fine_steps(evidence), _linear(evidence))
    else:
        angle = np.sqrt(_chord_at_rest(evidence) ** 2 @ evidence.share)
        comparison = _plateau(evidence, angle)
        conditions = (
            rested(evidence, angle),
            _all_close(evidence),
            small_angle(evidence),
            scatter(evidence, evidence.centers.K),
            _others(evidence),
        )
    undecided = (
        "No neuron is read at three times while it closes in."
        if evidence.alpha == 0
        else "The angle, give or take what steps leave open, straddles the criterion; try a "
        "smaller `flow.tolerance`."
    )
    opinion = opinion_of(expected, [comparison], hypotheses, READ, undecided=undecided)
    return earned(opinion, *conditions)


def _against(title: str, measured: Float[np.ndarray, " q"], law: float) -> Comparison:
    """The median of measured numbers against a law."""
    if not len(measured):
        return Comparison(title, None, "no neuron")
    middle = float(np.median(measured))
    fits = abs(middle / law - 1) <= RATE
    return Comparison(title, fits, f"{middle:.4f} (law {law:.4f}, {len(measured)} neurons)")


def _rate_at_target(evidence: Evidence) -> Comparison:
    """The slowest rate at the attractor: 1 at μ_k, m^{1-p/2} at μ̄, (2-p) m^{1-p/2} within."""
    clocks = np.broadcast_to(clock(evidence)[:, None], evidence.target_cosine.shape)
    if evidence.p > 2:
        # One weight per neuron, and any for those that are on their way to no center.
        weight = np.append(evidence.pi, [np.nan, np.nan])[evidence.target] / evidence.pi.mean()
        return _against(
            "at μ_k", _slopes(evidence, clocks * weight), stability_rates(3.0, 1).outside
        )
    # Inside the span of m own centers there is a direction if m > 1, and no motion of rate 0.
    m = own(evidence).sum(axis=1)
    rates = [stability_rates(evidence.p, int(one)) for one in m]
    slowest = [r.outside if one == 1 else max(r) for r, one in zip(rates, m, strict=True)]
    return _against("at μ̄, over the law", _slopes(evidence, clocks * np.array(slowest)), 1.0)


def _chord_at_rest(evidence: Evidence) -> Float[np.ndarray, "T h"]:
    """‖u_j - μ_k‖ to the own center that is closest when the network stops being negligible.

    Long after fitting, neurons may turn to another one, which says nothing of where they rested.
    """
    chord = evidence.record["chord"].values.astype(np.float64)[..., : evidence.centers.K]
    at_rest = np.where(own(evidence), chord[last_quiet(evidence)], np.inf)
    rested_at = to_target(chord, np.broadcast_to(at_rest.argmin(axis=1), chord.shape[:2]))
    return np.where(evidence.has_target, rested_at, 2.0)


def _slopes(evidence: Evidence, x: Float[np.ndarray, "T h"]) -> Float[np.ndarray, " q"]:
    """d log chord/dx of every neuron that has three quiet times in the window."""
    chord = evidence.target_chord
    window = negligible(evidence, RESTED)[:, None] & (chord <= CLOSE) & (chord >= CLOSER)
    if evidence.p < 2:
        window &= _undisturbed(evidence)
    return _line_slopes(x, np.log(np.where(window, chord, 1.0)), window)


def _line_slopes(
    x: Float[np.ndarray, "T h"], y: Float[np.ndarray, "T h"], window: Bool[np.ndarray, "T h"]
) -> Float[np.ndarray, " q"]:
    """dy/dx of every column that has three times in its window."""
    chosen = np.flatnonzero(window.sum(axis=0) >= 3)
    return np.array([slope(x[window[:, j], j], y[window[:, j], j]).value for j in chosen])


def _undisturbed(evidence: Evidence) -> Bool[np.ndarray, " h"]:
    """Neurons that start awake to all own centers and asleep to all others."""
    start, mine = coordinates(evidence)[0], own(evidence)
    return np.where(mine, start > 0, start <= 0).all(axis=1)


def _rate_at_saddle(evidence: Evidence) -> Comparison:
    """How fast own coordinates of neurons that start at μ̄ move away from their mean."""
    quiet, x = negligible(evidence, RESTED)[:, None], clock(evidence)[:, None]
    ratios = []
    for s in evidence.centers.signs:
        mine = evidence.centers.label == s
        u = coordinates(evidence)[:, signs(evidence) == s][..., mine]
        apart = np.linalg.norm(u - u.mean(axis=2, keepdims=True), axis=2)
        window = quiet & (apart <= CLOSE) & (apart >= 10 * CLOSER)
        law = stability_rates(evidence.p, int(mine.sum())).inside
        rates = _line_slopes(x + 0 * apart, np.log(np.where(window, apart, 1.0)), window)
        ratios.append(rates / law if mine.sum() > 1 else rates[:0])
    return _against("away from μ̄, over the law", np.concatenate(ratios), 1.0)


def _plateau(evidence: Evidence, angle: Float[np.ndarray, " T"]) -> Comparison:
    law = tilt(evidence.alpha or 0.0, per_subclass(evidence))
    return comparison("", float(angle[last_quiet(evidence)]), law, evidence)


def _fine_steps(evidence: Evidence) -> Hypothesis:
    """That a step errs by less than the smallest chord at which a rate is read."""
    tolerance = evidence.scenario.flow.tolerance
    cure = f"try `flow.tolerance` = {RATE * CLOSER:.0e}"
    return within("the tolerance", tolerance, RATE * CLOSER, cure=cure)


def _linear(evidence: Evidence) -> Hypothesis:
    """That rates are linear at chords of `CLOSE`: for p > 2 other awake coordinates add u^{p-2}."""
    curved = CLOSE ** (evidence.p - 2) if evidence.p > 2 else CLOSE
    name = "the share that other coordinates add to a rate"
    return within(name, curved, RATE / 2, cure="give a larger `network.power`")


def rested(evidence: Evidence, angle: Float[np.ndarray, " T"]) -> Hypothesis:
    """That an angle has come to rest when the network stops being negligible, or at the end."""
    at, resolved = last_quiet(evidence), jitter(evidence)
    return at_rest(evidence, angle, at, allowed=RESTING_ANGLE / 4, resolved=resolved)


def jitter(evidence: Evidence) -> float:
    """How far steps across kinks may move a resting direction, in radians.

    A step by few velocities may err by twice the tolerance at p < 2 (theory D16).
    """
    few = evidence.effort.fine > 0 and evidence.p < 2
    return JITTER * evidence.scenario.flow.tolerance * (2 if few else 1)


def small_angle(evidence: Evidence) -> Hypothesis:
    """That a resting angle is small: the laws of D4 are right up to a factor 1 + O(angle²)."""
    cure = "give more `data.samples` or less `data.noise`"
    square = law_angle(evidence) ** 2
    return within("the square of the resting angle", square, RESTING_ANGLE / 2, cure=cure)


def scatter(evidence: Evidence, means: int) -> Hypothesis:
    """That the length of a tilt is as expected, the average of that of so many means.

    It has D coordinates, of which K + 1 do not tilt, and so scatters by 1/√(2D).
    """
    D, K = evidence.centers.D, evidence.centers.K
    off = float(3 / np.sqrt(2 * D * means) + (K + 1) / (2 * D))
    name = "the scatter of a tilt in D dimensions, three deviations,"
    return within(name, off, RESTING_ANGLE, cure="give more `data.dimension`")


def _all_close(evidence: Evidence) -> Hypothesis:
    """That the mass which is not yet within 10 degrees of a center by theory D3 does not count.

    A share q of it at angles of order 1 adds q to the square of the angle.
    """
    far = 1 - float(evidence.share[law_at_center(evidence, last_quiet(evidence))].sum())
    allowed = RESTING_ANGLE * law_angle(evidence) ** 2
    name = "the share of the mass that is still on its way to a center"
    return within(name, far, allowed, cure=SMALLER)


def _others(evidence: Evidence) -> Hypothesis:
    """That coordinates of other centers rest at much less than the tilt: at M_{p-1}(0), p > 2."""
    p, K = evidence.p, evidence.centers.K
    tau = (evidence.alpha or 0.0) / np.sqrt(evidence.centers.D)
    # M_{p-1}(0) = τ^{p-1} E σ(G)^{p-1}; the two add up in squares.
    half = 2 ** ((p - 3) / 2) * gamma(p / 2) / np.sqrt(np.pi)
    share = float(np.sqrt(K - 1) * tau ** (p - 1) * half / law_angle(evidence)) ** 2 / 2
    name = "what other coordinates add to the tilt"
    return within(name, share, RESTING_ANGLE / 2, cure="give fewer `data.samples`")


def last_quiet(evidence: Evidence) -> int:
    """Index of the last recorded time at which the network is negligible."""
    return int(np.flatnonzero(negligible(evidence, RESTED))[-1])


def per_subclass(evidence: Evidence) -> float:
    """N, samples of a subclass."""
    assert evidence.facts.drawn is not None, "a mixture is a hypothesis of every law here"
    return evidence.facts.drawn / evidence.centers.K


def comparison(title: str, measured: float, law: float, evidence: Evidence) -> Comparison:
    """An angle that kinks leave uncertain against its law; None where the uncertainty straddles."""
    error, allowed, moved = abs(measured - law), RESTING_ANGLE * law, jitter(evidence)
    fits = True if error + moved <= allowed else None if error - moved <= allowed else False
    return Comparison(title, fits, f"{measured:.4f} ± {moved:.0e} (law {law:.4f})")


PREDICTIONS = (
    Prediction(
        "stability", "P9",
        "Directions approach or leave fixed points at their linear rates.",
        "theory D5, P9",
        "rates m^(1-p/2) toward μ̄_S from outside, (p-2) m^(1-p/2) away from it within its span",
        judge=judge_stability, scenario="stability", figure="rates",
        subject=Subject.ALIGNMENT,
    ),
    Prediction(
        "angle-and-norm", "P10",
        "For p > 2 the angle to the attractor is tied to the norm, down to the tilt by samples.",
        "theory D4, D5, P10",
        "sin(angle) ∝ (ρ(0)/ρ)^p at α = 0; angle → α/√N",
        judge=judge_angle_and_norm, scenario="voronoi-rule", figure="rates",
        subject=Subject.ALIGNMENT,
    ),
)  # fmt: skip
