"""The integration of a flow by a dozen evaluations of its velocity.

One idea: between two exact velocities the flow is that of a surrogate, which costs neither n nor D
(`gflow.flow.surrogate`).  A step predicts the remainder by the polynomial through the last few,
follows the surrogate to its end, reads the remainder there off one exact velocity, and follows the
surrogate once more with the polynomial through that one, too.  The difference of the two estimates
the error.  In the literature's words this is a multirate infinitesimal method whose slow part is an
exponential-type multistep method, and the closed form is a control variate of the slow part.

The second solution is the trajectory: everything recorded is read from it, at any time.
"""

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PyTree

from gflow.flow.field import AbstractNeuronField, FlowState
from gflow.flow.left_out import LeftOut
from gflow.flow.loop import AbstractLoop
from gflow.flow.observer import Observer
from gflow.flow.records import AbstractCheckpoint
from gflow.flow.resumption import Resumption
from gflow.flow.samples import Samples
from gflow.flow.schedule import Schedule
from gflow.flow.stepper import Controls
from gflow.flow.surrogate import (
    Frame,
    History,
    Remainder,
    Subclasses,
    SurrogateField,
    read_remainder,
)
from gflow.flow.trajectory import Effort, Reason, Trajectory
from gflow.network.weights import AbstractWeights

SMALL = 0.1
"""Largest share of the remainder in the motion of directions at the start for which the surrogate
pays.  Mixtures of noise up to α = 1 have 0.001 to 0.09, digits 0.2 to 0.5."""

ESTIMATE = 10.0
"""The difference of predictor and corrector, over the error of the corrector; at least this much on
mixtures, by comparison with tight direct solves."""

FINER = 10.0
"""The tolerance of a step over that of the surrogate within it."""

MOST_FINE_STEPS = 4096
"""Steps of the surrogate within one step; a step that needs more is tried shorter."""

LOOKS = 64
"""Times within one step at which its trajectory may be looked at."""

BETWEEN = 6
"""Unscheduled ones among them, at steps of the surrogate."""

GROWTH = 3.0
"""Largest ratio of two steps in a row."""


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
) -> Trajectory | None:
    """Follow the gradient flow dθ/dt = -∇L(θ) of neurons with one output by few exact velocities.

    **Arguments:** as for `gflow.flow.integrate.integrate`, and

    - `subclasses`: of the samples.
    - `observer`: as for `integrate`; its `probe` is called with the outputs f(x_i), too.
    - `largest`: share of the remainder in the motion of directions at the start up to which it is
        worth while.

    **Returns:** a `Trajectory`; one that ends early is one too, and its `outcome` says why. None
    where the remainder is larger, or the checkpoint is that of a direct integration.

    **Source:** theory D16.
    """
    state = FlowState.begin(weights, start.dissipated)
    loop = _Multirate(
        field, state, samples, subclasses, controls, start=start, observer=observer,
        checkpoint=checkpoint,
        largest=largest,
    )  # fmt: skip
    try:
        return loop.run(schedule)
    except _Unfit:
        return None


class _Unfit(Exception):
    """The surrogate does not fit the flow."""


class _Moment(eqx.Module):
    """What is carried from one step to the next."""

    t: Float[Array, ""]
    state: FlowState
    history: History


class _Stretch(eqx.Module):
    """The surrogate's solution from one time to another."""

    end: FlowState
    """In D dimensions."""
    looks: FlowState
    """At the requested times, in the frame."""
    frame: Frame
    times: Float[Array, " steps"]
    """Where the steps of the surrogate ended; inf beyond the last."""
    steps: Int[Array, ""]
    complete: Bool[Array, ""]


@eqx.filter_jit
def follow(
    field: AbstractNeuronField,
    subclasses: Subclasses,
    history: History,
    state: FlowState,
    span: Float[Array, "2"],
    first_step: Float[Array, ""],
    controller: diffrax.PIDController,
    looks: Float[Array, " looks"],
) -> _Stretch:
    """Follow the surrogate with a given polynomial over a span of time."""
    weights = state.weights.projected()
    vectors = jnp.concatenate([weights.vectors[None], history.remainder.climb])
    frame = Frame.of(subclasses.axes, vectors)
    surrogate = SurrogateField.of(field, subclasses, history, frame)
    solution = diffrax.diffeqsolve(
        diffrax.ODETerm(surrogate),  # pyright: ignore[reportArgumentType]
        diffrax.Tsit5(),
        span[0],
        span[1],
        first_step,
        state.at(weights.with_vectors(frame.reduce(weights.vectors))),
        saveat=diffrax.SaveAt(
            subs=[
                diffrax.SubSaveAt(t1=True),
                diffrax.SubSaveAt(ts=looks),
                diffrax.SubSaveAt(steps=True, fn=lambda t, y, args: t),
            ]
        ),
        stepsize_controller=controller,
        max_steps=MOST_FINE_STEPS,
        throw=False,
    )
    assert solution.ts is not None and solution.ys is not None
    end = jax.tree.map(lambda leaf: leaf[-1], solution.ys[0])
    return _Stretch(
        lifted(frame, end),
        solution.ys[1],
        frame,
        solution.ts[2],
        solution.stats["num_steps"],
        solution.result == diffrax.RESULTS.successful,
    )


