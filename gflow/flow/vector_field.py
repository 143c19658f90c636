"""The velocity of a balanced population with many outputs, in directions and log-norms.

The samples pull on the input direction of a neuron by the force along its output direction, and on
its output direction by one vector,

    G_j = p Σ_i ω_i <a_j, g_i> (σ(<u_j, x_i>)/‖x_i‖)^{p-1} x_i ,    F_j = Σ_i ω_i φ_ij g_i ,

    du_j/dt = G_j - <G_j, u_j> u_j ,    da_j/dt = F_j - <F_j, a_j> a_j ,    dr_j/dt = <F_j, a_j> ,

φ_ij = σ(<u_j, x_i>)^p/‖x_i‖^{p-1}, g_i = -∂ℓ/∂f in C numbers; without ‖x_i‖ where inputs are not
normalized.  Nothing depends on how small r_j is, as in the polar chart of one output (theory D1),
which this chart is for C = 1 (theory D13).
"""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from gflow.flow.field import AbstractField, FlowState, larger
from gflow.flow.losses import AbstractLoss
from gflow.flow.outputs import Outputs, rounding_of
from gflow.flow.samples import Samples
from gflow.network.vector import VectorNeurons, gates


class VectorField(AbstractField):
    """Gradient flow of a balanced population with many outputs (final)."""

    loss: AbstractLoss
    p: float = eqx.field(static=True)

    def __call__(self, t: Float[Array, ""], state: FlowState, args: Samples) -> FlowState:
        neurons = state.weights.projected()
        u, a = neurons.direction, neurons.output
        pull, push, slope, outputs = _pulls(neurons, self.p, self.loss, args)
        dr = jnp.sum(push * a, axis=1)
        du = pull - jnp.sum(pull * u, axis=1)[:, None] * u
        da = push - dr[:, None] * a
        each = jnp.sum(du**2, axis=1) + jnp.sum(da**2, axis=1) + 2 * dr**2
        speed = jnp.sum(jnp.exp(2 * neurons.log_norm) * each)
        db = None
        if neurons.bias is not None:
            db = slope
            speed = speed + jnp.sum(db**2)
        moved = eqx.tree_at(
            lambda one: (one.direction, one.output, one.log_norm, one.bias),
            neurons,
            (du, da, dr, db),
            is_leaf=lambda leaf: leaf is None,
        )
        return FlowState(moved, speed, outputs)

    def error_norm(
        self, error: FlowState, state: FlowState | None = None, gain: Float[Array, ""] | float = 1.0
    ) -> Float[Array, ""]:
        """The larger of both, or the error of the bias if that is larger."""
        wrong = error.weights
        squares = jnp.sum(wrong.direction**2, axis=1) + jnp.sum(wrong.output**2, axis=1)
        squares = squares + wrong.log_norm**2
        norm = jnp.sqrt(jnp.mean(squares))
        if state is not None:
            norm = larger(squares, jnp.mean(squares), 2 * state.weights.log_norm, gain)
        return norm if wrong.bias is None else jnp.maximum(norm, jnp.linalg.norm(wrong.bias))


def _pulls(
    neurons: VectorNeurons, p: float, loss: AbstractLoss, samples: Samples
) -> tuple[Float[Array, "h D"], Float[Array, "h C"], Float[Array, " C"], Outputs]:
    """G_j and F_j of every neuron, Σ_i ω_i g_i and the outputs, by one pass over the blocks."""
    dtype = samples.x.dtype
    u, a = neurons.direction.astype(dtype), neurons.output.astype(dtype)
    mass = jnp.exp(2 * neurons.log_norm).astype(dtype)[:, None]
    C = a.shape[1]
    bias = jnp.zeros(C) if neurons.bias is None else neurons.bias
    total_mass, terms = jnp.sum(jnp.exp(2 * neurons.log_norm)), u.shape[0] + p * u.shape[1]
    degree = 1.0 if neurons.input_normalized else p

    def block(carry, rows):
        """What a block of rows adds."""
        x, y, omega, length = rows
        gate, grown = gates(x, u, p, neurons.input_normalized)
        f = (grown @ (mass * a)).astype(y.dtype) + bias.astype(y.dtype)[None]
        f = f if C > 1 else f[:, 0]
        each = loss.force(y, f)
        force = each.reshape(-1, C) * omega[:, None]
        g = force.astype(dtype)
        length = length**degree
        rounding = rounding_of(total_mass * length, terms, dtype)
        now = Outputs.of(loss, y, f, omega, force=each, length=length, rounding=rounding)
        added = (gate * (g @ a.T)).T @ x, grown.T @ g, force.sum(axis=0), now
        return jax.tree.map(jnp.add, carry, added), None

    narrow = samples.y.dtype
    start = jnp.zeros_like(u), jnp.zeros_like(a), jnp.zeros(C, narrow), Outputs.none(narrow)
    rows = (samples.x, samples.y, samples.omega, samples.length)
    (pull, push, slope, now), _ = jax.lax.scan(block, start, rows)
    wide = neurons.direction.dtype
    return p * pull.astype(wide), push.astype(wide), slope.astype(wide), now
