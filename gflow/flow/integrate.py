"""The integration of a flow: a host loop over compiled steps.

One idea: a flow is 40 to 100 steps, each of them expensive, so the loop is ours and everything
else happens between two steps: stepping onto the times that matter, observing, stopping rules,
checks for nan, Ctrl-C.  Interpolated directions would leave the sphere and be wrong by up to 0.1,
so nothing is interpolated.

At p = 1 the field jumps where a neuron is orthogonal to a sample and the flow may slide along the
jump; `Controls.min_step` bounds what that may cost, `Controls.largest_forced` how wrong a forced
step may be, and forced steps are counted.  A step that raises the loss is no step of a gradient
flow: it is refused and counted, too.
"""

import math

import jax.numpy as jnp
import numpy as np
from jaxtyping import PyTree

from gflow.cost.solver import SOLVERS
from gflow.errors import PrecisionError
from gflow.flow import stepper
from gflow.flow.field import AbstractField, FlowState
from gflow.flow.loop import AbstractLoop
from gflow.flow.observer import Observer
from gflow.flow.records import AbstractCheckpoint
from gflow.flow.resumption import Resumption
from gflow.flow.samples import Samples
from gflow.flow.schedule import Schedule
from gflow.flow.stepper import Controls
from gflow.flow.trajectory import Effort, Reason, Trajectory
from gflow.network.weights import AbstractWeights
from gflow.scenario import SAFE_TOLERANCE

BETWEEN = 4
"""Unscheduled records between two scheduled times, unless more are notable."""

MOST_NOT_FINITE = 20
"""Attempts in a row, the k-th one 5^k times shorter than the one before, before nan is where the
flow ends: a loss of e^100 at the start has a time scale of 1e-44."""


def integrate(
    field: AbstractField,
    weights: AbstractWeights,
    samples: Samples,
    schedule: Schedule,
    *,
    controls: Controls,
    observer: Observer,
    start: Resumption = Resumption(),  # noqa: B008 (frozen)
    checkpoint: AbstractCheckpoint | None = None,
) -> Trajectory:
    """Follow the gradient flow dθ/dt = -∇L(θ) and observe it on the way.

    **Arguments:**

    - `field`: the velocity in the chart of `weights`.
    - `weights`: the population at the start.
    - `samples`: weighted samples.
    - `schedule`: times stepped onto and recorded, after the start time.
    - `controls`: solver, tolerances, minimum step, step budget.
    - `observer`: what is observed, when the flow ends, and who watches it.
    - `start`: where a continuation begins; the start of the flow unless given.
    - `checkpoint`: where a killed integration left off; it goes on from there and ends equal to
        the bit to one that was not killed.

    **Returns:** a `Trajectory`. An integration that ends early is a `Trajectory` too; its
    `outcome` says why. Ctrl-C ends it early.

    **Raises:** `PrecisionError` if `controls.atol` is not far below the smallest neuron or layer at
    t = 0 in plain coordinates: the solver would step over the whole alignment phase and report
    success.
    """
    if start.t == 0:  # later on neurons may have shrunk below what they started from
        _check_precision(weights, controls)
    state = FlowState.begin(weights, start.dissipated)
    loop = _Flow(
        field, state, samples, controls, start=start, observer=observer, checkpoint=checkpoint
    )
    return loop.run(schedule)


def _check_precision(weights: AbstractWeights, controls: Controls) -> None:
    scale = float(weights.scale)
    largest = SAFE_TOLERANCE * scale * (1 + 1e-9)
    if scale < 1 and not controls.atol <= largest:
        neurons = weights.chart == "cartesian"
        smallest = "smallest ‖w_j‖ =" if neurons else "smallest layer has weights of"
        raise PrecisionError(
            f"`atol` must be far below the weights at the start, but atol = {controls.atol:.3g} "
            f"and the {smallest} {scale:.3g}. The solver would step over the whole alignment "
            "phase and still report success. Use an absolute tolerance of at most "
            f"1e{math.floor(math.log10(largest))}{', or polar neurons' if neurons else ''}."
        )


