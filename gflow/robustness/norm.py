"""The norms in which a perturbation is measured: l1, l2 and l∞.

A norm says everything that depends on it: how it is written, its dual, the steps and balls of
attacks, the rate behind certificates, and the radii worth reading robust accuracies at.  To add
one, write its class and call `register_norm`.

Sizes, steps and projections take numpy and jax arrays alike.
"""

from abc import ABC, abstractmethod
from typing import Any, ClassVar, final

import jax
import numpy as np
from jaxtyping import Array, Bool, Float
from numpy import ndarray

from gflow.data.kind import Scale
from gflow.robustness.bisection import bisected
from gflow.robustness.lengths import positive_length
from gflow.scenario.words import NORMS as WORDS

Rows = Float[Array | ndarray, "*n D"]
"""Perturbations or slopes."""
Lengths = Float[Array | ndarray, "*n"]
"""One length per row."""
Column = Float[Array | ndarray, "n 1"]
Marks = Bool[Array | ndarray, "n _"]
"""Which entries of each row. Named, since functions in functions read their shapes at each call."""

_SPREAD_SHARE, _SPREAD_HALVINGS = 0.05, 12  # of the entries of a slope that an l1 step goes along


class Norm(str, ABC):
    """A norm of R^D: as a string its name in files and as a key (abstract)."""

    L1: ClassVar["Norm"]
    L2: ClassVar["Norm"]
    LINF: ClassVar["Norm"]

    sign: str
    """How it is written in text."""
    tex: str
    """How it is written in figures."""
    place: str = ""
    """The subspace that perturbations lie in, by its name; empty for all of space."""
    euclidean: ClassVar[bool]
    """Whether ‖δ‖ is ‖δ‖₂, which rotations leave as it is: the smallest perturbation that changes a
    network then lies in the span of its neurons, and singular values bound how fast it acts."""
    image_radii: ClassVar[tuple[float, float, float]]
    """Attack radii of images of unit range: those of the published tables, and one more (theory
    E2)."""
    feature_radii: ClassVar[tuple[float, float, float]]
    """Attack radii of features of mean length 1."""

    @property
    @abstractmethod
    def dual(self) -> "Norm":
        """The norm ‖g‖* = max <g, δ> over ‖δ‖ <= 1."""

    @abstractmethod
    def size(self, delta: Rows) -> Lengths:
        """‖δ‖."""

    @abstractmethod
    def steepest(self, g: Rows) -> Rows:
        """The δ of size 1 with the largest <g, δ>; 0 where g is 0."""

    @abstractmethod
    def step(self, g: Rows) -> Rows:
        """The step of size 1 that a descent takes: the steepest, or one along several entries."""

    @abstractmethod
    def projected(self, delta: Rows, R: Lengths) -> Rows:
        """The point of the ball of radius R that is closest to δ in l2, row by row."""

    @abstractmethod
    def largest_l2(self, D: int) -> float:
        """The largest l2 norm of a δ with ‖δ‖ <= 1."""

    @abstractmethod
    def rate(self, own: Float[ndarray, "a D"], other: Float[ndarray, "b D"], p: float) -> float:
        """Upper bound on ‖[-<w_j, δ>]₊‖_p over own rows + ‖[<w_l, δ>]₊‖_p over others, ‖δ‖ <= 1.

        How fast a perturbation closes the lead of own neurons, of rows w_j = m_j^{1/p} u_j, over
        opposite ones (theory D10).
        """

    @abstractmethod
    def center_radii(self, K: int) -> tuple[float, float, float]:
        """Three attack radii to read robust accuracies at, from where F falls to where F^(p) does.

        **Source:** theory D6.
        """

    def readable_radii(self, scale: Scale, K: int) -> tuple[float, float, float]:
        """Three attack radii at which robust accuracy says something, for inputs of this scale."""
        if scale == "centers":
            return self.center_radii(K)
        return self.image_radii if scale == "images" else self.feature_radii

    def to_size(
        self, delta: Float[Array | ndarray, "*k n D"], R: Float[Array | ndarray, " n"]
    ) -> Float[Array | ndarray, "*k n D"]:
        """δ scaled to size R; 0 where it is 0."""
        xp, size = library(delta), self.size(delta)
        share = xp.broadcast_to(R, size.shape) / xp.where(size > 0, size, 1)
        return delta * share[..., None]


