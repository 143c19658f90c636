"""Judges of how neurons come to rest (theory D4, D5): predictions P8 to P10.

Near a fixed point a direction has one rate, and the sample shifts the fixed point by an angle that
can be predicted; both are read off chords, which keep all their digits however small they are.
"""

import numpy as np
from jaxtyping import Bool, Float

from gflow.judges.alignment_phase import (
    COSINE_ROUNDING,
    RESOLUTION,
    clock,
    coordinates,
    known,
    negligible,
    noise_free,
    own,
    signs,
)
from gflow.judges.evidence import Evidence
from gflow.judges.finding import Opinion, unmet
from gflow.judges.prediction import Prediction
from gflow.judges.series import Comparison, opinion_of
from gflow.judges.shared_hypotheses import equal_weights, vanishing
from gflow.judges.slope import slope
from gflow.laws.hypothesis import Hypothesis
from gflow.laws.reduced import angle_at_average, capture_time, stability_rates, tilt
from gflow.measure.alignment import to_target

RATE = 0.02
"""Relative error allowed in a rate or slope (P9, P10)."""

RESTING_ANGLE = 0.2
"""Relative error allowed in the angle at which neurons come to rest (P8, P10)."""

JITTER = 5.0
"""Tolerances by which steps across kinks move a resting ReLU direction at most; measured 3 (P8)."""

CAPTURE_FACTOR = 1.5
"""Largest factor between the mean capture time and its scale law (P8)."""

CAPTURE_CORRELATION = 0.9
"""Least correlation of capture times with their scale law (P8)."""

CLOSE = 1e-2
"""Largest chord to a fixed point at which its linear rate is read (P9, P10)."""

CLOSER = 1e-4
"""Smallest such chord (P9, P10)."""

RESTED = 1e-2
"""Σ m_j up to which forces are equal; by then neurons have had the most time to come to rest."""

_READ = "Read while the network is negligible."


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
    parts = [_rate_at_target(evidence)]
    if evidence.p > 2 and evidence.neurons.init == "averaged":
        parts = [_rate_at_saddle(evidence)]
    return opinion_of(
        expected, parts, hypotheses, "Median over neurons, in alignment time p κ π t."
    )


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
    else:
        comparison = _plateau(evidence)
    return opinion_of(expected, [comparison], hypotheses, _READ)


def judge_partial_activation(evidence: Evidence) -> Opinion:
    """p = 1: without noise the awake own centers are averaged, with noise all (prediction P8)."""
    expected = "α = 0: sin(angle to μ̄_A) <= ρ(0)/ρ; α > 0: resting angle and capture times of D4"
    hypotheses = (
        Hypothesis.that("p", evidence.p, "=", 1),
        *known(evidence),
        *equal_weights(evidence),
        vanishing(evidence, RESTED),
    )
    if opinion := unmet(expected, hypotheses):
        return opinion
    if evidence.alpha == 0:
        parts = [_average_of_the_awake(evidence)]
    else:
        parts = [*_angles_to_average(evidence), _capture(evidence)]
    undecided = "Too few records, or an angle smaller than the tolerance resolves."
    return opinion_of(expected, parts, hypotheses, _READ, undecided=undecided)


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
        weight = evidence.pi[evidence.target] / evidence.pi.mean()
        return _against(
            "at μ_k", _slopes(evidence, clocks * weight), stability_rates(3.0, 1).outside
        )
    unit = stability_rates(evidence.p, 1)
    slowest = unit.outside if evidence.p == 1 else max(unit)
    m = own(evidence).sum(axis=1)
    return _against("at μ̄", _slopes(evidence, clocks * m ** (1 - evidence.p / 2)), slowest)


def chord_to_target(evidence: Evidence) -> Float[np.ndarray, "T h"]:
    """‖u_j - μ‖ to the reference that theory sends each neuron to."""
    chord = evidence.record["chord"].values.astype(np.float64)
    return to_target(chord, np.broadcast_to(evidence.target, chord.shape[:2]))


def _slopes(evidence: Evidence, x: Float[np.ndarray, "T h"]) -> Float[np.ndarray, " q"]:
    """d log chord/dx of every neuron that has three quiet times in the window."""
    chord = chord_to_target(evidence)
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
    for s in (1, -1):
        mine = evidence.centers.label == s
        u = coordinates(evidence)[:, signs(evidence) == s][..., mine]
        apart = np.linalg.norm(u - u.mean(axis=2, keepdims=True), axis=2)
        window = quiet & (apart <= CLOSE) & (apart >= 10 * CLOSER)
        law = stability_rates(evidence.p, int(mine.sum())).inside
        rates = _line_slopes(x + 0 * apart, np.log(np.where(window, apart, 1.0)), window)
        ratios.append(rates / law if mine.sum() > 1 else rates[:0])
    return _against("away from μ̄, over the law", np.concatenate(ratios), 1.0)


def _plateau(evidence: Evidence) -> Comparison:
    at_rest = _last_quiet(evidence)
    chord = chord_to_target(evidence)[at_rest]
    measured = float(np.sqrt(evidence.share @ chord**2))
    law = tilt(evidence.alpha or 0.0, _per_subclass(evidence))
    return Comparison(
        "", abs(measured / law - 1) <= RESTING_ANGLE, f"{measured:.4f} (law {law:.4f})"
    )


def _last_quiet(evidence: Evidence) -> int:
    return int(np.flatnonzero(negligible(evidence, RESTED))[-1])


