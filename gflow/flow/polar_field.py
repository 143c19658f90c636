"""The velocity of a balanced population in the polar chart: directions and log-norms.

Nothing in it depends on how small the initialization is (theory D1):

    du_j/dt = s_j (G_j - <G_j, u_j> u_j) ,    dr_j/dt = s_j Φ_j .
"""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from gflow.flow.field import AbstractNeuronField, FlowState, larger
from gflow.flow.losses import AbstractScalarLoss
from gflow.network.neurons import PolarNeurons


class PolarField(AbstractNeuronField):
    """Gradient flow of a balanced population as directions and log-norms (final)."""

    loss: AbstractScalarLoss
    p: float = eqx.field(static=True)

    def velocity(
        self, neurons: PolarNeurons, climb: Float[Array, "h d"], phi: Float[Array, " h"]
    ) -> FlowState:
        """du = s·climb and dr = s·Φ."""
        s = neurons.sign
        du, dr = s[:, None] * climb, s * phi
        speed = jnp.exp(2 * neurons.log_norm) * (2 * dr**2 + jnp.sum(du**2, axis=1))
        return FlowState(PolarNeurons(du, dr, jnp.zeros_like(s)), jnp.sum(speed))

    def error_norm(
        self, error: FlowState, state: FlowState | None = None, gain: Float[Array, ""] | float = 1.0
    ) -> Float[Array, ""]:
        """The larger of both with e_j² = |du_j|² + dr_j²."""
        squares = jnp.sum(error.weights.direction**2, axis=1) + error.weights.log_norm**2
        mean = jnp.mean(squares)
        if state is None:
            return jnp.sqrt(mean)
        return larger(squares, mean, state.weights.log_mass, gain)
