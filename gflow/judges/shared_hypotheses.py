"""Hypotheses that several statements share, held against finished flows."""

from collections.abc import Callable, Sequence

import numpy as np

from gflow.judges.evidence import Evidence
from gflow.laws.hypothesis import Hypothesis, number
from gflow.measure.phases import ALIGNED_SHARE
from gflow.table import GIVEN

EDGE = 1e-6
"""Least |<u_j, μ_k>| of a given neuron that is surely on one side of the boundary of a cell."""

LEAD = 0.1
"""By how much, relatively, some neuron of each cell must be closest to its center (p > 2)."""

ONE_SCALE = 100.0
"""Largest ratio of two norms of given neurons that still start at one scale."""


def recorded(*evidences: Evidence) -> Hypothesis:
    """That the record has what was observed of neurons and at centers."""
    both = all(one.has("neurons") and one.has("centers") for one in evidences)
    cure = 'add "neurons" and "centers" to `record.groups`'
    return Hypothesis.whether("a record of neurons and centers", both, "" if both else cure)


def recorded_directions(evidence: Evidence) -> Hypothesis:
    """That the record has the direction of every neuron."""
    there = "direction" in evidence.record
    cure = "" if there else 'add "directions" to `record.groups`'
    return Hypothesis.whether("recorded directions", there, cure)


def all_of(
    condition: Callable[[Evidence], Hypothesis], evidences: Sequence[Evidence]
) -> Hypothesis:
    """The condition of the first run that does not meet it, or of the first of all."""
    each = [condition(run) for run in evidences]
    return min(each, key=lambda one: {False: 0, None: 1, True: 2}[one.met])


def the_flow(*evidences: Evidence) -> Hypothesis:
    """That the flow was followed, and not steps that descend."""
    flows = all(one.is_flow for one in evidences)
    return Hypothesis.whether("the flow, not descent in steps", flows)


def normalized(*evidences: Evidence) -> Hypothesis:
    """That a neuron's output grows like ‖w_j‖ and not like its p-th power."""
    degrees = sorted({one.degree for one in evidences})
    text = ", ".join(f"{degree:g}" for degree in degrees)
    measured = f"a neuron's output grows like the power {text} of ‖w_j‖"
    return Hypothesis("the normalized activation", measured, set(degrees) <= {1})


def orthonormal(evidence: Evidence) -> Hypothesis:
    """That the centers are orthonormal up to rounding."""
    centers = evidence.centers
    if centers.strays:
        text = "every sample around an orthonormal center of its class"
        return Hypothesis(text, f"{centers.strays} training samples are not", False)
    error = f"max |C Cᵀ - I| = {centers.orthonormality_error:.1e}"
    return Hypothesis("orthonormal centers", error, centers.orthonormal)


def two_classes(evidence: Evidence) -> Hypothesis:
    """That there are centers of both classes, so that one opposes the other."""
    return Hypothesis.whether("two classes", len(evidence.centers.signs) == 2)


def equal_weights(evidence: Evidence, *, needed: bool = True) -> tuple[Hypothesis, ...]:
    """That all subclasses weigh the same, if a law needs it."""
    ratio = evidence.facts.imbalance
    hypothesis = Hypothesis("subclasses of equal weight", f"they differ {ratio:g} : 1", ratio == 1)
    return (hypothesis,) if needed else ()


def like_random(evidence: Evidence) -> tuple[Hypothesis, ...]:
    """That given neurons start where random ones do: off all boundaries, everywhere, at one scale.

    Of random starts all this is true but for a few neurons, so laws take it for granted; nothing is
    asked of them, nor where neurons or centers were not recorded.
    """
    if evidence.neurons.init != GIVEN or not recorded(evidence).met:
        return ()
    first, centers = evidence.record.isel(time=0), evidence.centers
    start = first["cosine"].values[:, : centers.K].astype(np.float64)
    own = first["sign"].values[:, None] == centers.label
    nearest = float(np.abs(start).min())
    edge = Hypothesis(
        f"given neurons off the boundaries of cells, |<u_j, μ_k>| >= {EDGE:g}",
        f"the smallest is {nearest:.1e}",
        nearest >= EDGE,
    )
    ratio = float(np.exp(np.ptp(first["log_norm"].values)))
    scale = Hypothesis.that("the ratio of norms of given neurons", ratio, "<=", ONE_SCALE)
    if evidence.p <= 2:
        return edge, scale
    # How far, relatively, the neuron that leads most in each cell is from its boundary.
    score = np.where(own, np.maximum(start, 0), 0)
    second, top = np.sort(np.pad(score, ((0, 0), (1, 0))), axis=1)[:, -2:].T
    lead = np.where(top > 0, 1 - second / np.where(top > 0, top, 1), 0)
    leads = [lead[score.argmax(axis=1) == k].max(initial=0) for k in range(centers.K)]
    return (
        edge,
        scale,
        Hypothesis(
            f"a given neuron of every cell at least {LEAD:.0%} closer to its center than to others",
            f"in one cell the best is {min(leads):.1%} closer",
            bool(min(leads) >= LEAD),
        ),
    )


def aligned_mass(evidence: Evidence) -> tuple[Hypothesis, Hypothesis]:
    """That neurons have one target each, and that nearly all of the mass is at its target."""
    p, share = evidence.p, 0.0
    if recorded(evidence).met and p != 2:
        share = float(evidence.aligned_share[-1])
    return (
        Hypothesis("p = 1 or p > 2", f"p = {p:g}", p == 1 or p > 2),
        Hypothesis(
            "95 % of the mass within 10° of its target",
            f"it is {share:.1%}",
            share >= ALIGNED_SHARE,
        ),
    )


def vanishing(evidence: Evidence, mass: float) -> Hypothesis:
    """That the network begins negligible: Σ m_j is at most `mass` when the record begins."""
    text = f"Σ m_j <= {mass:g} at the start"
    if not evidence.has("neurons"):
        return Hypothesis(text, "neurons are not recorded", False)
    start = float(np.exp(evidence.log_mass[0]).sum())
    cure = "" if start <= mass else "give a smaller `network.init_scale`"
    return Hypothesis(text, f"Σ m_j = {start:.1e}", start <= mass, cure)


def within(name: str, value: float, limit: float, unit: str = "", *, cure: str) -> Hypothesis:
    """That a run has a size for which a criterion was made, up to `limit`: undecided beyond.

    **Arguments:**

    - `name`: what is measured, as it stands in a sentence.
    - `value`, `limit`, `unit`: its size here, the largest the criterion was made for, their unit.
    - `cure`: what makes it smaller.
    """
    met = bool(value <= limit)
    size = f"{name} is {number(value)}{unit}"
    beyond = f"{size}, and this criterion was made for at most {number(limit)}{unit}"
    text = f"{name} of at most {number(limit)}{unit}"
    return Hypothesis(text, size if met else beyond, True if met else None, "" if met else cure)