def _per_subclass(evidence: Evidence) -> float:
    """N, samples of a subclass."""
    assert evidence.facts.drawn is not None, "a mixture is a hypothesis of every law here"
    return evidence.facts.drawn / evidence.centers.K


def _average_of_the_awake(evidence: Evidence) -> Comparison:
    """sin(angle to μ̄_A) ρ/ρ(0) <= 1 for every neuron with an awake own center (theory D3)."""
    quiet = negligible(evidence)
    cosine = coordinates(evidence)[quiet]
    awake = own(evidence) & (cosine[0] > 0)
    some = awake.any(axis=1)
    if not some.any() or not quiet.any():
        return Comparison("", None, "no neuron awake to an own center while Σ m_j is small")
    along = (cosine * awake).sum(axis=2)[:, some] / np.sqrt(awake.sum(axis=1)[some])
    sine = np.sqrt(np.clip(1 - along**2, 0, None))
    log_norm = evidence.record["log_norm"].values[quiet][:, some]
    rounding = np.sqrt(4 * COSINE_ROUNDING) + RESOLUTION * evidence.scenario.flow.tolerance
    excess = float((sine - np.exp(log_norm[0] - log_norm)).max(initial=0.0))
    fits = True if excess <= rounding else (None if evidence.effort.forced else False)
    return Comparison(
        "", fits, f"largest excess over ρ(0)/ρ {excess:.1e} (resolved to {rounding:.1e})"
    )


def _angles_to_average(evidence: Evidence) -> list[Comparison]:
    """Root mean square chord to μ̄ of either class, by mass, against theory D4."""
    at_rest, centers = _last_quiet(evidence), evidence.centers
    K1, K2 = centers.K1, centers.K2
    parts = []
    for s, m, others, column in ((1, K1, K2, -2), (-1, K2, K1, -1)):
        title, mine = f"resting angle {'+' if s > 0 else '-'}", signs(evidence) == s
        if not evidence.share[mine].sum() > 0:
            return [Comparison(title, None, "a class without neurons")]
        share = evidence.share[mine] / evidence.share[mine].sum()
        chord = evidence.record["chord"].values[at_rest, mine, column].astype(np.float64)
        law = angle_at_average(
            evidence.alpha or 0.0, _per_subclass(evidence), centers.D, m, K2=others
        )
        parts.append(_resolved(title, float(np.sqrt(share @ chord**2)), law, evidence))
    return parts


def _resolved(title: str, measured: float, law: float, evidence: Evidence) -> Comparison:
    """An angle that kinks leave uncertain against its law; None where the uncertainty straddles."""
    jitter = JITTER * evidence.scenario.flow.tolerance
    error, allowed = abs(measured - law), RESTING_ANGLE * law
    fits = True if error + jitter <= allowed else None if error - jitter <= allowed else False
    return Comparison(title, fits, f"{measured:.4f} ± {jitter:.0e} (law {law:.4f})")


def _capture(evidence: Evidence) -> Comparison:
    """When sleeping own coordinates reach half of 1/√K_own, against the scale law of D4."""
    mine, cosine = own(evidence), coordinates(evidence)
    half = 0.5 / np.sqrt(mine.sum(axis=1))[None, :, None]
    reached = (cosine >= half) & negligible(evidence, RESTED)[:, None, None]
    captured = mine & (cosine[0] < 0) & reached.any(axis=0)
    if captured.sum() < 10:
        return Comparison("capture times", None, f"only {int(captured.sum())} coordinates captured")
    measured = clock(evidence)[reached.argmax(axis=0)][captured]
    law = _capture_law(evidence, mine & (cosine[0] > 0))[captured]
    ratio, alike = float(measured.mean() / law.mean()), float(np.corrcoef(measured, law)[0, 1])
    fits = 1 / CAPTURE_FACTOR <= ratio <= CAPTURE_FACTOR and alike > CAPTURE_CORRELATION
    return Comparison(
        "capture times", fits, f"mean {ratio:.2f} of the law, correlation {alike:.3f}"
    )


def _capture_law(evidence: Evidence, awake: Bool[np.ndarray, "h K"]) -> Float[np.ndarray, "h K"]:
    """Capture time of every coordinate, by how many own ones are awake with it."""
    start, alpha, D = np.abs(coordinates(evidence)[0]), evidence.alpha or 0.0, evidence.centers.D
    counts = np.maximum(awake.sum(axis=1), 1)
    return np.stack([capture_time(u, alpha, D, int(m)) for u, m in zip(start, counts, strict=True)])


PREDICTIONS = (
    Prediction(
        "partial-activation", "P8",
        "ReLU neurons average the own centers they are awake to; noise wakes the others.",
        "theory D3, D4, T13, P8",
        "α = 0: sin(u, μ̄_A) <= ρ(0)/ρ; α > 0: angle √(α²/N + K_o (bτ)²) to the class average",
        judge=judge_partial_activation, scenario="partial-activation", figure="closed_forms",
    ),
    Prediction(
        "stability", "P9",
        "Directions approach or leave fixed points at their linear rates.",
        "theory D5, P9",
        "rates m^(1-p/2) toward μ̄_S from outside, (p-2) m^(1-p/2) away from it within its span",
        judge=judge_stability, scenario="stability", figure="rates",
    ),
    Prediction(
        "angle-and-norm", "P10",
        "For p > 2 the angle to the attractor is tied to the norm, down to the tilt by samples.",
        "theory D4, D5, P10",
        "sin(angle) ∝ (ρ(0)/ρ)^p at α = 0; angle → α/√N",
        judge=judge_angle_and_norm, scenario="voronoi-rule", figure="rates",
    ),
)  # fmt: skip
