"""A study: the runs of a grid, in one folder; and the verbs that runs and studies share.

One idea: a scenario of one flow and a scenario of many are used by the same verbs.  The same
question lands in the same folder, so a finished answer is not computed twice; a point that another
study or run on the shelf has answered is copied from there (see `gflow.runs.twin`).

    RUNS/quickstart-1a2b3c4d/            a study
        study.json                       label, varied keys and folder of each point
        scenario.toml                    its scenario, resolved; points are computed from this one
        power=1-5e6f7a8b/                one run folder per point (see `gflow.runs.store`)
        .power=3-9c0d1e2f.lock           while a process computes that point (see `gflow.runs.lock`)
        table.csv, table.nc              one row per point (see `gflow.runs.study_table`)
        answer.json                      what `gflow run` printed of it (see `gflow.runs.answer`)
"""

import csv
import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import overload

import numpy as np
import xarray as xr

from gflow import markup
from gflow.errors import RecordError, ScenarioError
from gflow.flow.trajectory import Reason
from gflow.markup import folded, titled
from gflow.runs import store
from gflow.runs.files import write_bytes
from gflow.runs.findings import read_findings
from gflow.runs.freshness import is_current
from gflow.runs.index import (
    Place,
    home,
    is_study,
    read_index,
    read_study_scenario,
    write_index,
)
from gflow.runs.lock import held
from gflow.runs.manifest import FINDINGS, RADII, is_run
from gflow.runs.netcdf import to_netcdf
from gflow.runs.point import continued, judged_in_folder, requested_predictions, settle
from gflow.runs.radii import attacked, read_robustness
from gflow.runs.run import Entry, Run
from gflow.runs.sealed import warn_unused
from gflow.runs.status import State, Status, status_of
from gflow.runs.study_table import tabulate, to_csv
from gflow.runs.watch import Stage, unstaged
from gflow.runs.workers import Announce, Crew, Report, Task, serial
from gflow.scenario import RobustnessTable, Scenario


@dataclass(frozen=True, repr=False)
class Study:
    """The runs of a grid, in the order of its points; prints as the cards of its runs."""

    scenario: Scenario
    """The grid."""
    entries: tuple[Entry, ...]
    """The points that have a run."""
    folder: Path
    unanswered: tuple[Status, ...] = ()
    """The points that wait, run, or have failed, and why."""

    def __repr__(self) -> str:
        cards = (f"{label}: {run!r}" for label, run in self.entries)
        return "\n".join([*cards, *map(str, self.unanswered)])

    def _repr_html_(self) -> str:
        cards = (folded(label, markup.table(run.card.items())) for label, run in self.entries)
        missing = markup.table((str(status),) for status in self.unanswered)
        return titled(self.scenario.name, *cards, missing)

    @property
    def runs(self) -> tuple[Run, ...]:
        """The runs alone."""
        return tuple(entry.run for entry in self.entries)

    @property
    def table(self) -> xr.Dataset:
        """Final numbers and stored verdicts of every point (see `gflow.runs.study_table`)."""
        findings = {
            label: read_findings(run.folder) or () for label, run in self.entries if run.folder
        }
        return tabulate(self.scenario, dict(self.entries), findings)

    def __getitem__(self, label: str) -> Run:
        """The run of one point, by its label."""
        for entry in self.entries:
            if entry.label == label:
                return entry.run
        for status in self.unanswered:
            if status.label == label:
                raise KeyError(f"no run of point {status}")
        raise KeyError(f"no point {label!r}; there are {[e.label for e in self.entries]}")


def answer(
    scenario: Scenario, root: Path, fresh: bool, announce: Announce, *, crew: Crew = serial
) -> Run | Study:
    """Compute and judge a scenario, and store it under `root`; what is stored already is read back.

    **Arguments:**

    - `scenario`: one flow or a grid.
    - `root`: folder that holds runs and studies.
    - `fresh`: compute anew what is stored already.
    - `announce`: called before each flow that is computed.
    - `crew`: who computes the points of a grid (see `gflow.runs.workers`).

    **Returns:** a `Run`, or a `Study` for a grid. A point that fails is in `Study.unanswered` and
    does not keep others from being computed. Ctrl-C ends a grid after the current point, which is
    stored as far as it came.

    **Raises:** for one flow `DataError`, `PrecisionError`, `RecordError`; for a grid `RecordError`
    if its folder cannot be written.
    """
    folder = home(scenario, root)
    if scenario.is_grid:
        tasks = _unsettled(scenario, write_index(scenario, folder), fresh)
        return _computed(folder, tasks, announce, crew)
    return _settled(scenario, folder, fresh, announce)


