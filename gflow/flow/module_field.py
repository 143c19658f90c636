"""The velocity of any equinox module under gradient flow, in plain coordinates.

The float arrays of the module are the state, and the velocity is minus the gradient that jax takes
of the loss, block by block; steps and records are those of every flow.
"""

from collections.abc import Callable
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from gflow.flow.field import AbstractField, FlowState
from gflow.flow.losses import AbstractLoss
from gflow.flow.samples import Samples


class ModuleField(AbstractField):
    """Gradient flow of a module that maps inputs (n, D) to outputs (n,) or (n, C) (final)."""

    loss: AbstractLoss
    p: float = eqx.field(static=True)
    foldable: ClassVar[bool] = False
    leaps: ClassVar[bool] = False

    def __call__(self, t: Float[Array, ""], state: FlowState, args: Samples) -> FlowState:
        module = state.weights

        def block(total, rows):
            return jax.tree.map(jnp.add, total, jax.grad(self._share)(module, *rows)), None

        start = jax.tree.map(jnp.zeros_like, module)
        slope, _ = jax.lax.scan(block, start, (args.x, args.y, args.omega))
        velocity = jax.tree.map(jnp.negative, slope)
        speed = sum(jnp.sum(leaf**2) for leaf in jax.tree.leaves(slope))
        return FlowState(velocity, jnp.asarray(speed), jnp.zeros_like(state.growth))

    def _share(self, module, x, y, omega):
        outputs: Callable = module
        return jnp.sum(omega * self.loss.value(y, outputs(x).astype(omega.dtype)))

    def error_norm(self, error: FlowState) -> Float[Array, ""]:
        """Root mean square over the entries of the worst layer."""
        leaves = jax.tree.leaves(error.weights)
        return jnp.max(jnp.stack([jnp.sqrt(jnp.mean(leaf**2)) for leaf in leaves]))
