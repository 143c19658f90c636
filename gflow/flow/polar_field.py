"""The velocity of a balanced population in the polar chart: directions and log-norms.

Nothing in it depends on how small the initialization is (theory D1):

    du_j/dt = s_j (G_j - <G_j, u_j> u_j) ,    dr_j/dt = s_j Φ_j .
"""

from dataclasses import replace
from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from gflow.flow.field import AbstractNeuronField, FlowState, larger
from gflow.flow.losses import AbstractScalarLoss
from gflow.flow.pull import pull_on
from gflow.flow.reach import Reach
from gflow.flow.samples import Samples
from gflow.network.neurons import PolarNeurons


class PolarField(AbstractNeuronField):
    """Gradient flow of a balanced population as directions and log-norms (final)."""

    loss: AbstractScalarLoss
    p: float = eqx.field(static=True)
    share: Float[Array, " h"] | None = None
    """Share of each neuron in the error of a step; None for equal shares."""
    reach: Reach | None = None
    """What bounds growth; None to bound nothing."""
    foldable: ClassVar[bool] = True

    def __call__(self, t: Float[Array, ""], state: FlowState, args: Samples) -> FlowState:
        neurons = state.weights.projected()
        pull, force = pull_on(neurons.network(self.p), self.loss, args)
        phi = jnp.sum(pull * neurons.direction, axis=1) / self.p
        growth = None if self.reach is None else self.reach.growth(force, self.p)
        return replace(polar_velocity(neurons, pull, phi, growth), outputs=force.outputs)

    def velocity(
        self, neurons: PolarNeurons, climb: Float[Array, "h d"], phi: Float[Array, " h"]
    ) -> FlowState:
        return polar_velocity(neurons, climb, phi)

    def error_norm(
        self, error: FlowState, state: FlowState | None = None, gain: Float[Array, ""] | float = 1.0
    ) -> Float[Array, ""]:
        return polar_error(error, state, gain, share=self.share)


def polar_velocity(
    neurons: PolarNeurons,
    pull: Float[Array, "h D"],
    phi: Float[Array, " h"],
    growth: Float[Array, "2"] | None = None,
) -> FlowState:
    """du_j/dt = s_j (G_j - <G_j, u_j> u_j) and dr_j/dt = s_j Φ_j, whatever field gives G and Φ.

    **Arguments:**

    - `neurons`: on the sphere.
    - `pull`: G_j; its part along u_j does not count.
    - `phi`: Φ_j.
    - `growth`: bounds on d log m_j/dt of either sign; None to bound nothing.

    **Source:** theory D1.
    """
    u, s = neurons.direction, neurons.sign
    du = s[:, None] * (pull - jnp.sum(pull * u, axis=1)[:, None] * u)
    dr = s * phi
    speed = jnp.exp(2 * neurons.log_norm) * (2 * dr**2 + jnp.sum(du**2, axis=1))
    growth = jnp.zeros(2, dr.dtype) if growth is None else growth
    return FlowState(PolarNeurons(du, dr, jnp.zeros_like(s)), jnp.sum(speed), growth)


def polar_error(
    error: FlowState,
    state: FlowState | None = None,
    gain: Float[Array, ""] | float = 1.0,
    *,
    share: Float[Array, " h"] | None = None,
) -> Float[Array, ""]:
    """`AbstractField.error_norm` with e_j² = |du_j|² + dr_j² and shares in the mean, if any."""
    squares = jnp.sum(error.weights.direction**2, axis=1) + error.weights.log_norm**2
    mean = jnp.mean(squares) if share is None else jnp.sum(share * squares)
    if state is None:
        return jnp.sqrt(mean)
    return larger(squares, mean, state.weights.log_mass, gain)
