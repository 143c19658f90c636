"""What laws of the outputs of aligned neurons ask for, as hypotheses (theory D8).

Once neurons are aligned the flow is one equation per subclass (p > 2) or class (p < 2), whose start
does not count if it was small.
"""

from gflow.judges.evidence import Evidence
from gflow.judges.far_enough import complete, escaped
from gflow.judges.shared_hypotheses import (
    aligned_mass,
    equal_weights,
    like_random,
    normalized,
    orthonormal,
    recorded,
    the_flow,
)
from gflow.laws.hypothesis import Hypothesis

SMALL_NORM = 0.01
"""Largest ‖θ‖² at the start: a neuron is balanced from `GROWN` on whatever it began with."""


def aligned(evidence: Evidence) -> tuple[Hypothesis, ...]:
    """What the flow of one equation is derived for, and that it has begun."""
    return (
        recorded(evidence),
        the_flow(evidence),
        normalized(evidence),
        orthonormal(evidence),
        _known_noise(evidence),
        _small(evidence),
        # Else a class does not follow one equation (theory D8).
        *equal_weights(evidence, needed=evidence.p < 2),
        complete(evidence),
        escaped(evidence),
        *aligned_mass(evidence),
        *like_random(evidence),
    )


def exponential(evidence: Evidence) -> Hypothesis:
    """That the loss is exponential, for which late laws are stated."""
    loss = evidence.scenario.flow.loss
    return Hypothesis("the exponential loss", f"it is {loss}", loss == "exponential")


def _known_noise(evidence: Evidence) -> Hypothesis:
    """The mean force of noisy samples is that of the mixture."""
    known = evidence.alpha == 0 or evidence.facts.tau is not None
    return Hypothesis.whether("noise of a known law, or none", known)


def _small(evidence: Evidence) -> Hypothesis:
    """|v_j| = ‖w_j‖ once outputs have grown: their squares differ by what they began with."""
    start = float(evidence.record["squared_norm"].values[0])
    text = f"‖θ‖² <= {SMALL_NORM:g} at the start"
    return Hypothesis(text, f"‖θ‖² = {start:.1e}", start <= SMALL_NORM)
