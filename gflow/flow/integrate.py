"""The integration of a flow: a host loop over compiled steps.

One idea: a flow is 40 to 100 steps, each of them expensive, so the loop is ours and everything
else happens between two steps: stepping onto the times that matter, observing, stopping rules,
checks for nan, Ctrl-C.  Interpolated directions would leave the sphere and be wrong by up to 0.1,
so nothing is interpolated.

At p = 1 the field jumps where a neuron is orthogonal to a sample and the flow may slide along the
jump; `Controls.min_step` bounds what that may cost, and forced steps are counted.

It measures nothing: `probe` and `stop` are values.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PyTree

from gflow.errors import PrecisionError
from gflow.flow import quiet, stepper
from gflow.flow.coalesce import NOTHING_LEFT_OUT, Coalescence, Folding, Passage, fold, reach_of
from gflow.flow.field import AbstractField, FlowState, PolarField, Samples
from gflow.flow.records import AbstractCheckpoint, Records, leaves_of, with_leaves
from gflow.flow.schedule import Notable, Portrait, Probe, Schedule, Stop, Watch
from gflow.flow.stepper import EVALUATIONS, Controls
from gflow.flow.trajectory import Effort, Outcome, Reason, Trajectory
from gflow.network.neurons import PolarNeurons
from gflow.network.weights import AbstractWeights

SAFE_ATOL = 1e-6
"""Largest absolute tolerance in units of the smallest neuron, in the Cartesian chart."""

PAUSE = 10
"""Steps before another attempt to cross a quiet stretch at once, after one that failed."""

BETWEEN = 4
"""Unscheduled records between two scheduled times, unless more are notable."""


def integrate(
    field: AbstractField,
    neurons: AbstractWeights,
    samples: Samples,
    schedule: Schedule,
    controls: Controls,
    probe: Probe,
    stop: Stop,
    notable: Notable,
    watch: Watch,
    start: tuple[float, float, float | None] = (0.0, 0.0, None),
    portrait: Portrait | None = None,
    coalescence: Coalescence | None = None,
    checkpoint: AbstractCheckpoint | None = None,
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
    - `portrait`: what to record of all neurons besides, at recorded times only; jitted here. The
        `probe` then gives a dictionary too, and sees the neurons as they are integrated, folded
        or not; the portrait always sees every original one.
    - `coalescence`: how neurons of one direction are integrated as one (polar chart); None for
        the full width at all times. The final state is of the full width either way.
    - `checkpoint`: where a killed integration left off; it goes on from there and ends equal to
        the bit to one that was not killed.

    **Returns:** a `Trajectory`. An integration that ends early is a `Trajectory` too; its
    `outcome` says why. Ctrl-C ends it early.

    **Raises:** `PrecisionError` if `controls.atol` is not far below the smallest neuron at t = 0 in
    the Cartesian chart: the solver would step over the whole alignment phase and report success.
    """
    t, dissipated, first_step = start
    if t == 0:  # later on neurons may have shrunk below what they started from
        _check_precision(field, neurons, controls)
    state = FlowState.begin(neurons, dissipated)
    if coalescence is not None and isinstance(field, PolarField):
        field = PolarField(field.loss, field.p, None, reach_of(samples))
    loop = _Loop(
        field, samples, controls, eqx.filter_jit(probe), portrait, stop, notable, watch, coalescence
    )
    reason = loop.run(t, state, first_step, schedule, checkpoint)
    return loop.trajectory(reason, float(schedule.times[-1]))


def _check_precision(field: AbstractField, neurons: AbstractWeights, controls: Controls) -> None:
    scale = float(field.scale(neurons))
    largest = SAFE_ATOL * scale
    if scale < 1 and not controls.atol <= largest * (1 + 1e-9):
        raise PrecisionError(
            f"`atol` must be far below the smallest neuron in the Cartesian chart, but atol = "
            f"{controls.atol:.3g} and the smallest ‖w_j‖ = {scale:.3g}. The solver would step over "
            f"the whole alignment phase and still report success. Use atol <= {largest:.1g}, or "
            "polar neurons."
        )


