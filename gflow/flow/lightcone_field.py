"""The velocity of a population of any balance, in the light-cone chart (theory D1).

As ‖w_j‖ + v_j grows as e^{I_j} and ‖w_j‖ - v_j shrinks as e^{-I_j}, only directions and
the boosts I_j move,

    du_j/dt = (v_j/‖w_j‖) (G_j - <G_j, u_j> u_j) ,   dI_j/dt = Φ_j ,

and as in the polar chart nothing depends on the scale of the weights.  A neuron with |v_j| > ‖w_j‖
may shrink to w_j = 0, where it has no direction: the velocity there is nan, which ends the flow.
"""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from gflow.flow.field import AbstractNeuronField, FlowState, larger
from gflow.flow.losses import AbstractScalarLoss
from gflow.network.lightcone import LightconeNeurons


class LightconeField(AbstractNeuronField):
    """Gradient flow of any population as directions and boosts (final)."""

    loss: AbstractScalarLoss
    p: float = eqx.field(static=True)

    def velocity(
        self, neurons: LightconeNeurons, climb: Float[Array, "h d"], phi: Float[Array, " h"]
    ) -> FlowState:
        """Directions turn by slope times climb, and boosts grow by Φ."""
        still = jnp.zeros_like(phi)
        velocity = LightconeNeurons(
            neurons.slope[:, None] * climb, phi, still, still, sign_plus=still, sign_minus=still
        )
        speed = _dissipation(neurons, climb, phi)
        return FlowState(velocity, speed)

    def error_norm(
        self, error: FlowState, state: FlowState | None = None, gain: Float[Array, ""] | float = 1.0
    ) -> Float[Array, ""]:
        """The larger of both, a neuron counting by (‖w_j‖² + v_j²)/2 >= m_j.

        dm_j = (‖w_j‖² + v_j²) dI_j, which does not vanish where v_j changes sign.
        """
        squares = jnp.sum(error.weights.direction**2, axis=1) + error.weights.boost**2
        mean = jnp.mean(squares)
        if state is None:
            return jnp.sqrt(mean)
        neurons: LightconeNeurons = state.weights
        size = jnp.logaddexp(2 * neurons.log_norm, 2 * neurons.log_output) - jnp.log(2.0)
        return larger(squares, mean, size, gain)


def _dissipation(
    neurons: LightconeNeurons, climb: Float[Array, "h D"], phi: Float[Array, " h"]
) -> Float[Array, ""]:
    """‖dθ/dt‖²: dw_j/dt = v_j (climb_j + Φ_j u_j), orthogonal parts, and dv_j/dt = ‖w_j‖ Φ_j."""
    hidden = jnp.exp(2 * neurons.log_output) * (jnp.sum(climb**2, axis=1) + phi**2)
    output = jnp.exp(2 * neurons.log_norm) * phi**2
    return jnp.sum(hidden + output)
