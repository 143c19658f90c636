"""Judges of radii at the subclass centers (theory D6, D10): predictions P19 and P21.

At the centers the theory has closed forms, and there are only K of them, so that every run has
their radii as brackets [certified, attacked] at almost no cost.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from gflow.data.centers import Centers
from gflow.judges.evidence import Evidence
from gflow.judges.far_enough import escaped, longer
from gflow.judges.finding import Opinion, unmet
from gflow.judges.fitting_line import followed, predicted_outputs
from gflow.judges.prediction import MV24, Prediction, Subject
from gflow.judges.series import Comparison, opinion_of, series
from gflow.judges.shared_hypotheses import (
    aligned_mass,
    equal_weights,
    normalized,
    orthonormal,
    recorded,
    two_classes,
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

LARGEST_TILT = 0.175
"""Largest mean tilt, 10°, at which a radius moves by the tilt (P19, P21)."""

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
    return _radii_of(z, evidence)


def _radii_of(z: Float[np.ndarray, " K"], evidence: Evidence) -> Float[np.ndarray, " K"]:
    label = evidence.centers.label
    if evidence.p >= 2:
        return critical_radii(z, label, evidence.p)
    K1, K2 = int((label > 0).sum()), int((label < 0).sum())
    plus, minus = (float(z[label == s].mean()) * K**0.5 for s, K in ((1, K1), (-1, K2)))
    plus, minus = two_neuron_radii(plus, minus, K1, K2)
    return np.where(label > 0, plus, minus)


def outputs_alike(evidence: Evidence) -> Hypothesis:
    """That by the fitting law outputs are so alike that radii are those of equal ones (theory D8).

    The law predicts the outputs from where each has grown; what it says of their differences is
    wanted, not what was measured, which may differ for reasons that a judge is to find.
    """
    text = f"outputs that move radii by at most {IDEAL / 2:.1%}"
    if not all_met(aligned_hypotheses(evidence)):
        return Hypothesis(text, "neurons are not known to be aligned", None)
    if not (here := escaped(evidence, every=True)).met:
        return here
    end = float(evidence.times[-1])
    off = _unlike(evidence, end)
    later = end
    while later < 1e6 * end and _unlike(evidence, later) > IDEAL / 2:
        later *= 1.2
    met = True if off <= IDEAL / 2 else None
    measured = f"at t = {end:.4g} outputs still differ so that radii move by {off:.1%}"
    return Hypothesis(text, measured, met, "" if met else longer(evidence, later))


def _unlike(evidence: Evidence, t: float) -> float:
    """Largest relative difference of the radii at t, by the fitting law, from equal outputs."""
    z = predicted_outputs(evidence, np.array([t]))
    if z is None:
        return np.inf
    each = np.empty(evidence.centers.K)
    for group, output in zip(followed(evidence), z[0], strict=True):
        each[group.members] = output
    equal = _radii_of(np.ones(len(each)), evidence)
    return float(np.abs(_radii_of(each, evidence) / equal - 1).max())


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
        allowed = IDEAL + tilt_of(evidence) / law
        ideal = _compared("ideal", measured, np.full(len(law), 0.5**0.5), allowed)
        if outputs_alike(evidence).met:
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
    hypotheses = (
        recorded(evidence),
        orthonormal(evidence),
        two_classes(evidence),
        *equal_weights(evidence, needed=evidence.p < 2),
        normalized(evidence),
        *aligned_mass(evidence),
    )
    if not all_met(hypotheses):
        return hypotheses
    # A radius follows the tilt to first order only.
    tilt = tilt_of(evidence)
    small = True if tilt <= LARGEST_TILT else None
    text = f"a mean tilt of at most {LARGEST_TILT:g}"
    measured = f"neurons lean by {tilt:.2g} rad on average"
    escape = escaped(evidence)
    return (*hypotheses, represented(evidence), escape, Hypothesis(text, measured, small))


def represented(evidence: Evidence) -> Hypothesis:
    """That every center has neurons that contribute and are on their way to it; p != 2.

    A subclass whose Voronoi cell was empty at the start has an output by the tails of others only.
    """
    centers, sign = evidence.centers, evidence.record["sign"].values[-1]
    going, label = evidence.target[evidence.contributing], sign[evidence.contributing]
    if evidence.p < 2:
        missing = [f"class {name}" for name, s in (("+", 1), ("-", -1)) if not (label == s).any()]
    else:
        own = (going[:, None] == np.arange(centers.K)) & (label[:, None] == centers.label)
        missing = [f"μ_{k + 1}" for k in np.flatnonzero(~own.any(axis=0))]
    there = f"there is none for {', '.join(missing)}" if missing else "there are"
    cure = "give more `network.width`" if missing else ""
    return Hypothesis("neurons at every center", there, not missing, cure)


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
    three = Hypothesis(
        "three values of `data.subclasses`", f"there are {len(counts)}", len(counts) >= 3
    )
    aligned = min(
        (hypothesis for run in evidences for hypothesis in aligned_hypotheses(run)),
        key=lambda one: {False: 0, None: 1, True: 2}[one.met],
    )
    hypotheses = (three, aligned)
    if opinion := unmet(expected, hypotheses):
        return opinion
    along = ("data.subclasses", "data.positive_subclasses", "data.samples", "data.dimension")
    parts = [_slope_over_K(one.title, one.runs) for one in series(evidences, *along)]
    undecided = (
        "An interval straddles the criterion, or outputs are not alike enough: give a later "
        "`flow.end_time`."
    )
    reason = "Mean radius of the centers; slope with its 95 % interval."
    return opinion_of(expected, parts, hypotheses, reason, undecided=undecided)


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
    # What unequal outputs and tilts do to the slope: that of the law by masses is off by as much,
    # and radii that move by θ/R each tilt a line by no more than their spread over that of log K.
    by_mass = slope(x, np.log([float(law_of_masses(run).mean()) for run in runs])).value
    tilt = np.array([tilt_of(run) / float(law_of_masses(run).mean()) for run in runs])
    error = abs(by_mass - law) + float(np.ptp(tilt) / np.ptp(x))
    fits = [one.verdict(law, RADIUS_SLOPE_ERROR, error) for one in ends]
    text = f"certified {ends[0]}, attacked {ends[1]} (law {law:g})"
    return Comparison(title, False if False in fits else True if all(fits) else None, text)


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
        subject=Subject.ROBUSTNESS,
    ),
    Prediction(
        "radius-over-K", "P21",
        "The critical radius falls like K^(-1/2) at p = 1 and stays at p = 3.",
        f"{MV24}, main theorems; theory D6, P21",
        "R* = 1/√K against 1/√2",
        judge_study=judge_radius_over_K, scenario="robustness-vs-K",
        subject=Subject.ROBUSTNESS,
    ),
)  # fmt: skip