def _settled(scenario: Scenario, folder: Path, fresh: bool, announce: Announce) -> Run:
    """The run of one flow, computed as far as its folder lacks it."""
    with held(folder):
        begin = functools.partial(announce, "", scenario)
        return settle(scenario, folder, fresh=fresh, until=None, begin=begin)


def resume(folder: Path, fresh: bool, announce: Announce, crew: Crew = serial) -> Run | Study:
    """Compute the points that a study lacks, by the scenario in its folder.

    A run is read back, or goes on from where it was interrupted.

    **Raises:** `RecordError` for a folder that cannot be read.
    """
    if not is_study(folder):
        run = store.load(folder)
        if run.outcome.reason is not Reason.INTERRUPTED:
            return run
        return _settled(run.scenario, folder, fresh, announce)
    places = read_index(folder)
    tasks = _unsettled(read_study_scenario(folder, places), places, fresh)
    return _computed(folder, tasks, announce, crew)


def continue_to(
    result: Run | Study, until: float, announce: Announce, crew: Crew = serial
) -> Run | Study:
    """Continue every run of `result` to flow time `until`, in its own folder.

    Runs of a study that have reached that time are left as they are.

    **Raises:** `ScenarioError` if a run that stands alone has reached it, or if all runs of a study
    are beyond it.
    """
    if isinstance(result, Run):
        return _continue_alone(result, until, announce)
    reached = {label: run.outcome.t for label, run in result.entries}
    least = min(reached.values(), default=0.0)
    if not least <= until < np.inf:
        raise ScenarioError(
            (
                "`--until` must be finite and not before the time that all runs have reached, "
                f"t = {least:g}, but is {until:g}; give a later time.",
            )
        )
    tasks = [
        task._replace(until=until)
        for task in _tasks(result.scenario, read_index(result.folder))
        if reached.get(task.label, until) < until
    ]
    return _computed(result.folder, tasks, announce, crew)


def load(folder: str | Path) -> Run | Study:
    """Read a run or a study from its folder, even while others write to it; never simulates.

    **Returns:** a `Run`, or a `Study` whose `unanswered` names the points that have no run that
    can be read, and why.

    **Raises:** `RecordError` naming what is missing, foreign, cut short, altered or too new.
    """
    folder = Path(folder)
    return _load_study(folder) if is_study(folder) else store.load(folder)


@overload
def attack(
    result: Run, table: RobustnessTable, fresh: bool = False, stage: Stage = unstaged
) -> Run: ...


@overload
def attack(
    result: Study, table: RobustnessTable, fresh: bool = False, stage: Stage = unstaged
) -> Study: ...


def attack(
    result: Run | Study, table: RobustnessTable, fresh: bool = False, stage: Stage = unstaged
) -> Run | Study:
    """Bracket the radii of the test samples of a run, or of every run of a study.

    A radius is the distance of a sample to the nearest input that is misclassified. Radii are
    stored beside each stored run, and read back if they are there.

    **Arguments:**

    - `result`: a run or a study.
    - `table`: norms, number of samples, and whether the published attack is run as well.
    - `fresh`: measure anew what is stored already.
    - `stage`: called with the name of each stage that begins.

    **Returns:** the same with `evidence.robustness`.

    **Raises:** `DataError` if there are no test samples.
    """
    entries = []
    for label, run in result.entries:
        stage(f"measuring radii {label}".strip())
        entries.append(Entry(label, attacked(run, table, fresh)))
    return entries[0].run if isinstance(result, Run) else replace(result, entries=tuple(entries))


def save_table(study: Run | Study) -> None:
    """Store the table of a study in its folder, as table.csv and table.nc; a run has none.

    Warns of one that is newer than all it shows and yet says something else about as many points.
    """
    if isinstance(study, Run):
        return
    table = study.table
    rows, before = to_csv(table), study.folder / "table.csv"
    shown = _answers(before.read_text(errors="replace")) if before.is_file() else None
    for name, data in (("csv", rows.encode()), ("nc", bytes(to_netcdf(table)))):
        path = study.folder / f"table.{name}"
        current = shown == _answers(rows) and is_current([path], study.runs, (FINDINGS, RADII))
        if current and path.read_bytes() != data:
            warn_unused(
                f"{path}: must be what gflow makes of the runs beside it, but is not; it was "
                "altered or cut short, or another gflow made it. It is made anew."
            )
        write_bytes(path, data)


