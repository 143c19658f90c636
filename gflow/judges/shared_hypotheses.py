"""Hypotheses that several statements share, held against finished flows."""

import numpy as np

from gflow.judges.evidence import Evidence
from gflow.laws.hypothesis import Hypothesis
from gflow.measure.phases import ALIGNED_SHARE


def recorded(*evidences: Evidence) -> Hypothesis:
    """That the record has what was observed of neurons and at centers."""
    both = all(one.has("neurons") and one.has("centers") for one in evidences)
    return Hypothesis.whether("neurons and centers recorded", both)


def the_flow(*evidences: Evidence) -> Hypothesis:
    """That the flow was followed, and not steps that descend."""
    flows = all(one.is_flow for one in evidences)
    return Hypothesis.whether("the flow, not descent in steps", flows)


def normalized(*evidences: Evidence) -> Hypothesis:
    """That a neuron's output grows like ‖w_j‖ and not like its p-th power."""
    degrees = sorted({one.degree for one in evidences})
    text = ", ".join(f"{degree:g}" for degree in degrees)
    return Hypothesis("normalized activation", f"degree {text}", set(degrees) <= {1})


def orthonormal(evidence: Evidence) -> Hypothesis:
    """That the centers are orthonormal up to rounding."""
    centers = evidence.centers
    error = f"max |C Cᵀ - I| = {centers.orthonormality_error:.1e}"
    return Hypothesis("orthonormal centers", error, centers.orthonormal)


def equal_weights(evidence: Evidence, *, needed: bool = True) -> tuple[Hypothesis, ...]:
    """That all subclasses weigh the same, if a law needs it."""
    ratio = evidence.facts.imbalance
    hypothesis = Hypothesis("subclasses of equal weight", f"{ratio:g} : 1", ratio == 1)
    return (hypothesis,) if needed else ()


def aligned_mass(evidence: Evidence) -> tuple[Hypothesis, Hypothesis]:
    """That neurons have one target each, and that nearly all of the mass is at its target."""
    p, share = evidence.p, 0.0
    if recorded(evidence).met and p != 2:
        share = float(evidence.aligned_share[-1])
    return (
        Hypothesis("p = 1 or p > 2", f"{p:g}", p == 1 or p > 2),
        Hypothesis(
            "95 % of the mass within 10° of its target", f"{share:.1%}", share >= ALIGNED_SHARE
        ),
    )


def late(evidence: Evidence) -> Hypothesis:
    """That outputs have had time to become alike: ten times that of fitting."""
    fitted = evidence.phases.fitted if evidence.phases else np.nan
    t = float(evidence.times[-1])
    return Hypothesis("t >= 10 × time of fitting", f"{t:.4g}, {fitted:.4g}", t >= 10 * fitted)


def vanishing(evidence: Evidence, mass: float) -> Hypothesis:
    """That the network begins negligible: Σ m_j is at most `mass` when the record begins."""
    text = f"Σ m_j <= {mass:g} at the start"
    if not evidence.has("neurons"):
        return Hypothesis(text, "not recorded", False)
    start = float(np.exp(evidence.log_mass[0]).sum())
    return Hypothesis(text, f"{start:.1e}", start <= mass)
