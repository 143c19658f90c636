"""ReLU neurons on a skew XOR, where they slide along the boundary of the other class (theory D22).

Means ±μ_1 (class +1) and ±μ_2 (class -1) at the angle a, four blobs of equal weight π and noise τ
per coordinate.  Everything is to first order in τ.
"""

import math

from scipy.special import ndtri


def resting_angle(angle: float, tau: float = 0.0) -> float:
    """Angle in degrees between a neuron and the axis of its own class, 90° - a - τ z.

    At z = ndtri((1 + cos a)/2) noise lets the share (1 + cos a)/2 of one blob of the other class
    and (1 - cos a)/2 of the opposite one act on the neuron, whose pulls then balance.

    **Arguments:**

    - `angle`: a, between μ_1 and μ_2, degrees in (0, 90].
    - `tau`: τ, noise per coordinate of unit blobs, well below 1.

    **Source:** theory D22.
    """
    return 90 - angle - math.degrees(tau * _quantile(angle))


def sliding_rate(angle: float, tau: float = 0.0) -> float:
    """sin a - 2τ pdf(z): growth rate of a neuron at rest over κπ; arguments as `resting_angle`.

    **Source:** theory D22.
    """
    density = math.exp(-(_quantile(angle) ** 2) / 2) / math.sqrt(2 * math.pi)
    return math.sin(math.radians(angle)) - 2 * tau * density


def _quantile(angle: float) -> float:
    return float(ndtri((1 + math.cos(math.radians(angle))) / 2))
