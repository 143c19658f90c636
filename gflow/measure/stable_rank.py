"""How many directions hidden features take up."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


def stable_rank(features: Float[Array, "n h"], rounds: int = 60) -> Float[Array, ""]:
    """‖H‖_F²/‖H‖₂² of hidden features, the second by power iteration; 0 if all are 0.

    **Source:** theory E2.
    """
    largest = jnp.abs(features).max()
    H = features / jnp.where(largest > 0, largest, 1)
    v = jnp.ones(H.shape[1], H.dtype)

    def step(_, v):
        v = H.T @ (H @ v)
        size = jnp.linalg.norm(v)
        return v / jnp.where(size > 0, size, 1)

    v = jax.lax.fori_loop(0, rounds, step, v)
    top = ((H @ v) ** 2).sum()
    return jnp.where(top == 0, 0.0, (H**2).sum() / jnp.where(top == 0, 1, top))
