"""The quiet growth: directions at rest, the network negligible, log-norms growing linearly.

One idea: between alignment and escape nothing happens but r_j += s_j Φ_j Δt, yet an explicit step
cannot exceed about 3/(p κ π), since directions contract at that rate.  So a flow from 1e-300 would
take a thousand steps to get to where one from 1e-7 starts.  Directions that are within a tolerance
of rest are put at rest, and the whole stretch is one leap (theory D12).
"""

from collections.abc import Callable

import jax.numpy as jnp
import numpy as np

from gflow.flow.field import FlowState
from gflow.network.neurons import PolarNeurons

NEGLIGIBLE = 1e-8
"""Largest Σ m_j that counts as no network: forces are then equal to this relative accuracy."""

NEAR = 3.0
"""Directions may be put at rest when they are this many tolerances from it."""

AT_REST = 0.1
"""Remaining angle to rest, in tolerances."""

_TRIES = 12


def is_quiet(state: FlowState) -> bool:
    """Whether the network is negligible, with some growth left until it is not."""
    if not isinstance(state.weights, PolarNeurons):
        return False
    return bool(_log_total(state) < np.log(NEGLIGIBLE) - 1)


def settled(
    state: FlowState, velocity: Callable[[FlowState], FlowState], p: float, tolerance: float
) -> tuple[FlowState, FlowState] | None:
    """The state with every direction at rest, and its velocity; None unless all are near rest.

    A direction rests where G_j is parallel to it, so u + (du/dt)/(p dr/dt) = s G/‖<G, u>‖ points
    to where it will rest; repeating that converges for neurons that grow.

    **Arguments:**

    - `state`: now.
    - `velocity`: the field, at any state.
    - `p`: power of the activation.
    - `tolerance`: of one step, radians.

    **Source:** theory D12.
    """
    neurons = state.weights
    assert isinstance(neurons, PolarNeurons)
    start = np.asarray(neurons.direction)
    for _ in range(_TRIES):
        speed = velocity(state)
        turn, growth = np.asarray(speed.weights.direction), np.asarray(speed.weights.log_norm)
        if not (growth > 0).all():
            return None
        offset = turn / (p * growth)[:, None]
        if np.linalg.norm(offset, axis=1).max() <= AT_REST * tolerance:
            return state, speed
        moved = np.asarray(state.weights.direction) + offset
        u = moved / np.linalg.norm(moved, axis=1, keepdims=True)
        if np.linalg.norm(u - start, axis=1).max() > NEAR * tolerance:
            return None
        neurons = PolarNeurons(jnp.asarray(u), neurons.log_norm, neurons.sign)
        state = FlowState(neurons, state.dissipated, state.growth)
    return None


def room(state: FlowState, velocity: FlowState, span: float) -> float:
    """Longest leap, at most `span`, after which the network is still negligible (flow time)."""
    fastest = 2 * float(np.asarray(velocity.weights.log_norm).max())
    return min(span, float(np.log(NEGLIGIBLE) - _log_total(state)) / fastest)


def leap(state: FlowState, velocity: FlowState, span: float) -> FlowState:
    """The state after flow time `span` at constant rates.

    The energy of a neuron grows like its mass: ∫ 2 m Φ² dt = Φ (m(t) - m(0)).
    """
    neurons = state.weights
    assert isinstance(neurons, PolarNeurons)
    rate = velocity.weights.log_norm
    log_norm = neurons.log_norm + span * rate
    gained = jnp.sum(rate * (jnp.exp(2 * log_norm) - jnp.exp(2 * neurons.log_norm)))
    return FlowState(
        PolarNeurons(neurons.direction, log_norm, neurons.sign),
        state.dissipated + gained,
        state.growth + span * velocity.growth,
    )


def _log_total(state: FlowState) -> float:
    """log Σ m_j."""
    return float(np.logaddexp.reduce(2 * np.asarray(state.weights.log_norm)))
