"""The integration of a flow: a host loop over jitted accepted steps of diffrax.

One idea: a flow is 40 to 100 steps, each of them expensive, so the loop is ours and everything
else happens between two steps: stepping onto the times that matter, observing, stopping rules,
checks for nan, Ctrl-C.  Interpolated directions would leave the sphere and be wrong by up to 0.1,
so nothing is interpolated.

At p = 1 the field jumps where a neuron is orthogonal to a sample and the flow may slide along the
jump; `Controls.min_step` bounds what that may cost, and forced steps are counted.

This is the only module that imports diffrax.  It measures nothing: `probe` and `stop` are values.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, PyTree

from gflow.errors import PrecisionError
from gflow.flow.field import AbstractField, FlowState, Samples
from gflow.flow.trajectory import Effort, Outcome, Reason, Trajectory, stack
from gflow.network.neurons import AbstractNeurons

SOLVERS: dict[str, diffrax.AbstractAdaptiveSolver] = {
    "tsit5": diffrax.Tsit5(),
    "bosh3": diffrax.Bosh3(),
    "dopri8": diffrax.Dopri8(),
    "heun": diffrax.Heun(),
}
"""Explicit solvers by the names scenario files use; the flows are not stiff."""

EVALUATIONS = {"tsit5": 6, "bosh3": 3, "dopri8": 13, "heun": 2}
"""Evaluations of the velocity in one step; all but Dopri8 and Heun reuse the last one."""

SAFE_ATOL = 1e-6
"""Largest absolute tolerance in units of the smallest neuron, in the Cartesian chart."""

BETWEEN = 4
"""Unscheduled records between two scheduled times, unless more are notable."""


@dataclass(frozen=True)
class Controls:
    """How accurately to integrate."""

    solver: str
    """A name in `SOLVERS`."""
    rtol: float
    """Relative tolerance of one step; 0 in the polar chart, where errors are absolute angles."""
    atol: float
    """Absolute tolerance of one step."""
    min_step: float
    """Smallest step in flow time, accepted whatever its error; 0 for none."""
    max_steps: int
    """Budget of steps, accepted and rejected together."""


class Schedule(NamedTuple):
    """Flow times that the solver steps onto, increasing; the last one is the end."""

    times: Float[np.ndarray, " T"]


Probe = Callable[[Float[Array, ""], FlowState], PyTree]
Stop = Callable[[PyTree], Reason | None]
Notable = Callable[[PyTree, PyTree], bool]
Watch = Callable[[float, PyTree], None]


def integrate(
    field: AbstractField,
    neurons: AbstractNeurons,
    samples: Samples,
    schedule: Schedule,
    controls: Controls,
    probe: Probe,
    stop: Stop,
    notable: Notable,
    watch: Watch,
    start: tuple[float, float, float | None] = (0.0, 0.0, None),
) -> Trajectory:
    """Follow the gradient flow dθ/dt = -∇L(θ) and observe it on the way.

    **Arguments:**

    - `field`: the velocity in the chart of `neurons`.
    - `neurons`: the population at the start.
    - `samples`: weighted samples.
    - `schedule`: times stepped onto and recorded, after the start time.
    - `controls`: solver, tolerances, minimum step, step budget.
    - `probe`: what to observe of a state; jitted here, called at every accepted step.
    - `stop`: reads an observation and says whether to end, and why.
    - `notable`: whether an observation differs so much from the last recorded one that an
        unscheduled step is worth recording, beyond the few that always are.
    - `watch`: called with time and observation at every accepted step, for progress.
    - `start`: flow time, energy dissipated until then, and first step size (None: searched).

    **Returns:** a `Trajectory`. An integration that ends early is a `Trajectory` too; its
    `outcome` says why. Ctrl-C ends it early.

    **Raises:** `PrecisionError` if `controls.atol` is not far below the smallest neuron in the
    Cartesian chart: the solver would step over the whole alignment phase and report success.
    """
    _check_precision(field, neurons, controls)
    t, dissipated, first_step = start
    state = FlowState(neurons, jnp.asarray(dissipated, neurons.log_norm.dtype))
    machine = _machine(field, samples, controls)
    loop = _Loop(machine, eqx.filter_jit(probe), stop, notable, watch, controls)
    reason = loop.run(t, state, first_step, schedule)
    return loop.trajectory(reason, float(schedule.times[-1]), EVALUATIONS[controls.solver])


def _check_precision(field: AbstractField, neurons: AbstractNeurons, controls: Controls) -> None:
    scale = float(field.scale(neurons))
    largest = SAFE_ATOL * scale
    if scale < 1 and not controls.atol <= largest * (1 + 1e-9):
        raise PrecisionError(
            f"`atol` must be far below the smallest neuron in the Cartesian chart, but atol = "
            f"{controls.atol:.3g} and the smallest ‖w_j‖ = {scale:.3g}. The solver would step over "
            f"the whole alignment phase and still report success. Use atol <= {largest:.1g}, or "
            "polar neurons."
        )


class _Projected(diffrax.AbstractAdaptiveSolver, diffrax.AbstractWrappedSolver):
    """Any solver, followed by the projection of directions to the sphere.

    Without it |u| drifts by 0.04 to 0.19 at tolerance 1e-3.  It is sound with solvers that reuse
    their last evaluation because the field normalizes u itself.
    """

    solver: diffrax.AbstractAdaptiveSolver

    @property
    def term_structure(self):  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.solver.term_structure

    @property
    def interpolation_cls(self):  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.solver.interpolation_cls

    def order(self, terms):
        return self.solver.order(terms)

    def error_order(self, terms):
        return self.solver.error_order(terms)

    def init(self, terms, t0, t1, y0, args):
        return self.solver.init(terms, t0, t1, y0, args)

    def func(self, terms, t0, y0, args):
        return self.solver.func(terms, t0, y0, args)

    def step(self, terms, t0, t1, y0, args, solver_state, made_jump):
        y1, error, dense, solver_state, result = self.solver.step(
            terms, t0, t1, y0, args, solver_state, made_jump
        )
        return y1.projected(), error, dense, solver_state, result


class _Machine(eqx.Module):
    """diffrax's parts, bound to one field and its samples."""

    term: diffrax.ODETerm
    solver: _Projected
    controller: diffrax.PIDController
    samples: Samples


