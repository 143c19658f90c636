"""A scenario of one flow, carried out: Scenario -> Problem -> Run.

One idea: flow or descent, from any start, to the end or not so far, all end as a `Run`.
"""

import time
from typing import cast

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array, Float, PyTree

from gflow.cost.memory import ROWS
from gflow.data.dataset import Dataset
from gflow.errors import ScenarioError
from gflow.flow.descent import descend
from gflow.flow.field import AbstractField, AbstractNeuronField
from gflow.flow.integrate import integrate
from gflow.flow.multirate import SMALL, multirate
from gflow.flow.observer import Observer
from gflow.flow.records import AbstractCheckpoint
from gflow.flow.resumption import Resumption
from gflow.flow.samples import Samples
from gflow.flow.trajectory import Reason, Trajectory
from gflow.judges.evidence import Evidence
from gflow.network.snapshot import Snapshot
from gflow.network.weights import AbstractFirstLayer
from gflow.random import stream
from gflow.runs.given import Given, question_of, with_observed
from gflow.runs.index import data_checksum
from gflow.runs.observation import observers, to_record, weighted_loss
from gflow.runs.problem import Problem, prepare
from gflow.runs.provenance import provenance
from gflow.runs.run import Run
from gflow.runs.score import AbstractScore, score_of
from gflow.runs.watch import Progress, Watch, unwatched
from gflow.scenario import Scenario


def simulate(
    scenario: Scenario,
    watch: Watch = unwatched,
    checkpoint: AbstractCheckpoint | None = None,
    given: Given = Given(),  # noqa: B008 (frozen)
) -> Run:
    """Carry out a scenario of one flow; writes no file but a checkpoint, if there is one.

    **Arguments:**

    - `scenario`: one flow; a grid is carried out by `gflow.runs.study`.
    - `watch`: called after every accepted step.
    - `checkpoint`: where a flow that was killed goes on, for example
        `gflow.runs.checkpoint.FileCheckpoint`.
    - `given`: what a caller gives beside the scenario.

    **Returns:** a `Run`. A flow that ended early is a run too; `run.outcome` says why.

    **Raises:** `ScenarioError` for a grid, `DataError` for data that cannot be used,
    `PrecisionError` for a tolerance at which the answer would be silently wrong.
    """
    if scenario.is_grid:
        raise ScenarioError(
            (
                "`scenario` must be one flow, but has a [vary] table; try gflow.run(scenario), or "
                "simulate each of `scenario.points()`.",
            )
        )
    question = question_of(scenario, given)
    problem = prepare(question, given=given)
    question = with_observed(question, given, Snapshot(problem.weights, problem.field.p))
    if given and checkpoint is not None:
        # A checkpoint of the scenario is none of what was given beside it.
        checkpoint = checkpoint.leg(question.digest())
    return follow(question, problem, given, watch, start=Resumption(), checkpoint=checkpoint)


def follow(
    scenario: Scenario,
    problem: Problem,
    given: Given,
    watch: Watch,
    *,
    start: Resumption,
    checkpoint: AbstractCheckpoint | None = None,
) -> Run:
    """Descend or flow from the weights of a problem.

    **Arguments:**

    - `scenario`: the question.
    - `problem`: what it poses.
    - `given`: what was given beside it.
    - `watch`: called after every accepted step.
    - `start`: where a continuation begins.
    - `checkpoint`: where a flow that was killed goes on.
    """
    began = time.perf_counter()
    notes: dict[str, object] = {}
    with jax.enable_x64(True):
        # What is observed, when it ends, and who is told of it.
        rng = stream(scenario.seed, "complement")
        score, groups = score_of(scenario.data), scenario.recorded_groups
        probe, portrait = observers(problem, score, groups, rng, observe=given.observe)
        observer = Observer(
            probe=probe,
            portrait=portrait,
            stop=_Stop(scenario),
            notable=_notable,
            watch=_Reporter(problem, score, watch, began),
        )
        # The motion: in steps, or by the flow.
        if problem.recipe is not None:
            trajectory = descend(
                problem.field,
                problem.weights,
                problem.samples,
                problem.schedule,
                recipe=problem.recipe,
                observer=observer,
                checkpoint=checkpoint,
            )
        else:
            trajectory, note = _flow(
                problem, observer, start, checkpoint, method=scenario.flow.method
            )
            notes |= note
        notes["seconds"] = time.perf_counter() - began
        return _run(scenario, problem, trajectory, notes, given=given)


