"""The forces of named losses in double precision, for laws that integrate a flow of their own."""

import numpy as np
from jaxtyping import Float
from scipy.special import expit

from gflow.flow.losses import LOSSES

_TAILS = {"exponential": lambda margin: np.exp(-margin), "logistic": lambda margin: expit(-margin)}


def force_of(
    loss: str, y: Float[np.ndarray, " n"], f: Float[np.ndarray, " n"]
) -> Float[np.ndarray, " n"]:
    """g = -∂ℓ(y, f)/∂f, to all digits however large y f is.

    **Arguments:**

    - `loss`: its name in scenario files.
    - `y`, `f`: labels ±1 and outputs.

    **Source:** theory section 2.
    """
    if loss in _TAILS:
        return y * _TAILS[loss](y * f)
    return LOSSES[loss].kappa * y + LOSSES[loss].force_change(y, f)
