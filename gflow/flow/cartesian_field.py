"""The velocity of any population of one output in plain weights, normalized or not (theory D1):

    dw_j/dt = v_j ‖w_j‖^{q-1} (G_j - (p-q) Φ_j u_j) ,    dv_j/dt = ‖w_j‖^q Φ_j

with the degree q = 1 of the normalized activation; without normalization q = p, and the radial part
drops out.
"""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from gflow.flow.field import AbstractNeuronField, FlowState, larger
from gflow.flow.losses import AbstractScalarLoss
from gflow.network.neurons import CartesianNeurons
from gflow.network.prelu import positive_power


class CartesianField(AbstractNeuronField):
    """Gradient flow of any population as plain weights, normalized or not (final)."""

    loss: AbstractScalarLoss
    p: float = eqx.field(static=True)

    def velocity(
        self, neurons: CartesianNeurons, climb: Float[Array, "h d"], phi: Float[Array, " h"]
    ) -> FlowState:
        """dw = v ‖w‖^{q-1} (climb + q Φ u) and dv = ‖w‖^q Φ."""
        u, v, q = neurons.direction, neurons.v, neurons.degree
        gain = positive_power(neurons.norm, q - 1)
        dw = (v * gain)[:, None] * (climb + (q * phi)[:, None] * u)
        dv = neurons.norm * gain * phi
        speed = jnp.sum(dw**2) + jnp.sum(dv**2)
        return FlowState(CartesianNeurons(dw, dv, q), speed)

    def error_norm(
        self, error: FlowState, state: FlowState | None = None, gain: Float[Array, ""] | float = 1.0
    ) -> Float[Array, ""]:
        """The larger of both; without normalization the largest e_j² instead of their mean.

        There one neuron grows while the others lie where they started, so its error would drown in
        a mean long before it is the network.
        """
        wrong: CartesianNeurons = error.weights
        squares = (jnp.sum(wrong.w**2, axis=1) + wrong.v**2) / (wrong.w.shape[1] + 1)
        mean = jnp.mean(squares) if wrong.degree == 1 else jnp.max(squares)
        if state is None:
            return jnp.sqrt(mean)
        return larger(squares, mean, state.weights.log_mass, gain)
