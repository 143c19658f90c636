"""Gradient flow of any equinox module with a loss: `flow_of`.

The float arrays of a module are the state of the same loop that integrates neurons, so steps, error
control, outcomes and Ctrl-C are those of every flow; the rest of the module stands aside.
"""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PyTree, Real

from gflow.cost.memory import ROWS
from gflow.flow.field import FlowState
from gflow.flow.integrate import integrate
from gflow.flow.losses import AbstractLoss
from gflow.flow.module_field import ModuleField
from gflow.flow.observer import Observer
from gflow.flow.samples import Samples
from gflow.flow.schedule import Schedule
from gflow.flow.stepper import SOLVERS, Controls
from gflow.flow.trajectory import Outcome
from gflow.network.weights import AbstractWeights, smallest_layer


class ModuleFlow(NamedTuple):
    """A flow of a module, at T times (final)."""

    times: Float[np.ndarray, " T"]
    loss: Float[np.ndarray, " T"]
    """Mean loss over the samples."""
    modules: tuple[Any, ...]
    """The module at each time."""
    outcome: Outcome
    """How the integration ended."""


class _Weights(AbstractWeights):
    """The float arrays of a module, and the module around them (final)."""

    arrays: PyTree
    rest: PyTree = eqx.field(static=True)
    chart: ClassVar[str] = "module"

    def __init__(self, arrays: PyTree, rest: PyTree):
        self.arrays = arrays
        self.rest = rest

    @property
    def module(self) -> Callable:
        return eqx.combine(self.arrays, self.rest)

    def __call__(self, x: Float[Array, "n D"]) -> Array:
        return self.module(x)

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

    def projected(self) -> "_Weights":
        return self


class _CallersLoss(AbstractLoss):
    """A loss of the caller's (final)."""

    kappa: ClassVar[float] = 1.0
    of: Callable = eqx.field(static=True)

    def value(self, y: Array, f: Array) -> Array:
        return self.of(f, y)

    def force(self, y: Array, f: Array) -> Array:
        return -jax.grad(lambda f: self.of(f, y).sum())(f)


def flow_of(
    module: Callable,
    loss: Callable[[Array, Array], Array],
    data: tuple[Real[np.ndarray, "n D"], Real[np.ndarray, " n"]],
    times: Sequence[float] | Float[np.ndarray, " T"],
    *,
    tolerance: float = 1e-6,
    solver: str = "tsit5",
    max_steps: int = 100_000,
) -> ModuleFlow:
    """Follow dθ/dt = -∇ mean_i loss(f_θ(x_i), y_i) over the float arrays θ of a module.

    **Arguments:**

    - `module`: an equinox module on batches: inputs (n, D) to outputs (n, …). One written for a
        single input becomes one by `jax.vmap` inside another module.
    - `loss`: from outputs and labels to a loss for each sample.
    - `data`: inputs, and labels as the loss takes them: integers stay integers.
    - `times`: flow times to return it at, increasing, after t = 0, which is returned too.
    - `tolerance`: relative error of one step; the absolute error is held to the same, and to at
        most 1e-6, in units of the smallest layer, so that a small start is not stepped over.
    - `solver`: a name in `gflow.flow.stepper.SOLVERS`.
    - `max_steps`: budget of steps.

    **Returns:** a `ModuleFlow` in float64. A flow that ended early is one too; its `outcome` says
    why.

    **Raises:** `ValueError` for times that do not increase from above 0, an unknown solver, or a
    loss that is not one number per sample.

    **Source:** theory section 3.
    """
    x, y = np.asarray(data[0], np.float64), np.asarray(data[1])
    _check(times, solver)
    with jax.enable_x64(True):
        arrays, rest = eqx.partition(module, eqx.is_inexact_array)
        weights = _Weights(jax.tree.map(lambda a: jnp.asarray(a, jnp.float64), arrays), rest)
        samples = Samples.blocked(x, y, np.full(len(y), 1 / len(y)), ROWS, dtype="float64")
        _check_loss(loss, module, x, y)
        field = ModuleField(_CallersLoss(loss), 1.0)
        absolute = min(1e-6, tolerance) * float(weights.scale)
        trajectory = integrate(
            field,
            weights,
            samples,
            Schedule(np.asarray(times, np.float64)),
            controls=Controls(
                solver=solver, rtol=tolerance, atol=absolute, min_step=0.0, max_steps=max_steps
            ),
            observer=Observer(_probe(field, samples)),
        )
        # Records at other times than these are of the solver's own steps.
        chosen = np.flatnonzero(trajectory.scheduled)
        records = jax.tree.map(lambda a: a[chosen], trajectory.observations)
        modules = tuple(
            eqx.combine(jax.tree.map(lambda a, i=i: jnp.asarray(a[i]), records["arrays"]), rest)
            for i in range(len(chosen))
        )
        return ModuleFlow(trajectory.times[chosen], records["loss"], modules, trajectory.outcome)


def _check(times: Sequence[float] | Float[np.ndarray, " T"], solver: str) -> None:
    t = np.asarray(times, np.float64)
    if t.ndim != 1 or not len(t) or not (np.diff(t, prepend=0.0) > 0).all():
        raise ValueError(
            f"`times` must increase, all of them after 0, but is {list(times)}; try [1.0, 10.0]."
        )
    if solver not in SOLVERS:
        raise ValueError(f"`solver` must be one of {', '.join(SOLVERS)}, but is {solver!r}.")


def _check_loss(loss: Callable, module: Callable, x: np.ndarray, y: np.ndarray) -> None:
    """Refuse a loss that is not one number for each sample, which would be averaged wrongly."""
    shape = eqx.filter_eval_shape(lambda: loss(module(jnp.asarray(x)), jnp.asarray(y))).shape
    if shape != (len(x),):
        raise ValueError(
            f"`loss` must give one number per sample, shape ({len(x)},), but gives shape {shape}; "
            "do not average in it, and let outputs have the shape of labels."
        )


def _probe(field: ModuleField, samples: Samples) -> Callable[..., dict[str, Any]]:
    def probe(t: Float[Array, ""], state: FlowState) -> dict[str, Any]:
        """Loss and weights."""

        def block(total, rows):
            x, y, omega = rows
            module: Any = state.weights
            return total + jnp.sum(omega * field.loss.value(y, module(x))), None

        start = jnp.zeros((), state.dissipated.dtype)
        loss, _ = jax.lax.scan(block, start, (samples.x, samples.y, samples.omega))
        return {"loss": loss, "arrays": state.weights.arrays}  # pyright: ignore[reportAttributeAccessIssue]

    return probe
