"""Which sign a network has, and down which slope it changes, whatever its power.

One idea: f is homogeneous, so its sign is that of Σ_j s_j (σ(z_j)/max σ(z))^p, z_j = m_j^{1/p}
<u_j, x>, in which nothing that decides under- or overflows.  To be wrong is to be wrong however
sums are rounded: own neurons are taken to see a little more than they do and opposite ones less.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from gflow.network.population import Population
from gflow.network.prelu import host_power
from gflow.robustness.lengths import relative_to_largest

DOUBT = 3e-12
"""What rounding may change of <u_j, x + δ>, in units of ‖x‖₂, for ‖δ‖₂ <= 2‖x‖₂.

A product of D numbers is right to D·2e-16 of the size of its vectors (1e-12 at D = 4000)."""


@dataclass(frozen=True)
class Leaning:
    """The sign of f, and the direction of its slope."""

    w: Float[np.ndarray, "h D"]
    """Rows m_j^{1/p} u_j."""
    s: Float[np.ndarray, " h"]
    p: float

    @classmethod
    def of(cls, f: Population) -> "Leaning":
        """The leaning of a network without neurons of no contribution."""
        return cls(f.m[:, None] ** (1 / f.p) * f.u, f.s, f.p)

    def views(
        self, x: Float[np.ndarray, "n D"], y: Float[np.ndarray, " n"], size: Float[np.ndarray, " n"]
    ) -> Float[np.ndarray, "n h"]:
        """z at samples of labels ±1 and of these ‖x‖₂, in favor of their labels by `DOUBT`."""
        return x @ self.w.T + np.outer(DOUBT * y * size, self.s * self.lengths)

    @property
    def lengths(self) -> Float[np.ndarray, " h"]:
        """‖w_j‖₂."""
        return np.linalg.norm(self.w, axis=1)

    def margin(
        self, z: Float[np.ndarray, "n h"], y: Float[np.ndarray, " n"]
    ) -> Float[np.ndarray, " n"]:
        """y f from what neurons see, in units of the largest term."""
        share = relative_to_largest(z)[1]
        return y * (host_power(share, self.p) @ self.s)

    def slope(self, z: Float[np.ndarray, "n h"]) -> Float[np.ndarray, "n D"]:
        """∇f up to a positive factor, from what neurons see."""
        share = relative_to_largest(z)[1]
        return (host_power(share, self.p - 1) * self.s) @ self.w
