"""How large a sum of squares of what neurons see of a perturbation can be."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float

from gflow.network.geometry import largest_singular
from gflow.robustness.norm import Norm

_POWER_STEPS = 3
"""Of the bound on an eigenvalue."""


@dataclass(frozen=True, eq=False)
class QuadraticForm:
    """δ -> Σ_l m_l c_l <u_l, δ>², for many c."""

    u: Float[np.ndarray, "b D"]
    m: Float[np.ndarray, " b"]
    norm: Norm
    """In which δ is measured."""

    @cached_property
    def reach(self) -> Float[np.ndarray, " b"]:
        """‖u_l‖*, the most that <u_l, δ> can be for ‖δ‖ <= 1."""
        return np.asarray(self.norm.dual.size(self.u))

    @cached_property
    def width(self) -> float:
        """The largest ‖δ‖₂ for ‖δ‖ <= 1."""
        return self.norm.largest_l2(self.u.shape[1])

    def largest(self, c: Float[np.ndarray, "n b"]) -> Float[np.ndarray, " n"]:
        """The largest value for ‖δ‖ <= 1, at most, for c >= 0.

        By the largest c, neuron by neuron, or as an eigenvalue: that of a nonnegative matrix A is
        at most max_l (A v)_l/v_l for any positive v (Collatz and Wielandt).
        """
        weight = c * self.m
        bounds = [c.max(axis=1, initial=0) * self._plain, weight @ self.reach**2]
        root = np.sqrt(weight)
        v = ratio = _positive(root)
        for _ in range(_POWER_STEPS):
            moved = root * ((root * v) @ self._gram)
            ratio = np.divide(moved, v, out=np.zeros_like(v), where=v > 0)
            v = _positive(moved)
        return np.min([*bounds, self.width**2 * ratio.max(axis=1, initial=0)], axis=0)

    @cached_property
    def _gram(self) -> Float[np.ndarray, "b b"]:
        return np.abs(self.u @ self.u.T)

    @cached_property
    def _plain(self) -> float:
        """The largest value for c = 1, at most."""
        in_l2 = self.width * largest_singular(np.sqrt(self.m)[:, None] * self.u)
        return float(min(in_l2**2, self.m @ self.reach**2))


def _positive(rows: Float[np.ndarray, "n b"]) -> Float[np.ndarray, "n b"]:
    """Rows of numbers >= 0, lifted a little above 0."""
    return rows + 1e-3 * rows.max(axis=1, keepdims=True, initial=0)
