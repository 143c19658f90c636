"""A loss of a caller's: held against itself before it is descended, and named by a checksum."""

from typing import Any, NamedTuple, NoReturn

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from gflow.errors import ScenarioError
from gflow.flow.losses import AbstractScalarLoss
from gflow.runs.fingerprint import fingerprint, first_line
from gflow.scenario import Scenario

OUTPUTS = np.array([-7.3, -2.1, -0.83, -0.17, -1.3e-3, 1.3e-3, 0.19, 0.77, 1.9, 6.7])
"""Where a loss is held against its own force: outputs that are no likely kink of it."""

CLOSE = 1e-6
"""Relative error allowed in the force of a loss."""


def own_loss(loss: Any, scenario: Scenario) -> AbstractScalarLoss:
    """A loss that a caller gives, checked: its force is minus its slope, and κ y at f = 0.

    **Raises:** `ScenarioError` that says what is wrong, and where.
    """
    name = type(loss).__name__
    if not isinstance(loss, AbstractScalarLoss):
        hint = f"{loss.__name__}()" if isinstance(loss, type) else "a subclass of it"
        _refuse(f"`loss` must be a gflow.AbstractScalarLoss, but is {name}; try {hint}.")
    if scenario.network.grain != "sign":
        _refuse(
            "`loss` must be left out for many outputs, whose loss is the cross-entropy, but is "
            f'{name}; set network.outputs = "sign".'
        )
    try:
        tried = _tried(loss)
    # Whatever the code of a caller raises.
    except Exception as error:
        _refuse(
            f"`loss` must be functions of arrays y and f that jax can trace, but {name} raises "
            f"{type(error).__name__} ({first_line(error)}); use jax.numpy.",
            error,
        )
    _check(tried, name, float(loss.kappa))
    return loss


def name_of(loss: AbstractScalarLoss) -> str:
    """Name and checksum of a loss that no scenario file can name."""

    def whole(y: Any, f: Any) -> Any:
        return loss.value(y, f), loss.force(y, f), jnp.asarray(float(loss.kappa))

    return f"{type(loss).__name__} {fingerprint(whole, np.ones(2), np.zeros(2))}"


class _Tried(NamedTuple):
    """A loss at some labels and outputs."""

    y: Float[np.ndarray, " q"]
    f: Float[np.ndarray, " q"]
    value: Float[np.ndarray, "..."]
    force: Float[np.ndarray, "..."]
    slope: Float[np.ndarray, " q"]
    """Of the value, by jax."""
    at_zero: Float[np.ndarray, "..."]
    """The force at y = 1 and -1, f = 0."""


def _tried(loss: AbstractScalarLoss) -> _Tried:
    labels = np.array([1.0, -1.0])
    y, f = (a.ravel() for a in np.meshgrid(labels, OUTPUTS))
    with jax.enable_x64(True):
        on = jnp.asarray(y), jnp.asarray(f)
        slope = jax.grad(lambda f: loss.value(on[0], f).sum())(on[1])
        at_zero = loss.force(jnp.asarray(labels), jnp.zeros(2))
        arrays = (np.asarray(a) for a in (loss.value(*on), loss.force(*on), slope, at_zero))
        return _Tried(y, f, *arrays)


def _check(tried: _Tried, name: str, kappa: float) -> None:
    y, f, value, force, slope, at_zero = tried
    if value.shape != f.shape or force.shape != f.shape:
        _refuse(
            f"`loss` must give a number for each sample, but {name} gives shapes {value.shape} and "
            f"{force.shape} for {f.shape}; leave out sums and means."
        )
    wrong = ~(np.isfinite(value) & (value >= 0))
    if wrong.any():
        at = int(wrong.argmax())
        _refuse(
            f"`loss.value` must be finite and at least 0, but is {value[at]:g} at y = {y[at]:g}, "
            f"f = {f[at]:g}; add a constant."
        )
    allowed = CLOSE * np.maximum(np.abs(slope), CLOSE * np.abs(slope).max())
    wrong = ~(np.abs(force + slope) <= allowed)
    if wrong.any():
        at = int(wrong.argmax())
        _refuse(
            f"`loss.force` must be minus the slope of `loss.value`, but is {force[at]:g} where "
            f"that is {-slope[at]:g} (y = {y[at]:g}, f = {f[at]:g}); mend one of them."
        )
    if not (kappa > 0 and np.allclose(at_zero, [kappa, -kappa], rtol=CLOSE, atol=0)):
        _refuse(
            f"`loss.kappa` must be the size of the force at f = 0, but is {kappa:g} where the "
            f"force at y = 1 and -1 is {at_zero[0]:g} and {at_zero[1]:g}; mend one of them."
        )


def _refuse(text: str, cause: Exception | None = None) -> NoReturn:
    raise ScenarioError((text,)) from cause
