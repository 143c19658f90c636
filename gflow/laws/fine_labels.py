"""ReLU neurons whose network learns one output per subclass (theory D20).

One idea: with p = 1 and a negligible network a neuron of many outputs moves linearly as long as it
stays awake to the same m centers, by a map whose singular values are 1 on differences of their
coordinates and √(1 - m/K) on their mean.  So averages of centers, which attract with labels of two
classes, are saddles with labels of K subclasses.

Rates are in units of κπ: cross-entropy has κ = 1, and π is the weight of one subclass.
"""

import math
from typing import Literal

Outputs = Literal["sign", "classes", "subclasses"]


def average_growth(K: int, m: int) -> float:
    """√(1 - m/K): growth of log ‖w_j‖ at the average of m centers, largest at one.

    **Arguments:**

    - `K`: number of subclasses, of equal weight, each with an output of its own.
    - `m`: number of centers, of any classes, 1 <= m <= K.

    **Source:** theory D20.
    """
    return math.sqrt(1 - m / K)


def choosing_rate(K: int, m: int) -> float:
    """1 - √(1 - m/K): rate at which coordinates part at the average of m >= 2 centers.

    About m/(2K), so the last choice, between two centers, takes a growth of K e-foldings and more.

    **Arguments:** as for `average_growth`.

    **Source:** theory D20.
    """
    return 1 - average_growth(K, m)


def fine_radius(K: int, outputs: Outputs) -> float:
    """Radius of a center at p = 1: 1/√K for labels of two classes, 1/√2 for K subclasses.

    **Source:** theory D6, D20.
    """
    return math.sqrt(1 / 2) if outputs == "subclasses" else 1 / math.sqrt(K)
