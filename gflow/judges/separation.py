"""Whether neurons arrive before outputs escape: where laws of a vanishing start may be said.

A law for ε → 0 is held against a run only if, from this start and by the laws themselves, what a
finite ε leaves undone is at most half of what the criterion allows (theory D3, D4).
"""

import math

import numpy as np
from jaxtyping import Bool, Float

from gflow.judges.alignment_phase import coordinates, own, signs
from gflow.judges.evidence import Evidence
from gflow.judges.shared_hypotheses import within
from gflow.laws.growth import direction_at_growth
from gflow.laws.hypothesis import Hypothesis, occupied_cells
from gflow.laws.reduced import angle_at_average, capture_time, growth_rate, tilt
from gflow.measure.alignment import CONE, contributing, mass_share

CAPTURED = 1.5
"""Largest factor by which a sleeping coordinate wakes later than its scale law says (P8)."""

LARGEST_TILT = 5.0
"""Degrees by which samples may tilt targets for a cone of 10 degrees to mean something (P22)."""

SMALLER = "give a smaller `network.init_scale`"


def occupied(evidence: Evidence) -> Hypothesis:
    """Every own cell has a neuron (p > 2), or every class one that is awake to it (theory G4)."""
    start, sign, label = coordinates(evidence)[0], signs(evidence), evidence.centers.label
    cure = "give more `network.width`"
    if evidence.p > 2:
        met = occupied_cells(start, sign, label).met
        text, gap = "a neuron of its class in every Voronoi cell at the start", "a cell is empty"
        return Hypothesis(text, "" if met else gap, met, "" if met else cure)
    awake = np.where(own(evidence), start, -1).max(axis=1) > 0
    met = all((awake & (sign == s)).any() for s in set(label))
    text = "a neuron of every class that is awake to a center of it at the start"
    return Hypothesis(text, "" if met else "a class has none", met, "" if met else cure)


def arrived(evidence: Evidence, undone: float) -> Hypothesis:
    """That by the laws at most half of the share `undone` of the mass is still on its way.

    For p > 2 a neuron has arrived when its growth has brought it within 10 degrees of a center
    (theory D3); for p = 1 when noise has woken its last own center and it has turned, before the
    first output escapes (D4).
    """
    if evidence.p > 2:
        last = len(evidence.times) - 1
        share = float(evidence.share[law_at_center(evidence, last)].sum())
        text = f"ε so small that by theory D3 {1 - undone / 2:.1%} of the mass gets to a center"
        met = share >= 1 - undone / 2
        return Hypothesis(text, f"it is {share:.1%}", met, "" if met else SMALLER)
    text = f"ε so small that noise wakes {1 - undone / 2:.1%} of the mass to its class by escape"
    if evidence.p != 1:
        return Hypothesis(text, "at 1 < p < 2 no law says when noise wakes neurons", None)
    share = float(evidence.share[awake_by_escape(evidence)].sum())
    met = share >= 1 - undone / 2
    return Hypothesis(text, f"by theory D4 it is {share:.1%}", met, "" if met else SMALLER)


def law_at_center(evidence: Evidence, at: int) -> Bool[np.ndarray, " h"]:
    """Which neurons theory D3 puts within 10 degrees of an own center, by their growth so far."""
    log_norm = evidence.record["log_norm"].values.astype(np.float64)
    start = np.where(own(evidence), coordinates(evidence)[0], 0.0)
    reached = direction_at_growth(start, log_norm[at] - log_norm[0], evidence.p)
    return reached.max(axis=1) >= CONE


def law_share_at_centers(evidence: Evidence, at: int) -> float:
    """Share of the contributing mass that theory D3 puts within 10 degrees of an own center."""
    log_mass = evidence.log_mass[at]
    share = np.where(contributing(log_mass), mass_share(log_mass), 0.0)
    return float(share[law_at_center(evidence, at)].sum() / share.sum())


def awake_by_escape(evidence: Evidence) -> Bool[np.ndarray, " h"]:
    """Which ReLU neurons are awake to their class, and at its average, when its outputs escape.

    The last own center wakes by the scale law of D4, at the pace of the centers awake at the start,
    and from there the angle to the average falls like e^{-√K_own t̂}.
    """
    centers, start, mine = evidence.centers, coordinates(evidence)[0], own(evidence)
    rate = evidence.loss.kappa * float(evidence.pi.mean())
    escape = evidence.escape_times
    done = np.zeros(len(start), dtype=bool)
    for j, s in enumerate(signs(evidence)):
        m, asleep = int((mine[j] & (start[j] > 0)).sum()), start[j][mine[j] & (start[j] <= 0)]
        if not m:
            continue
        wakes = capture_time(asleep, evidence.alpha or 0.0, centers.D, m).max(initial=0.0)
        turns = math.log(1 / math.sin(math.acos(CONE))) / growth_rate(1.0, int(mine[j].sum()))
        left = rate * np.nanmin(escape[centers.label == s], initial=np.inf)
        done[j] = CAPTURED * wakes + turns <= left
    return done


def law_angle(evidence: Evidence, *, late: bool = False) -> float:
    """Where the sample leaves neurons, as an angle to their targets (theory D3, D4).

    α/√N at a center; at the class average with opposite coordinates at rest, and unequal counts,
    which draw it to Σ π_k^{1/(2-p)} μ_k.

    **Arguments:**

    - `late`: whether the margin has had time to grow; then the samples that support it count, which
        in D dimensions are about D in all (theory C3), and not the means of N.
    """
    centers, alpha, p = evidence.centers, evidence.alpha or 0.0, evidence.p
    N, angles = samples_per_subclass(evidence), []
    N = min(N, max(centers.D / centers.K, 1.0)) if late else N
    if p >= 2:
        return tilt(alpha, N)
    for s, m, others in ((1, centers.K1, centers.K2), (-1, centers.K2, centers.K1)):
        if not m:
            continue
        drawn = counts_angle(evidence.pi[centers.label == s], p)
        rests = angle_at_average(alpha, N, centers.D, m, K2=others) if alpha else 0.0
        angles.append(math.hypot(drawn, rests))
    return max(angles)


def law_angle_at_center(evidence: Evidence) -> float:
    """α/√N, by which the mean of a subclass is off its center (theory D4)."""
    return tilt(evidence.alpha or 0.0, samples_per_subclass(evidence))


def counts_angle(pi: Float[np.ndarray, " m"], p: float) -> float:
    """Angle between Σ π_k^{1/(2-p)} μ_k and the class average, p < 2 (theory D5)."""
    weight = (pi / pi.max()) ** (1 / (2 - p))
    cosine = weight.sum() / (math.sqrt(len(pi)) * np.linalg.norm(weight))
    return math.acos(min(float(cosine), 1.0))


def samples_per_subclass(evidence: Evidence) -> float:
    """N of the smallest subclass that has samples, by its weight in the loss."""
    smallest = evidence.pi[evidence.pi > 0].min()
    return evidence.scenario.data.sizes.n * float(smallest / evidence.pi.sum())


def little_tilt(evidence: Evidence, *, late: bool = False) -> Hypothesis:
    """That the sample tilts targets by half the cone at most (theory D4)."""
    angle = float(np.degrees(law_angle(evidence, late=late)))
    cure = "give more `data.samples` or less `data.noise`"
    return within("the tilt of targets by the sample", angle, LARGEST_TILT, "°", cure=cure)
