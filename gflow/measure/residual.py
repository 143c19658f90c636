"""How well the outputs of a network fit labels that are real numbers: residuals and R²."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


class Residual(NamedTuple):
    """How a network's outputs f_i sit against real labels y_i."""

    residual_rms: Float[Array, ""]
    """√ of the weighted mean of (y_i - f_i)², in units of the labels."""
    r_squared: Float[Array, ""]
    """R² = 1 - Σ ω (y - f)²/Σ ω (y - ȳ)²; nan where all labels are equal."""


@jax.jit
def residual(y: Float[Array, " n"], f: Float[Array, " n"], omega: Float[Array, " n"]) -> Residual:
    """Root mean square of y - f, and the share R² of the variance of y that f explains.

    **Arguments:**

    - `y`, `f`: labels and outputs.
    - `omega`: weights; any positive scale.
    """
    share = omega / jnp.sum(omega)
    square = jnp.sum(share * (y - f) ** 2)
    variance = jnp.sum(share * (y - jnp.sum(share * y)) ** 2)
    some = variance > 0
    explained = 1 - square / jnp.where(some, variance, 1.0)
    return Residual(jnp.sqrt(square), jnp.where(some, explained, jnp.nan))
