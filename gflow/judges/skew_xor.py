"""Judges of ReLU networks on a skew XOR (theory D22): prediction P42.

One idea: a neuron is pulled from both sides of the hyperplane orthogonal to the other class, so it
slides there, at an angle to its own class that the data give, and grows as slowly as that allows.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

from gflow.judges.alignment_phase import coordinates, negligible, own
from gflow.judges.evidence import Evidence
from gflow.judges.exponents import (
    SCALE,
    VANISHING_MASS,
    all_vanish,
    compared_slope,
    log_scales,
    over_scales,
    slopes_opinion,
)
from gflow.judges.far_enough import escaped
from gflow.judges.finding import Opinion, earned, unmet
from gflow.judges.fitting_line import DEVIATIONS
from gflow.judges.prediction import Prediction, Subject
from gflow.judges.series import Comparison, Series, class_name, opinion_of, series
from gflow.judges.shared_hypotheses import (
    all_of,
    like_random,
    recorded,
    the_flow,
    vanishing,
    within,
)
from gflow.laws.hypothesis import Hypothesis
from gflow.laws.xor import resting_angle, sliding_rate

XOR_ANGLE = 1.0
"""Error allowed in the angle between neurons and their own axis, degrees (P42)."""

XOR_ESCAPE = 0.02
"""Relative error allowed in the escape slope (P42)."""

LARGEST_BLOB = 0.05
"""Largest noise τ per coordinate for which the laws are of first order (P42)."""

XOR_STILL = 0.2
"""Change of the angle since half the time at which it rests, degrees (P42)."""

STRAIGHT = 1e-9
"""Rounding in the centers of a skew XOR."""


def judge_sliding_angle(evidence: Evidence) -> Opinion:
    """Neurons rest at 90° - a from the axis of their class (theory D22)."""
    expected = f"angle to the own axis within {XOR_ANGLE:g}° of 90° - a - τz"
    hypotheses = (*_setting(evidence), the_flow(evidence), recorded(evidence))
    if opinion := unmet(expected, hypotheses):
        return opinion
    hypotheses = (
        *hypotheses,
        vanishing(evidence, VANISHING_MASS),
        _small(evidence),
        *like_random(evidence),
    )
    if opinion := unmet(expected, hypotheses):
        return opinion
    quiet = np.flatnonzero(negligible(evidence, VANISHING_MASS))
    law = resting_angle(_angle(evidence), _tau(evidence))
    parts = [_compared(evidence, s, _mean_angle(evidence, s, int(quiet[-1])), law) for s in (1, -1)]
    reason = "By mass, at the last record before the network is felt."
    opinion = opinion_of(expected, parts, hypotheses, reason)
    return earned(opinion, escaped(evidence, every=True), _at_rest(evidence, quiet))


def _compared(evidence: Evidence, s: int, angle: float, law: float) -> Comparison:
    miss, error = abs(angle - law), np.degrees(_sampling_error(evidence))
    fits = True if miss <= XOR_ANGLE else False if miss > XOR_ANGLE + error else None
    return Comparison(class_name(s), fits, f"{angle:.2f}° (law {law:.2f}°)")


def _mean_angle(evidence: Evidence, s: int, at: int) -> float:
    """Mean angle by mass between the neurons of a class and the closest own center, degrees."""
    mine = evidence.record["sign"].values[at] == s
    if not mine.any():
        return float("nan")
    u = np.where(own(evidence)[mine], coordinates(evidence)[at, mine], -1).max(axis=1)
    mass = np.exp(evidence.log_mass[at, mine] - evidence.log_mass[at, mine].max())
    return float(np.degrees(np.arccos(np.clip(u, -1, 1))) @ mass / mass.sum())


def _at_rest(evidence: Evidence, quiet: Int[np.ndarray, " q"]) -> Hypothesis:
    """That angles have changed little since half of the quiet time."""
    half = int(np.searchsorted(evidence.times[quiet], evidence.times[quiet[-1]] / 2))
    change = max(
        abs(_mean_angle(evidence, s, int(quiet[half])) - _mean_angle(evidence, s, int(quiet[-1])))
        for s in (1, -1)
    )
    met = True if change <= XOR_STILL else None
    cure = "" if met else "give a smaller `network.init_scale`"
    measured = f"angles changed by {change:.2g}° since half the time"
    return Hypothesis("neurons at rest before the network is felt", measured, met, cure)


def judge_skew_escape(evidences: Sequence[Evidence]) -> Opinion:
    """Escape on a skew XOR is later by 1/(κπ sin a) per factor e of ε (theory D22)."""
    expected = f"slopes within {XOR_ESCAPE:.0%} of 1/(κπ (sin a - 2τ pdf(z)))"
    hypotheses = (
        *(all_of(lambda run, i=i: _setting(run)[i], evidences) for i in range(3)),
        *over_scales(evidences),
    )
    if opinion := unmet(expected, hypotheses):
        return opinion
    hypotheses = (*hypotheses, *all_vanish(evidences), all_of(_small, evidences))
    if opinion := unmet(expected, hypotheses):
        return opinion
    parts = [part for one in series(evidences, SCALE) for part in _slopes(one)]
    return slopes_opinion(expected, parts, hypotheses)


def _slopes(one: Series) -> list[Comparison]:
    """The slope of every blob's escape time."""
    first, x = one.runs[0], -log_scales(one)
    rate = sliding_rate(_angle(first), _tau(first))
    times = np.stack([run.escape_times for run in one.runs])
    # The field is off by the sampling error of the means of four blobs.
    error = 2 * max(map(_sampling_error, one.runs)) / rate
    parts = []
    for k, pi in enumerate(first.pi.tolist()):
        law = 1 / (first.loss.kappa * pi * rate)
        title = ", ".join(part for part in (one.title, f"blob {k + 1}") if part)
        parts.append(
            compared_slope(
                title, x, times[:, k], law, allowed=XOR_ESCAPE * law, error=error * law, log_eps=-x
            )
        )
    return parts