class _Moment(eqx.Module):
    """Everything that is carried from one step to the next."""

    t: Float[Array, ""]
    state: FlowState
    solver_state: PyTree
    controller_state: PyTree


class _Attempt(eqx.Module):
    """What one attempted step came to."""

    moment: _Moment
    """The new moment if the step was kept, the old one otherwise."""
    next_step: Float[Array, ""]
    kept: Bool[Array, ""]
    finite: Bool[Array, ""]
    error: Float[Array, ""]
    """Error of the step, in units of the tolerance."""


def _machine(field: AbstractField, samples: Samples, controls: Controls) -> _Machine:
    # Tolerances are arrays, so that another tolerance does not compile anew.
    controller = diffrax.PIDController(
        rtol=jnp.asarray(controls.rtol),
        atol=jnp.asarray(controls.atol),
        pcoeff=0.3,
        icoeff=0.4,
        norm=field.error_norm,
        dtmin=jnp.asarray(controls.min_step) if controls.min_step > 0 else None,
    )
    term = diffrax.ODETerm(field)  # pyright: ignore[reportArgumentType]
    return _Machine(term, _Projected(SOLVERS[controls.solver]), controller, samples)


@eqx.filter_jit
def _begin(
    machine: _Machine, t: Float[Array, ""], state: FlowState, first_step: Float[Array, ""] | None
) -> tuple[_Moment, Float[Array, ""]]:
    solver, term, samples = machine.solver, machine.term, machine.samples
    t1, controller_state = machine.controller.init(
        term, t, t, state, first_step, samples, solver.func, solver.error_order(term)
    )
    solver_state = solver.init(term, t, t1, state, samples)
    moment = _Moment(t, state, solver_state, controller_state)
    # A Python flag among the leaves would compile `_attempt` twice, before and after it is one.
    return jax.tree.map(jnp.asarray, moment), jnp.asarray(t1 - t)


@eqx.filter_jit
def _attempt(machine: _Machine, moment: _Moment, end: Float[Array, ""]) -> _Attempt:
    solver, term = machine.solver, machine.term
    state, error, _, solver_state, _ = solver.step(
        term, moment.t, end, moment.state, machine.samples, moment.solver_state, made_jump=False
    )
    order = solver.error_order(term)
    assert order is not None
    keep, _, next_end, _, controller_state, _ = machine.controller.adapt_step_size(
        moment.t,
        end,
        moment.state,
        state,
        machine.samples,
        error,
        order,
        moment.controller_state,
    )
    finite = _all_finite((state, error))
    keep, next_end = jnp.asarray(keep), jnp.asarray(next_end)
    kept = keep & finite
    next_moment = _Moment(
        jnp.where(kept, end, moment.t),
        _either(kept, state, moment.state),
        _either(kept, solver_state, moment.solver_state),
        # A refused step still tells the controller something, unless it was not finite.
        _either(finite, controller_state, moment.controller_state),
    )
    next_step = next_end - jnp.where(keep, end, moment.t)
    return _Attempt(next_moment, next_step, kept, finite, 1 / jnp.asarray(controller_state[0]))