@final
class _L1(Norm):
    """Σ_i |δ_i| (final)."""

    sign, tex, euclidean = "l1", r"$\ell_1$", False
    image_radii, feature_radii = (5.0, 10.0, 20.0), (0.5, 1.0, 2.0)

    @property
    def dual(self) -> Norm:
        return Norm.LINF

    def size(self, delta: Rows) -> Lengths:
        return library(delta).abs(delta).sum(axis=-1)

    def steepest(self, g: Rows) -> Rows:
        """The sign of the largest entry of g, there alone."""
        xp = library(g)
        largest = xp.abs(g).argmax(axis=-1)[..., None]
        return xp.where(xp.arange(g.shape[-1]) == largest, xp.sign(g), xp.zeros_like(g))

    def step(self, g: Rows) -> Rows:
        """Spread evenly over the largest entries of g, since the steepest moves one at a time."""
        xp, count = library(g), max(int(_SPREAD_SHARE * g.shape[1]), 1)
        size = xp.abs(g)

        def few(least: Column) -> Marks:
            return (size >= least).sum(axis=1, keepdims=True) < count

        # At least `count` entries are above the lower end; sorting takes longer than a gradient.
        ends = xp.zeros_like(size[:, :1]), size.max(axis=1, keepdims=True)
        least = bisected(few, *ends, _SPREAD_HALVINGS)[0]
        step = xp.where((size >= least) & (size > 0), xp.sign(g), xp.zeros_like(g))
        return self.to_size(step, xp.ones(g.shape[0], g.dtype))

    def projected(self, delta: Rows, R: Lengths) -> Rows:
        """A threshold taken off every entry, where δ is outside."""
        R = R[:, None]
        inside = self.size(delta)[:, None] <= R
        return library(delta).where(inside, delta, _thresholded(delta, R))

    def largest_l2(self, D: int) -> float:
        return 1.0

    def rate(self, own: Float[ndarray, "a D"], other: Float[ndarray, "b D"], p: float) -> float:
        """The exact one: it is convex in δ, so largest at a corner of the ball, on an axis."""
        up = positive_length(-own, p, axis=0) + positive_length(other, p, axis=0)
        down = positive_length(own, p, axis=0) + positive_length(-other, p, axis=0)
        return float(max(up.max(), down.max()))

    def center_radii(self, K: int) -> tuple[float, float, float]:
        return 0.5, 0.75, 1.0  # F and F^(p) both fall at 1


@final
class _L2(Norm):
    """√(Σ_i δ_i²), of all perturbations or of those in a subspace (final)."""

    sign, tex, euclidean = "l2", r"$\ell_2$", True
    image_radii, feature_radii = (0.5, 1.0, 2.0), (0.05, 0.1, 0.2)

    def __new__(cls, place: str = "") -> "_L2":
        norm = super().__new__(cls, f"l2_{place}" if place else "l2")
        if place:
            norm.place = place
            norm.sign = f"l2 within {place}"
            norm.tex = rf"$\ell_2$, {place.replace('_', ' ')}"
        return norm

    @property
    def dual(self) -> Norm:
        return Norm.L2

    def size(self, delta: Rows) -> Lengths:
        return library(delta).sqrt((delta**2).sum(axis=-1))

    def steepest(self, g: Rows) -> Rows:
        xp, length = library(g), self.size(g)[..., None]
        return g / xp.where(length > 0, length, xp.ones_like(length))

    def step(self, g: Rows) -> Rows:
        return self.steepest(g)

    def projected(self, delta: Rows, R: Lengths) -> Rows:
        xp, size = library(delta), self.size(delta)[:, None]
        return delta * xp.minimum(R[:, None] / xp.where(size > 0, size, xp.ones_like(size)), 1.0)

    def largest_l2(self, D: int) -> float:
        return 1.0

    def rate(self, own: Float[ndarray, "a D"], other: Float[ndarray, "b D"], p: float) -> float:
        """By the size of every row; singular values often give less (`radius_bound`)."""
        return _rate_of_rows(self, own, other, p)

    def center_radii(self, K: int) -> tuple[float, float, float]:
        return K**-0.5, 0.5, 0.5**0.5


