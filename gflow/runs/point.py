"""One flow in its folder: computed once, continued, attacked and judged.

Whoever computes a single run or a point of a grid calls `settle` while holding the lock of the
folder; finished work is read from the folder, and a killed flow continues from its checkpoint.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import jax

from gflow.flow.trajectory import Reason
from gflow.judges.catalogue import ALL, check
from gflow.judges.finding import Finding
from gflow.runs import store
from gflow.runs.checkpoint import checkpoint_of
from gflow.runs.continuation import continue_run
from gflow.runs.experiment import simulate
from gflow.runs.files import sweep
from gflow.runs.findings import read_findings, save_findings
from gflow.runs.index import verify_question
from gflow.runs.interrupt import between_steps, look
from gflow.runs.manifest import is_run
from gflow.runs.radii import attacked
from gflow.runs.run import Run
from gflow.runs.twin import copy_of_twin
from gflow.runs.watch import Progress, Watch, unwatched
from gflow.scenario import Scenario


def settle(
    scenario: Scenario,
    folder: Path,
    *,
    fresh: bool,
    until: float | None,
    begin: Callable[[], Watch],
) -> Run:
    """Compute, continue and judge one flow in its folder, whose lock the caller holds.

    A flow that is interrupted is stored as far as it came, and not judged.

    **Arguments:**

    - `scenario`: one flow.
    - `folder`: its run folder.
    - `fresh`: whether to compute again what exists already.
    - `until`: time to which the flow is continued; None for the end time of its scenario.
    - `begin`: called before anything is computed; returns the function to call at each step.

    **Raises:** `DataError`, `PrecisionError`, `RecordError`, and what a judge raises.
    """
    sweep(folder)
    watch = _Latest(begin)
    run = None if fresh else _final(folder, scenario.flow.end_time)
    if run is None:
        verify_question(scenario, folder)
        run = None if fresh else copy_of_twin(scenario, folder)
        run = run or _computed(scenario, folder, fresh, watch.begin())
    if until is not None and run.outcome.t < until:
        run = continued(run, folder, until, watch.begin())
    if run.outcome.reason is Reason.INTERRUPTED:
        return run
    watch.stage("measuring radii" if scenario.robustness.norms else "judging")
    run = attacked(run, scenario.robustness)
    watch.stage("judging")
    judged_in_folder(run, requested_predictions(scenario))
    return run


def continued(run: Run, folder: Path, until: float, watch: Watch) -> Run:
    """Continue a stored flow to time `until`, in its own folder."""
    log = _Log(watch)
    before = (folder / "log.txt").read_text(encoding="utf-8")
    with between_steps():
        longer = continue_run(run, until, log)
    return store.save(longer, folder, before + log.text)


def judged_in_folder(run: Run, ids: Sequence[str]) -> tuple[Finding, ...]:
    """Findings about a run, from its folder if the present judges made them."""
    stored = None if run.folder is None else read_findings(run.folder, ids)
    if stored is not None:
        return stored
    with jax.enable_x64(True):
        findings = check(run.evidence, ids)
    if run.folder is not None:
        save_findings(run.folder, findings, ids)
    return findings


def requested_predictions(scenario: Scenario) -> tuple[str, ...]:
    """Ids of the predictions that a scenario asks for, in the order of the catalogue.

    Those that are about networks of another kind are left out.
    """
    requested = scenario.checks.predictions
    kinds = {point.scenario.network.kind for point in scenario.points()}
    return tuple(
        one.id
        for one in ALL
        if (requested == "all" or one.id in requested) and kinds & set(one.networks)
    )


def _computed(scenario: Scenario, folder: Path, fresh: bool, watch: Watch) -> Run:
    """Compute one flow and store it in its folder.

    A flow that was killed or interrupted continues from its checkpoint, a file beside the folder.
    """
    log = _Log(watch)
    checkpoint = checkpoint_of(scenario, folder)
    if fresh:
        checkpoint.remove()
    with between_steps():
        simulated = simulate(scenario, log, checkpoint)
    run = store.save(simulated, folder, log.text)
    if run.outcome.reason is not Reason.INTERRUPTED:
        checkpoint.remove()
    return run


def _final(folder: Path, end_time: float) -> Run | None:
    """The stored run of a folder, if computing it to `end_time` would give the same."""
    if not is_run(folder):
        return None
    stored = store.load(folder)
    # A run that was interrupted during a continuation had reached its own end before.
    continued = stored.scenario.flow.end_time > end_time
    return None if stored.outcome.reason is Reason.INTERRUPTED and not continued else stored


class _Latest:
    """Passes progress on, and names the stages after the last step as its phases."""

    def __init__(self, begin: Callable[[], Watch]):
        self._begin = begin
        self._watch: Watch = unwatched
        self._last: Progress | None = None

    def begin(self) -> Watch:
        self._watch = self._begin()
        return self

    def __call__(self, progress: Progress) -> None:
        self._last = progress
        self._watch(progress)

    def stage(self, name: str) -> None:
        """A stage begins; nothing is said if nothing was computed before."""
        if self._last is not None:
            self._watch(self._last._replace(phase=name))


class _Log:
    """Passes progress on and stores it, one line per scheduled time."""

    def __init__(self, watch: Callable[[Progress], None]):
        self.watch = watch
        self.lines: dict[float, str] = {}

    def __call__(self, progress: Progress) -> None:
        self.lines[progress.fraction] = (
            f"{progress.seconds:8.1f} s  t = {progress.t:<10.4g} {progress.phase:<14} "
            f"loss = {progress.loss:.4g}"
        )
        self.watch(progress)
        look()

    @property
    def text(self) -> str:
        return "\n".join([*self.lines.values(), ""])
