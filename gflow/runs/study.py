"""Runs and studies in their folders: answer a scenario, load, check.

One idea: a scenario of one flow and a scenario of many are used by the same verbs.  The same
question lands in the same folder, so a finished answer is not computed twice.

    RUNS/quickstart-1a2b3c4d/            a study
        study.json                       label, varied keys and folder of each point
        scenario.toml                    its scenario, resolved; points are computed from this one
        power=1-5e6f7a8b/                a run folder a point (see `gflow.runs.store`)
        .power=3-9c0d1e2f.lock           while a process computes that point (see `gflow.runs.lock`)
        table.csv, table.nc              a row a point (see `gflow.runs.study_table`)
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple, overload

import numpy as np
import xarray as xr

from gflow.errors import RecordError, ScenarioError
from gflow.flow.trajectory import Reason
from gflow.runs import store
from gflow.runs.files import write_bytes, write_text
from gflow.runs.findings import read_findings
from gflow.runs.index import (
    Place,
    home,
    is_study,
    read_index,
    read_study_scenario,
    write_index,
)
from gflow.runs.lock import held
from gflow.runs.netcdf import to_netcdf
from gflow.runs.point import continued, judged_in_folder, requested_predictions, settle
from gflow.runs.radii import attacked, read_robustness
from gflow.runs.run import Run
from gflow.runs.status import State, Status, status_of
from gflow.runs.study_table import tabulate, to_csv
from gflow.runs.workers import Announce, Crew, Report, Task, serial
from gflow.scenario import RobustnessTable, Scenario


class Entry(NamedTuple):
    """One point of a study: its label and its run."""

    label: str
    """Varied keys and their values, such as "power=3"; empty for a run that stands alone."""
    run: Run


@dataclass(frozen=True, repr=False)
class Study:
    """The runs of a grid, in the order of its points; prints as the cards of its runs."""

    scenario: Scenario
    """The grid."""
    entries: tuple[Entry, ...]
    """The points that have a run."""
    folder: Path
    unanswered: tuple[Status, ...] = ()
    """The points that wait, run, or failed, and why."""

    def __repr__(self) -> str:
        cards = (f"{label}: {run!r}" for label, run in self.entries)
        return "\n".join([*cards, *map(str, self.unanswered)])

    @property
    def runs(self) -> tuple[Run, ...]:
        """The runs alone."""
        return tuple(entry.run for entry in self.entries)

    @property
    def table(self) -> xr.Dataset:
        """Final numbers and stored verdicts of every point (see `gflow.runs.study_table`)."""
        runs = dict(self.entries)
        stored = {
            label: read_findings(run.folder) or () for label, run in self.entries if run.folder
        }
        return tabulate(self.scenario, runs, stored)

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
    scenario: Scenario, root: Path, fresh: bool, announce: Announce, crew: Crew = serial
) -> Run | Study:
    """Carry out and judge a scenario, and store it under `root`; what is there is read back.

    **Arguments:**

    - `scenario`: one flow or a grid.
    - `root`: folder that holds runs and studies.
    - `fresh`: compute anew what is there already.
    - `announce`: called before each flow that is computed.
    - `crew`: who computes the points of a grid (see `gflow.runs.workers`).

    **Returns:** a `Run`, or a `Study` for a grid. A point that fails is in `Study.unanswered` and
    keeps no other from being computed. Ctrl-C ends a grid after the point under way, which is
    kept as far as it came.

    **Raises:** for one flow `DataError`, `PrecisionError`, `RecordError`; for a grid `RecordError`
    if its folder cannot be written.
    """
    folder = home(scenario, root)
    if not scenario.is_grid:
        with held(folder):
            return settle(
                scenario, folder, fresh=fresh, until=None, begin=lambda: announce("", scenario)
            )
    return _carry_out(scenario, write_index(scenario, folder), folder, fresh, announce, crew)


def resume(folder: Path, fresh: bool, announce: Announce, crew: Crew = serial) -> Run | Study:
    """Compute the points that a study lacks, by the scenario in its folder; a run is read back.

    **Raises:** `RecordError` for a folder that cannot be read.
    """
    if not is_study(folder):
        return store.load(folder)
    places = read_index(folder)
    return _carry_out(read_study_scenario(folder, places), places, folder, fresh, announce, crew)


def prolong(
    result: Run | Study, until: float, announce: Announce, crew: Crew = serial
) -> Run | Study:
    """Continue every run of `result` to flow time `until`, in its own folder.

    Runs of a study that are there already are left as they are.

    **Raises:** `ScenarioError` if a run that stands alone is there already, or if all runs of a
    study are beyond.
    """
    if isinstance(result, Run):
        return _prolong_alone(result, until, announce)
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
    return _with_reports(result.folder, _computed(tasks, announce, crew))


def entries(result: Run | Study) -> tuple[Entry, ...]:
    """The runs of a result with their labels; a run that stands alone has the label ""."""
    return (Entry("", result),) if isinstance(result, Run) else result.entries


def load(folder: str | Path) -> Run | Study:
    """Read a run or a study back from its folder, also while others write it; never simulates.

    **Returns:** a `Run`, or a `Study` whose `unanswered` names the points that have no run that
    can be read, and why.

    **Raises:** `RecordError` naming what is missing, foreign, cut short, altered or too new.
    """
    folder = Path(folder)
    if not is_study(folder):
        return store.load(folder)
    places = read_index(folder)
    scenario = read_study_scenario(folder, places)
    found: list[Entry] = []
    unanswered: list[Status] = []
    for place in places:
        run, status = _look(place)
        found += [] if run is None else [Entry(place.label, run)]
        unanswered += [] if status is None else [status]
    return Study(scenario, tuple(found), folder, tuple(unanswered))


@overload
def attack(result: Run, asked: RobustnessTable, fresh: bool = False) -> Run: ...


@overload
def attack(result: Study, asked: RobustnessTable, fresh: bool = False) -> Study: ...


def attack(result: Run | Study, asked: RobustnessTable, fresh: bool = False) -> Run | Study:
    """Bracket how far the test samples of a run, or of every run of a study, are from falling.

    Radii are stored beside each stored run, and read back if they are there.

    **Arguments:**

    - `result`: a run or a study.
    - `asked`: norms, number of samples, and whether the published attack is run as well.
    - `fresh`: measure anew what is there.

    **Returns:** the same with `evidence.robustness`.

    **Raises:** `DataError` if there are no test samples.
    """
    if isinstance(result, Run):
        return attacked(result, asked, fresh)
    found = tuple(Entry(label, attacked(run, asked, fresh)) for label, run in result.entries)
    return replace(result, entries=found)


def save_table(study: Study) -> None:
    """Store the table of a study in its folder, as table.csv and table.nc."""
    table = study.table
    write_text(study.folder / "table.csv", to_csv(table))
    write_bytes(study.folder / "table.nc", to_netcdf(table))


def _carry_out(
    scenario: Scenario,
    places: tuple[Place, ...],
    folder: Path,
    fresh: bool,
    announce: Announce,
    crew: Crew,
) -> Study:
    ids = requested_predictions(scenario)
    tasks = [
        task._replace(fresh=fresh)
        for task, place in zip(_tasks(scenario, places), places, strict=True)
        if fresh or not _is_settled(place, ids, scenario.robustness)
    ]
    return _with_reports(folder, _computed(tasks, announce, crew))


def _tasks(scenario: Scenario, places: tuple[Place, ...]) -> list[Task]:
    points = zip(places, scenario.points(), strict=True)
    return [Task(place.label, point.scenario, place.folder) for place, point in points]


def _is_settled(place: Place, ids: Sequence[str], asked: RobustnessTable) -> bool:
    """Whether a point needs no computing, attacking or judging; its files are verified on load."""
    status = status_of(place)
    ended = status.state in (State.FINISHED, State.STOPPED) and status.reason != Reason.INTERRUPTED
    if not ended or read_findings(place.folder, ids) is None:
        return False
    return not asked.norms or read_robustness(place.folder, asked) is not None


def _computed(tasks: list[Task], announce: Announce, crew: Crew) -> list[Report]:
    """Have tasks computed: first those that are free, then those that other processes had."""
    if not tasks:
        return []
    reports = {report.label: report for report in crew(tasks, announce)}
    if not any(report.interrupted for report in reports.values()):
        # Whoever had a point computed it just now, which is fresh enough.
        left = [
            task._replace(patient=True, fresh=False) for task in tasks if reports[task.label].busy
        ]
        if left:
            reports |= {report.label: report for report in crew(left, announce)}
    return list(reports.values())


def _with_reports(folder: Path, reports: Sequence[Report]) -> Study:
    """A study as it is in its folder, and failures that could not be written there."""
    study = load(folder)
    assert isinstance(study, Study)
    told = {status.label for status in study.unanswered if status.state is State.FAILED}
    more = [
        Status(report.label, folder, State.FAILED, report.failure.text, kind=report.failure.kind)
        for report in reports
        if report.failure is not None and report.label not in told
    ]
    if not more:
        return study
    failed = {status.label for status in more}
    rest = [status for status in study.unanswered if status.label not in failed]
    return Study(study.scenario, study.entries, folder, (*rest, *more))


def _look(place: Place) -> tuple[Run | None, Status | None]:
    """The run of a point if it has one, and its status unless the run is all there is to say."""
    status = status_of(place)
    ended = status.state in (State.FINISHED, State.STOPPED)
    if not ended and not (place.folder / "manifest.json").is_file():
        return None, status
    try:
        run = store.load(place.folder)
    except RecordError as error:
        if not ended:
            return None, status
        return None, Status(place.label, place.folder, State.FAILED, str(error), kind="RecordError")
    return run, None if ended else status


def _prolong_alone(run: Run, until: float, announce: Announce) -> Run:
    if run.folder is None:
        raise RecordError(
            "`run` must be stored to be continued in its folder, but is not; use `extend`."
        )
    with held(run.folder):
        # Another process may have continued it while this one waited.
        now = store.load(run.folder)
        longer = continued(now, run.folder, until, announce("", now.scenario))
        longer = attacked(longer, longer.scenario.robustness)
        judged_in_folder(longer, requested_predictions(longer.scenario))
    return longer
