"""What `flow_of` accepts: every argument is checked whole, before anything is integrated."""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Real
from numpy.typing import ArrayLike

from gflow.data.checks import check_finite, check_numbers
from gflow.errors import DataError
from gflow.flow.stepper import SOLVERS


def check_settings(tolerance: float, solver: str, max_steps: int) -> None:
    """Refuse settings with which no flow can be integrated."""
    if not 0 < tolerance < 1:
        raise ValueError(f"`tolerance` must be between 0 and 1, but is {tolerance}; try 1e-6.")
    if solver not in SOLVERS:
        raise ValueError(
            f"`solver` must be one of {', '.join(SOLVERS)}, but is {solver!r}; try 'tsit5'."
        )
    if not max_steps >= 1:
        raise ValueError(f"`max_steps` must be at least 1, but is {max_steps}; try 100000.")


def times_from(times: ArrayLike) -> Float[np.ndarray, " T"]:
    """Flow times that can be stepped onto one after another."""
    try:
        t = np.asarray(times, np.float64)
    except (TypeError, ValueError):  # no numbers, or rows of different lengths
        t = np.full(1, np.nan)
    increasing = t.ndim == 1 and t.size and (np.diff(t, prepend=0.0) > 0).all()
    if not (increasing and np.isfinite(t).all()):
        raise ValueError(
            "`times` must increase, all of them finite and after 0, but is "
            f"{np.asarray(times, object).tolist()}; try [1.0, 10.0]."
        )
    return t


def samples_from(data: object) -> tuple[Float[np.ndarray, "n D"], Real[np.ndarray, " n"]]:
    """Inputs in double precision, and labels in a type of their own."""
    if not isinstance(data, tuple | list) or len(data) != 2:
        raise DataError(
            f"`data` must be a pair, but is {_described(data)}; try (x, y), inputs and labels."
        )
    x, y = _array(data[0], "inputs", "(n, D)"), _array(data[1], "labels", "(n,)")
    if x.size == 0:
        raise DataError(f"inputs must not be empty, but have shape {x.shape}; give some samples.")
    if len(y) != len(x):
        raise DataError(
            f"labels must be as many as inputs, {len(x)}, but are {len(y)}; give one per sample."
        )
    x = x.astype(np.float64)
    check_finite(x, "inputs")
    check_numbers(labels=y)
    return x, y


def _array(value: ArrayLike, name: str, shape: str) -> Real[np.ndarray, "..."]:
    """A copy of an array of real numbers with as many axes as `shape` names."""
    rule = f"{name} must be an array of real numbers of shape {shape}"
    try:
        array = np.array(value)
    except ValueError:
        raise DataError(f"{rule}, but their rows differ in length; give all the same.") from None
    if array.dtype.kind not in "biuf":
        raise DataError(f"{rule}, but are of type {array.dtype}; convert them to floats.")
    if array.ndim != (2 if "D" in shape else 1):
        raise DataError(f"{rule}, but have shape {array.shape}; reshape them.")
    return array


def check_module(module: Callable, x: Float[np.ndarray, "n D"]) -> None:
    """Refuse a module that does not give one array of floats, with a row for each sample."""
    outputs = eqx.filter_eval_shape(lambda: module(jnp.asarray(x)))
    if not isinstance(outputs, jax.ShapeDtypeStruct) or outputs.shape[:1] != (len(x),):
        raise ValueError(
            f"`module` must give one array with a row per sample, shape ({len(x)}, …), but gives "
            f"{_described(outputs)}; wrap a module of one input in another by `jax.vmap`."
        )
    if not jnp.issubdtype(outputs.dtype, jnp.floating):
        raise ValueError(
            f"`module` must give real outputs, but gives {outputs.dtype}; return floats, both "
            "parts of complex numbers as two outputs."
        )


def check_loss(
    loss: Callable, module: Callable, x: Float[np.ndarray, "n D"], y: Real[np.ndarray, " n"]
) -> None:
    """Refuse a loss that does not give one real number for each sample."""
    values = eqx.filter_eval_shape(lambda: loss(module(jnp.asarray(x)), jnp.asarray(y)))
    if not isinstance(values, jax.ShapeDtypeStruct) or values.shape != (len(x),):
        raise ValueError(
            f"`loss` must give one number per sample, shape ({len(x)},), but gives "
            f"{_described(values)}; do not average in it, and let outputs have the shape of labels."
        )
    if not jnp.issubdtype(values.dtype, jnp.floating):
        raise ValueError(
            f"`loss` must give real numbers, but gives {values.dtype}; try its real part."
        )


def _described(value: object) -> str:
    """What something is, in a few words."""
    shape = getattr(value, "shape", None)
    if shape is not None:
        return f"shape {shape}"
    kind = type(value).__name__
    return f"a {kind} of {len(value)}" if isinstance(value, tuple | list | dict) else f"a {kind}"
