"""What an evaluation of the velocity knows of loss and outputs: what controls a step."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, Real

from gflow.flow.losses import AbstractLoss


class Outputs(eqx.Module):
    """Sums over the samples, each with its weight ω_i (final)."""

    loss: Float[Array, ""]
    """L = Σ_i ω_i ℓ(y_i, f_i)."""
    rounding: Float[Array, ""]
    """How much more L may be because outputs are rounded."""
    length: Float[Array, ""]
    """Σ_i ω_i ‖x_i‖^q, q the degree of outputs in the inputs."""
    size: Float[Array, ""]
    """Σ_i ω_i (1 + |f_i|), one output of a sample counting for all."""
    doubt: Float[Array, ""]
    """Σ_i ω_i |g_i| (1 + |f_i|): what L changes by per error of outputs, relative beyond 1."""

    @classmethod
    def none(cls, dtype) -> "Outputs":
        """Those of no samples."""
        return cls(*(jnp.zeros((), dtype) for _ in range(5)))

    @classmethod
    def of(
        cls,
        loss: AbstractLoss,
        y: Real[Array, " b"],
        f: Float[Array, "*outputs"],
        omega: Float[Array, " b"],
        *,
        force: Float[Array, "*outputs"],
        length: Float[Array, " b"],
        rounding: Float[Array, " b"],
    ) -> "Outputs":
        """Those of some samples.

        A convex loss is largest in a corner of the box |δf_i| <= δ_i of rounded outputs, with one
        output at an end.  This holds where forces vanish, too, and the loss is quadratic.

        **Arguments:**

        - `force`: g = -∂ℓ/∂f, whose signs say which corner.
        - `length`: ‖x_i‖^q.
        - `rounding`: δ_i, a bound on the error of each output (`rounding_of`).
        """
        b, rest = len(y), range(1, f.ndim)
        delta = rounding.reshape(b, *(1 for _ in rest))
        corner = jnp.where(force > 0, -delta, delta).astype(f.dtype)
        each = loss.value(y, f)
        worst = jnp.maximum(loss.value(y, f + corner), loss.value(y, f - corner))
        # The sum over samples itself is rounded in the precision of the weights.
        unsure = worst - each + b * float(jnp.finfo(omega.dtype).eps) * jnp.abs(each)
        size = 1 + jnp.max(jnp.abs(f), axis=tuple(rest))
        doubt = size * jnp.sum(jnp.abs(force), axis=tuple(rest))
        return cls(*(jnp.sum(omega * a) for a in (each, unsure, length, size, doubt)))

    @property
    def gain(self) -> Float[Array, ""]:
        """What a unit of mass gives in outputs, relative to these beyond 1; 1 where unknown."""
        known = self.size > 0
        return jnp.where(known, self.length, 1.0) / jnp.where(known, self.size, 1.0)


def rounding_of(size: Float[Array, " b"], terms: float, dtype) -> Float[Array, " b"]:
    """√N ε |f|: the error of outputs that are sums of N rounded products of total `size`.

    Rounding errors are as good as random, and then add up as √N instead of N (Higham and Mary,
    SIAM J. Sci. Comput. 2019).  Taken of every sample at once, as if all erred in one direction,
    it exceeds what two evaluations of a loss differ by.
    """
    return terms**0.5 * float(jnp.finfo(dtype).eps) * size
