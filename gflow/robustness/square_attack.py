"""Attacks within a cube by values alone: what only this one breaks, gradients were hiding.

**Source:** Andriushchenko et al., ECCV 2020 (Square).
"""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray, Real

from gflow.robustness.ball_attack import Lowest
from gflow.robustness.model_margin import AbstractModelMargin


@eqx.filter_jit
def square_attack(
    margin: AbstractModelMargin,
    x: Float[Array, "n D"],
    y: Real[Array, " n"],
    R: Float[Array, " n"],
    *,
    key: PRNGKeyArray,
    steps: int = 1000,
) -> Lowest:
    """Lower the margin within ‖δ‖_∞ <= R without gradients, by random changes that help.

    From a random vertex of the cube; a change draws the signs of a random part of the entries anew,
    of half of them at first and of one in the end.

    **Arguments:** as for `ball_attack`.

    - `key`: of the changes.
    - `steps`: evaluations of the margin.

    **Source:** Andriushchenko et al., ECCV 2020, for inputs that are not images.
    """
    D = x.shape[1]

    def vertex(key: PRNGKeyArray) -> Float[Array, "n D"]:
        return R[:, None] * jax.random.rademacher(key, x.shape, x.dtype)

    def advance(i: Array, state: tuple[Lowest, PRNGKeyArray]) -> tuple[Lowest, PRNGKeyArray]:
        best, key = state
        key, part, one, sign = jax.random.split(key, 4)
        share = jnp.maximum(0.5 * (1 - i / steps) ** 2, 1 / D)
        chosen = jax.random.uniform(part, x.shape) < share
        chosen |= jnp.arange(D)[None] == jax.random.randint(one, (x.shape[0], 1), 0, D)
        delta = jnp.where(chosen, vertex(sign), best.delta)
        return best.or_lower(Lowest(delta, margin(x + delta, y))), key

    first, key = jax.random.split(key)
    start = vertex(first)
    state = (Lowest(start, margin(x + start, y)), key)
    return jax.lax.fori_loop(0, steps, advance, state)[0]
