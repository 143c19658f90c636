"""Where a ReLU network rests in regression with many samples: two one-sided least-squares fits.

Neurons of one sign that gather in one activation cone are a linear network there, and the flow
brings them to the least squares of the samples in it (theory D30).
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from gflow.data.checks import check_finite, check_numbers

ROUNDS = 200
"""Most rounds in which sides and fits are made to agree."""


class TwoFits(NamedTuple):
    """f = σ(<w₊, x>) - σ(-<w₋, x>) at which neurons of neither sign feel a force."""

    plus: Float[np.ndarray, " D"]
    """w₊; 0 if no sample is on its side."""
    minus: Float[np.ndarray, " D"]
    """w₋; 0 if no sample is on its side."""
    outputs: Float[np.ndarray, " n"]
    """f(x_i)."""
    strays: int
    """Number of samples on another side than the one they were fitted on; 0 if all agree."""


def two_fits(x: Float[np.ndarray, "n D"], y: Float[np.ndarray, " n"]) -> TwoFits:
    """The least-squares fits of the samples on the side of each sign, sides and fits agreeing.

    The side of w₊ is <w₊, x> > 0, that of w₋ is <w₋, x> < 0, and Σ (y - f) x over either side is 0.
    Where no sample is on both sides, each is the fit of its own samples alone. Sides begin with
    those of the fit of all samples, and are those of the last fit until they repeat.

    **Arguments:**

    - `x`, `y`: samples and their real labels, each of one weight.

    **Returns:** the fits; of those that come around where some samples change sides for ever (the
    flow then rests on their kinks), the one with the fewest `strays`.

    **Raises:** `DataError` for inputs or labels that are not finite.

    **Source:** theory D30.
    """
    check_finite(x, "`x`")
    check_numbers(y=y)
    start = np.linalg.lstsq(x, y, rcond=None)[0]
    sides, visited = _sides(x, start, start), []
    for _ in range(ROUNDS):
        plus, minus = _fit(x, y, sides)
        after = _sides(x, plus, minus)
        outputs = np.maximum(x @ plus, 0) - np.maximum(-(x @ minus), 0)
        visited.append(TwoFits(plus, minus, outputs, int((after != sides).any(axis=0).sum())))
        if not visited[-1].strays:
            break
        sides = after
    return min(visited, key=lambda fits: fits.strays)


def _sides(
    x: Float[np.ndarray, "n D"], plus: Float[np.ndarray, " D"], minus: Float[np.ndarray, " D"]
) -> Bool[np.ndarray, "2 n"]:
    return np.stack([x @ plus > 0, x @ minus < 0])


def _fit(
    x: Float[np.ndarray, "n D"], y: Float[np.ndarray, " n"], sides: Bool[np.ndarray, "2 n"]
) -> Float[np.ndarray, "2 D"]:
    """The joint least squares of both, a sample counting for every side that it is on."""
    features = np.concatenate([side[:, None] * x for side in sides], axis=1)
    return np.linalg.lstsq(features, y, rcond=None)[0].reshape(2, -1)
