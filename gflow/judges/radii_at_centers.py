"""Judges of radii at the subclass centers (theory D6, D10): predictions P19 and P21.

One idea: the centers are where the theory speaks in closed form, and there are K of them only, so
every run has its radii as brackets [certified, attacked] for nothing.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from gflow.data.centers import Centers
from gflow.judges.evidence import Evidence
from gflow.judges.finding import Hypothesis, Opinion, unmet
from gflow.judges.series import Told, opinion_of, series
from gflow.judges.slope import slope
from gflow.laws.critical_radii import critical_radii, two_neuron_radii
from gflow.network.reference import ORTHONORMAL, subclass_classifier
from gflow.robustness.radius import Radii, radii

BY_MASS = 0.01
"""Relative error allowed in the radius that masses give (P19)."""

IDEAL = 0.03
"""Relative error allowed in 1/√2 for p >= 3 (P19)."""

RADIUS_SLOPE = -0.5
RADIUS_SLOPE_ERROR = 0.03
"""Slope of the radius in K at p = 1; it is 0 for p >= 3, with the same error allowed (P21)."""


def radii_at_centers(evidence: Evidence) -> Radii:
    """Radii of the K centers as brackets, with what coalescing left out."""
    centers = evidence.centers
    left_out = evidence.left_out.total
    return radii(
        evidence.network, centers.mu, centers.label.astype(float), evidence.scenario.seed, left_out
    )


def law_of_masses(evidence: Evidence) -> Float[np.ndarray, " K"]:
    """The radii that the outputs |f(μ_k)| at the end imply if neurons are aligned."""
    z = np.abs(evidence.record["center_output"].values[-1]).astype(np.float64)
    label = evidence.centers.label
    if evidence.p >= 2:
        return critical_radii(z, label, evidence.p)
    K1 = int((label > 0).sum())
    K2 = len(label) - K1
    gain = [float(z[label == s].mean()) * size**0.5 for s, size in ((1, K1), (-1, K2))]
    plus, minus = two_neuron_radii(gain[0], gain[1], K1, K2)
    return np.where(label > 0, plus, minus)


def judge_critical_radii(evidence: Evidence) -> Opinion:
    """Centers fall where the masses say; for p >= 3 that is near 1/√2 (D6, prediction P19)."""
    expected = (
        f"bracket within {BY_MASS:.0%} and the tilt of the law by masses; late, p >= 3: "
        f"within {IDEAL:.0%} of 1/√2"
    )
    assumed = aligned(evidence)
    if opinion := unmet(expected, assumed):
        return opinion
    found, law = radii_at_centers(evidence), law_of_masses(evidence)
    told = [_compared("by masses", found, law, BY_MASS + tilt_of(evidence) / law)]
    reason = "At the K centers; l2."
    if evidence.p >= 3:
        ideal = _compared("ideal", found, np.full(len(law), 0.5**0.5), np.full(len(law), IDEAL))
        if late(evidence):
            told.append(ideal)
        else:
            reason += f" Too early for equal outputs and 1/√2: {ideal.text}."
    undecided = "The bracket reaches from inside the criterion to outside."
    return opinion_of(expected, told, assumed, reason, undecided)


def tilt_of(evidence: Evidence) -> float:
    """Mean angle of neurons to their target by mass, radians.

    The laws are about aligned neurons; turning them by th moves what they see of an input by th of
    its length, and the radius with it, by th and not in proportion, to first order.
    """
    return float(evidence.share @ np.arccos(np.clip(evidence.target_cosine[-1], -1, 1)))


def late(evidence: Evidence) -> bool:
    """Whether outputs have had the time to become alike, ten times that of fitting."""
    fitted = evidence.phases.fitted if evidence.phases else np.nan
    return bool(evidence.times[-1] >= 10 * fitted)


def aligned(evidence: Evidence) -> tuple[Hypothesis, ...]:
    """What the law by masses assumes of a run."""
    recorded = evidence.has("centers") and evidence.has("neurons")
    share = float(evidence.aligned_share[-1]) if recorded and evidence.p != 2 else 0.0
    error, p = evidence.centers.orthonormality_error, evidence.p
    both = len(set(evidence.centers.label.tolist())) == 2
    return (
        Hypothesis("p = 1 or p > 2", f"{p:g}", p == 1 or p > 2),
        Hypothesis("neurons and centers recorded", "yes" if recorded else "no", recorded),
        Hypothesis("orthonormal centers", f"max |C Cᵀ - I| = {error:.1e}", error <= ORTHONORMAL),
        Hypothesis("two classes", "yes" if both else "no", both),
        Hypothesis("p < 2: subclasses of equal weight", f"{evidence.imbalance:g} : 1",
                   p >= 2 or evidence.imbalance == 1),
        Hypothesis("normalized activation", f"degree {evidence.degree:g}", evidence.degree == 1),
        Hypothesis("95 % of the mass within 10° of its target", f"{share:.1%}", share >= 0.95),
    )  # fmt: skip


def _compared(
    title: str, found: Radii, law: Float[np.ndarray, " K"], allowed: Float[np.ndarray, " K"]
) -> Told:
    """Both ends against a law: they fit if all are inside, and fail if one bracket is outside."""
    low, high = found.certified / law - 1, found.attacked / law - 1
    inside = bool((low >= -allowed).all() and (high <= allowed).all())
    outside = bool((high < -allowed).any() or (low > allowed).any())
    text = (
        f"[{found.certified.min():.4f}, {found.attacked.max():.4f}], off by {low.min():+.2%} to "
        f"{high.max():+.2%}"
    )
    return Told(title, True if inside else False if outside else None, text)


def judge_radius_over_K(evidences: Sequence[Evidence]) -> Opinion:
    """The radius falls like K^{-1/2} at p = 1 and stays for p >= 3 (D6, prediction P21)."""
    expected = f"slope in log K {RADIUS_SLOPE:g} at p = 1, 0 for p >= 3, ± {RADIUS_SLOPE_ERROR:g}"
    counts = {run.centers.K for run in evidences}
    met = all(one.met for run in evidences for one in aligned(run))
    assumed = (
        Hypothesis("three values of `data.subclasses`", f"{len(counts)}", len(counts) >= 3),
        Hypothesis("aligned runs on orthonormal centers", "yes" if met else "no", met),
    )
    if opinion := unmet(expected, assumed):
        return opinion
    along = ("data.subclasses", "data.positive_subclasses", "data.samples", "data.dimension")
    told = [_slope_over_K(one.title, one.runs) for one in series(evidences, *along)]
    return opinion_of(
        expected, told, assumed, "Mean radius of the centers; slope with its 95 % interval."
    )


def _slope_over_K(title: str, runs: Sequence[Evidence]) -> Told:
    law = RADIUS_SLOPE if runs[0].p < 2 else 0.0
    if (count := len({run.centers.K for run in runs})) < 3:
        return Told(title, None, f"only {count} of three values of K")
    brackets = [radii_at_centers(run) for run in runs]
    x = np.log([run.centers.K for run in runs])
    ends = [
        slope(x, np.log([float(end.mean()) for end in side]))
        for side in ([b.certified for b in brackets], [b.attacked for b in brackets])
    ]
    fits = all(one.within(law, RADIUS_SLOPE_ERROR) for one in ends)
    misses = any(one.excludes(law, RADIUS_SLOPE_ERROR) for one in ends)
    text = f"certified {ends[0]}, attacked {ends[1]} (law {law:g})"
    return Told(title, True if fits else False if misses else None, text)


def ideal_radii(centers: Centers, p: float) -> Radii:
    """Radii of the centers under F^(p), measured as those of a trained network."""
    return radii(subclass_classifier(centers, p), centers.mu, centers.label.astype(float), 0)
