"""Judges of what late outputs at the centers determine (theory D8): predictions P14 and P15.

The gap between classes, loss and norm follow from the outputs of the fitting law, each with its
start and with its own error.
"""

import numpy as np

from gflow.judges.aligned_outputs import aligned, exponential
from gflow.judges.evidence import Evidence
from gflow.judges.far_enough import escaped
from gflow.judges.finding import Opinion, unmet
from gflow.judges.fitting_line import (
    DEVIATIONS,
    Group,
    Line,
    followed,
    held,
    imperfection,
    potential_line,
    predicted_outputs,
    standing,
)
from gflow.judges.prediction import Prediction, Subject
from gflow.judges.series import Comparison, opinion_of
from gflow.judges.shared_hypotheses import two_classes
from gflow.laws.hypothesis import Hypothesis
from gflow.laws.spread import mean_force
from gflow.laws.timescales import (
    aligned_squared_norm,
    relu_floor,
    scaled_exponential_integral,
)
from gflow.measure.distance import distance
from gflow.network.reference import average_target

LARGEST_LATE_DEVIATION = 1.0
"""Largest deviation of the forces of a subclass over their mean, where an excess of force mostly
cancels, in the loss times the time (P15)."""

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


def judge_late_gap(evidence: Evidence) -> Opinion:
    """p = 1: q₊ - q₋ by two Ei laws, and the distance to F it leaves (D8, prediction P14)."""
    expected = f"q₊ - q₋ within {LATE_GAP:.0%} of its law; floor of the distance to F"
    noise = np.inf if evidence.alpha is None else evidence.alpha
    hypotheses = (
        Hypothesis.that("p", evidence.p, "=", 1),
        Hypothesis.that("α", noise, "<=", FLOOR_NOISE),
        two_classes(evidence),
        _unequal_classes(evidence),
        *aligned(evidence),
        exponential(evidence),
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
    hypotheses = (*aligned(evidence), exponential(evidence), escaped(evidence, every=True))
    if opinion := unmet(expected, hypotheses):
        return opinion
    parts = [_loss(evidence), _norm(evidence)]
    undecided = (
        "The record has too few times since outputs escaped, or the samples of a subclass are too "
        "few for their noise: with more `data.samples` or `data.dimension` the law is sharper."
    )
    reason = "At the last recorded time, by laws that begin where outputs have grown."
    return opinion_of(expected, parts, hypotheses, reason, undecided=undecided)


def _unequal_classes(evidence: Evidence) -> Hypothesis:
    K1, K2 = evidence.centers.K1, evidence.centers.K2
    return Hypothesis("classes of unequal size", f"K1 = {K1}, K2 = {K2}", K1 != K2)


def _gap(evidence: Evidence) -> Comparison:
    """q₊ - q₋ at the end, against both laws from where their class has grown."""
    laws = predicted_outputs(evidence, evidence.times[-1:])
    lines = _lines(evidence)
    if laws is None or lines is None:
        return Comparison("gap", None, "the classes have not grown long enough")
    plus, minus = (float(group.z[-1]) for group, _ in lines)
    measured, law = plus - minus, float(laws[0, 0] - laws[0, 1])
    # An output moves by zE(z) times the relative error of its growth, and by its mean force.
    bias, variance, numerical = 0.0, 0.0, 0.0
    for group, line in lines:
        now = standing(evidence, group, line)
        growth = now.growth
        moved = float(group.z[-1] * scaled_exponential_integral(group.z[-1])) / abs(law)
        bias += moved * float(growth.bias[-1] + line.past_deviation[-1] ** 2 / 2)
        variance += (moved * float(growth.sampling[-1])) ** 2
        numerical += moved * float(now.numerical[-1])
    error, bound = bias + variance**0.5, bias + DEVIATIONS * variance**0.5 + numerical
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
        now = standing(evidence, group, line)
        off = now.loss
        errors.append(tuple(float(a[-1]) for a in (off.bias, off.sampling, now.numerical)))
    # Biases add up; samples of different subclasses err independently.
    law, share = sum(laws), np.array(laws) / sum(laws)
    bias, sampling, numerical = np.array(errors).T
    systematic, random = float(share @ bias), float(np.sqrt(share**2 @ sampling**2))
    error, bound = systematic + random, systematic + DEVIATIONS * random + float(share @ numerical)
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


PREDICTIONS = (
    Prediction(
        "late-gap", "P14",
        "ReLU classes of unequal size keep a gap that dies like 1/log t, and so does the distance.",
        "theory D8, P14",
        "Ei(q±) = 2 π √K± t; floor = √(K1 K2) |q₊ - q₋|/√(K1 q₊² + K2 q₋²)",
        judge=judge_late_gap, scenario="late-gap",
        subject=Subject.FITTING,
    ),
    Prediction(
        "late-rates", "P15",
        "Late loss and norm follow from the outputs at the centers.",
        "theory D8, P15",
        "2 t L = Σ_k E(z_k), E(z) = Ei(z) e^(-z); ‖θ‖² = 2 Σ_k z_k",
        judge=judge_late_rates, scenario="ei-law",
        subject=Subject.FITTING,
    ),
)  # fmt: skip
