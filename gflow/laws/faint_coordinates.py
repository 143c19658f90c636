"""How faint the coordinate becomes by which a lighter subclass is fitted at p = 2 (theory D27).

One idea: at p = 2 one neuron serves every subclass it is awake to, heaviest first, and while it
grows for the heaviest its direction forgets the others as a power of ε.
"""

import numpy as np
from jaxtyping import Float, Real

from gflow.data.checks import check_numbers

RESOLVED = 1e-16
"""Smallest coordinate of a unit vector that steps of directions keep."""


def faintest(eps: float, ratio: float) -> float:
    """ε^{2(1 - ratio)}: coordinate of a subclass when one of 1/ratio times its weight is fitted.

    At p = 2 and without noise, up to a constant factor; `ratio` in (0, 1].

    **Source:** theory D27.
    """
    return eps ** (2 * (1 - ratio))


def smallest_start(ratio: float) -> float:
    """The ε at which `faintest` is `RESOLVED`; 0 for equal weights.

    **Source:** theory D27.
    """
    return RESOLVED ** (0.5 / (1 - ratio)) if ratio < 1 else 0.0


def weight_ratio(pi: Float[np.ndarray, " K"], label: Real[np.ndarray, " K"]) -> float:
    """Smallest over largest weight within a class, the smaller of both classes."""
    check_numbers(pi=pi, label=label)
    return min(float(pi[label == s].min() / pi[label == s].max()) for s in np.unique(label))
