"""Judge of where neurons end (theory D3, D5): prediction P22 on one run."""

from dataclasses import replace

import numpy as np
from jaxtyping import Float

from gflow.data.centers import ORTHONORMAL
from gflow.judges.conjecture import LARGEST_START
from gflow.judges.descent_law import follows_flow
from gflow.judges.evidence import Evidence
from gflow.judges.far_enough import settled, the_end
from gflow.judges.finding import Opinion, Verdict, earned, missing, outside
from gflow.judges.prediction import MV24, Prediction, Subject
from gflow.judges.selection import judge_selection
from gflow.judges.separation import arrived, little_tilt, occupied
from gflow.judges.shared_hypotheses import like_random, recorded, vanishing
from gflow.laws.hypothesis import Hypothesis, all_met
from gflow.measure.alignment import CONE

ALIGNED_MASS = 0.99
"""Share of the mass that must lie within 10 degrees of its target."""

OBLIQUE = 0.1
"""Largest cosine between two subclass means that still count as orthogonal centers."""

NEEDS = "The record groups `neurons` and `centers` are needed."


def judge_alignment(evidence: Evidence) -> Opinion:
    """At least 0.99 of the mass ends within 10 degrees of its target.

    The target is a neuron's closest own center for p > 2 and its class average for p < 2.  Without
    noise the latter is not claimed: such a neuron ends at the average of the centers it started
    active on (theory T13).  Where attractors lie elsewhere the share is reported and not judged.
    """
    expected = f"mass within 10° of its target >= {ALIGNED_MASS}"
    if not evidence.has("neurons"):
        return outside(expected, NEEDS)
    if evidence.p == 2:
        return outside(expected, "p = 2 selects no target: a continuum of limits (theory D5).")
    if evidence.p < 2 and evidence.alpha == 0:
        reason = "Without noise p < 2 neurons need not reach the whole class average (theory T13)."
        return outside(expected, reason)
    opinion = _aligned_mass(evidence, expected)
    if elsewhere := attracted_by_others(evidence) or _drawn_elsewhere(evidence):
        return replace(opinion, verdict=Verdict.OUTSIDE, reason=elsewhere)
    hypotheses = (
        follows_flow(evidence),
        vanishing(evidence, LARGEST_START),
        *like_random(evidence),
    )
    opinion = replace(opinion, hypotheses=hypotheses)
    if all_met(hypotheses) is False:
        return replace(opinion, verdict=Verdict.OUTSIDE, reason=missing(hypotheses))
    return _earned_alignment(evidence, opinion)


def _aligned_mass(evidence: Evidence, expected: str) -> Opinion:
    share = float(_share_at_target(evidence)[-1])
    angle = np.degrees(np.arccos(np.clip(evidence.target_cosine[-1], -1, 1)))
    mean = float(evidence.share @ angle)
    word = "closest own center" if evidence.p > 2 else "class average"
    return Opinion(
        Verdict.HOLDS if share >= ALIGNED_MASS else Verdict.FAILS,
        expected,
        f"{share:.4f}",
        f"Target: {word}. Mass-weighted mean angle {mean:.2f}°.",
        details={"mean_angle_degrees": mean},
    )


def _earned_alignment(evidence: Evidence, opinion: Opinion) -> Opinion:
    """No FAILS before the end, from a start too large or narrow, or at a large tilt by samples."""
    if not evidence.has("centers"):
        return earned(opinion, recorded(evidence))
    conditions = (
        _known_centers(evidence),
        occupied(evidence),
        *the_end(evidence),
        arrived(evidence, 1 - ALIGNED_MASS),
        settled(evidence, _angle_of_most(evidence), 10.0, "the angle that holds 99 % of the mass"),
        _lasting(evidence),
        little_tilt(evidence, late=True),
    )
    return earned(opinion, *conditions)


def _known_centers(evidence: Evidence) -> Hypothesis:
    """That targets are known: for p > 2 no class mean that stands in for several centers is one."""
    stand_in = evidence.p > 2 and evidence.centers.origin == "class means"
    cure = "add an array `subclass` to the file, or set `data.clusters`" if stand_in else ""
    measured = "means of classes stand in for them" if stand_in else ""
    return Hypothesis("subclasses that are known", measured, not stand_in, cure)


def _angle_of_most(evidence: Evidence) -> Float[np.ndarray, " T"]:
    """Degrees within which 99 % of the final mass lies about its target."""
    order = np.argsort(evidence.target_cosine, axis=1)
    farther = np.cumsum(evidence.share[order], axis=1)
    first = (farther > 1 - ALIGNED_MASS).argmax(axis=1)[:, None]
    cosine = np.take_along_axis(evidence.target_cosine, np.take_along_axis(order, first, 1), 1)
    return np.degrees(np.arccos(np.clip(cosine[:, 0], -1, 1)))


def _lasting(evidence: Evidence) -> Hypothesis:
    """That what theory says of alignment lasts: a loss that saturates goes on to fit the noise.

    After the time T* of G5 nothing is known of it.
    """
    lasts = not (evidence.loss.saturates and evidence.alpha != 0)
    loss = evidence.scenario.flow.loss
    return Hypothesis("a loss that does not saturate, or no noise", f"it is {loss}", lasts)


def _share_at_target(evidence: Evidence) -> Float[np.ndarray, " T"]:
    """Share of the final mass within 10 degrees of its target."""
    return (evidence.target_cosine >= CONE) @ evidence.share


def attracted_by_others(evidence: Evidence) -> str:
    """Why neurons need not go to centers or averages of these centers; empty if they should."""
    centers = evidence.centers
    if centers.strays:
        return f"{centers.strays} training samples lie around no center of their class."
    if centers.origin == "given":
        error, allowed, what = centers.orthonormality_error, ORTHONORMAL, "max |C Cᵀ - I|"
    else:
        error, allowed, what = centers.largest_cosine, OBLIQUE, "largest |cosine|"
    if error <= allowed:
        return ""
    return (
        f"The subclass centers are not orthonormal ({what} = {error:.2g}), so a neuron at "
        "one is attracted by the others too."
    )


def _drawn_elsewhere(evidence: Evidence) -> str:
    """Why neurons need not end at their targets on orthonormal centers; empty if they should."""
    if evidence.degree != 1:
        return (
            "Without normalization the first neuron to grow may serve other subclasses, too, "
            "before another has grown (theory P24)."
        )
    if evidence.p < 2 and evidence.facts.imbalance > 1:
        return (
            "At p < 2 subclasses of unequal weight draw neurons off the class average, to the "
            f"direction of Σ π_k^(1/(2-p)) μ_k (theory D5), and data.imbalance = "
            f"{evidence.facts.imbalance:g}."
        )
    return ""


PREDICTIONS = (
    Prediction(
        "alignment", "P22",
        "Neurons align with their class average (p < 2) or a subclass center (p > 2).",
        f"{MV24}, Theorem 2; theory A5, D5, P22",
        "share of the mass within 10° of its target",
        judge=judge_alignment, judge_study=judge_selection, scenario="power-sweep",
        figure="power_map",
        subject=Subject.ALIGNMENT,
    ),
)  # fmt: skip