def _setting(evidence: Evidence) -> tuple[Hypothesis, Hypothesis, Hypothesis]:
    """Blobs of equal weight at ±μ_1 and ±μ_2, p = 1, and a noise that is known."""
    weights = float(evidence.pi.max() / evidence.pi.min()) if evidence.pi.all() else np.inf
    shape = _skew(evidence.centers.mu, evidence.centers.label)
    met = shape and weights <= 1.01 and not evidence.centers.strays
    return (
        Hypothesis.whether("blobs of equal weight at ±μ_1 (+1) and ±μ_2 (-1)", met),
        Hypothesis.that("p", evidence.p, "=", 1),
        Hypothesis.whether("noise that is known", evidence.facts.tau is not None),
    )


def _skew(mu: Float[np.ndarray, "K D"], label: Int[np.ndarray, " K"]) -> bool:
    """Whether centers are unit vectors ±μ_1, ±μ_2 with labels +1, +1, -1, -1."""
    if label.tolist() != [1, 1, -1, -1]:
        return False
    opposite = np.abs(mu[::2] + mu[1::2]).max() <= STRAIGHT
    unit = np.abs(np.linalg.norm(mu, axis=1) - 1).max() <= STRAIGHT
    return bool(opposite and unit and abs(float(mu[0] @ mu[2])) < 1 - STRAIGHT)


def _small(evidence: Evidence) -> Hypothesis:
    cure = "give a smaller `data.noise` or a larger `data.dimension`"
    return within("the noise τ per coordinate", _tau(evidence), LARGEST_BLOB, cure=cure)


def _tau(evidence: Evidence) -> float:
    return evidence.facts.tau or 0.0


def _angle(evidence: Evidence) -> float:
    """a, the acute angle between the axes, degrees."""
    mu = evidence.centers.mu
    return float(np.degrees(np.arccos(min(abs(float(mu[0] @ mu[2])), 1.0))))


def _sampling_error(evidence: Evidence) -> float:
    """By how much the mean of a blob may be off, `DEVIATIONS` standard errors α/√N."""
    N = (evidence.facts.drawn or np.inf) / evidence.centers.K
    return DEVIATIONS * (evidence.facts.noise or 0.0) / N**0.5


PREDICTIONS = (
    Prediction(
        "skew-xor", "P42",
        "On a skew XOR ReLU neurons slide at 90° - a from their class and grow at sin a.",
        "Tsoy and Konstantinov, arXiv 2405.17299; theory D22, P42",
        "∠(u, ±μ_own) = 90° - a;  dT_esc/d log(1/ε) = 1/(κ π sin a)",
        judge=judge_sliding_angle, judge_study=judge_skew_escape, scenario="skew-xor",
        subject=Subject.ALIGNMENT,
    ),
)  # fmt: skip
