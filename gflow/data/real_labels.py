"""Directions to compare neurons with where labels are real numbers and no classes."""

import numpy as np
from jaxtyping import Float, Int

from gflow.data.centers import Centers, unit_rows
from gflow.errors import DataError

_CANCELS = 1e-12
"""Length of a weighted mean, over that of its terms, below which it is rounding."""


def weighted_means(x: Float[np.ndarray, "n D"], y: Float[np.ndarray, " n"]) -> Centers:
    """The directions Σ y_i x_i over samples with y_i > 0, and -Σ y_i x_i over those with y_i < 0.

    From a small start a ReLU neuron that is awake to all of the first and to none of the others
    turns toward the first one if its output weight is positive, and the other way round.  One that
    is 0 is left out.

    **Raises:** `DataError` if both are 0.
    """
    means, signs = [], []
    for sign in (1, -1):
        terms = np.maximum(sign * y, 0)[:, None] * x
        mean = terms.sum(axis=0)
        if np.linalg.norm(mean) > _CANCELS * np.linalg.norm(terms, axis=1).sum():
            means.append(mean)
            signs.append(sign)
    if not means:
        raise DataError(
            "Σ y x over positive labels, or over negative ones, must not be 0 where there are no "
            "`centers`, but both are; add an array `centers` of directions to compare neurons with."
        )
    return Centers(unit_rows(np.stack(means)), np.array(signs), "weighted means")


def attracted_signs(
    mu: Float[np.ndarray, "K D"], x: Float[np.ndarray, "n D"], y: Float[np.ndarray, " n"]
) -> Int[np.ndarray, " K"]:
    """Sign with which a ReLU neuron along μ_k grows: that of Σ y σ(<μ_k, x>)."""
    return np.where(y @ np.maximum(x @ mu.T, 0) >= 0, 1, -1)