def _either(condition: Bool[Array, ""], new: PyTree, old: PyTree) -> PyTree:
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b), new, old)


def _all_finite(tree: PyTree) -> Bool[Array, ""]:
    return jnp.stack([jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(tree)]).all()


class _Loop:
    """The host side of an integration: legs between scheduled times, records, tallies."""

    def __init__(
        self,
        machine: _Machine,
        probe: Probe,
        stop: Stop,
        notable: Notable,
        watch: Watch,
        controls: Controls,
    ):
        self.machine = machine
        self.probe = probe
        self.stop = stop
        self.notable = notable
        self.watch = watch
        self.max_steps = controls.max_steps
        self.records: list[tuple[float, bool, PyTree]] = []
        self.steps = self.rejected = self.forced = 0
        self.worst_forced = 0.0

    def run(
        self, t: float, state: FlowState, first_step: float | None, schedule: Schedule
    ) -> Reason:
        dtype = state.dissipated.dtype
        first = None if first_step is None else jnp.asarray(first_step, dtype)
        self.moment, step = _begin(self.machine, jnp.asarray(t, dtype), state, first)
        self.step = float(step)
        try:
            self._observe(scheduled=True, gap=0.0)
            if not np.isfinite(self.step):
                return Reason.NOT_FINITE
            for target in schedule.times:
                reason = self._leg(float(target))
                if reason is not None:
                    return reason
        except KeyboardInterrupt:
            return self._end(Reason.INTERRUPTED)
        return Reason.END_TIME

    def _leg(self, target: float) -> Reason | None:
        """Step until `target` is hit exactly."""
        gap = (target - float(self.moment.t)) / (BETWEEN + 1)
        not_finite = 0
        while (t := float(self.moment.t)) < target:
            if self.steps + self.rejected >= self.max_steps:
                return self._end(Reason.MAX_STEPS)
            end = _landing(t, self.step, target)
            if end <= t * (1 + 4 * np.finfo(np.float64).eps):
                return self._end(Reason.NOT_FINITE if not_finite else Reason.STALLED)
            attempt = _attempt(self.machine, self.moment, jnp.asarray(end, self.moment.t.dtype))
            not_finite = 0 if attempt.finite else not_finite + 1
            if not_finite > 30:
                return self._end(Reason.NOT_FINITE)
            if self._digest(attempt, end - t):
                reason = self._observe(scheduled=end == target, gap=gap)
                if reason is not None:
                    return self._end(reason)
        return None

    def _digest(self, attempt: _Attempt, length: float) -> bool:
        """Take over what an attempt came to; whether it was kept."""
        kept = bool(attempt.kept)
        self.moment = attempt.moment
        if not attempt.finite:
            self.step = length / 5
        elif kept and length < self.step:
            # The step was cut to land on a scheduled time; the wish from before still stands.
            self.step = max(self.step, float(attempt.next_step))
        else:
            self.step = float(attempt.next_step)
        self.steps += kept
        self.rejected += not kept
        if kept and (error := float(attempt.error)) > 1:
            self.forced += 1
            self.worst_forced = max(self.worst_forced, error)
        return kept

    def _observe(self, scheduled: bool, gap: float) -> Reason | None:
        t = float(self.moment.t)
        observation = jax.device_get(self.probe(self.moment.t, self.moment.state))
        self.watch(t, observation)
        if scheduled or self._worth_recording(t, observation, gap):
            self.records.append((t, scheduled, observation))
        return self.stop(observation)

    def _worth_recording(self, t: float, observation: PyTree, gap: float) -> bool:
        last, _, before = self.records[-1]
        return t - last >= gap or self.notable(before, observation)

    def _end(self, reason: Reason) -> Reason:
        """Record where the flow stands now, whatever the recording rule says."""
        t = float(self.moment.t)
        if not self.records or self.records[-1][0] < t:
            seen = jax.device_get(self.probe(self.moment.t, self.moment.state))
            self.records.append((t, False, seen))
        return reason

    def trajectory(self, reason: Reason, end_time: float, evaluations: int) -> Trajectory:
        times, scheduled, observations = zip(*self.records, strict=True)
        tries = self.steps + self.rejected
        effort = Effort(
            self.steps, self.rejected, self.forced, self.worst_forced, evaluations * tries
        )
        return Trajectory(
            np.array(times),
            np.array(scheduled),
            stack(list(observations)),
            self.moment.state,
            self.step,
            Outcome(reason, float(self.moment.t), end_time, self.steps),
            effort,
        )


def _landing(t: float, step: float, target: float) -> float:
    """Where a step of about `step` should end so that `target` is hit without a tiny last step."""
    left = target - t
    if step >= left * (1 - 1e-9):
        return target
    return t + (left / 2 if step > left / 2 else step)
