"""Perturbations by which a model errs in double precision, though they were found in single."""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from gflow.measure.margin import margins
from gflow.robustness.attack import Attack
from gflow.robustness.norm import Norm
from gflow.robustness.witness import least_factors

_DOUBT = 256
"""What rounding may change of a margin, in units of the largest output and its last digit."""


def in_double(
    f: Callable,
    x: Float[np.ndarray, "n D"],
    y: Float[np.ndarray, " n"],
    attack: Attack,
    again: Callable[[Int[np.ndarray, " r"]], Attack],
    *,
    norm: Norm,
) -> Attack:
    """The perturbations of an attack, lengthened until the model errs in double precision.

    **Arguments:**

    - `f`: the model; one that answers in single precision is taken at its word, up to its rounding.
    - `x`, `y`: samples, and labels ±1 or 0, 1, … as the model has one output or many.
    - `attack`: found in single precision.
    - `again`: attacks some samples in double precision, given by their indices, where what was
        found in single precision is no error.
    - `norm`: in which perturbations are short.

    **Returns:** an `Attack`; its radius is inf where no error was found.
    """
    delta = attack.perturbation.astype(np.float64)
    factor = _factors(f, x, y, delta)
    lost = np.flatnonzero(np.isinf(factor) & np.isfinite(attack.radius))
    if len(lost):
        delta[lost] = again(lost).perturbation
        factor[lost] = _factors(f, x, y, delta)[lost]
    errs = np.isfinite(factor)
    delta = np.where(errs, factor, 0.0)[:, None] * delta
    return Attack(np.where(errs, norm.size(delta), np.inf), delta, None)


def _factors(
    f: Callable,
    x: Float[np.ndarray, "n D"],
    y: Float[np.ndarray, " n"],
    delta: Float[np.ndarray, "n D"],
) -> Float[np.ndarray, " n"]:
    """The least factors by which perturbations make the model err; inf where none does."""

    with jax.enable_x64(True):
        at, label = jnp.asarray(x), jnp.asarray(y)
        doubt = _doubt(f, at)

        def errs(rows: Int[np.ndarray, " r"], t: Float[np.ndarray, " r"]) -> Bool[np.ndarray, " r"]:
            # All samples at once, since every other number of them would be compiled anew.
            factor = np.ones((len(x), 1))
            factor[rows, 0] = t
            return np.asarray(_errs(f, jnp.asarray(x + factor * delta), label, doubt))[rows]

        return least_factors(errs, len(x))


@eqx.filter_jit
def _doubt(f: Callable, x: Float[Array, "n D"]) -> Float[Array, " n"]:
    """What rounding may change of each margin."""
    z = jnp.abs(f(x))
    return _DOUBT * jnp.finfo(z.dtype).eps * (z.max(axis=1) if z.ndim == 2 else z)


@eqx.filter_jit
def _errs(
    f: Callable, x: Float[Array, "n D"], y: Float[Array, " n"], doubt: Float[Array, " n"]
) -> Bool[Array, " n"]:
    """Where a model errs however its outputs are rounded, or answers what is not a number.

    A model that is silent errs, too: sums of zeros are not rounded.
    """
    z = f(x)
    silent = (z == 0).reshape(len(z), -1).all(axis=1)
    return silent | ~(margins(y.astype(z.dtype), z) > -doubt)
