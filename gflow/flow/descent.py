"""Gradient descent in place of the flow: the same record on the same axis of time.

One idea: a step of size η takes a time η, so what descent does in s steps is held against what the
flow does until t = s·η (theory P26).  Momentum β makes a step worth η/(1-β), and its time is
counted so; Adam divides a gradient by its size, and its time is a count of steps and no more.

Steps between two recorded times are one compiled loop.  Batches are drawn without replacement: a
permutation an epoch, whose remainder is left out.  Weights are plain (the Cartesian chart).
"""

from typing import Any, Literal, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int, PRNGKeyArray, PyTree

from gflow.flow.coalesce import NOTHING_LEFT_OUT
from gflow.flow.field import AbstractField, FlowState, Samples
from gflow.flow.records import AbstractCheckpoint, Records, leaves_of, with_leaves
from gflow.flow.schedule import Portrait, Probe, Schedule, Stop, Watch
from gflow.flow.trajectory import Effort, Outcome, Reason, Trajectory
from gflow.network.weights import AbstractWeights

MOST = 5000
"""Steps between two looks at the network, at most."""


class Recipe(NamedTuple):
    """How to descend."""

    method: Literal["sgd", "adam"]
    step_size: float
    """η."""
    batch: int
    """Samples in a batch; 0 for all of them."""
    momentum: float
    """β of SGD, 0 for none."""
    epochs: int | None
    """Passes through the samples after which to end; None for no such end."""
    seed: int
    """Of the batches."""
    time_of_step: float
    """Flow time that a step is worth: η, with momentum η/(1-β)."""

    def batches(self, n: int) -> int:
        """Steps in an epoch of `n` samples."""
        return max(n // self.batch, 1) if self.batch else 1


class _Moment(eqx.Module):
    """Everything that is carried from one step to the next (final)."""

    step: Int[Array, ""]
    state: FlowState
    memory: PyTree
    """Of the optimizer."""
    order: Int[Array, " n"]
    """Permutation of this epoch."""


class _Machine(eqx.Module):
    """What does not change (final)."""

    field: AbstractField
    samples: Samples
    key: PRNGKeyArray
    step_size: Float[Array, ""]
    momentum: Float[Array, ""]
    time_of_step: Float[Array, ""]
    method: str = eqx.field(static=True)
    batch: int = eqx.field(static=True)
    batches: int = eqx.field(static=True)

    @property
    def optimizer(self) -> optax.GradientTransformation:
        if self.method == "adam":
            return optax.adam(self.step_size)  # pyright: ignore[reportArgumentType]
        return optax.sgd(self.step_size, self.momentum)  # pyright: ignore[reportArgumentType]

    def permutation(self, epoch: Int[Array, ""]) -> Int[Array, " n"]:
        return jax.random.permutation(jax.random.fold_in(self.key, epoch), self.samples.n)

    def chosen(self, moment: _Moment) -> Samples:
        """The batch of this step, its weights scaled up to those of all samples."""
        if not self.batch:
            return self.samples
        place = (moment.step % self.batches) * self.batch
        some = jax.lax.dynamic_slice(moment.order, (place,), (self.batch,))
        D = self.samples.x.shape[2]
        scale = self.samples.n / self.batch
        return Samples(
            self.samples.x.reshape(-1, D)[some][None],
            self.samples.y.reshape(-1)[some][None],
            self.samples.omega.reshape(-1)[some][None] * scale,
            self.batch,
        )

    def advanced(self, moment: _Moment) -> _Moment:
        """One step."""
        order = moment.order
        if self.batch:
            order = jax.lax.cond(
                moment.step % self.batches == 0,
                lambda: self.permutation(moment.step // self.batches),
                lambda: order,
            )
        moment = _Moment(moment.step, moment.state, moment.memory, order)
        state = moment.state
        velocity = self.field(jnp.zeros(()), state, self.chosen(moment))
        slope = jax.tree.map(jnp.negative, velocity.weights)
        weights: Any = state.weights
        with jax.numpy_dtype_promotion("standard"):  # optax counts in int32
            change, memory = self.optimizer.update(slope, moment.memory, weights)
            neurons = optax.apply_updates(weights, change)
        spent = state.dissipated + self.time_of_step * velocity.dissipated
        return _Moment(moment.step + 1, FlowState(neurons, spent, state.growth), memory, order)  # pyright: ignore[reportArgumentType]


@eqx.filter_jit
def _advance(machine: _Machine, moment: _Moment, count: Int[Array, ""]) -> _Moment:
    return jax.lax.fori_loop(0, count, lambda _, m: machine.advanced(m), moment)


def descend(
    field: AbstractField,
    neurons: AbstractWeights,
    samples: Samples,
    schedule: Schedule,
    recipe: Recipe,
    probe: Probe,
    stop: Stop,
    watch: Watch,
    portrait: Portrait | None = None,
    checkpoint: AbstractCheckpoint | None = None,
) -> Trajectory:
    """Follow gradient descent and observe it at the steps closest to the scheduled times.

    **Arguments:** as for `gflow.flow.integrate.integrate`, with `recipe` in place of controls;
    `stop` and `watch` are asked at recorded steps and every `MOST` steps.

    **Returns:** a `Trajectory`; `dissipated` is Σ ‖g‖² over the steps, g of a batch, times what a
    step is worth; nan for Adam, which does not follow g. Descent that diverges is a `Trajectory`
    too, up to the last look at which it was finite.
    """
    descent = _Descent(field, neurons, samples, recipe, probe, stop, watch, portrait)
    return descent.run(schedule, checkpoint)


class _Descent:
    """The host side: stretches between scheduled times, and records."""

    def __init__(
        self,
        field: AbstractField,
        neurons: AbstractWeights,
        samples: Samples,
        recipe: Recipe,
        probe: Probe,
        stop: Stop,
        watch: Watch,
        portrait: Portrait | None,
    ):
        dtype = neurons.dtype
        batch = min(recipe.batch, samples.n)
        self.machine = _Machine(
            field, samples, jax.random.key(recipe.seed), jnp.asarray(recipe.step_size, dtype),
            jnp.asarray(recipe.momentum, dtype), jnp.asarray(recipe.time_of_step, dtype),
            recipe.method, batch, recipe.batches(samples.n),
        )  # fmt: skip
        self.recipe = recipe
        self.probe = eqx.filter_jit(probe)
        self.portrait = None if portrait is None else eqx.filter_jit(portrait)
        self.stop, self.watch = stop, watch
        self.moment = _Moment(
            jnp.zeros((), jnp.int64), FlowState.begin(neurons),
            self.machine.optimizer.init(neurons),  # pyright: ignore[reportArgumentType]
            jnp.arange(samples.n),
        )  # fmt: skip
        self.records = Records()

    @property
    def t(self) -> float:
        return int(self.moment.step) * self.recipe.time_of_step

    def run(self, schedule: Schedule, checkpoint: AbstractCheckpoint | None) -> Trajectory:
        """Descend to the end of the schedule, from a checkpoint if there is one."""
        end_time = float(schedule.times[-1])
        try:
            kept = None if checkpoint is None else checkpoint.load()
            reason = self._observe(scheduled=True) if kept is None else self._restore(kept)
            for target in self._targets(schedule):
                if reason is not None:
                    break
                reason = self._reach(target, checkpoint)
        except KeyboardInterrupt:
            if checkpoint is not None and self.records:
                checkpoint.save(self._snapshot())
            reason = self._end(Reason.INTERRUPTED)
        return self._trajectory(reason or Reason.END_TIME, end_time)

    def _targets(self, schedule: Schedule) -> list[int]:
        """Steps to record at; the last one, where epochs end it, is the end."""
        steps = np.unique(np.rint(schedule.times / self.recipe.time_of_step).astype(int))
        if self.recipe.epochs is not None:
            last = self.recipe.epochs * self.machine.batches
            steps = np.unique(np.append(steps[steps < last], min(last, steps[-1])))
        return steps[steps > int(self.moment.step)].tolist()

    def _reach(self, target: int, checkpoint: AbstractCheckpoint | None) -> Reason | None:
        while (step := int(self.moment.step)) < target:
            count = min(target - step, MOST)
            moment = _advance(self.machine, self.moment, jnp.asarray(count))
            if not _finite(moment.state):
                return self._end(Reason.DIVERGED)
            self.moment = moment
            if step + count < target:
                seen = self._seen()
                self.watch(self.t, seen)
                if (reason := self.stop(seen)) is not None:
                    return self._end(reason)
                self._keep(checkpoint)
        reason = self._observe(scheduled=True)
        if reason is None:
            self._keep(checkpoint)
        return reason

    def _keep(self, checkpoint: AbstractCheckpoint | None) -> None:
        if checkpoint is not None and checkpoint.due():
            checkpoint.save(self._snapshot())

    def _seen(self) -> dict[str, Any]:
        seen = jax.device_get(self.probe(jnp.asarray(self.t), self.moment.state))
        if self.recipe.method == "adam" and "dissipated" in seen:
            seen["dissipated"] = np.full_like(seen["dissipated"], np.nan)
        return seen

    def _observe(self, scheduled: bool) -> Reason | None:
        seen = self._seen()
        self.watch(self.t, seen)
        reason = self.stop(seen)
        if self.portrait is not None:
            seen |= jax.device_get(self.portrait(self.moment.state.weights))
        self.records.append(self.t, scheduled, seen)
        return reason

    def _end(self, reason: Reason) -> Reason:
        """Record where descent stands now, unless it is."""
        if not self.records or self.records.times[-1] < self.t:
            self._observe(scheduled=False)
        return reason

    def _snapshot(self) -> dict[str, np.ndarray]:
        return leaves_of(self.moment) | self.records.arrays()

    def _restore(self, arrays: dict[str, np.ndarray]) -> None:
        self.moment = with_leaves(self.moment, arrays)
        sight = eqx.filter_eval_shape(self.probe, jnp.asarray(0.0), self.moment.state)
        if self.portrait is not None:
            sight |= eqx.filter_eval_shape(self.portrait, self.moment.state.weights)
        self.records = Records.from_arrays(arrays, sight)

    def _trajectory(self, reason: Reason, end_time: float) -> Trajectory:
        times, scheduled, seen = self.records.columns
        steps = int(self.moment.step)
        share = self.machine.batch / self.machine.samples.n if self.machine.batch else 1.0
        return Trajectory(
            times,
            scheduled,
            seen,
            self.moment.state,
            self.recipe.step_size,
            Outcome(reason, self.t, end_time, steps),
            Effort(steps, 0, 0, 0.0, steps, work=steps * share),
            NOTHING_LEFT_OUT,
        )


def _finite(state: FlowState) -> bool:
    return all(bool(jnp.isfinite(leaf).all()) for leaf in jax.tree.leaves(state))