@final
class _LInf(Norm):
    """max_i |δ_i| (final)."""

    sign, tex, euclidean = "l∞", r"$\ell_\infty$", False
    image_radii, feature_radii = (0.05, 0.1, 0.2), (0.002, 0.005, 0.01)

    @property
    def dual(self) -> Norm:
        return Norm.L1

    def size(self, delta: Rows) -> Lengths:
        return library(delta).abs(delta).max(axis=-1)

    def steepest(self, g: Rows) -> Rows:
        return library(g).sign(g)

    def step(self, g: Rows) -> Rows:
        return self.steepest(g)

    def projected(self, delta: Rows, R: Lengths) -> Rows:
        R = R[:, None]
        return library(delta).clip(delta, -R, R)

    def largest_l2(self, D: int) -> float:
        return D**0.5  # at a corner of the cube

    def rate(self, own: Float[ndarray, "a D"], other: Float[ndarray, "b D"], p: float) -> float:
        return _rate_of_rows(self, own, other, p)

    def center_radii(self, K: int) -> tuple[float, float, float]:
        return 1 / K, 2 / K, 4 / K  # F falls at 1/K


Norm.L1, Norm.L2, Norm.LINF = _L1("l1"), _L2(), _LInf("linf")

NORMS: dict[str, Norm] = {}
"""Every norm by its name in files."""


def register_norm(norm: Norm) -> None:
    """Make a norm available as a value of `robustness.norms`, under its own name.

    **Raises:** `ValueError` if another norm has this name.
    """
    WORDS.register(NORMS, str(norm), norm)


def l2_within(place: str) -> Norm:
    """l2 of perturbations in a subspace; what measures with it is told the subspace itself."""
    return _L2(place)


def norm_named(name: str) -> Norm:
    """The norm of a name in files, also that of a subspace."""
    return NORMS[name] if name in NORMS else l2_within(name.removeprefix("l2_"))


for _norm in (Norm.L1, Norm.L2, Norm.LINF):
    register_norm(_norm)


def _rate_of_rows(
    norm: Norm, own: Float[ndarray, "a D"], other: Float[ndarray, "b D"], p: float
) -> float:
    """‖(‖w_j‖*)_j‖_p over own rows and over others: <w, δ> is at most ‖w‖* for δ of size 1."""
    return sum(float(positive_length(np.asarray(norm.dual.size(rows)), p)) for rows in (own, other))


def _thresholded(delta: Float[Array | ndarray, "n D"], R: Column) -> Rows:
    """δ with the one threshold taken off every entry that leaves an l1 norm of R.

    The threshold by which the entries above it would have norm R rises with every round, until no
    entry falls below it; that takes a few rounds where sorting takes longer than a gradient.

    **Source:** Michelot, 1986.
    """
    xp = library(delta)
    size = xp.abs(delta)

    def threshold(active: Marks) -> Column:
        total = xp.where(active, size, xp.zeros_like(size)).sum(axis=-1, keepdims=True)
        count = active.sum(axis=-1, keepdims=True).astype(size.dtype)
        return (total - R) / xp.where(count > 0, count, xp.ones_like(count))

    def narrowed(active: Marks) -> Marks:
        return active & (size > threshold(active))

    active = size >= 0
    if xp is np:
        while (narrowed(active) != active).any():
            active = narrowed(active)
    else:
        active = jax.lax.while_loop(lambda a: (narrowed(a) != a).any(), narrowed, active)
    return xp.sign(delta) * xp.maximum(size - threshold(active), 0.0)


def library(array: Array | ndarray) -> Any:
    """numpy or jax.numpy, whichever the array is of."""
    return array.__array_namespace__()
