"""Simulations as a caller asks for them: from weights, with losses and observables of one's own."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gflow.api.scenario import scenario_of
from gflow.flow.losses import AbstractScalarLoss
from gflow.flow.records import AbstractCheckpoint
from gflow.network.neurons import AbstractNeurons
from gflow.network.population import Population
from gflow.report.progress import telling_by_itself
from gflow.runs import continuation, experiment
from gflow.runs.checkpoint import SECONDS, FileCheckpoint
from gflow.runs.given import received
from gflow.runs.index import digest_of
from gflow.runs.observables import Observable
from gflow.runs.run import Run
from gflow.runs.watch import Watch
from gflow.scenario import Scenario

Weights = tuple[Any, Any]
"""(W, v): hidden weights (h, D), one neuron per row, and output weights (h,); checked in words."""


def simulate(
    scenario: Scenario | str | Path,
    *,
    neurons: Weights | Population | AbstractNeurons | None = None,
    loss: AbstractScalarLoss | None = None,
    observe: Mapping[str, Observable] | None = None,
    progress: bool | Watch = True,
    checkpoint: AbstractCheckpoint | str | Path | None = None,
) -> Run:
    """Follow the gradient flow of a scenario, from its start or from weights of your own.

    The flow is dθ/dt = -∇L(θ) of L = Σ_i ω_i ℓ(y_i, f(x_i)), for neurons with one output
    f(x) = Σ_j v_j ‖w_j‖^{1-p} σ(<w_j, x>)^p.  Nothing is written but a checkpoint;
    `run.save(folder)` stores the run.

    **Arguments:**

    - `scenario`: one flow, or the file it is in. Of given neurons it says all but how they start:
        data, power, loss, end time, tolerance, and what is recorded.
    - `neurons`: where to start: (W, v), W (h, D) and v (h,), in any precision that numpy reads;
        a `Population`, whose neurons are balanced, or the neurons of a run (`run.at(t).neurons`),
        which hold logarithms of norms that no float does. Their number is the width. If |v_j| =
        ‖w_j‖ up to rounding they flow in the chart of the scenario, by default the polar one;
        otherwise in the light-cone chart, or the Cartesian one if the scenario has it.
    - `loss`: a subclass of `gflow.AbstractScalarLoss`: `kappa`, `value` and `force`, as functions
        of labels ±1 and outputs that jax can trace. Laws of the known losses are then OUTSIDE.
    - `observe`: functions by name, of a `gflow.Snapshot` (`net.W`, `net.v`, `net.u`, `net(x)`, …)
        to a number or an array, that jax can trace. They are recorded under their names at every
        recorded time, with dimensions `NAME_0`, `NAME_1`, …
    - `progress`: whether to show a line of progress in a notebook or on a terminal; or a function
        to call with a `gflow.Progress` after every accepted step.
    - `checkpoint`: file from which a flow that was killed goes on when the same call is made again.

    **Returns:** a `Run`. A flow that ended early is one too; `run.outcome` says why. Its question,
    `run.scenario`, holds a checksum of all that was given, so it is not that of the scenario.

    **Raises:** `ScenarioError` for a grid (try `gflow.run`), or a loss or function that is not as
    described; `DataError` for neurons or data that cannot be used; `PrecisionError` for a tolerance
    at which the answer would be silently wrong.

    A simulation is steps on the host, so jax can neither `vmap`, `jit` nor differentiate it. For
    many starts vary keys in a [vary] table and call `gflow.run`, or call this in a loop, where
    equal shapes are compiled once; or give `gflow.flow_of` a module that vmaps over its weights.
    """
    question = scenario_of(scenario)
    given = received(neurons, loss, observe, question)
    if isinstance(checkpoint, str | Path):
        checkpoint = FileCheckpoint(Path(checkpoint), digest_of(question), SECONDS)
    with _watched(progress, question) as watch:
        return experiment.simulate(question, watch, checkpoint, given)


def continue_(
    run: Run,
    until: float,
    *,
    loss: AbstractScalarLoss | None = None,
    observe: Mapping[str, Observable] | None = None,
    progress: bool | Watch = True,
) -> Run:
    """Continue a flow to a later time; the record is kept and grows.

    **Arguments:**

    - `run`: where to start; its folder, if it has one, is left as it is.
    - `until`: new end time, flow time; end loss and end margin of the scenario no longer apply.
    - `loss`, `observe`: what `gflow.simulate` was given, if the run was read from its folder, where
        no functions are stored.
    - `progress`: as for `gflow.simulate`.

    **Returns:** a longer run, which is not stored.

    **Raises:** `ScenarioError` if `until` is not later than the run's last time, the run descends
    in steps, or something that it was given is missing or another.
    """
    with _watched(progress, run.scenario) as watch:
        return continuation.continue_run(run, until, watch, loss=loss, observe=observe)


@contextmanager
def _watched(progress: bool | Watch, scenario: Scenario) -> Iterator[Watch]:
    """What to call at each step: the function of a caller, or one that shows a line."""
    if isinstance(progress, Callable):
        yield progress
        return
    with telling_by_itself(progress) as tell:
        yield tell.announce("", scenario)
