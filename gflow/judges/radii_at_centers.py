"""Judges of radii at the subclass centers (theory D6, D10): predictions P19 and P21.

At the centers the theory has closed forms, and there are only K of them, so that every run has
their radii as brackets [certified, attacked] at almost no cost.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from gflow.data.centers import Centers
from gflow.judges.evidence import Evidence
from gflow.judges.finding import Opinion, unmet
from gflow.judges.prediction import MV24, Prediction
from gflow.judges.series import Comparison, opinion_of, series
from gflow.judges.shared_hypotheses import (
    aligned_mass,
    equal_weights,
    late,
    normalized,
    orthonormal,
    recorded,
)
from gflow.judges.slope import slope
from gflow.laws.critical_radii import critical_radii, two_neuron_radii
from gflow.laws.hypothesis import Hypothesis, all_met
from gflow.network.reference import subclass_classifier
from gflow.robustness.radius import Radii, radii

BY_MASS = 0.01
"""Relative error allowed in the radius that masses give (P19)."""

IDEAL = 0.03
"""Relative error allowed in 1/√2 for p >= 3 (P19)."""

RADIUS_SLOPE = -0.5
RADIUS_SLOPE_ERROR = 0.03
"""Slope of the radius in K at p = 1; it is 0 for p >= 3, with the same error allowed (P21)."""


def radii_at_centers(evidence: Evidence) -> Radii:
    """Radii of the K centers as brackets."""
    centers = evidence.centers
    y, seed = centers.label.astype(float), evidence.scenario.seed
    return radii(evidence.network, centers.mu, y, seed)


def law_of_masses(evidence: Evidence) -> Float[np.ndarray, " K"]:
    """The radii that the outputs |f(μ_k)| at the end imply if neurons are aligned."""
    z = np.abs(evidence.record["center_output"].values[-1]).astype(np.float64)
    label = evidence.centers.label
    if evidence.p >= 2:
        return critical_radii(z, label, evidence.p)
    K1, K2 = int((label > 0).sum()), int((label < 0).sum())
    plus, minus = (float(z[label == s].mean()) * K**0.5 for s, K in ((1, K1), (-1, K2)))
    plus, minus = two_neuron_radii(plus, minus, K1, K2)
    return np.where(label > 0, plus, minus)


def judge_critical_radii(evidence: Evidence) -> Opinion:
    """Centers have the radii that masses imply, near 1/√2 for p >= 3 (D6, prediction P19)."""
    expected = (
        f"bracket within {BY_MASS:.0%} and the tilt of the law by masses; late, p >= 3: "
        f"within {IDEAL:.0%} of 1/√2"
    )
    hypotheses = aligned_hypotheses(evidence)
    if opinion := unmet(expected, hypotheses):
        return opinion
    measured, law = radii_at_centers(evidence), law_of_masses(evidence)
    parts = [_compared("by masses", measured, law, BY_MASS + tilt_of(evidence) / law)]
    reason = "At the K centers; l2."
    # Outputs become alike in time, and the law by masses becomes 1/√2.
    if evidence.p >= 3:
        ideal = _compared("ideal", measured, np.full(len(law), 0.5**0.5), np.full(len(law), IDEAL))
        if late(evidence).met:
            parts.append(ideal)
        else:
            reason += f" Too early for equal outputs and 1/√2: {ideal.text}."
    undecided = "A bracket straddles the criterion."
    return opinion_of(expected, parts, hypotheses, reason, undecided=undecided)


def tilt_of(evidence: Evidence) -> float:
    """Mean angle of neurons to their target by mass, radians.

    The laws are about aligned neurons.  Turning neurons by an angle changes their inner products
    with an input by that share of its length, and to first order the radius by the angle itself.
    """
    return float(evidence.share @ np.arccos(np.clip(evidence.target_cosine[-1], -1, 1)))


def aligned_hypotheses(evidence: Evidence) -> tuple[Hypothesis, ...]:
    """What the law by masses assumes of a run."""
    return (
        recorded(evidence),
        *aligned_mass(evidence),
        orthonormal(evidence),
        Hypothesis.whether("two classes", len(set(evidence.centers.label.tolist())) == 2),
        *equal_weights(evidence, needed=evidence.p < 2),
        normalized(evidence),
    )


def _compared(
    title: str, measured: Radii, law: Float[np.ndarray, " K"], allowed: Float[np.ndarray, " K"]
) -> Comparison:
    """Brackets against a law: they fit if all lie inside, and miss if one lies outside."""
    low, high = measured.certified / law - 1, measured.attacked / law - 1
    inside = bool((low >= -allowed).all() and (high <= allowed).all())
    outside = bool((high < -allowed).any() or (low > allowed).any())
    text = (
        f"[{measured.certified.min():.4f}, {measured.attacked.max():.4f}], "
        f"off by {low.min():+.2%} to {high.max():+.2%}"
    )
    return Comparison(title, True if inside else False if outside else None, text)


def judge_radius_over_K(evidences: Sequence[Evidence]) -> Opinion:
    """The radius falls like K^{-1/2} at p = 1 and stays for p >= 3 (D6, prediction P21)."""
    expected = f"slope in log K {RADIUS_SLOPE:g} at p = 1, 0 for p >= 3, ± {RADIUS_SLOPE_ERROR:g}"
    counts = {run.centers.K for run in evidences}
    met = all(all_met(aligned_hypotheses(run)) for run in evidences)
    hypotheses = (
        Hypothesis("three values of `data.subclasses`", f"{len(counts)}", len(counts) >= 3),
        Hypothesis.whether("aligned runs on orthonormal centers", met),
    )
    if opinion := unmet(expected, hypotheses):
        return opinion
    along = ("data.subclasses", "data.positive_subclasses", "data.samples", "data.dimension")
    parts = [_slope_over_K(one.title, one.runs) for one in series(evidences, *along)]
    return opinion_of(
        expected, parts, hypotheses, "Mean radius of the centers; slope with its 95 % interval."
    )


def _slope_over_K(title: str, runs: Sequence[Evidence]) -> Comparison:
    law = RADIUS_SLOPE if runs[0].p < 2 else 0.0
    if (count := len({run.centers.K for run in runs})) < 3:
        return Comparison(title, None, f"only {count} of three values of K")
    brackets = [radii_at_centers(run) for run in runs]
    x = np.log([run.centers.K for run in runs])
    ends = [
        slope(x, np.log([float(end.mean()) for end in side]))
        for side in ([b.certified for b in brackets], [b.attacked for b in brackets])
    ]
    fits = all(one.within(law, RADIUS_SLOPE_ERROR) for one in ends)
    misses = any(one.excludes(law, RADIUS_SLOPE_ERROR) for one in ends)
    text = f"certified {ends[0]}, attacked {ends[1]} (law {law:g})"
    return Comparison(title, True if fits else False if misses else None, text)


def ideal_radii(centers: Centers, p: float) -> Radii:
    """Radii of the centers under F^(p), measured as those of a trained network."""
    return radii(subclass_classifier(centers, p), centers.mu, centers.label.astype(float), 0)


PREDICTIONS = (
    Prediction(
        "critical-radii", "P19",
        "F falls at 1/√K, F^(p) at 1/√2, and trained networks where their masses say.",
        f"{MV24}, main theorems; theory D6, P19",
        "R* = 1/√K (F), 1/√(1 + K_o^max(2/p-1, 0)) (F^(p))",
        judge=judge_critical_radii, scenario="robustness-vs-K",
    ),
    Prediction(
        "radius-over-K", "P21",
        "The critical radius falls like K^(-1/2) at p = 1 and stays at p = 3.",
        f"{MV24}, main theorems; theory D6, P21",
        "R* = 1/√K against 1/√2",
        judge_study=judge_radius_over_K, scenario="robustness-vs-K",
    ),
)  # fmt: skip
