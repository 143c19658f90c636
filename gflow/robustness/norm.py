"""The norms in which a perturbation is measured: l1, l2 and l∞.

One idea: all an attack needs of a norm is its size, the unit step that climbs a gradient fastest,
and the closest point of a ball; all a certificate needs is the dual norm.

The functions take numpy and jax arrays alike.
"""

import enum
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Float
from numpy import ndarray


class Norm(enum.StrEnum):
    """A norm of R^D (final)."""

    L1 = "l1"
    L2 = "l2"
    LINF = "linf"

    @property
    def sign(self) -> str:
        """How it is written: l1, l2, l∞."""
        return "l∞" if self is Norm.LINF else str(self)

    @property
    def dual(self) -> "Norm":
        """The norm ‖g‖* = max <g, δ> over ‖δ‖ <= 1."""
        return {Norm.L1: Norm.LINF, Norm.L2: Norm.L2, Norm.LINF: Norm.L1}[self]

    def size(self, delta: Float[Array | ndarray, "*n D"]) -> Float[Array | ndarray, "*n"]:
        """‖δ‖."""
        xp = _library(delta)
        if self is Norm.L2:
            return xp.sqrt((delta**2).sum(axis=-1))
        length = xp.abs(delta)
        return length.sum(axis=-1) if self is Norm.L1 else length.max(axis=-1)

    def steepest(self, g: Float[Array | ndarray, "*n D"]) -> Float[Array | ndarray, "*n D"]:
        """The δ of size 1 with the largest <g, δ>; 0 where g is 0.

        g/‖g‖ in l2, the signs of g in l∞, and in l1 the sign of its largest entry, there alone.
        """
        xp = _library(g)
        if self is Norm.LINF:
            return xp.sign(g)
        if self is Norm.L1:
            largest = xp.abs(g).argmax(axis=-1)[..., None]
            return xp.where(xp.arange(g.shape[-1]) == largest, xp.sign(g), xp.zeros_like(g))
        length = self.size(g)[..., None]
        return g / xp.where(length > 0, length, xp.ones_like(length))

    def projected(
        self, delta: Float[Array | ndarray, "n D"], R: Float[Array | ndarray, " n"]
    ) -> Float[Array | ndarray, "n D"]:
        """The point of the ball of radius R that is closest to δ in l2, row by row."""
        xp = _library(delta)
        R = R[:, None]
        if self is Norm.LINF:
            return xp.clip(delta, -R, R)
        size = self.size(delta)[:, None]
        if self is Norm.L2:
            return delta * xp.minimum(R / xp.where(size > 0, size, xp.ones_like(size)), 1.0)
        return xp.where(size <= R, delta, _soft(delta, R))

    def of_l2(self, D: int) -> float:
        """The largest l2 norm of a δ with ‖δ‖ <= 1."""
        return D**0.5 if self is Norm.LINF else 1.0


def _soft(delta, R):
    """δ with the one threshold taken off every entry that leaves an l1 norm of R.

    The threshold by which the entries above it would have norm R rises with every round, until no
    entry falls below it; that takes a few rounds where sorting takes longer than a gradient.

    **Source:** Michelot, 1986.
    """
    xp = _library(delta)
    size = xp.abs(delta)

    def above(active):
        held = xp.where(active, size, xp.zeros_like(size)).sum(axis=-1, keepdims=True)
        count = active.sum(axis=-1, keepdims=True).astype(size.dtype)
        return (held - R) / xp.where(count > 0, count, xp.ones_like(count))

    def rounds(active):
        return active & (size > above(active))

    active = size >= 0
    if xp is np:
        while (rounds(active) != active).any():
            active = rounds(active)
    else:
        active = jax.lax.while_loop(lambda a: (rounds(a) != a).any(), rounds, active)
    return xp.sign(delta) * xp.maximum(size - above(active), 0.0)


def _library(array) -> Any:
    """numpy or jax.numpy, whichever the array is of."""
    return array.__array_namespace__()