def lifted(frame: Frame, reduced: FlowState) -> FlowState:
    """A state of the surrogate in D dimensions."""
    weights = reduced.weights
    return reduced.at(weights.with_vectors(frame.lift(weights.vectors)).projected())


@eqx.filter_jit
def look_at(stretch: _Stretch, i: Int[Array, ""]) -> FlowState:
    """The state at one of the requested times."""
    return lifted(stretch.frame, jax.tree.map(lambda leaf: leaf[i], stretch.looks))


@eqx.filter_jit
def difference(
    field: AbstractNeuronField,
    a: FlowState,
    b: FlowState,
    rtol: Float[Array, ""],
    atol: Float[Array, ""],
) -> Float[Array, ""]:
    """The size of a - b in units of the tolerance."""

    def scaled(p: Array, q: Array) -> Array:
        return (p - q) / (atol + rtol * jnp.maximum(jnp.abs(p), jnp.abs(q)))

    return field.error_norm(jax.tree.map(scaled, a, b))


_COUNTS = ("steps", "rejected", "fine", "evaluations")
_REALS = ("step", "fine_step")


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
        self.largest = largest
        self.field, self.samples, self.subclasses, self.controls = (
            field, samples, subclasses, controls,
        )  # fmt: skip
        self.start, self.start_state = start, state
        self.order = order_of(field.p)
        # The rate of alignment sets the first step and where the clock becomes logarithmic.
        rate = field.p * field.loss.kappa * float(jnp.mean(subclasses.pi))
        self.unit = jnp.asarray(5 / rate)
        self.step = start.first_step or 0.2 / rate
        self.fine_step = self.step / 4
        self.controller = diffrax.PIDController(
            rtol=jnp.asarray(controls.rtol / FINER),
            atol=jnp.asarray(controls.atol / FINER),
            pcoeff=0.3,
            icoeff=0.4,
            norm=field.error_norm,
        )
        self.tolerance = jnp.asarray(controls.rtol), jnp.asarray(controls.atol)
        self.steps = self.rejected = self.fine = self.evaluations = 0

    @property
    def t(self) -> float:
        return float(self.moment.t)

    @property
    def clock(self) -> Float[Array, ""]:
        return self.moment.t

    @property
    def whole(self) -> AbstractWeights:
        return self.moment.state.weights

    @property
    def next_step(self) -> float:
        return self.step

    @property
    def effort(self) -> Effort:
        return Effort(
            steps=self.steps,
            rejected=self.rejected,
            forced=0,
            worst_forced=0.0,
            evaluations=self.evaluations,
            work=float(self.evaluations),
            fine=self.fine,
        )

    @property
    def left_out(self) -> LeftOut:
        return LeftOut(0.0, 0.0, 0)

    def _begin(self) -> Reason | None:
        t = jnp.asarray(self.start.t)
        remainder = self._read(self.start_state)
        if float(self.share) > self.largest:
            raise _Unfit
        history = History.begin(t, remainder, self.order + 1, self.unit)
        self.moment = _Moment(t, self.start_state, history)
        self.sight = self.t, self._look()
        self._record(True, self.sight[1])
        self.observer.watch(*self.sight)
        return self._resumed()

    def _resumed(self) -> Reason | None:
        leaves = jax.tree.leaves(self.moment.history.remainder)
        finite = all(bool(jnp.isfinite(leaf).all()) for leaf in leaves)
        return None if finite else Reason.NOT_FINITE

    def _targets(self, schedule: Schedule) -> list[Float[np.ndarray, " T"]]:
        """All scheduled times at once: steps do not have to end at them."""
        times = schedule.times[schedule.times > self.t]
        return [times] if len(times) else []

    def _reach(self, target: Float[np.ndarray, " T"]) -> Reason | None:
        last = float(target[-1])
        while (t := self.t) < last:
            if self.steps + self.rejected >= self.controls.max_steps:
                return self._end(Reason.MAX_STEPS)
            ahead = target[target > t]
            end = min(t + self.step, last, float(ahead[: LOOKS - BETWEEN][-1]))
            if end <= t * (1 + 4 * np.finfo(np.float64).eps):
                return self._end(Reason.STALLED)
            reason = self._attempt(end, ahead[ahead <= end])
            if reason is not None:
                return self._end(reason)
            self.settled = True
            self._keep()
        return None

    def _attempt(self, end: float, scheduled: Float[np.ndarray, " s"]) -> Reason | None:
        """Try a step; take it over and record what lies within it, if its error allows."""
        moment, t = self.moment, self.t
        # Predict, read the remainder at the predicted end, and correct.
        past = moment.history.first(self.order)
        guess = self._follow(past, end, np.full(LOOKS, end))
        remainder = self._read(guess.end)
        history = past.then(jnp.asarray(end), remainder)
        times = self._times(guess, end, scheduled)
        stretch = self._follow(history, end, np.append(times, np.full(LOOKS - len(times), end)))
        error = float(difference(self.field, stretch.end, guess.end, *self.tolerance)) / ESTIMATE
        complete = bool(guess.complete & stretch.complete) and np.isfinite(error)
        # The error of a step is of one order more than the number of velocities that predict it.
        order = float(past.known) + 1
        factor = float(np.clip(0.9 * max(error, 1e-9) ** (-1 / order), 0.2, GROWTH))
        if not complete or error > 1:
            self.rejected += 1
            self.step = (end - t) * (factor if complete else 0.2)
            return None
        # Look at it on the way; where a rule ends the flow within the step, step there instead.
        records = []
        for i, at in enumerate(times.tolist()):
            state = look_at(stretch, jnp.asarray(i)) if at < end else stretch.end
            sight = self._look_at(at, state, history)
            if self.observer.stop(sight) is not None and at < end:
                self.step = at - t
                return None
            records.append((at, state, sight))
        self.settled = False
        self.moment = _Moment(jnp.asarray(end), stretch.end, history)
        self.steps += 1
        self.fine_step = (end - t) / max(int(stretch.steps), 1)
        self.step = (
            max(self.step, (end - t) * factor) if end - t < self.step else self.step * factor
        )
        return self._take(records, set(scheduled.tolist()))

    def _take(self, records: list[tuple], scheduled: set[float]) -> Reason | None:
        """Record what was seen of a step, where it was scheduled or is notable."""
        for at, state, sight in records:
            before = self.records.observations[-1]
            if at in scheduled or self.observer.notable(before, sight):
                self._record_at(at, state.weights, at in scheduled, sight)
        self.sight = records[-1][0], records[-1][2]
        self.observer.watch(*self.sight)
        return self.observer.stop(self.sight[1])

    def _times(
        self, guess: _Stretch, end: float, scheduled: Float[np.ndarray, " s"]
    ) -> Float[np.ndarray, " looks"]:
        """When to look at a step: at scheduled times, some steps of the surrogate, and the end."""
        steps = np.asarray(guess.times)
        steps = steps[np.isfinite(steps) & (steps < end)]
        some = (
            steps[np.unique(np.linspace(0, len(steps) - 1, BETWEEN - 1).astype(int))]
            if len(steps)
            else steps
        )
        return np.unique(np.concatenate([some, scheduled, [end]]))

    def _follow(self, history: History, end: float, looks: Float[np.ndarray, " looks"]) -> _Stretch:
        span = jnp.asarray([self.t, end])
        first_step = jnp.asarray(min(self.fine_step, end - self.t))
        stretch = follow(
            self.field, self.subclasses, history, self.moment.state, span, first_step,
            self.controller, jnp.asarray(looks),
        )  # fmt: skip
        self.fine += int(stretch.steps)
        return stretch

    def _read(self, state: FlowState) -> Remainder:
        self.evaluations += 1
        remainder, self.share = read_remainder(self.field, self.subclasses, self.samples, state)
        return remainder

    def _look(self) -> PyTree:
        return self._look_at(self.t, self.moment.state, self.moment.history)

    def _look_at(self, t: float, state: FlowState, history: History) -> PyTree:
        at = jnp.asarray(t)
        outputs = history.outputs(at, state.weights.network(self.field.p), self.subclasses)
        return jax.device_get(self.probe(at, state, outputs))

    def _close(self) -> None:
        self._record(False, self._look())

    def _own_arrays(self) -> dict[str, np.ndarray]:
        counts = np.array([getattr(self, name) for name in _COUNTS])
        reals = np.array([getattr(self, name) for name in _REALS])
        return {"multirate": np.array(True), "counts": counts, "reals": reals}

    def _resume(self, arrays: dict[str, np.ndarray]) -> _Moment:
        if "multirate" not in arrays:
            raise _Unfit
        for names, values in ((_COUNTS, arrays["counts"]), (_REALS, arrays["reals"])):
            for name, value in zip(names, values.tolist(), strict=True):
                setattr(self, name, value)
        remainder = jax.eval_shape(
            lambda: read_remainder(self.field, self.subclasses, self.samples, self.start_state)[0]
        )
        zeros = jax.tree.map(lambda a: jnp.zeros(a.shape, a.dtype), remainder)
        t = jnp.zeros(())
        return _Moment(t, self.start_state, History.begin(t, zeros, self.order + 1, self.unit))
