"""How well a network fits: margins, accuracy, and how balanced its neurons are."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float


class Fit(NamedTuple):
    """How a network's outputs f_i sit against labels y_i."""

    margin_min: Float[Array, ""]
    """min_i y_i f_i."""
    margin_mean: Float[Array, ""]
    """Weighted mean of y_i f_i."""
    accuracy: Float[Array, ""]
    """Weighted share of samples with y_i f_i > 0."""


def fit(margin: Float[Array, " n"], omega: Float[Array, " n"]) -> Fit:
    """Margins and accuracy of outputs (dimensionless).

    **Arguments:**

    - `margin`: y_i f_i of every sample, see `gflow.measure.outputs.margins`.
    - `omega`: weights; any positive scale.
    """
    share = omega / jnp.sum(omega)
    # Counting the misses makes a perfect accuracy exactly 1.
    missed = jnp.sum(jnp.where(margin > 0, 0.0, share))
    return Fit(jnp.min(margin), jnp.sum(share * margin), 1 - missed)


def imbalance(
    log_norm: Float[np.ndarray, "*T h"],
    log_output: Float[np.ndarray, "*T h"],
    degree: float = 1.0,
) -> Float[np.ndarray, "*T h"]:
    """Δ_j = ‖w_j‖² - q v_j², conserved along every gradient flow (theory D2a).

    **Arguments:**

    - `log_norm`, `log_output`: log ‖w_j‖ and log |v_j|.
    - `degree`: q, of a neuron's output in ‖w_j‖; 1, or p without normalization.
    """
    return np.exp(2 * log_norm) - degree * np.exp(2 * log_output)


def squared_norm(log_norm: Float[Array, " h"], log_output: Float[Array, " h"]) -> Float[Array, ""]:
    """‖θ‖² = Σ_j (‖w_j‖² + v_j²)."""
    return jnp.sum(jnp.exp(2 * log_norm)) + jnp.sum(jnp.exp(2 * log_output))
