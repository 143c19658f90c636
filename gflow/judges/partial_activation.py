"""Judge of what ReLU neurons average, and when noise wakes the rest (theory D3, D4, T13): P8."""

import numpy as np
from jaxtyping import Bool, Float

from gflow.judges.alignment_phase import (
    COSINE_ROUNDING,
    RESOLUTION,
    clock,
    coordinates,
    known,
    negligible,
    own,
    signs,
)
from gflow.judges.evidence import Evidence
from gflow.judges.finding import Opinion, earned, unmet
from gflow.judges.prediction import Prediction, Subject
from gflow.judges.resting import (
    READ,
    RESTED,
    RESTING_ANGLE,
    comparison,
    last_quiet,
    per_subclass,
    rested,
    scatter,
    small_angle,
)
from gflow.judges.separation import SMALLER, counts_angle, law_angle_at_center
from gflow.judges.series import Comparison, opinion_of
from gflow.judges.shared_hypotheses import equal_weights, vanishing, within
from gflow.laws.hypothesis import Hypothesis, number
from gflow.laws.reduced import angle_at_average, capture_time
from gflow.table import GIVEN

CAPTURE_FACTOR = 1.5
"""Largest factor between the mean capture time and its scale law (P8)."""

CAPTURE_CORRELATION = 0.9
"""Least correlation of capture times with their scale law (P8)."""

FEWEST = 10
"""Coordinates that must have been captured (P8)."""

LARGEST_NOISE = 0.3
"""Largest α of the laws of where ReLU neurons rest and when they wake (P8)."""

LEAST_NOISE, LEAST_DIMENSION = 0.01, 100
"""α and D from which the constants of the capture law come (P8)."""

NOT_WOKEN = 0.05
"""Share of sleeping coordinates that may be left when the network escapes (P8)."""


def judge_partial_activation(evidence: Evidence) -> Opinion:
    """p = 1: without noise the awake own centers are averaged, with noise all (prediction P8)."""
    expected = "α = 0: sin(angle to μ̄_A) <= ρ(0)/ρ; α > 0: resting angle and capture times of D4"
    noise = () if evidence.alpha is None else (
        Hypothesis.that("α", evidence.alpha, "<=", LARGEST_NOISE),
    )  # fmt: skip
    hypotheses = (
        Hypothesis.that("p", evidence.p, "=", 1),
        *known(evidence),
        *noise,
        *_drawn(evidence),
        *equal_weights(evidence),
        _equal_counts(evidence),
        vanishing(evidence, RESTED),
    )
    if opinion := unmet(expected, hypotheses):
        return opinion
    undecided = (
        "Too few neurons can be read, or an angle, give or take what steps leave open, straddles "
        "the criterion; try a smaller `flow.tolerance`."
    )
    if evidence.alpha == 0:
        parts = [_average_of_the_awake(evidence)]
        return opinion_of(expected, parts, hypotheses, READ, undecided=undecided)
    parts = [*_angles_to_average(evidence), _capture(evidence)]
    opinion = opinion_of(expected, parts, hypotheses, READ, undecided=undecided)
    rests = [rested(evidence, _angle_to_average(evidence, s)) for s in _classes(evidence)]
    return earned(
        opinion, *rests, small_angle(evidence), scatter(evidence, 1), *_capture_sizes(evidence)
    )


def _drawn(evidence: Evidence) -> tuple[Hypothesis, ...]:
    """Directions drawn at random, from which the constants of the capture law come."""
    if evidence.alpha == 0:
        return ()
    drawn = evidence.neurons.init != GIVEN
    return (Hypothesis.whether("directions drawn at random, where there is noise", drawn),)


def _equal_counts(evidence: Evidence) -> Hypothesis:
    """That unequal counts draw neurons off the class average by little of the law (theory D5)."""
    allowed = law_angle_at_center(evidence) * RESTING_ANGLE / 2 + COSINE_ROUNDING
    classes = [evidence.pi[evidence.centers.label == s] for s in (1, -1)]
    drawn = max(counts_angle(pi, 1.0) for pi in classes if len(pi))
    measured = f"they draw the average {number(drawn)} off"
    return Hypothesis("subclasses of equal counts", measured, drawn <= allowed)


