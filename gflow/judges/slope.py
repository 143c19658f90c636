"""Straight lines through logarithms, and the uncertainty of their slope.

A law such as T ∝ log(1/ε) or dist ∝ N^{-1/2} is a slope, and a slope read off a few runs is a
number with a confidence interval.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.special import stdtrit  # scipy.stats takes a third of a second to import

CONFIDENCE = 0.95
"""Level of the intervals."""

SHARP = 2.0
"""Largest half-width of an interval, and error of a law, in units of the error allowed, at which a
slope says something."""


class Slope(NamedTuple):
    """Slope of a straight line by least squares, and its 95 % confidence interval."""

    value: float
    low: float
    high: float
    intercept: float
    points: int

    def __str__(self) -> str:
        return f"{self.value:.4g} [{self.low:.4g}, {self.high:.4g}] from {self.points} points"

    def within(self, expected: float, allowed: float) -> bool:
        """Whether the slope itself lies within `allowed` of `expected`."""
        return bool(abs(self.value - expected) <= allowed)

    def sharp(self, allowed: float) -> bool:
        """Whether the interval is narrow enough for a slope to be held to within `allowed`."""
        return bool(self.high - self.low <= 2 * SHARP * allowed)

    def verdict(self, expected: float, allowed: float, error: float = 0.0) -> bool | None:
        """Whether the slope is what a law says, whose own slope may be off by `error`.

        True if it lies within `allowed`, and its interval and the law are sharp enough for that to
        say something; False if the whole interval lies beyond `allowed` and `error` together; else
        None.
        """
        if self.excludes(expected, allowed + error):
            return False
        says = self.sharp(allowed) and error <= SHARP * allowed
        return True if says and self.within(expected, allowed) else None

    def excludes(self, expected: float, allowed: float) -> bool:
        """Whether the whole interval lies farther than `allowed` from `expected`."""
        return bool(self.high < expected - allowed or self.low > expected + allowed)


def slope(x: Float[np.ndarray, " n"], y: Float[np.ndarray, " n"]) -> Slope:
    """The least-squares slope of y over x.

    **Arguments:**

    - `x`, `y`: at least two points with different x; the interval needs three.

    **Returns:** a `Slope`; with two points its interval is the whole line.

    **Raises:** `ValueError` for fewer points, or if all x are equal.
    """
    n, from_mean = len(x), x - x.mean()
    spread = float(from_mean @ from_mean)
    if n < 2 or spread == 0:
        raise ValueError(f"`x` must have two different values at least, but is {x.tolist()}.")
    value = float(from_mean @ y) / spread
    intercept = float(y.mean() - value * x.mean())
    left = y - value * x - intercept
    reach = np.inf
    if n > 2:
        error = np.sqrt(left @ left / (n - 2) / spread)
        reach = float(stdtrit(n - 2, (1 + CONFIDENCE) / 2) * error)
    return Slope(value, value - reach, value + reach, intercept, n)
