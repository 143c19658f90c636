"""How far the neurons of one class are from a single neuron, without cancellation.

Each measure is 0 for one neuron alone.  The heaviest is set apart and the others are summed beside
it, so what is left of them keeps its digits however small it is.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from gflow.data.checks import check_numbers


class ClassWeights(NamedTuple):
    """Weights of the neurons of one class."""

    w: Float[np.ndarray, "h D"]
    """Hidden weights, one row per neuron; not all 0."""
    v: Float[np.ndarray, " h"]
    """Sizes of the output weights, > 0."""

    def log_mass(self, p: float) -> Float[np.ndarray, " h"]:
        """log m_j = log |v_j|‖w_j‖^p of neurons without normalization."""
        return np.log(self.v) + p * np.log(np.linalg.norm(self.w, axis=1))


def mass_excess(log_mass: Float[np.ndarray, " h"]) -> float:
    """(Σm)²/Σm² - 1: how far the effective number of neurons exceeds one; dimensionless.

    **Arguments:**

    - `log_mass`: log m_j of every neuron.
    """
    check_numbers(log_mass=log_mass)
    share = np.exp(np.delete(log_mass, log_mass.argmax()) - log_mass.max())
    others, squares = share.sum(), (share**2).sum()
    return float((2 * others + others**2 - squares) / (1 + squares))


def rank_excess(w: Float[np.ndarray, "h D"]) -> float:
    """‖W‖_F²/‖W‖₂² - 1: the stable rank of rows, less one; dimensionless.

    What all rows have beside the top singular vector is summed: below one heavy row this resolves
    excesses down to 1e-30, where the square of a small singular value is rounding.

    **Arguments:**

    - `w`: rows, not all 0.
    """
    check_numbers(w=w)
    top = np.linalg.svd(w, full_matrices=False)[2][0]
    along = w @ top
    return float(((w - np.outer(along, top)) ** 2).sum() / (along @ along))


def kkt_residual(
    weights: ClassWeights, x: Float[np.ndarray, "n D"], pull: Float[np.ndarray, " n"], p: float
) -> float:
    """‖∇N - <∇N, θ>θ‖/‖∇N‖, the sine of the angle between weights and ∇N; dimensionless.

    N = Σ_i a_i Σ_j |v_j| σ(<w_j, x_i>)^p, and θ are all weights of the class, of length one: at a
    KKT point of N on the sphere it is 0.

    **Arguments:**

    - `weights`: of the class.
    - `x`: samples, such as the centers where there is no noise.
    - `pull`: a_i, how each sample pulls at an output of the class: s y_i ω_i.
    - `p`: power, > 1.

    **Source:** theory D29.
    """
    check_numbers(x=x, pull=pull, **weights._asdict())
    awake = np.maximum(weights.w @ x.T, 0)
    gradient = np.column_stack(
        [(p * weights.v[:, None] * awake ** (p - 1) * pull) @ x, awake**p @ pull]
    )
    theta = np.column_stack(weights)
    along = (gradient * theta).sum() / (theta**2).sum()
    return float(np.linalg.norm(gradient - along * theta) / np.linalg.norm(gradient))
