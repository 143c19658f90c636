"""What was left out of a network, and what it may cost a certified radius (theory D10)."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from gflow.data.checks import check_not_negative


@dataclass(frozen=True)
class Missing:
    """What was left out of f, at most `bound` ‖x‖₂^p, as samples see it."""

    bound: float
    p: float
    size: Float[np.ndarray, " n"]
    """‖x‖₂."""
    stretch: float
    """max ‖δ‖₂/‖δ‖."""

    def __post_init__(self):
        check_not_negative(bound=self.bound)

    def cost(
        self, own: Float[np.ndarray, " n"], own_rate: float, R: Float[np.ndarray, " n"]
    ) -> Float[np.ndarray, " n"]:
        """κ: by how much a - ζ must exceed Λ R so that the rest changes nothing within R.

        What own neurons see is a - own_rate R at least, T, and the rest is r^p at most, so (T^p -
        r^p)^{1/p} misses T by at most what is returned; or, by the triangle inequality, by r.
        """
        rest = self.bound ** (1 / self.p) * (self.size + self.stretch * R)
        least = np.maximum(own - own_rate * R, 0)
        some = least > rest
        share = np.divide(rest, least, out=np.zeros_like(rest), where=some)
        exact = -least * np.expm1(np.log1p(-(share**self.p)) / self.p)
        return np.where(some, exact, rest)


def lasting(
    own: Float[np.ndarray, " n"],
    ahead: Float[np.ndarray, " n"],
    own_rate: float,
    rate: float | Float[np.ndarray, " n"],
    *,
    missing: Missing,
) -> Float[np.ndarray, " n"]:
    """(a - ζ - κ)/Λ: κ grows with R, so it is taken at the radius that there is without it.

    **Arguments:**

    - `own`, `ahead`: a and a - ζ.
    - `own_rate`, `rate`: how fast either falls along a unit perturbation, at most.
    - `missing`: what was left out.
    """
    longest = np.maximum(ahead / rate, 0)
    return np.maximum((ahead - missing.cost(own, own_rate, longest)) / rate, 0)
