"""One flow in its folder: answered once, continued, attacked and judged.

One idea: whoever computes a point of a grid, or a run that stands alone, calls `settle` with the
folder's lock held; what is there already is read back, and a killed flow goes on where it was.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import jax

from gflow.flow.trajectory import Reason
from gflow.judges.catalogue import CATALOGUE, check
from gflow.judges.finding import Finding
from gflow.runs import store
from gflow.runs.checkpoint import checkpoint_of
from gflow.runs.experiment import extend, simulate
from gflow.runs.files import sweep
from gflow.runs.findings import read_findings, save_findings
from gflow.runs.index import verify_question
from gflow.runs.radii import attacked
from gflow.runs.run import Run
from gflow.runs.watch import Progress, Watch
from gflow.scenario import Scenario


def settle(
    scenario: Scenario,
    folder: Path,
    fresh: bool,
    until: float | None,
    begin: Callable[[], Watch],
) -> Run:
    """Answer, continue and judge one flow in its folder, whose lock the caller holds.

    **Arguments:**

    - `scenario`: one flow.
    - `folder`: its run folder.
    - `fresh`: compute anew what is there already.
    - `until`: continue the flow to this time; None to leave it where its scenario ends.
    - `begin`: called when something is computed; gives what to call at each step.

    **Raises:** `DataError`, `PrecisionError`, `RecordError`, and what a judge raises.
    """
    sweep(folder)
    run = None if fresh else _final(folder, scenario.flow.end_time)
    if run is None:
        verify_question(scenario, folder)
        run = _computed(scenario, folder, fresh, begin())
    if until is not None and run.outcome.t < until:
        run = prolonged(run, folder, until, begin())
    run = attacked(run, scenario.robustness)
    judged_in_folder(run, asked(scenario))
    return run


def prolonged(run: Run, folder: Path, until: float, watch: Watch) -> Run:
    """Continue a stored flow to time `until`, in its own folder."""
    log = _Log(watch)
    before = (folder / "log.txt").read_text(encoding="utf-8")
    return store.save(extend(run, until, log), folder, before + log.text)


def judged_in_folder(run: Run, ids: Sequence[str]) -> tuple[Finding, ...]:
    """Findings about a stored run, from its folder if they are of today's judges."""
    stored = None if run.folder is None else read_findings(run.folder, ids)
    if stored is not None:
        return stored
    with jax.enable_x64(True):
        findings = check(run.evidence, ids)
    if run.folder is not None:
        save_findings(run.folder, findings, ids)
    return findings


def asked(scenario: Scenario) -> tuple[str, ...]:
    """Ids of the predictions that a scenario asks for, in the order of the catalogue.

    Of deep networks there are none, since the catalogue says nothing of them.
    """
    if not scenario.network.has_laws:
        return ()
    chosen = scenario.checks.predictions
    return tuple(id for id in CATALOGUE if chosen == "all" or id in chosen)


def _computed(scenario: Scenario, folder: Path, fresh: bool, watch: Watch) -> Run:
    """Compute one flow and store it in its folder.

    A flow that was killed or interrupted goes on from its checkpoint, a file beside the folder.
    """
    log = _Log(watch)
    kept = checkpoint_of(scenario, folder)
    if fresh:
        kept.remove()
    run = store.save(simulate(scenario, log, kept), folder, log.text)
    if run.outcome.reason is not Reason.INTERRUPTED:
        kept.remove()
    return run


def _final(folder: Path, end_time: float) -> Run | None:
    """The stored run of a folder if computing it to `end_time` would give nothing else."""
    if not (folder / "manifest.json").is_file():
        return None
    stored = store.load(folder)
    # What was interrupted while it was continued had come to its own end before.
    continued = stored.scenario.flow.end_time > end_time
    return None if stored.outcome.reason is Reason.INTERRUPTED and not continued else stored


class _Log:
    """Passes progress on and remembers it, a line per scheduled time."""

    def __init__(self, watch: Callable[[Progress], None]):
        self.watch = watch
        self.lines: dict[float, str] = {}

    def __call__(self, progress: Progress) -> None:
        self.lines[progress.fraction] = (
            f"{progress.seconds:8.1f} s  t = {progress.t:<10.4g} {progress.phase:<14} "
            f"loss = {progress.loss:.4g}"
        )
        self.watch(progress)

    @property
    def text(self) -> str:
        return "\n".join([*self.lines.values(), ""])