_COUNTS = ("steps", "rejected", "forced", "leaps", "glances", "no_leap_before")
_REALS = ("step", "leg_began", "turning", "worst_forced", "work")


class _Loop:
    """The host side of an integration: legs between scheduled times, records, tallies."""

    def __init__(
        self,
        field: AbstractField,
        samples: Samples,
        controls: Controls,
        probe: Probe,
        portrait: Portrait | None,
        stop: Stop,
        notable: Notable,
        watch: Watch,
        coalescence: Coalescence | None,
    ):
        self.field = field
        self.machine = stepper.machine_of(field, samples, controls)
        self.controls = controls
        self.probe = probe
        self.portrait = None if portrait is None else eqx.filter_jit(portrait)
        self.stop = stop
        self.notable = notable
        self.watch = watch
        self.coalescence = coalescence if isinstance(field, PolarField) else None
        self.folding: Folding | None = None
        self.turning = np.inf
        self.settled = True
        self.records = Records()
        self.steps = self.rejected = self.forced = self.leaps = self.glances = 0
        self.no_leap_before = 0
        self.worst_forced = self.work = 0.0

    def run(
        self,
        t: float,
        state: FlowState,
        first_step: float | None,
        schedule: Schedule,
        checkpoint: AbstractCheckpoint | None,
    ) -> Reason:
        """Integrate to the end of the schedule, from a checkpoint if there is one, and say why."""
        self.checkpoint = checkpoint
        self.h = state.weights.width
        if self.coalescence is not None:
            assert isinstance(state.weights, PolarNeurons)
            self.folding = Folding.none(state.weights)
        try:
            kept = None if checkpoint is None else checkpoint.load()
            if kept is None:
                self._begin(t, state, first_step)
            else:
                self._restore(kept, state)
            if not np.isfinite(self.step):
                return Reason.NOT_FINITE
            for target in schedule.times[schedule.times > float(self.moment.t)]:
                reason = self._leg(float(target))
                if reason is not None:
                    return reason
        except KeyboardInterrupt:
            if checkpoint is not None and self.settled and self.records:
                checkpoint.save(self._snapshot())
            return self._end(Reason.INTERRUPTED)
        return Reason.END_TIME

    def _begin(self, t: float, state: FlowState, first_step: float | None) -> None:
        dtype = state.dissipated.dtype
        first = None if first_step is None else jnp.asarray(first_step, dtype)
        if t > 0:
            # A continuation begins with neurons that have aligned; its first record is known.
            state = self._folded(Passage(state, state, 0.0)) or state
        self.moment, step = stepper.begin(self.machine, jnp.asarray(t, dtype), state, first)
        self.step, self.leg_began = float(step), t
        self._observe(scheduled=True, gap=0.0)
        self.watch(*self.sight)

    def _leg(self, target: float) -> Reason | None:
        """Step until `target` is hit exactly."""
        gap = (target - self.leg_began) / (BETWEEN + 1)
        not_finite = 0
        while (t := float(self.moment.t)) < target:
            if self.steps + self.rejected >= self.controls.max_steps:
                return self._end(Reason.MAX_STEPS)
            before = self.moment.state
            if self._leap(target):
                accepted = True
            else:
                end = _landing(t, self.step, target)
                if end <= t * (1 + 4 * np.finfo(np.float64).eps):
                    return self._end(Reason.NOT_FINITE if not_finite else Reason.STALLED)
                attempt = stepper.attempt(
                    self.machine, self.moment, jnp.asarray(end, self.moment.t.dtype)
                )
                not_finite = 0 if attempt.finite else not_finite + 1
                if not_finite > 30:
                    return self._end(Reason.NOT_FINITE)
                self.settled = False
                accepted = self._digest(attempt, end - t)
            if accepted:
                reason = self._observe(scheduled=float(self.moment.t) == target, gap=gap)
                if reason is not None:
                    self.watch(*self.sight)
                    return self._end(reason)
                self._condense(before, float(self.moment.t) - t)
                if float(self.moment.t) == target:
                    self.leg_began = target
            self.settled = True
            if accepted:
                # Only now, since whoever watches may interrupt.
                self.watch(*self.sight)
                if self.checkpoint is not None and self.checkpoint.due():
                    self.checkpoint.save(self._snapshot())
        return None

    def _digest(self, attempt: stepper.Attempt, length: float) -> bool:
        """Take over what an attempt came to; whether it was kept."""
        kept = bool(attempt.kept)
        before, self.moment = self.moment.state.weights, attempt.moment
        if not attempt.finite:
            self.step = length / 5
        elif kept and length < self.step:
            # The step was cut to land on a scheduled time; the wish from before still stands.
            self.step = max(self.step, float(attempt.next_step))
        else:
            self.step = float(attempt.next_step)
        self.steps += kept
        self.rejected += not kept
        width = before.width
        self.work += EVALUATIONS[self.controls.solver] * width / self.h
        if kept and (error := float(attempt.error)) > 1:
            self.forced += 1
            self.worst_forced = max(self.worst_forced, error)
        if kept:
            self.turning = _turning(before, self.moment.state.weights)
        return kept

    def _leap(self, target: float) -> bool:
        """Cross a quiet stretch at once, if it is one and longer than two steps."""
        moment, worth, tolerance = self.moment, 2 * self.step, self.controls.atol
        left = target - float(moment.t)
        near = self.turning <= quiet.NEAR * tolerance and self.steps >= self.no_leap_before
        if not near or left <= worth or not quiet.is_quiet(moment.state):
            return False
        at_rest = quiet.settled(moment.state, self._velocity, self.field.p, tolerance)
        span = 0.0 if at_rest is None else quiet.room(*at_rest, left)
        if at_rest is None or span <= worth:
            self.no_leap_before = self.steps + PAUSE
            return False
        self.settled = False
        # Without rounding, a leap up to the target lands on it.
        t = jnp.asarray(target) if span == left else moment.t + span
        state = quiet.leap(*at_rest, span)
        self.moment = stepper.restarted(self.machine, moment, t.astype(moment.t.dtype), state)
        self.leaps += 1
        return True

    def _velocity(self, state: FlowState) -> FlowState:
        self.glances += 1
        self.work += state.weights.width / self.h
        return stepper.velocity(self.machine, self.moment.t, state)

    def _condense(self, before: FlowState, span: float) -> None:
        """Fold neurons, where that makes the next steps enough cheaper."""
        state = self._folded(Passage(before, self.moment.state, span))
        if state is not None:
            self.moment = stepper.restarted(self.machine, self.moment, self.moment.t, state)
            self.turning = np.inf

    def _folded(self, passage: Passage) -> FlowState | None:
        """The state in fewer neurons, and the machine for them; None where that gains nothing."""
        if self.coalescence is None or self.folding is None:
            return None
        assert isinstance(self.field, PolarField)
        folded = fold(self.folding, passage, self.field, self.coalescence)
        if folded is None:
            return None
        self.folding, state = folded
        self._bind()
        return state

    def _whole(self) -> AbstractWeights:
        """All original neurons now."""
        neurons = self.moment.state.weights
        if self.folding is None:
            return neurons
        assert isinstance(neurons, PolarNeurons)
        return self.folding.unfold(neurons)

    def _seen(self) -> PyTree:
        """What the probe sees, on the host."""
        return jax.device_get(self.probe(self.moment.t, self.moment.state))

    def _record(self, t: float, scheduled: bool, seen: PyTree) -> None:
        if self.portrait is not None:
            seen = seen | jax.device_get(self.portrait(self._whole()))
        self.records.append(t, scheduled, seen)

    def _observe(self, scheduled: bool, gap: float) -> Reason | None:
        t, observation = self.sight = float(self.moment.t), self._seen()
        if scheduled or self._worth_recording(t, observation, gap):
            self._record(t, scheduled, observation)
        return self.stop(observation)

    def _worth_recording(self, t: float, observation: PyTree, gap: float) -> bool:
        last, before = self.records.times[-1], self.records.seen[-1]
        return t - last >= gap or self.notable(before, observation)

    def _end(self, reason: Reason) -> Reason:
        """Record where the flow stands now, whatever the recording rule says."""
        t = float(self.moment.t)
        if not self.records or self.records.times[-1] < t:
            self._record(t, False, self._seen())
        return reason

    def _snapshot(self) -> dict[str, np.ndarray]:
        """Everything that the rest of the integration depends on."""
        arrays = leaves_of(self.moment) | self.records.arrays()
        arrays["counts"] = np.array([getattr(self, name) for name in _COUNTS])
        arrays["reals"] = np.array([getattr(self, name) for name in _REALS])
        return arrays if self.folding is None else arrays | self.folding.arrays()

    def _restore(self, arrays: dict[str, np.ndarray], state: FlowState) -> None:
        """Go back to a snapshot; `state` is what this integration would have begun with."""
        if self.folding is not None:
            self.folding = Folding.from_arrays(arrays)
            assert isinstance(state.weights, PolarNeurons)
            if not self.folding.is_none:
                state = FlowState.begin(self.folding.padding(state.weights))
                self._bind()
        self.moment = with_leaves(stepper.template(self.machine, state), arrays)
        sight = eqx.filter_eval_shape(self.probe, self.moment.t, self.moment.state)
        if self.portrait is not None:
            sight = sight | eqx.filter_eval_shape(self.portrait, self._whole())
        self.records = Records.from_arrays(arrays, sight)
        for names, values in ((_COUNTS, arrays["counts"]), (_REALS, arrays["reals"])):
            for name, value in zip(names, values.tolist(), strict=True):
                setattr(self, name, value)

    def _bind(self) -> None:
        """Weigh the error of a step by how many neurons each integrated one stands for."""
        assert self.folding is not None and isinstance(self.field, PolarField)
        share = jnp.asarray(self.folding.share)
        self.field = PolarField(self.field.loss, self.field.p, share, self.field.reach)
        self.machine = stepper.machine_of(self.field, self.machine.samples, self.controls)

    def trajectory(self, reason: Reason, end_time: float) -> Trajectory:
        """What was observed, and how it ended."""
        times, scheduled, observations = self.records.columns
        evaluations = (
            EVALUATIONS[self.controls.solver] * (self.steps + self.rejected) + self.glances
        )
        effort = Effort(
            self.steps, self.rejected, self.forced, self.worst_forced, evaluations, self.leaps,
            self.work,
        )  # fmt: skip
        state, left_out = self.moment.state, NOTHING_LEFT_OUT
        if self.folding is not None:
            left_out = self.folding.left_out(state, self.field.p)
            state = FlowState(self._whole(), state.dissipated, state.growth)
        return Trajectory(
            times,
            scheduled,
            observations,
            state,
            self.step,
            Outcome(reason, float(self.moment.t), end_time, self.steps),
            effort,
            left_out,
        )


def _turning(before: AbstractWeights, after: AbstractWeights) -> float:
    """Largest angle a direction has turned in a step, about."""
    if not (isinstance(after, PolarNeurons) and isinstance(before, PolarNeurons)):
        return np.inf
    change = np.asarray(after.direction) - np.asarray(before.direction)
    return float(np.sqrt(np.einsum("ij,ij->i", change, change).max()))


def _landing(t: float, step: float, target: float) -> float:
    """Where a step of about `step` should end so that `target` is hit without a tiny last step."""
    left = target - t
    if step >= left * (1 - 1e-9):
        return target
    return t + (left / 2 if step > left / 2 else step)
