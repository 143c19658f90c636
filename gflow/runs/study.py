"""Runs and studies in their folders: answer a scenario, load, check.

One idea: a scenario of one flow and a scenario of many are used by the same verbs.  The same
question lands in the same folder, so a finished answer is not computed twice.

    RUNS/quickstart-1a2b3c4d/            a study
        study.json                       its points: label, varied keys, folder
        scenario.toml                    its scenario, resolved
        power=1-5e6f7a8b/                a run folder a point (see `gflow.runs.record`)
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, overload

import jax

from gflow.errors import RecordError
from gflow.flow.trajectory import Reason
from gflow.runs import record
from gflow.runs.experiment import Progress, Run, extend, simulate
from gflow.scenario import Scenario, parse_scenario
from gflow.theory.finding import Finding
from gflow.theory.predictions import check as check_evidence


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
    folder: Path

    def __repr__(self) -> str:
        return "\n".join(f"{label}: {run!r}" for label, run in self.entries)

    @property
    def runs(self) -> tuple[Run, ...]:
        """The runs alone."""
        return tuple(entry.run for entry in self.entries)

    def __getitem__(self, label: str) -> Run:
        """The run of one point, by its label."""
        for entry in self.entries:
            if entry.label == label:
                return entry.run
        raise KeyError(f"no point {label!r}; there are {[e.label for e in self.entries]}")


Announce = Callable[[str, Scenario], Callable[[Progress], None]]
"""Told the label and scenario of a point about to be computed; gives what to call at each step."""


def answer(scenario: Scenario, root: Path, fresh: bool, announce: Announce) -> Run | Study:
    """Carry out a scenario and store it under `root`; what is there already is read back.

    **Arguments:**

    - `scenario`: one flow or a grid.
    - `root`: folder that holds runs and studies.
    - `fresh`: compute anew what is there already.
    - `announce`: called before each flow that is computed.

    **Returns:** a `Run`, or a `Study` for a grid. Ctrl-C ends a grid after the point under way,
    which is kept as far as it came.

    **Raises:** `DataError`, `PrecisionError`, `RecordError`.
    """
    if not scenario.is_grid:
        return _answer_point(scenario, "", root / _folder_name(scenario), fresh, announce)
    folder = root / _folder_name(scenario)
    entries: list[Entry] = []
    for point in scenario.points():
        place = folder / f"{point.label}-{_digest(point.scenario)}"
        entries.append(
            Entry(point.label, _answer_point(point.scenario, point.label, place, fresh, announce))
        )
        _save_index(scenario, entries, folder)
        if entries[-1].run.outcome.reason is Reason.INTERRUPTED:
            break
    return Study(scenario, tuple(entries), folder)


def prolong(result: Run | Study, until: float, announce: Announce) -> Run | Study:
    """Continue every run of `result` to flow time `until`, in its own folder."""
    if isinstance(result, Run):
        return _prolong_run(result, "", until, announce)
    longer = tuple(
        Entry(label, _prolong_run(run, label, until, announce)) for label, run in result.entries
    )
    return Study(result.scenario, longer, result.folder)


def entries(result: Run | Study) -> tuple[Entry, ...]:
    """The runs of a result with their labels; a run that stands alone has the label ""."""
    return (Entry("", result),) if isinstance(result, Run) else result.entries


def load(folder: str | Path) -> Run | Study:
    """Read a run or a study back from its folder; never simulates.

    **Raises:** `RecordError` naming what is missing, foreign, cut short, altered or too new.
    """
    folder = Path(folder)
    index = folder / "study.json"
    if not index.is_file():
        return record.load(folder)
    try:
        rows = json.loads(index.read_text(encoding="utf-8"))["points"]
        scenario = parse_scenario((folder / "scenario.toml").read_text(encoding="utf-8"))
        places = [(row["label"], folder / row["folder"]) for row in rows]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RecordError(
            f"{index}: must list the points of a study, but cannot be read ({error}); run its "
            "scenario again, finished points are kept."
        ) from None
    return Study(
        scenario, tuple(Entry(label, record.load(place)) for label, place in places), folder
    )


def judge(result: Run | Study, ids: Sequence[str] | None = None) -> dict[str, tuple[Finding, ...]]:
    """Findings by point label ("" for a run that stands alone); see `check`."""
    with jax.enable_x64(True):
        return {label: check_evidence(run.evidence, ids) for label, run in entries(result)}


@overload
def check(result: Run, ids: Sequence[str] | None = None) -> tuple[Finding, ...]: ...


@overload
def check(result: Study, ids: Sequence[str] | None = None) -> dict[str, tuple[Finding, ...]]: ...


def check(
    result: Run | Study, ids: Sequence[str] | None = None
) -> tuple[Finding, ...] | dict[str, tuple[Finding, ...]]:
    """Judge a run, or every run of a study, by the catalogue; simulates nothing, writes nothing.

    **Arguments:**

    - `result`: a run or a study.
    - `ids`: predictions to judge; None for those the scenario asks for.

    **Returns:** the findings of a run; of a study, those of every point by its label.
    """
    findings = judge(result, ids)
    return findings[""] if isinstance(result, Run) else findings


def _answer_point(
    scenario: Scenario, label: str, folder: Path, fresh: bool, announce: Announce
) -> Run:
    if not fresh and (folder / "manifest.json").is_file():
        stored = record.load(folder)
        if stored.outcome.complete:
            return stored
    log = _Log(announce(label, scenario))
    return record.save(simulate(scenario, log), folder, log.text)


def _prolong_run(run: Run, label: str, until: float, announce: Announce) -> Run:
    if run.folder is None:
        raise RecordError("`run` must be stored to be continued in its folder; use `extend`.")
    log = _Log(announce(label, run.scenario))
    before = (run.folder / "log.txt").read_text(encoding="utf-8")
    return record.save(extend(run, until, log), run.folder, before + log.text)


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


def _folder_name(scenario: Scenario) -> str:
    return f"{scenario.name}-{_digest(scenario)}"


def _digest(scenario: Scenario) -> str:
    """Short hash of the question: data, network, flow, record, seed, and the points of a grid."""
    if not scenario.is_grid:
        return scenario.digest(_data_checksum(scenario))
    parts = [f"{point.label}:{_digest(point.scenario)}" for point in scenario.points()]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:8]


def _data_checksum(scenario: Scenario) -> str:
    if scenario.data.kind != "file" or not Path(scenario.data.path).is_file():
        return ""
    return record.checksum(Path(scenario.data.path))


def _save_index(scenario: Scenario, done: list[Entry], folder: Path) -> None:
    varied = {point.label: point.varied for point in scenario.points()}
    rows = [
        {"label": label, "varied": varied[label], "folder": run.folder.name}
        for label, run in done
        if run.folder is not None
    ]
    record.write_text(folder / "scenario.toml", scenario.to_toml())
    record.write_json(
        folder / "study.json",
        {"program": "gflow", "format": record.FORMAT, "name": scenario.name, "points": rows},
    )
