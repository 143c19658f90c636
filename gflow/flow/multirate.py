"""The integration of a flow by a dozen evaluations of its velocity.

One idea: between two exact velocities the flow is that of a surrogate, which costs neither n nor D
(`gflow.flow.surrogate`).  A step predicts the remainder by the polynomial through the last few,
follows the surrogate to its end, reads the remainder there off one exact velocity, and follows the
surrogate once more with the polynomial through that one, too.  The difference of the two estimates
the error.  In the literature's words this is a multirate infinitesimal method whose slow part is an
exponential-type multistep method, and the closed form is a control variate of the slow part.

The second solution is the trajectory: everything recorded is read from it, at any time.
"""

from dataclasses import replace
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PyTree

from gflow.flow.field import AbstractNeuronField, FlowState
from gflow.flow.history import History
from gflow.flow.loop import AbstractLoop
from gflow.flow.observer import Observer
from gflow.flow.outputs import Outputs
from gflow.flow.records import AbstractCheckpoint
from gflow.flow.remainder import Reading, read_remainder
from gflow.flow.resumption import Resumption
from gflow.flow.samples import Samples
from gflow.flow.schedule import Schedule
from gflow.flow.stepper import Controls
from gflow.flow.stretch import Estimate, Stretch
from gflow.flow.subclasses import Subclasses
from gflow.flow.tolerance import Tolerance
from gflow.flow.trajectory import Effort, Reason, Trajectory
from gflow.network.weights import AbstractWeights

SMALL = 0.1
"""Share of the remainder in the velocity beyond which a direct integration costs less: mixtures
have up to 0.03, pictures of digits 0.2 to 0.5."""

ESTIMATE = 2.0
"""The difference of predictor and corrector over the error of the corrector: its median on mixtures
at p >= 2, by comparison with tight direct solves of every step (about 1 at p = 1)."""

FINER = 30.0
"""The tolerance of a step over that of the surrogate within it."""

LOOKS = 32
"""Times within one step at which its trajectory may be looked at."""

BETWEEN = 6
"""Unscheduled ones among them, at steps of the surrogate."""

GROWTH = 3.0
"""Largest ratio of two steps in a row."""

SAFETY = 0.8
"""Of the step that promises the tolerance, the share that is tried."""


def order_of(p: float) -> int:
    """Number of exact velocities that predict the next: fewer where kinks make them rough."""
    return 1 if p < 2 else 2


def multirate(
    field: AbstractNeuronField,
    weights: AbstractWeights,
    samples: Samples,
    subclasses: Subclasses,
    schedule: Schedule,
    *,
    controls: Controls,
    observer: Observer,
    start: Resumption = Resumption(),  # noqa: B008 (frozen)
    checkpoint: AbstractCheckpoint | None = None,
    largest: float = np.inf,
) -> Trajectory:
    """Follow the gradient flow dθ/dt = -∇L(θ) of neurons with one output by few exact velocities.

    **Arguments:** as for `gflow.flow.integrate.integrate`, and

    - `subclasses`: of the samples.
    - `observer`: as for `integrate`; its `probe` is called with the outputs f(x_i), too.
    - `largest`: share of the remainder in the velocity beyond which the flow ends, for a direct
        integration to go on.

    **Returns:** a `Trajectory`; one that ends early is one too, and its `outcome` says why.

    **Source:** theory D16.
    """
    loop = _Multirate(
        field,
        FlowState.begin(weights, start.dissipated),
        samples,
        subclasses,
        controls,
        start=start,
        observer=observer,
        checkpoint=checkpoint,
        largest=largest,
    )
    return loop.run(schedule)


class _Moment(eqx.Module):
    """What is carried from one step to the next."""

    t: Float[Array, ""]
    state: FlowState
    history: History
    guess: History
    """What predicts the remainder: the last of the history, and where a refused step ended."""
    fine_step: Float[Array, ""]
    """First step of the surrogate to try."""
    pull: Float[Array, ""]
    """The largest pull so far, by which the remainder is measured."""
    outputs: Outputs
    """At the last exact velocity."""


class _Attempt(NamedTuple):
    """A step that was tried."""

    stretch: Stretch
    reading: Reading
    history: History
    looks: Float[np.ndarray, " L"]
    error: float
    """In units of the tolerance; inf where the surrogate could not be followed."""
    uphill: bool
    """Whether it raised the loss by more than the tolerance allows."""


class _Note(NamedTuple):
    """An observation that may be recorded."""

    t: float
    scheduled: bool
    observation: PyTree


