"""How well the outputs of a network, one or many, fit their labels: margins and accuracy."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Real

from gflow.network.scaled_outputs import ScaledOutputs


class Fit(NamedTuple):
    """How a network's outputs f_i sit against labels y_i."""

    margin_min: Float[Array, ""]
    """min_i y_i f_i."""
    margin_mean: Float[Array, ""]
    """Weighted mean of y_i f_i."""
    accuracy: Float[Array, ""]
    """Weighted share of samples with y_i f_i > 0."""


@jax.jit
def fit(margin: ScaledOutputs, omega: Float[Array, " n"]) -> Fit:
    """Margins and accuracy of outputs (dimensionless).

    **Arguments:**

    - `margin`: y_i f_i of every sample, see `margins`; their signs count where they underflow.
    - `omega`: weights; any positive scale.
    """
    share = omega / jnp.sum(omega)
    # Two sums, one of them without terms, make 0 and 1 exact.
    values, unit = margin.values, jnp.exp(margin.log_unit)
    right, wrong = (jnp.sum(jnp.where(m, share, 0.0)) for m in (values > 0, ~(values > 0)))
    smallest, mean = unit * jnp.min(values), unit * jnp.sum(share * values)
    return Fit(smallest, mean, right / (right + wrong))


@jax.jit
def margins(
    y: Real[Array, " n"], f: Float[Array, " n"] | Float[Array, "n C"]
) -> Float[Array, " n"]:
    """y f for one output and labels ±1; for many the own output less the largest other one."""
    if f.ndim == 1:
        return y * f
    true = jnp.arange(f.shape[1], dtype=y.dtype)[None] == y[:, None]
    # A label without an output has no margin.
    own = jnp.where(true.any(axis=1), jnp.where(true, f, 0).sum(axis=1), jnp.nan)
    return own - jnp.where(true, -jnp.inf, f).max(axis=1)
