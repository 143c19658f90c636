"""Where a neuron points once it has grown by a given factor, without noise (theory D3).

Growth and alignment are one quantity, |ξ| = (ρ/ρ(0))^p, so how far neurons of a given start have
turned when outputs escape follows from their norms: what a small but finite ε leaves undone.
"""

import numpy as np
from jaxtyping import Float

BISECTIONS = 100
"""Halvings of an interval of log ξ_1, down to rounding from any growth that occurs."""


def direction_at_growth(
    u0: Float[np.ndarray, "h K"], log_growth: Float[np.ndarray, " h"], p: float
) -> Float[np.ndarray, "h K"]:
    """Coordinates of neurons that have grown by ρ/ρ(0), at equal weights and forces.

    While k and l are awake ξ_k^{2-p} - ξ_l^{2-p} is constant (p = 2: ξ_k/ξ_l), so all coordinates
    follow from the largest one, which |ξ| = (ρ/ρ(0))^p determines.

    **Arguments:**

    - `u0`: own coordinates at the start; those asleep, and centers of the other class, count as
        part of the rest, which stays as it is.
    - `log_growth`: log ρ/ρ(0); a neuron that shrank counts as one that has not grown.
    - `p`: power of the activation.

    **Returns:** coordinates of the unit directions; 0 where a coordinate is asleep.

    **Source:** theory D3.
    """
    awake = np.where(u0 > 0, u0, 0 * u0)  # a nan stays what it is
    rest = np.sqrt(np.clip(1 - (awake**2).sum(axis=1), 0, None))
    top, q = awake.max(axis=1), p - 2
    some, grown = top > 0, p * np.maximum(log_growth, 0.0)

    def at(log_top: Float[np.ndarray, " h"]) -> tuple[np.ndarray, np.ndarray]:
        """Coordinates over the largest one, and log |ξ|, once that is e^log_top."""
        with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
            if q == 0:
                ratio = awake / top[:, None]
            else:
                ahead = awake**-q - top[:, None] ** -q
                ratio = (1 + ahead * np.exp(np.minimum(q * log_top, 700.0))[:, None]) ** (-1 / q)
            ratio = np.where(awake > 0, ratio, 0.0)
            left = rest * np.exp(-log_top)
        return ratio, log_top + np.log(np.hypot(np.sqrt((ratio**2).sum(axis=1)), left))

    # The largest coordinate is between its start and the length of ξ.
    low, high = np.log(np.where(some, top, 1.0)), np.maximum(grown, 0.0)
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        short = at(middle)[1] < grown
        low, high = np.where(short, middle, low), np.where(short, high, middle)
    ratio, length = at(high)
    return np.where(some[:, None], ratio * np.exp(high - length)[:, None], 0 * top[:, None])
