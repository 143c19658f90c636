"""The continuation of a run to a later time."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import xarray as xr

from gflow.errors import ScenarioError
from gflow.flow.losses import AbstractScalarLoss
from gflow.flow.resumption import Resumption
from gflow.network.snapshot import Snapshot
from gflow.runs.experiment import follow
from gflow.runs.given import Given, question_of, refuse_another, with_observed
from gflow.runs.observables import Observable
from gflow.runs.problem import prepare
from gflow.runs.run import Run
from gflow.runs.watch import Watch, unwatched


def continue_run(
    run: Run,
    until: float,
    watch: Watch = unwatched,
    *,
    loss: AbstractScalarLoss | None = None,
    observe: Mapping[str, Observable] | None = None,
) -> Run:
    """Continue a finished run to flow time `until`; its record is kept and grows.

    **Arguments:**

    - `run`: where to start.
    - `until`: new end time; end loss and end margin of the scenario no longer apply.
    - `watch`: called after every accepted step.
    - `loss`, `observe`: what `simulate` was given, again, of a run that was read from its folder.

    **Returns:** a run that is not stored.

    **Raises:** `ScenarioError` if `until` is not later than the run's last time, or something that
    the run was given is missing.
    """
    t = run.outcome.t
    if not run.scenario.train.is_flow:
        raise ScenarioError(
            (
                "`until` must be given for a flow, but this run descends in steps, whose memory "
                "is not kept; set flow.end_time and run it again.",
            )
        )
    if not t < until < np.inf:
        raise ScenarioError(
            (
                f"`until` must be finite and later than the run's last time t = {t:g}, but is "
                f"{until:g}; give a later time.",
            )
        )
    given = _given_again(run, loss, observe)
    ends = {"end_time": until, "end_loss": None, "end_margin": None}
    flow = run.scenario.flow.model_copy(update=ends)
    scenario = run.scenario.model_copy(update={"flow": flow})
    problem = prepare(scenario, t, given)._replace(weights=run.state.weights)
    start = Resumption(t, float(run.state.dissipated), run.next_step)
    return _joined(run, follow(scenario, problem, given, watch, start=start))


def _given_again(
    run: Run, loss: AbstractScalarLoss | None, observe: Mapping[str, Observable] | None
) -> Given:
    """What the run was given, checked to be what it was."""
    given = Given(
        run.given.neurons,
        run.given.loss if loss is None else loss,
        run.given.observe if observe is None else observe,
    )
    network = Snapshot(run.state.weights, run.evidence.p)
    refuse_another(with_observed(question_of(run.scenario, given), given, network), run.scenario)
    return given


def _joined(run: Run, tail: Run) -> Run:
    """A run and its continuation as one; the first recorded time of the tail is a repetition."""
    a, b = run.evidence, tail.evidence
    evidence = replace(
        b,
        record=xr.concat([a.record, b.record.isel(time=slice(1, None))], dim="time"),
        outcome=replace(b.outcome, steps=a.outcome.steps + b.outcome.steps),
        effort=a.effort + b.effort,
    )
    seconds = run.manifest["seconds"] + tail.manifest["seconds"]  # pyright: ignore[reportOperatorIssue]
    manifest = {**run.manifest, **tail.manifest, "seconds": seconds}
    return replace(tail, evidence=evidence, manifest=manifest)