def _capture_sizes(evidence: Evidence) -> tuple[Hypothesis, ...]:
    """Sizes from which the constants of the capture law come, and that all have been captured.

    Those that are still asleep when the network escapes would have raised the mean.
    """
    asleep, captured = _captured(evidence)
    late = 1 - captured.sum() / max(int(asleep.sum()), 1)
    alpha = evidence.alpha or 0.0
    return (
        within("the share of coordinates that noise has not woken", float(late), NOT_WOKEN,
               cure=SMALLER),
        within("1/D", 1 / evidence.centers.D, 1 / LEAST_DIMENSION,
               cure="give more `data.dimension`"),
        within("1/α", 1 / alpha, 1 / LEAST_NOISE, cure="give more `data.noise`"),
    )  # fmt: skip


def _classes(evidence: Evidence) -> list[int]:
    """Classes that have subclasses and neurons."""
    present = set(signs(evidence)[evidence.share > 0])
    return [s for s in (1, -1) if s in present and (evidence.centers.label == s).any()]


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
    at_rest, centers = last_quiet(evidence), evidence.centers
    sizes = {1: (centers.K1, centers.K2), -1: (centers.K2, centers.K1)}
    parts = []
    for s in _classes(evidence):
        m, others = sizes[s]
        law = angle_at_average(
            evidence.alpha or 0.0, per_subclass(evidence), centers.D, m, K2=others
        )
        measured = float(_angle_to_average(evidence, s)[at_rest])
        parts.append(comparison(f"resting angle {'+' if s > 0 else '-'}", measured, law, evidence))
    return parts


def _angle_to_average(evidence: Evidence, s: int) -> Float[np.ndarray, " T"]:
    """Root mean square chord of a class's neurons to their average, by final mass."""
    mine = signs(evidence) == s
    share = evidence.share[mine] / evidence.share[mine].sum()
    column = -2 if s > 0 else -1
    chord = evidence.record["chord"].values[:, mine, column].astype(np.float64)
    return np.sqrt(chord**2 @ share)


def _capture(evidence: Evidence) -> Comparison:
    """When sleeping own coordinates reach half of 1/√K_own, against the scale law of D4."""
    _, captured = _captured(evidence)
    if captured.sum() < FEWEST:
        return Comparison("capture times", None, f"only {int(captured.sum())} coordinates captured")
    mine, cosine = own(evidence), coordinates(evidence)
    reached = _reached(evidence)
    measured = clock(evidence)[reached.argmax(axis=0)][captured]
    law = _capture_law(evidence, mine & (cosine[0] > 0))[captured]
    ratio, alike = float(measured.mean() / law.mean()), float(np.corrcoef(measured, law)[0, 1])
    fits = 1 / CAPTURE_FACTOR <= ratio <= CAPTURE_FACTOR and alike > CAPTURE_CORRELATION
    return Comparison(
        "capture times", fits, f"mean {ratio:.2f} of the law, correlation {alike:.3f}"
    )


def _captured(evidence: Evidence) -> tuple[Bool[np.ndarray, "h K"], Bool[np.ndarray, "h K"]]:
    """Own coordinates asleep at the start, of neurons that are awake to another; those captured."""
    start, mine = coordinates(evidence)[0], own(evidence)
    asleep = mine & (start < 0) & (mine & (start > 0)).any(axis=1, keepdims=True)
    return asleep, asleep & _reached(evidence).any(axis=0)


def _reached(evidence: Evidence) -> Bool[np.ndarray, "T h K"]:
    """Where own coordinates are at half of 1/√K_own or more while the network is negligible."""
    mine, cosine = own(evidence), coordinates(evidence)
    half = 0.5 / np.sqrt(np.maximum(mine.sum(axis=1), 1))[None, :, None]
    return (cosine >= half) & negligible(evidence, RESTED)[:, None, None]


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
        subject=Subject.ALIGNMENT,
    ),
)  # fmt: skip