def _answers(rows: str) -> int:
    """Points of a table that have a run."""
    return sum(bool(row.get("outcome")) for row in csv.DictReader(rows.splitlines()))


def _unsettled(scenario: Scenario, places: tuple[Place, ...], fresh: bool) -> list[Task]:
    """The points of a grid that need computing."""
    ids = requested_predictions(scenario)
    return [
        task._replace(fresh=fresh)
        for task, place in zip(_tasks(scenario, places), places, strict=True)
        if fresh or not _is_settled(place, ids, scenario.robustness)
    ]


def _tasks(scenario: Scenario, places: tuple[Place, ...]) -> list[Task]:
    points = zip(places, scenario.points(), strict=True)
    return [Task(place.label, point.scenario, place.folder.absolute()) for place, point in points]


def _is_settled(place: Place, ids: Sequence[str], table: RobustnessTable) -> bool:
    """Whether a point is computed, attacked and judged; its files are verified when it is read."""
    status = status_of(place)
    ended = status.state in (State.FINISHED, State.STOPPED) and status.reason != Reason.INTERRUPTED
    if not ended or read_findings(place.folder, ids) is None:
        return False
    return not table.norms or read_robustness(place.folder, table) is not None


def _computed(folder: Path, tasks: list[Task], announce: Announce, crew: Crew) -> Study:
    """The study in a folder once tasks are done."""
    reports = {report.label: report for report in crew(tasks, announce)} if tasks else {}
    # Wait for the points that another process was computing: their runs are read back, since what
    # was computed just now is fresh enough.
    busy = [
        task._replace(patient=True, fresh=False)
        for task in tasks
        if task.label in reports and reports[task.label].busy
    ]
    if busy and not any(report.interrupted for report in reports.values()):
        reports |= {report.label: report for report in crew(busy, announce)}
    return _with_failures(_load_study(folder), list(reports.values()))


def _load_study(folder: Path) -> Study:
    places = read_index(folder)
    scenario = read_study_scenario(folder, places)
    entries: list[Entry] = []
    unanswered: list[Status] = []
    for place in places:
        run, status = _look(place)
        entries += [] if run is None else [Entry(place.label, run)]
        unanswered += [] if status is None else [status]
    return Study(scenario, tuple(entries), folder, tuple(unanswered))


def _with_failures(study: Study, reports: Sequence[Report]) -> Study:
    """The study with failures that could not be written into its folder."""
    known = {status.label for status in study.unanswered if status.state is State.FAILED}
    failures = {
        report.label: report.failure
        for report in reports
        if report.failure is not None and report.label not in known
    }
    others = [status for status in study.unanswered if status.label not in failures]
    unwritten = [
        Status(label, study.folder, State.FAILED, failure.text, kind=failure.kind)
        for label, failure in failures.items()
    ]
    return replace(study, unanswered=(*others, *unwritten))


def _look(place: Place) -> tuple[Run | None, Status | None]:
    """The run of a point if it has one, and its status unless it has simply ended."""
    status = status_of(place)
    ended = status.state in (State.FINISHED, State.STOPPED)
    # A point that runs or failed may still have the run of an earlier attempt.
    if not ended and not is_run(place.folder):
        return None, status
    try:
        run = store.load(place.folder)
    except RecordError as error:
        if not ended:
            return None, status
        return None, Status(place.label, place.folder, State.FAILED, str(error), kind="RecordError")
    return run, None if ended else status


def _continue_alone(run: Run, until: float, announce: Announce) -> Run:
    if run.folder is None:
        raise RecordError(
            "`run` must be stored to be continued in its folder, but is not; use `gflow.continue_`."
        )
    with held(run.folder):
        # Another process may have continued it while this one waited for the lock.
        now = store.load(run.folder)
        longer = continued(now, run.folder, until, announce("", now.scenario))
        if longer.outcome.reason is Reason.INTERRUPTED:
            return longer
        longer = attacked(longer, longer.scenario.robustness)
        judged_in_folder(longer, requested_predictions(longer.scenario))
    return longer