class _Multirate(AbstractLoop):
    """A flow under way: steps from one exact velocity to the next (final)."""

    moment: _Moment

    def __init__(
        self,
        field: AbstractNeuronField,
        state: FlowState,
        samples: Samples,
        subclasses: Subclasses,
        controls: Controls,
        *,
        start: Resumption,
        observer: Observer,
        checkpoint: AbstractCheckpoint | None,
        largest: float,
    ):
        super().__init__(observer, checkpoint)
        self.field, self.samples, self.subclasses = field, samples, subclasses
        self.controls, self.largest = controls, largest
        self.start, self.start_state = start, state
        self.order = order_of(field.p)
        # The rate of alignment sets the first step and where the clock becomes logarithmic.
        rate = field.p * field.loss.kappa * float(np.asarray(subclasses.pi).mean())
        self.unit = _put(5 / rate)
        self.step = start.first_step or 0.1 * self.order / rate
        self.tolerance = Tolerance(_put(controls.rtol), _put(controls.atol))
        self.finer = Tolerance(_put(controls.rtol / FINER), _put(controls.atol / FINER))

    @property
    def t(self) -> float:
        return float(self.moment.t)

    def _begin(self) -> Reason | None:
        t, state = _put(self.start.t), self.start_state
        reading = self._read(state)
        history = History.begin(t, reading.remainder, self.order + 1, self.unit)
        guess, fine_step = history.first(self.order), _put(self.step / 4)
        self.moment = _Moment(
            t,
            state,
            history,
            guess=guess,
            fine_step=fine_step,
            pull=reading.pull,
            outputs=reading.outputs,
        )
        observation = self._observation(reading)
        self._record(True, observation)
        self.observer.watch(self.t, observation)
        return self._fitness(reading)

    def _fitness(self, reading: Reading) -> Reason | None:
        """Why the flow cannot go on from an exact velocity; None if it can."""
        if not reading.finite:
            return Reason.NOT_FINITE
        too_large = float(reading.rest) > self.largest * float(self.moment.pull)
        return Reason.NO_SURROGATE if too_large else None

    def _targets(self, schedule: Schedule) -> list[Float[np.ndarray, " T"]]:
        """All scheduled times at once: steps do not have to end at them."""
        times = schedule.times[schedule.times > self.t]
        return [times] if len(times) else []

    def _reach(self, target: Float[np.ndarray, " T"]) -> Reason | None:
        last = float(target[-1])
        while (t := self.t) < last:
            if self.effort.steps + self.effort.rejected >= self.controls.max_steps:
                return self._end(Reason.MAX_STEPS)
            ahead = target[target > t]
            end = min(t + self.step, last, float(ahead[: LOOKS - BETWEEN][-1]))
            if end <= t * (1 + 4 * np.finfo(np.float64).eps):
                return self._end(Reason.STALLED)
            attempt = self._attempt(end, ahead[ahead <= end])
            if attempt.error > 1 or attempt.uphill:
                self._refuse(attempt, (end - t) * self._growth(attempt))
                continue
            # Look at it on the way; where a rule ends the flow within the step, step there instead.
            notes, note = self._observe(attempt, set(ahead.tolist()))
            if note.t < end:
                self._refuse(attempt, note.t - t)
                continue
            self.settled = False
            self._take(attempt, end)
            for worthy in notes:
                self.records.append(*worthy)
            self.settled = True
            self.observer.watch(note.t, note.observation)
            reason = self.observer.stop(note.observation) or self._fitness(attempt.reading)
            if reason is not None:
                return self._end(reason)
            self._keep()
        return None

    def _attempt(self, end: float, scheduled: Float[np.ndarray, " s"]) -> _Attempt:
        """Predict, read the remainder at the predicted end, and correct."""
        past = self.moment.history.first(self.order)
        guess = self._follow(
            self.moment.guess,
            end,
            np.array([end]),
            predicted=self.moment.state,
            outputs=self.moment.outputs,
        )
        predicted, complete = guess.end, bool(guess.complete)
        looks = self._looks(guess, end, scheduled)
        del guess  # its frame is as large as three states
        reading = self._read(predicted)
        history = past.then(_put(end), reading.remainder)
        stretch = self._follow(history, end, looks, predicted=predicted, outputs=reading.outputs)
        difference = float(stretch.difference)
        error = difference / ESTIMATE
        followed = complete and bool(stretch.complete) and np.isfinite(error)
        error = max(error, 1e-9) if followed else np.inf
        # The loss was read at the predicted end, whose outputs are off by this difference.
        before, after = self.moment.outputs, reading.outputs
        tolerance = max(self.controls.rtol, self.controls.atol)
        wrong = difference * tolerance * float(after.doubt)
        allowed = wrong + float(before.rounding) + float(after.rounding)
        uphill = float(after.loss) - float(before.loss) > allowed
        return _Attempt(stretch, reading, history, looks, error=error, uphill=uphill)

    def _growth(self, attempt: _Attempt) -> float:
        """What the next step may be, over the one that was tried."""
        # The error of a step is of one order more than the number of velocities that predict it.
        order = float(attempt.history.known)
        factor = SAFETY * attempt.error ** (-1 / order)  # 0 if the error is inf
        if attempt.uphill and attempt.error <= 1:
            factor = 0.5
        return float(np.clip(factor, 0.2, GROWTH))

    def _refuse(self, attempt: _Attempt, step: float) -> None:
        """Try a shorter step; the velocity that was read for this one helps to predict it."""
        if np.isfinite(attempt.error) and bool(attempt.reading.finite):
            self.moment = replace(self.moment, guess=attempt.history)
        self.effort += Effort(rejected=1, uphill=int(attempt.uphill and attempt.error <= 1))
        self.step = step

    def _take(self, attempt: _Attempt, end: float) -> None:
        """Take over a step that was accepted."""
        length, wish = end - self.t, self.step
        beyond = float(np.asarray(self.moment.guess.times)[0]) > self.t
        self.moment = _Moment(
            t=_put(end),
            state=attempt.stretch.end,
            history=attempt.history,
            guess=attempt.history.first(self.order),
            fine_step=_put(length / max(int(attempt.stretch.steps), 1)),
            pull=_put(max(float(self.moment.pull), float(attempt.reading.pull))),
            outputs=attempt.reading.outputs,
        )
        self.effort += Effort(steps=1)
        # A step that was predicted from beyond its end says little of one that will not be.
        step = length * min(self._growth(attempt), 1.0 if beyond else GROWTH)
        # After a step that was cut short, the wish from before still stands.
        self.step = max(wish, step) if length < wish else step

    def _observe(self, attempt: _Attempt, scheduled: set[float]) -> tuple[list[_Note], _Note]:
        """What to record of a step, and the observation at its end or where a rule ends it."""
        notes: list[_Note] = []
        before, note = self.records.observations[-1], None
        outputs = jax.device_get(attempt.stretch.outputs(_padded(attempt.looks), self.samples))
        for i, t in enumerate(attempt.looks.tolist()):
            end = i == len(attempt.looks) - 1
            state = (
                attempt.stretch.end if end else attempt.stretch.look(jax.device_put(np.asarray(i)))
            )
            then = jax.tree.map(lambda rows, i=i: _put(rows[i]), outputs)
            observation = jax.device_get(self.probe(_put(t), state, then))
            note = _Note(t, t in scheduled, observation)
            if note.scheduled or self.observer.notable(before, observation):
                before = observation
                notes.append(
                    note._replace(observation=self._with_portrait(observation, state.weights))
                )
            if self.observer.stop(observation) is not None:
                break
        assert note is not None, "a step has an end"
        return notes, note

    def _looks(
        self, guess: Stretch, end: float, scheduled: Float[np.ndarray, " s"]
    ) -> Float[np.ndarray, " L"]:
        """When to look at a step: at scheduled times, some steps of the surrogate, and the end."""
        steps = np.asarray(guess.times)
        steps = steps[steps < end]
        some = np.linspace(0, len(steps) - 1, min(BETWEEN - 1, len(steps))).astype(int)
        return np.unique(np.concatenate([steps[some], scheduled, [end]]))

    def _follow(
        self,
        history: History,
        end: float,
        looks: Float[np.ndarray, " L"],
        *,
        predicted: FlowState,
        outputs: Outputs,
    ) -> Stretch:
        """Follow the surrogate from here to `end`, and compare with what was predicted there."""
        stretch = Stretch.follow(
            self.field,
            self.subclasses,
            history,
            self.moment.state,
            span=_put([self.t, end]),
            looks=_padded(looks),
            first_step=_put(min(float(self.moment.fine_step), end - self.t)),
            tolerance=self.finer,
            estimate=Estimate(predicted, self.tolerance, outputs),
        )
        self.effort += Effort(fine=int(stretch.steps))
        return stretch

    def _read(self, state: FlowState) -> Reading:
        self.effort += Effort(evaluations=1)
        return read_remainder(self.field, self.subclasses, self.samples, state)

    def _look(self) -> PyTree:
        return self._observation(self._read(self.moment.state))

    def _observation(self, reading: Reading) -> PyTree:
        """What is observed where the exact velocity was read."""
        moment = self.moment
        return jax.device_get(self.probe(moment.t, moment.state, reading.values))

    def _template(self) -> _Moment:
        shapes = jax.eval_shape(
            lambda: read_remainder(self.field, self.subclasses, self.samples, self.start_state)
        )
        zeros = jax.tree.map(lambda a: jnp.zeros(a.shape, a.dtype), shapes.remainder)
        zero = jnp.zeros(())
        history = History.begin(zero, zeros, self.order + 1, self.unit)
        nothing = Outputs.none(zero.dtype)
        return _Moment(
            zero,
            self.start_state,
            history,
            guess=history,
            fine_step=zero,
            pull=zero,
            outputs=nothing,
        )


def _put(value: Any) -> Float[Array, "..."]:
    """Numbers on the device, without a program for it."""
    return jax.device_put(np.asarray(value, float))


def _padded(looks: Float[np.ndarray, " L"]) -> Float[Array, " looks"]:
    """The last time repeated, so that one program serves any number of looks."""
    return _put(np.append(looks, np.full(LOOKS - len(looks), looks[-1])))
