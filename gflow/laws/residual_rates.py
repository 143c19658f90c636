"""How a ReLU network without noise closes what is left of its residuals under a square loss.

Close to the end gates and weights stand still, so residuals decay linearly, each mode at its own
rate.  π is the weight of a subclass, never 3.14 (theory section 1).
"""

import numpy as np
from jaxtyping import Float


def residual_matrix(
    w: Float[np.ndarray, "h K"], v: Float[np.ndarray, " h"]
) -> Float[np.ndarray, "K K"]:
    """H = Σ_j (σ(w_j) σ(w_j)ᵀ + v_j² diag(w_j > 0)), by which df/dt = H Π g at the centers, p = 1.

    For an output of 1 at every center H is at least the identity.

    **Arguments:**

    - `w`: coordinates <w_j, μ_k> of the weights on orthonormal centers.
    - `v`: output weights, of either sign.

    **Source:** theory D18.
    """
    awake = np.maximum(w, 0)
    return awake.T @ awake + np.diag(v**2 @ (w > 0))


def decay_rates(
    H: Float[np.ndarray, "K K"], pi: Float[np.ndarray, " K"], kappa: float
) -> Float[np.ndarray, " K"]:
    """Rates at which the modes of the residuals decay, ascending: the loss falls at twice a rate.

    One neuron at the average of m subclasses has κπ√m, m - 1 times, and once 2κπ√m, at which all m
    residuals fall alike.

    **Arguments:**

    - `H`: `residual_matrix`.
    - `pi`, `kappa`: weights of the subclasses in the loss; the force at f = 0 of the square loss.

    **Source:** theory D18.
    """
    return _modes(H, pi, kappa)[0]


def decayed(
    residual: Float[np.ndarray, " K"],
    H: Float[np.ndarray, "K K"],
    pi: Float[np.ndarray, " K"],
    kappa: float,
    *,
    t: Float[np.ndarray, " T"],
) -> Float[np.ndarray, "T K"]:
    """y_k - f(μ_k) at times t after it was `residual`: exp(-κ H Π t) of it.

    Arguments as in `decay_rates`.

    **Source:** theory D18.
    """
    rates, modes = _modes(H, pi, kappa)
    root = np.sqrt(pi)
    return np.exp(-rates * t[:, None]) * (modes.T @ (root * residual)) @ modes.T / root


def _modes(
    H: Float[np.ndarray, "K K"], pi: Float[np.ndarray, " K"], kappa: float
) -> tuple[Float[np.ndarray, " K"], Float[np.ndarray, "K K"]]:
    """Eigenvalues and eigenvectors of κ Π^{1/2} H Π^{1/2}, which acts on Π^{1/2} (y - f)."""
    root = np.sqrt(pi)
    rates, modes = np.linalg.eigh(kappa * root[:, None] * H * root)
    return rates, modes
