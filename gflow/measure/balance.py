"""How balanced neurons are, and how large: ‖w_j‖² against v_j²."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float


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
