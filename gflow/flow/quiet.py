"""The quiet growth: directions at rest, the network negligible, log-norms growing linearly.

Between alignment and escape nothing happens but r_j += s_j Φ_j Δt, yet an explicit step cannot
exceed about 3/(p κ π), since directions contract at that rate.  So a flow from 1e-300 would take a
thousand steps to get to where one from 1e-7 starts.  Directions that are within a tolerance of rest
are put at rest, and the whole stretch is one leap (theory D12).

All of this is for weights that are directions and log-norms (`AbstractField.leaps`).
"""

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from gflow.flow.field import FlowState

NEGLIGIBLE = 1e-8
"""Largest Σ m_j that counts as no network: forces are then equal to this relative accuracy."""

NEAR = 3.0
"""Directions may be put at rest when they are this many tolerances from it."""

AT_REST = 0.1
"""Remaining angle to rest, in tolerances."""

_TRIES = 12


class Rest(NamedTuple):
    """A state with every direction at rest, and its velocity."""

    state: FlowState
    velocity: FlowState


def is_quiet(state: FlowState) -> bool:
    """Whether the network is negligible, with some growth left until it is not."""
    return bool(_log_total(state) < np.log(NEGLIGIBLE) - 1)


def turning(before: FlowState, after: FlowState) -> float:
    """Largest angle a direction has turned between two states, to first order, radians."""
    change = np.asarray(after.weights.direction) - np.asarray(before.weights.direction)
    return float(np.sqrt(np.einsum("ij,ij->i", change, change).max()))


def settled(
    state: FlowState, velocity: Callable[[FlowState], FlowState], p: float, tolerance: float
) -> Rest | None:
    """The state with every direction at rest; None unless all are near rest.

    A direction rests where G_j is parallel to it, so u + (du/dt)/(p dr/dt) = s G/‖<G, u>‖ points
    to where it will rest; repeating that converges for neurons that grow.

    **Arguments:**

    - `state`: now.
    - `velocity`: the field, at any state.
    - `p`: power of the activation.
    - `tolerance`: of one step, radians.

    **Source:** theory D12.
    """
    start = np.asarray(state.weights.direction)
    for _ in range(_TRIES):
        speed = velocity(state)
        turn, growth = np.asarray(speed.weights.direction), np.asarray(speed.weights.log_norm)
        # A neuron that shrinks is repelled from where it would rest.
        if not (growth > 0).all():
            return None
        offset = turn / (p * growth)[:, None]
        if np.linalg.norm(offset, axis=1).max() <= AT_REST * tolerance:
            return Rest(state, speed)
        # Move every direction to where it would rest, unless that is too far from where it is.
        moved = np.asarray(state.weights.direction) + offset
        u = moved / np.linalg.norm(moved, axis=1, keepdims=True)
        if np.linalg.norm(u - start, axis=1).max() > NEAR * tolerance:
            return None
        state = state.at(replace(state.weights, direction=jnp.asarray(u)))
    return None


def room(rest: Rest, span: float) -> float:
    """Longest leap, at most `span`, after which the network is still negligible (flow time)."""
    fastest = 2 * float(np.asarray(rest.velocity.weights.log_norm).max())
    return min(span, float(np.log(NEGLIGIBLE) - _log_total(rest.state)) / fastest)


def leap(rest: Rest, span: float) -> FlowState:
    """The state after flow time `span` at constant rates.

    The energy of a neuron grows like its mass: ∫ 2 m Φ² dt = Φ (m(t) - m(0)).
    """
    state, neurons = rest.state, rest.state.weights
    rate = rest.velocity.weights.log_norm
    log_norm = neurons.log_norm + span * rate
    gained = jnp.sum(rate * (jnp.exp(2 * log_norm) - jnp.exp(2 * neurons.log_norm)))
    return FlowState(
        replace(neurons, log_norm=log_norm),
        state.dissipated + gained,
        state.growth + span * rest.velocity.growth,
    )


def _log_total(state: FlowState) -> float:
    """log Σ m_j."""
    return float(np.logaddexp.reduce(2 * np.asarray(state.weights.log_norm)))
