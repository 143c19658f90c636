"""Flipped labels: what a share η_k < 1/2 of them in subclass k does to a flow without noise.

One idea: all samples of a subclass are one input, so flips change nothing but the mean force there.
While the network is negligible that is a smaller weight, (1 - 2η_k)π_k in place of π_k; later it is
a force that vanishes at a finite output.
"""

import numpy as np
from jaxtyping import Float

from gflow.flow.losses import LOSSES
from gflow.laws.jumps import class_weight

RESTS = ("exponential", "logistic", "half_square", "square")
"""Losses whose resting output has a closed form."""

PerSubclass = Float[np.ndarray, " K"]
"""A number for each subclass."""


def pulls(pi: PerSubclass, eta: PerSubclass) -> PerSubclass:
    """(1 - 2η_k)π_k, which early forces see in place of the weight π_k.

    **Source:** theory D23.
    """
    return (1 - 2 * eta) * pi


def class_pull(pull: Float[np.ndarray, " m"], p: float) -> float:
    """‖π̃‖_q, q = 2/(2-p), infinite for p >= 2: the largest Σ_k π̃_k σ(u_k)^p of a unit vector u.

    Times κ it is the rate at which neurons of a class grow, for p < 2 all of them and for p >= 2
    those at the heaviest center.

    **Arguments:**

    - `pull`: π̃_k of the subclasses of one class, >= 0.
    - `p`: power of the activation, >= 1.

    **Source:** theory D5, D23.
    """
    return float(class_weight(pull, p) if p < 2 else pull.max())


def force_lost(z: Float[np.ndarray, "*q"], eta: float, loss: str) -> Float[np.ndarray, "*q"]:
    """1 - ḡ(z)/ḡ(0) at outputs z of the right sign, ḡ the mean force; 0 at first, 1 at rest.

    **Arguments:**

    - `z`: |f(μ_k)|.
    - `eta`: share of the labels that are flipped, < 1/2.
    - `loss`: its name in scenario files.

    **Source:** theory D23.
    """
    named = LOSSES[loss]
    change = (1 - eta) * named.force_change(np.ones_like(z), z)
    change = change + eta * named.force_change(-np.ones_like(z), z)
    return -change / ((1 - 2 * eta) * named.kappa)


def resting_output(eta: PerSubclass, loss: str) -> PerSubclass:
    """The output |f(μ_k)| at which the mean force vanishes, so that the flow rests.

    ½ log((1-η)/η) for the exponential loss, log((1-η)/η) for the logistic one and 1 - 2η for both
    square losses.

    **Arguments:**

    - `eta`: shares of flipped labels, in (0, 1/2).
    - `loss`: one of `RESTS`.

    **Source:** theory D23.
    """
    odds = np.log1p(-eta) - np.log(eta)
    return {"exponential": odds / 2, "logistic": odds}.get(loss, 1 - 2 * eta)


def resting_loss(eta: PerSubclass, loss: str) -> PerSubclass:
    """The mean loss of a subclass at `resting_output`.

    2√(η(1-η)) for the exponential loss, the entropy of η for the logistic one, 2η(1-η) for the half
    square and twice that for the square.

    **Source:** theory D23.
    """
    spread = eta * (1 - eta)
    entropy = -eta * np.log(eta) - (1 - eta) * np.log1p(-eta)
    return {
        "exponential": 2 * np.sqrt(spread),
        "logistic": entropy,
        "half_square": 2 * spread,
        "square": 4 * spread,
    }[loss]
