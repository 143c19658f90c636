"""The alignment phase of a run: coordinates, the clock, and what its laws assume.

One idea: while the network is negligible every neuron moves alone in a fixed field (theory D3, D4),
so the recorded times at which Σ m_j is small are those that laws of that field are about.
"""

import numpy as np
from jaxtyping import Bool, Float

from gflow.judges.evidence import Evidence
from gflow.judges.finding import Verdict
from gflow.judges.shared_hypotheses import like_random, orthonormal, recorded, the_flow
from gflow.laws.hypothesis import Hypothesis

NEGLIGIBLE_MASS = 1e-5
"""Largest Σ m_j at which the network counts as zero (P5)."""

RESOLUTION = 100.0
"""A trajectory is resolved to this many tolerances of one step."""

COSINE_ROUNDING = 1e-7
"""Recorded cosines are float32."""


def negligible(evidence: Evidence, mass: float = NEGLIGIBLE_MASS) -> Bool[np.ndarray, " T"]:
    """Recorded times at which Σ m_j is at most `mass`."""
    return np.logaddexp.reduce(evidence.log_mass, axis=1) <= np.log(mass)


def clock(evidence: Evidence) -> Float[np.ndarray, " T"]:
    """Alignment time t̂ = p κ π t of the recorded times, π the mean subclass weight."""
    return evidence.p * evidence.loss.kappa * float(evidence.pi.mean()) * evidence.times


def coordinates(evidence: Evidence) -> Float[np.ndarray, "T h K"]:
    """u_k = <u_j, μ_k> of every neuron."""
    return evidence.record["cosine"].values[..., : evidence.centers.K].astype(np.float64)


def signs(evidence: Evidence) -> Float[np.ndarray, " h"]:
    """Class of every neuron at the start."""
    return evidence.record["sign"].values[0].astype(np.float64)


def own(evidence: Evidence) -> Bool[np.ndarray, "h K"]:
    """Which centers are of each neuron's class."""
    return signs(evidence)[:, None] == evidence.centers.label


def known(evidence: Evidence) -> tuple[Hypothesis, ...]:
    """What every law of this phase needs: α, orthonormal centers, a record, balance."""
    return (_noise(evidence, "α to be known", evidence.alpha is not None), *_setting(evidence))


def noise_free(evidence: Evidence) -> tuple[Hypothesis, ...]:
    """As `known`, and α = 0."""
    return (_noise(evidence, "α = 0", evidence.alpha == 0), *_setting(evidence))


def _noise(evidence: Evidence, text: str, met: bool) -> Hypothesis:
    measured = "it is not" if evidence.alpha is None else f"α = {evidence.alpha:.4g}"
    return Hypothesis(text, measured, met)


def _setting(evidence: Evidence) -> tuple[Hypothesis, ...]:
    network = evidence.neurons
    return (
        Hypothesis.whether("samples drawn from the mixture", evidence.facts.drawn is not None),
        Hypothesis.whether(
            "centers that are known, not estimated", evidence.centers.origin == "given"
        ),
        orthonormal(evidence),
        recorded(evidence),
        Hypothesis.whether(
            "a balanced start and the normalized activation",
            network.balanced and network.normalized,
        ),
        the_flow(evidence),
        *like_random(evidence),
    )


def resolved(evidence: Evidence, error: float, allowed: float) -> tuple[Verdict, str]:
    """HOLDS or FAILS; UNDECIDED, with the reason, if the integrator could not have done better."""
    if error <= allowed:
        return Verdict.HOLDS, ""
    tolerance = evidence.scenario.flow.tolerance
    if RESOLUTION * tolerance > allowed:
        fine = allowed / RESOLUTION
        return Verdict.UNDECIDED, f" Tolerance {tolerance:g} is too loose; try {fine:.0e}."
    if evidence.effort.forced:
        return Verdict.UNDECIDED, f" {evidence.effort.forced} steps were forced at kinks (T11)."
    return Verdict.FAILS, ""