class _Flow(AbstractLoop):
    """A flow under way: legs between scheduled times, of adaptive steps (final)."""

    moment: stepper.Moment

    def __init__(
        self,
        field: AbstractField,
        state: FlowState,
        samples: Samples,
        controls: Controls,
        *,
        start: Resumption,
        observer: Observer,
        checkpoint: AbstractCheckpoint | None,
    ):
        super().__init__(observer, checkpoint)
        self.controls = controls
        self.start, self.start_state = start, state
        self.evaluations_of_step = SOLVERS[controls.solver].evaluations
        self.machine = stepper.machine_of(field, samples, controls)

    @property
    def t(self) -> float:
        return float(self.moment.t)

    def _begin(self) -> Reason | None:
        start, state = self.start, self.start_state
        dtype = state.dissipated.dtype
        first = None if start.first_step is None else jnp.asarray(start.first_step, dtype)
        t = jnp.asarray(start.t, dtype)
        self.moment, step = stepper.begin(self.machine, t, state, first)
        self.step = float(step)
        self._observe(scheduled=True, gap=0.0)
        self.observer.watch(*self.sight)
        return None

    def _targets(self, schedule: Schedule) -> list[float]:
        return schedule.times[schedule.times > self.t].tolist()

    def _reach(self, target: float) -> Reason | None:
        if not np.isfinite(self.step):
            return self._end(Reason.NOT_FINITE)
        gap = (target - self.records.last_scheduled) / (BETWEEN + 1)
        not_finite = 0
        while (t := self.t) < target:
            if self.effort.steps + self.effort.rejected >= self.controls.max_steps:
                return self._end(Reason.MAX_STEPS)
            # Attempt a step, which lands on the target if near.
            end = _landing(t, self.step, target)
            if end <= t * (1 + 4 * np.finfo(np.float64).eps):
                return self._end(Reason.NOT_FINITE if not_finite else Reason.STALLED)
            attempt = stepper.attempt(
                self.machine, self.moment, jnp.asarray(end, self.moment.t.dtype)
            )
            not_finite = 0 if attempt.finite else not_finite + 1
            if not_finite > MOST_NOT_FINITE:
                return self._end(Reason.NOT_FINITE)
            self.settled = False
            accepted = self._take(attempt, end - t, not_finite)
            # Look at every accepted step.
            if accepted:
                reason = self._observe(scheduled=self.t == target, gap=gap)
                if reason is not None:
                    self.observer.watch(*self.sight)
                    return self._end(reason)
            # Only now does everything belong to one time, so that a watcher may interrupt.
            self.settled = True
            if accepted:
                self.observer.watch(*self.sight)
                self._keep()
        return None

    def _take(self, attempt: stepper.Attempt, length: float, not_finite: int) -> bool:
        """Take over the moment and tallies of an attempted step; whether it was accepted."""
        accepted = bool(attempt.accepted)
        self.moment = attempt.moment
        # The next step is the controller's, unless it knows nothing or this one was cut short.
        if not attempt.finite:
            self.step = length / 5**not_finite
        elif accepted and length < self.step:
            # The step was cut to land on a scheduled time; the wish from before still stands.
            self.step = max(self.step, float(attempt.next_step))
        else:
            self.step = float(attempt.next_step)
        # Tallies.
        error, forced = float(attempt.error), accepted and float(attempt.error) > 1
        self.effort += Effort(
            steps=int(accepted),
            rejected=int(not accepted),
            uphill=int(attempt.uphill),
            forced=int(forced),
            worst_forced=error if forced else 0.0,
            evaluations=self.evaluations_of_step,
        )
        return accepted

    def _observe(self, scheduled: bool, gap: float) -> Reason | None:
        """Look, and record what is scheduled or far enough from the last record."""
        t, observation = self.sight = self.t, self._look()
        if scheduled or self._worth_recording(t, observation, gap):
            self._record(scheduled, observation)
        return self.observer.stop(observation)

    def _worth_recording(self, t: float, observation: PyTree, gap: float) -> bool:
        last, before = self.records.times[-1], self.records.observations[-1]
        return t - last >= gap or self.observer.notable(before, observation)

    def _template(self) -> stepper.Moment:
        return stepper.template(self.machine, self.start_state)


def _landing(t: float, step: float, target: float) -> float:
    """Where a step of about `step` should end so that `target` is hit without a tiny last step."""
    left = target - t
    if step >= left * (1 - 1e-9):
        return target
    return t + (left / 2 if step > left / 2 else step)