def _flow(
    problem: Problem,
    observer: Observer,
    start: Resumption,
    checkpoint: AbstractCheckpoint | None,
    *,
    method: str,
) -> tuple[Trajectory, dict[str, str]]:
    """By few exact velocities as long as the closed form is good, then directly; and a note."""
    if problem.subclasses is None:
        return _direct(problem, observer, start, checkpoint), {}
    few = multirate(
        cast(AbstractNeuronField, problem.field),
        problem.weights,
        problem.samples,
        problem.subclasses,
        problem.schedule.after(start.t),
        controls=problem.controls,
        observer=observer,
        start=start,
        checkpoint=checkpoint and checkpoint.leg("multirate"),
        largest=SMALL if method == "auto" else np.inf,
    )
    if few.outcome.reason is not Reason.NO_SURROGATE:
        return few, {}
    note = {"method": f"direct from t = {few.outcome.t:.4g} on, where the remainder was too large"}
    if few.outcome.t == start.t:
        return _direct(problem, observer, start, checkpoint), note
    rest = problem._replace(weights=few.state.weights)
    return few.then(_direct(rest, observer, few.resumption, checkpoint)), note


def _direct(
    problem: Problem,
    observer: Observer,
    start: Resumption,
    checkpoint: AbstractCheckpoint | None,
) -> Trajectory:
    return integrate(
        problem.field,
        problem.weights,
        problem.samples,
        problem.schedule.after(start.t),
        controls=problem.controls,
        observer=observer,
        start=start,
        checkpoint=checkpoint,
    )


def _run(
    scenario: Scenario,
    problem: Problem,
    trajectory: Trajectory,
    notes: dict[str, object],
    *,
    given: Given,
) -> Run:
    clock = problem.field.loss.kappa * float(problem.pi.mean())
    network = trajectory.state.weights.function(problem.field.p)
    evidence = Evidence(
        scenario=scenario,
        centers=problem.centers,
        record=to_record(trajectory, problem.centers, clock),
        network=network,
        pi=problem.pi,
        alpha=problem.alpha,
        outcome=trajectory.outcome,
        effort=trajectory.effort,
    )
    test, validation = (
        {} if held_out is None else _fit_of(held_out, scenario, problem, trajectory.state.weights)
        for held_out in (problem.test, problem.validation)
    )
    manifest = {**provenance(), "data": data_checksum(scenario), **notes}
    return Run(
        evidence,
        trajectory.state,
        trajectory.next_step,
        test,
        manifest,
        given=given,
        validation=validation,
    )


def _fit_of(
    held_out: Dataset, scenario: Scenario, problem: Problem, weights: AbstractFirstLayer
) -> dict[str, float]:
    """Fit of samples that were not trained on."""
    targets = held_out.targets(scenario.network.grain).astype(np.float64)
    share = np.full(held_out.n, 1 / held_out.n)
    samples = Samples.blocked(held_out.x, targets, share, ROWS, dtype="float64")
    numbers = _fit(score_of(scenario.data), weights, samples, problem.field)
    return {name: float(value) for name, value in numbers.items()}


@eqx.filter_jit
def _fit(
    score: AbstractScore, weights: AbstractFirstLayer, samples: Samples, field: AbstractField
) -> dict[str, Float[Array, ""]]:
    f = weights.observe(samples.x, samples.n, field.p).outputs
    return {"loss": weighted_loss(field.loss, samples, f), **score.of(weights, samples, f)}


NOTABLE = 0.01
"""Relative change of the loss between two records; smaller ones are not worth an extra record."""


def _notable(before: PyTree, now: PyTree) -> bool:
    return abs(float(now["loss"]) - float(before["loss"])) > NOTABLE * float(before["loss"])


class _Stop:
    """Ends a flow by loss or by margin."""

    def __init__(self, scenario: Scenario):
        self.loss = scenario.flow.end_loss
        self.margin = scenario.flow.end_margin

    def __call__(self, observation: PyTree) -> Reason | None:
        if self.loss is not None and observation["loss"] <= self.loss:
            return Reason.END_LOSS
        if self.margin is not None and observation["margin_min"] >= self.margin:
            return Reason.END_MARGIN
        return None


class _Reporter:
    """Turns observations into progress for a person."""

    def __init__(self, problem: Problem, score: AbstractScore, watch: Watch, began: float):
        self.times = problem.schedule.times
        self.score = score
        self.watch = watch
        self.began = began

    def __call__(self, t: float, observation: PyTree) -> None:
        passed = float(np.searchsorted(self.times, t, side="right")) / len(self.times)
        seconds = time.perf_counter() - self.began
        end = float(self.times[-1])
        loss, phase = float(observation["loss"]), self.score.phase(observation)
        self.watch(Progress(t, end, passed, loss=loss, phase=phase, seconds=seconds))
