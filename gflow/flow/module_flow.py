"""Gradient flow of any equinox module with a loss: `flow_of`.

The float arrays of a module are the state of the same loop that integrates neurons, so steps, error
control, outcomes and Ctrl-C are those of every flow.  Its other arrays are arguments of the
compiled velocity, never constants of it; what is no array stands aside.
"""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import ArrayLike

from gflow.cost.memory import ROWS
from gflow.errors import GflowWarning
from gflow.flow.field import FlowState
from gflow.flow.integrate import integrate
from gflow.flow.losses import AbstractLoss
from gflow.flow.module_checks import (
    check_loss,
    check_module,
    check_settings,
    samples_from,
    times_from,
)
from gflow.flow.module_field import ModuleField
from gflow.flow.module_weights import ModuleWeights, Template, taken_apart
from gflow.flow.observer import Observer
from gflow.flow.samples import Samples
from gflow.flow.schedule import Schedule
from gflow.flow.stepper import Controls
from gflow.flow.trajectory import Outcome, Reason, Trajectory
from gflow.scenario import SAFE_TOLERANCE


@dataclass(frozen=True)
class ModuleOutcome(Outcome):
    """How the flow of a module ended, in terms of the arguments of `flow_of` (final)."""

    cures: ClassVar[Mapping[Reason, str]] = {
        Reason.MAX_STEPS: (
            "The budget `max_steps` was used up. Common reasons: slopes that jump, such as those "
            "of ReLU, along which the flow slides (raise `tolerance`); a start so small that it "
            "grows for long (raise `max_steps`)."
        ),
        Reason.NOT_FINITE: (
            "The velocity is no longer a number. Common reasons: a module or loss that overflows, "
            "or divides by 0, where the flow leads (scale the data); a slope that is infinite "
            "there, such as that of a square root or a norm at 0."
        ),
        Reason.STALLED: (
            "The step size fell below the resolution of time. Common reasons: a `tolerance` below "
            "what float64 can deliver, or slopes that jump, such as those of ReLU (raise "
            "`tolerance`); a gradient that is not that of the loss, so that every step raises it."
        ),
        Reason.INTERRUPTED: "Stopped by hand.",
    }


class ModuleFlow(NamedTuple):
    """A flow of a module, at T times (final)."""

    times: Float[np.ndarray, " T"]
    """0, the times that were requested as far as they were reached, and where it ended."""
    loss: Float[np.ndarray, " T"]
    """Mean loss over the samples."""
    modules: tuple[Any, ...]
    """The module at each time."""
    outcome: ModuleOutcome
    """How the integration ended."""


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
    data: tuple[ArrayLike, ArrayLike],
    times: ArrayLike,
    *,
    tolerance: float = 1e-6,
    solver: str = "tsit5",
    max_steps: int = 100_000,
) -> ModuleFlow:
    """Follow dθ/dt = -∇ mean_i loss(f_θ(x_i), y_i) over the float arrays θ of a module.

    Trained are the jax and numpy arrays of real or complex floats, which move in double precision,
    the two parts of a complex one as two real arrays.  All else stays as it is: arrays of integers
    and booleans, numpy scalars such as `np.float64(2)`, Python numbers, functions and static
    fields.

    Coordinates are plain, and a number of size 1 holds nothing below 2e-16.  What is still of the
    size of the start once weights have grown is rounded off where both make up the same numbers, as
    the modes of a matrix do.  So differences that shrink before they grow are lost for a start
    below about 1e-16, and there is a warning.

    **Arguments:**

    - `module`: an equinox module on batches: inputs (n, D) to real outputs (n, …). One written for
        a single input becomes one by `jax.vmap` inside another module.
    - `loss`: from outputs and labels to a loss for each sample.
    - `data`: inputs (n, D), and labels (n,) as the loss takes them: integers stay integers.
    - `times`: flow times to return it at, increasing, after t = 0, which is returned too.
    - `tolerance`: relative error of one step, between 0 and 1; the absolute error is held to the
        same, and to at most 1e-6, in units of the smallest layer, so that a small start is not
        stepped over.
    - `solver`: a name in `gflow.flow.stepper.SOLVERS`.
    - `max_steps`: budget of steps.

    **Returns:** a `ModuleFlow` in float64. A flow that ended early is one too, up to where it
    ended; its `outcome` says why.

    **Raises:** `DataError` for inputs or labels of another shape or type, with nan or inf, or of
    unequal number. `ValueError` for times that do not increase from above 0, settings out of range,
    a module without a float array or whose outputs are not one array of floats with a row per
    sample, or a loss that is not one real number per sample.

    **Warns:** `GflowWarning` for a start that rounding swallows.

    **Source:** theory section 3.
    """
    check_settings(tolerance, solver, max_steps)
    schedule, (x, y) = Schedule(times_from(times)), samples_from(data)
    with jax.enable_x64(True):
        weights, template = taken_apart(module)
        check_module(template(weights), x)
        check_loss(loss, template(weights), x, y)
        _warn_of_rounding(float(weights.scale))
        samples = Samples.blocked(x, y, np.full(len(y), 1 / len(y)), ROWS, dtype="float64")
        field = ModuleField(_CallersLoss(loss), 1.0, template)
        controls = Controls(
            solver=solver,
            rtol=tolerance,
            atol=min(SAFE_TOLERANCE, tolerance) * float(weights.scale),
            min_step=0.0,
            max_steps=max_steps,
        )
        observer = Observer(_probe(field, samples))
        trajectory = integrate(
            field, weights, samples, schedule, controls=controls, observer=observer
        )
        return _returned(trajectory, template)


def _returned(trajectory: Trajectory, template: Template) -> ModuleFlow:
    """The flow at the times that were requested, and where it ended."""
    # Other records are of the solver's own steps, but the last one is where it ended.
    last = len(trajectory.times) - 1
    chosen = np.union1d(np.flatnonzero(trajectory.scheduled), last)
    records = jax.tree.map(lambda a: a[chosen], trajectory.observations)
    modules = tuple(
        template(ModuleWeights(jax.tree.map(lambda a, i=i: jnp.asarray(a[i]), records["arrays"])))
        for i in range(len(chosen))
    )
    end = trajectory.outcome
    outcome = ModuleOutcome(end.reason, end.t, end.end_time, end.steps)
    return ModuleFlow(trajectory.times[chosen], records["loss"], modules, outcome)


def _warn_of_rounding(scale: float) -> None:
    """Say it where a start is below the rounding of what it grows to."""
    rounding = np.finfo(np.float64).eps
    if scale < rounding:
        warnings.warn(
            f"`module` starts at a scale of {scale:.1g} (its smallest layer), below the rounding "
            f"{rounding:.1g} of numbers of size 1. Once weights have grown to 1, what is still "
            "smaller than that in the same numbers is lost: differences that shrink before they "
            "grow never grow, or grow from rounding. Try a start of 1e-12 or above.",
            GflowWarning,
            stacklevel=3,
        )


def _probe(field: ModuleField, samples: Samples) -> Callable[..., dict[str, Any]]:
    def probe(t: Float[Array, ""], state: FlowState) -> dict[str, Any]:
        """Loss and weights."""

        def block(total, rows):
            x, y, omega = rows
            return total + jnp.sum(omega * field.loss.value(y, field.whole(state.weights)(x))), None

        start = jnp.zeros((), state.dissipated.dtype)
        loss, _ = jax.lax.scan(block, start, (samples.x, samples.y, samples.omega))
        return {"loss": loss, "arrays": state.weights.arrays}  # pyright: ignore[reportAttributeAccessIssue]

    return probe
