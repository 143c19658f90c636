"""The velocity of any equinox module under gradient flow, in plain coordinates.

The float arrays of the module are the state, and the velocity is minus the gradient that jax takes
of the loss, block by block; steps and records are those of every flow.
"""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from gflow.flow.field import AbstractField, FlowState
from gflow.flow.losses import AbstractLoss
from gflow.flow.outputs import Outputs, rounding_of
from gflow.flow.samples import Samples


def _itself(weights: Any) -> Callable:
    """Weights that are a module."""
    return weights


class ModuleField(AbstractField):
    """Gradient flow of a module that maps inputs (n, D) to outputs (n,) or (n, C) (final)."""

    loss: AbstractLoss
    p: float = eqx.field(static=True)
    whole: Callable[[Any], Callable] = _itself
    """From weights to the module; itself a module where arrays that do not move belong to it."""

    def __call__(self, t: Float[Array, ""], state: FlowState, args: Samples) -> FlowState:
        weights = state.weights

        def block(total, rows):
            return jax.tree.map(jnp.add, total, self._share(weights, *rows)), None

        start = jax.tree.map(jnp.zeros_like, weights), Outputs.none(args.omega.dtype)
        (slope, now), _ = jax.lax.scan(block, start, (args.x, args.y, args.omega))
        velocity = jax.tree.map(jnp.negative, slope)
        speed = sum(jnp.sum(leaf**2) for leaf in jax.tree.leaves(slope))
        return FlowState(velocity, jnp.asarray(speed), now)

    def _share(self, weights, x, y, omega):
        """What a block of rows adds to ∇L and to the outputs."""

        def apply(weights: Any):
            return self.whole(weights)(x).astype(omega.dtype)

        f, back = jax.vjp(apply, weights)
        force = self.loss.force(y, f)
        terms = float(sum(leaf.size for leaf in jax.tree.leaves(weights)))
        one = jnp.ones_like(omega)
        rounding = rounding_of(one * jnp.max(jnp.abs(f)), terms, x.dtype)
        outputs = Outputs.of(self.loss, y, f, omega, force=force, length=one, rounding=rounding)
        return back(-omega.reshape(-1, *(1 for _ in f.shape[1:])) * force)[0], outputs

    def error_norm(
        self, error: FlowState, state: FlowState | None = None, gain: Float[Array, ""] | float = 1.0
    ) -> Float[Array, ""]:
        """Root mean square over the entries of the worst layer."""
        leaves = jax.tree.leaves(error.weights)
        return jnp.max(jnp.stack([jnp.sqrt(jnp.mean(leaf**2)) for leaf in leaves]))
