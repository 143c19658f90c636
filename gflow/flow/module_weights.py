"""A module taken apart: the float arrays that a flow moves, and all else, which stays as it is."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PyTree

from gflow.network.weights import AbstractWeights, smallest_layer


class ModuleWeights(AbstractWeights):
    """The float arrays of a module, in double precision (final)."""

    arrays: PyTree
    """In the structure of the module, complex ones as two real ones, and None for all else."""
    chart: ClassVar[str] = "module"

    def __init__(self, arrays: PyTree):
        self.arrays = arrays

    @property
    def width(self) -> int:
        """1: the module is one thing."""
        return 1

    @property
    def dtype(self) -> jnp.dtype:
        """Precision of the arrays."""
        return jax.tree.leaves(self.arrays)[0].dtype

    @property
    def scale(self) -> Float[Array, ""]:
        return smallest_layer(self)

    def projected(self) -> "ModuleWeights":
        return self


class _Pair(NamedTuple):
    """A complex array as two real ones, which are what moves (final)."""

    real: Float[Array, "..."]
    imag: Float[Array, "..."]


@dataclass(frozen=True, eq=False)
class _Aside:
    """What of a module is no array (final).

    Equal to itself only, so that each flow compiles a program of its own: one that is there already
    would not see what was changed in place since.
    """

    tree: PyTree


class Template(eqx.Module):
    """What of a module does not move: arrays that are no parameters, and all else (final)."""

    buffers: PyTree
    aside: _Aside = eqx.field(static=True)

    def __call__(self, weights: ModuleWeights) -> Callable:
        """The module of these weights."""
        whole = jax.tree.map(
            lambda a: jax.lax.complex(*a) if isinstance(a, _Pair) else a,
            weights.arrays,
            is_leaf=lambda a: isinstance(a, _Pair),
        )
        return eqx.combine(whole, self.buffers, self.aside.tree)


def taken_apart(module: Callable) -> tuple[ModuleWeights, Template]:
    """What of a module moves, in double precision, and what does not; all arrays are copies.

    **Raises:** `ValueError` if nothing moves.
    """
    given, aside = eqx.partition(module, _is_numeric)
    # A copy, so that one that the caller changes later changes no module that was returned.
    moving, buffers = eqx.partition(jax.tree.map(jnp.array, given), eqx.is_inexact_array)
    if not jax.tree.leaves(moving):
        raise ValueError(
            "`module` must have a float array, which is what the flow moves, but has none; make "
            "parameters jax or numpy arrays, since Python floats stay as they are."
        )
    return ModuleWeights(jax.tree.map(_real, moving)), Template(buffers, _Aside(aside))


def _is_numeric(leaf: object) -> bool:
    """Whether a leaf is an array that jax can hold; a numpy scalar is none."""
    return isinstance(leaf, jax.Array) or (
        isinstance(leaf, np.ndarray) and leaf.dtype.kind in "biufc"
    )


def _real(a: Array) -> Array | _Pair:
    if jnp.iscomplexobj(a):
        return _Pair(a.real.astype(jnp.float64), a.imag.astype(jnp.float64))
    return a.astype(jnp.float64)
