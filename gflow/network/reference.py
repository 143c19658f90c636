"""The classifiers that training reaches according to theory (theory section 3).

F, F^(1) and F^(p) are networks with 2 or K neurons, so every measurement of a trained network
applies to them as well.
"""

from dataclasses import dataclass
from typing import Literal

import jax
import numpy as np
from jaxtyping import Float

from gflow.data.centers import ORTHONORMAL, Centers
from gflow.errors import DataError
from gflow.network.prelu import Network


def average_classifier(centers: Centers) -> Network:
    """F(x) = σ(<x, μ₊>) - σ(<x, μ₋>): one ReLU neuron per class, along its average.

    μ± are the *sums* of the class's centers, so the two neurons have mass ‖μ±‖, that is √K1 and
    √K2 for orthonormal centers, and F(μ_k) = y_k.

    **Source:** Min and Vidal, ICML 2024; theory section 3.
    """
    sums = np.stack([centers.mu[centers.label == s].sum(axis=0) for s in (1, -1)])
    norms = np.linalg.norm(sums, axis=1)
    present = norms > 0
    return _network(
        centers.averages[present], np.log(norms[present]), np.array([1.0, -1.0])[present], 1.0
    )


def subclass_classifier(centers: Centers, p: float) -> Network:
    """F^(p)(x) = Σ_{k<=K1} σ(<x, μ_k>)^p - Σ_{k>K1} σ(<x, μ_k>)^p: one neuron per subclass.

    **Arguments:**

    - `centers`: orthonormal subclass centers; a center of norm a gives a neuron of mass a^p.
    - `p`: power of the activation, >= 1.

    **Source:** Min and Vidal, ICML 2024; theory section 3.
    """
    norms = np.linalg.norm(centers.mu, axis=1)
    return _network(
        centers.mu / norms[:, None], p * np.log(norms), centers.label.astype(np.float64), float(p)
    )


def _network(
    u: Float[np.ndarray, "h D"],
    log_mass: Float[np.ndarray, " h"],
    sign: Float[np.ndarray, " h"],
    p: float,
) -> Network:
    """A network in float64, whatever precision the caller uses."""
    with jax.enable_x64(True):
        return Network(jax.device_put(u), jax.device_put(log_mass), jax.device_put(sign), p)


def supremum(K1: int, K2: int, p: float, kind: str) -> float:
    """sup over the unit sphere of |F| (`kind` "average") or |F^(p)| (`kind` "subclass").

    √max(K1, K2) for F, max(K1, K2)^{max(1-p/2, 0)} for F^(p), for orthonormal centers.

    **Source:** theory section 3.
    """
    largest = max(K1, K2)
    return float(largest**0.5 if kind == "average" else largest ** max(1 - p / 2, 0))


@dataclass(frozen=True)
class Target:
    """A reference classifier to compare a network with, and its centers."""

    kind: Literal["average", "subclass"]
    """F or F^(p)."""
    p: float
    """Power of its activation; 1 for F."""
    centers: Centers
    """Orthonormal subclass centers."""

    def __post_init__(self):
        if not self.centers.orthonormal:
            raise DataError(
                f"`centers` must be orthonormal to {ORTHONORMAL:g}, but max |C Cᵀ - I| = "
                f"{self.centers.orthonormality_error:.3g}; the distance to F and F^(p) is a "
                "statement about orthonormal subclass centers, such as those of "
                "`gflow.data.mixture`."
            )

    @property
    def name(self) -> str:
        """ "F" or "F^(p)"."""
        return "F" if self.kind == "average" else f"F^({self.p:g})"

    @property
    def network(self) -> Network:
        """The classifier as a function."""
        if self.kind == "average":
            return average_classifier(self.centers)
        return subclass_classifier(self.centers, self.p)

    @property
    def supremum(self) -> float:
        """sup |target| over the unit sphere, exactly."""
        K1 = self.centers.K1
        return supremum(K1, self.centers.K - K1, self.p, self.kind)


def average_target(centers: Centers) -> Target:
    """F as a target, which ReLU networks are conjectured to reach (theory A3)."""
    return Target("average", 1.0, centers)


def subclass_target(centers: Centers, p: float) -> Target:
    """F^(p) as a target, which pReLU networks with p >= 3 are conjectured to reach (theory A3)."""
    return Target("subclass", float(p), centers)
