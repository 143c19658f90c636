"""The host loop of a flow or a descent: look, record, end with a reason, survive being killed.

Everything except the steps themselves happens between two steps and is the same for both; how to
get to the next scheduled time is left to `gflow.flow.integrate` and `gflow.flow.descent`.
"""

import abc
from collections.abc import Iterable
from dataclasses import asdict, fields
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PyTree

from gflow.flow.field import FlowState
from gflow.flow.observer import Observer
from gflow.flow.records import AbstractCheckpoint, Records, leaves_of, with_leaves
from gflow.flow.schedule import Schedule
from gflow.flow.trajectory import Effort, Outcome, Reason, Trajectory


class AbstractLoop(abc.ABC):
    """A trajectory under way (abstract)."""

    moment: Any
    """Everything that is carried from one step to the next; its `state` is a `FlowState`."""
    effort: Effort
    """What it has cost so far."""
    step: float
    """Length of the step that would be tried next."""

    def __init__(self, observer: Observer, checkpoint: AbstractCheckpoint | None):
        self.observer = observer
        self.checkpoint = checkpoint
        self.probe = eqx.filter_jit(observer.probe)
        self.portrait = None if observer.portrait is None else eqx.filter_jit(observer.portrait)
        self.records = Records()
        self.effort = Effort()
        self.step = np.nan
        self.settled = True
        """Whether moment, records and tallies belong to one time, so that a snapshot is one."""

    def run(self, schedule: Schedule) -> Trajectory:
        """Go to the end of the schedule, from a checkpoint if there is one."""
        end_time = float(schedule.times[-1])
        try:
            # Begin, or go back to where a killed process left off.
            arrays = None if self.checkpoint is None else self.checkpoint.load()
            reason = self._begin() if arrays is None else None
            if arrays is not None:
                self._restore(arrays)
            for target in self._targets(schedule):
                if reason is not None:
                    break
                reason = self._reach(target)
        except KeyboardInterrupt:
            # The same command goes on from a checkpoint; the trajectory says how far it came.
            if self.checkpoint is not None and self.settled and self.records:
                self.checkpoint.save(self._snapshot())
            reason = self._end(Reason.INTERRUPTED)
        return self._trajectory(reason or Reason.END_TIME, end_time)

    @property
    @abc.abstractmethod
    def t(self) -> float:
        """Flow time now."""

    @abc.abstractmethod
    def _begin(self) -> Reason | None:
        """Look at the start; the reason if it is the end already."""

    @abc.abstractmethod
    def _targets(self, schedule: Schedule) -> Iterable[Any]:
        """Where to go one after the other, all of them later than now."""

    @abc.abstractmethod
    def _reach(self, target: Any) -> Reason | None:
        """Step until `target` is hit exactly; the reason if it ends before or there."""

    @abc.abstractmethod
    def _template(self) -> Any:
        """A moment of the right structure and shapes; its values mean nothing."""

    @property
    def weights(self) -> Any:
        """The weights now."""
        return self.moment.state.weights

    @property
    def _now(self) -> tuple[Float[Array, ""], FlowState]:
        """What the probe looks at."""
        state = self.moment.state
        return jnp.asarray(self.t, state.dissipated.dtype), state

    def _look(self) -> PyTree:
        """What is observed now, on the host."""
        return jax.device_get(self.probe(*self._now))

    def _record(self, scheduled: bool, observation: PyTree) -> None:
        """Keep an observation made now, with the portrait of all weights."""
        self.records.append(self.t, scheduled, self._with_portrait(observation, self.weights))

    def _with_portrait(self, observation: PyTree, weights: Any) -> PyTree:
        """An observation, and what is recorded of all weights besides."""
        if self.portrait is None:
            return observation
        return observation | jax.device_get(self.portrait(weights))

    def _end(self, reason: Reason) -> Reason:
        """Record where it stands now, whatever the recording rule says."""
        if not self.records or self.records.times[-1] < self.t:
            self._record(False, self._look())
        return reason

    def _keep(self) -> None:
        """Leave a checkpoint, if one is due."""
        if self.checkpoint is not None and self.checkpoint.due():
            self.checkpoint.save(self._snapshot())

    def _snapshot(self) -> dict[str, np.ndarray]:
        """Everything that the rest of the trajectory depends on."""
        tallies = {name: np.asarray(value) for name, value in asdict(self.effort).items()}
        return (
            leaves_of(self.moment)
            | self.records.arrays()
            | tallies
            | {"step": np.asarray(self.step)}
        )

    def _restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Go back to a snapshot."""
        self.moment = with_leaves(self._template(), arrays)
        self.effort = Effort(**{field.name: arrays[field.name].item() for field in fields(Effort)})
        self.step = arrays["step"].item()
        # Stored observations are bare leaves; tracing the probe gives the tree they hang on.
        template = eqx.filter_eval_shape(self.probe, *self._now)
        if self.portrait is not None:
            template = template | eqx.filter_eval_shape(self.portrait, self.weights)
        self.records = Records.from_arrays(arrays, template)

    def _trajectory(self, reason: Reason, end_time: float) -> Trajectory:
        """What was observed, and how it ended."""
        times, scheduled, observations = self.records.columns
        return Trajectory(
            times=times,
            scheduled=scheduled,
            observations=observations,
            state=self.moment.state,
            next_step=self.step,
            outcome=Outcome(reason, self.t, end_time, self.effort.steps),
            effort=self.effort,
        )
