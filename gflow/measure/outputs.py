"""How well outputs of a network of one output or of many fit their labels."""

import jax.numpy as jnp
from jaxtyping import Array, Float, Real


def margins(
    y: Real[Array, " n"], f: Float[Array, " n"] | Float[Array, "n C"]
) -> Float[Array, " n"]:
    """y f for one output and labels ±1; for many the own output less the largest other one."""
    if f.ndim == 1:
        return y * f
    true = jnp.arange(f.shape[1])[None] == y.astype(int)[:, None]
    own = jnp.where(true, f, 0).sum(axis=1)
    return own - jnp.where(true, -jnp.inf, f).max(axis=1)
