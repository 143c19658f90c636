"""Gradient descent in place of the flow: the same record on the same axis of time.

One idea: a step of size η takes a time η, so what descent does in steps of sizes η_k is held
against what the flow does until t = Σ η_k (theory P26).  With momentum β a step takes a time
η/(1-β); Adam divides a gradient by its size, and its time is a sum of step sizes and no more.

Steps between two recorded times are one compiled loop.  Weights are plain (the Cartesian chart).
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PyTree

from gflow.flow.descent_step import DescentMachine, DescentMoment, advance
from gflow.flow.field import AbstractField, FlowState
from gflow.flow.loop import AbstractLoop
from gflow.flow.observer import Observer, Probe
from gflow.flow.recipe import Recipe
from gflow.flow.records import AbstractCheckpoint
from gflow.flow.samples import Samples
from gflow.flow.schedule import Schedule
from gflow.flow.trajectory import Effort, Reason, Trajectory
from gflow.network.weights import AbstractWeights

MOST = 5000
"""Steps between two looks at the network, at most."""


def descend(
    field: AbstractField,
    weights: AbstractWeights,
    samples: Samples,
    schedule: Schedule,
    *,
    recipe: Recipe,
    observer: Observer,
    checkpoint: AbstractCheckpoint | None = None,
) -> Trajectory:
    """Follow gradient descent and observe it at the steps closest to the scheduled times.

    **Arguments:** as for `gflow.flow.integrate.integrate`, with `recipe` in place of controls; the
    observer looks at recorded steps and every `MOST` steps, and its `notable` is not called.

    **Returns:** a `Trajectory`; `dissipated` is Σ ‖g‖² over the steps, g of a batch, times what a
    step is worth; nan for Adam, which does not follow g. Descent that diverges is a `Trajectory`
    too, up to the last look at which it was finite.
    """
    machine = DescentMachine.of(field, samples, recipe, weights.dtype)
    return _Descent(machine, recipe, weights, observer, checkpoint=checkpoint).run(schedule)


class _Descent(AbstractLoop):
    """A descent under way: stretches of steps between scheduled times (final)."""

    moment: DescentMoment

    def __init__(
        self,
        machine: DescentMachine,
        recipe: Recipe,
        weights: AbstractWeights,
        observer: Observer,
        *,
        checkpoint: AbstractCheckpoint | None,
    ):
        super().__init__(observer, checkpoint)
        if recipe.method == "adam":
            self.probe = _without_energy(self.probe)
        self.machine, self.recipe = machine, recipe
        self.moment = machine.begin(weights)
        self.step = recipe.step_size

    @property
    def t(self) -> float:
        return self.recipe.time(int(self.moment.step))

    def _begin(self) -> Reason | None:
        return self._observe()

    def _targets(self, schedule: Schedule) -> list[int]:
        """Steps to record at; the last one, where epochs end it, is the end."""
        totals = schedule.times / self.recipe.time_of_step
        steps = np.unique([self.recipe.sizes.closest(total) for total in totals.tolist()])
        if self.recipe.epochs is not None:
            last = self.recipe.epochs * self.machine.batches
            steps = np.unique(np.append(steps[steps < last], min(last, steps[-1])))
        return steps[steps > int(self.moment.step)].tolist()

    def _reach(self, target: int) -> Reason | None:
        while (step := int(self.moment.step)) < target:
            # Many steps at once; where they end at no number, what came before is the end.
            count = min(target - step, MOST)
            moment = advance(self.machine, self.moment, jnp.asarray(count))
            if not _finite(moment.state):
                return self._end(Reason.DIVERGED)
            self.moment = moment
            self.effort += Effort(steps=count, evaluations=count)
            # Look now and then on a long way, without a record.
            if step + count < target:
                observation = self._look()
                self.observer.watch(self.t, observation)
                if (reason := self.observer.stop(observation)) is not None:
                    return self._end(reason)
                self._keep()
        reason = self._observe()
        if reason is None:
            self._keep()
        return reason

    def _observe(self) -> Reason | None:
        """Look, report to the watcher, and record."""
        observation = self._look()
        self.observer.watch(self.t, observation)
        reason = self.observer.stop(observation)
        self._record(True, observation)
        return reason

    def _template(self) -> DescentMoment:
        return self.moment


def _without_energy(probe: Probe) -> Probe:
    """The same probe, with nan for the dissipated energy if it is observed."""

    def blind(t: Float[Array, ""], state: FlowState) -> PyTree:
        observation = probe(t, state)
        unknown = {"dissipated": jnp.full_like(state.dissipated, jnp.nan)}
        return observation | unknown if "dissipated" in observation else observation

    return blind


def _finite(state: FlowState) -> bool:
    return all(bool(jnp.isfinite(leaf).all()) for leaf in jax.tree.leaves(state))
