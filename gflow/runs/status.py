"""The state of every point of a study, read from their folders while they are written.

One idea: there is no list of what is done.  A point whose folder is locked is running; one with a
failure file has failed; one with a manifest has ended; any other waits.  Nothing here needs jax.
"""

import enum
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from gflow.errors import RecordError
from gflow.judges.finding import UNSOUND, Verdict
from gflow.runs import lock
from gflow.runs.failure import load_failure
from gflow.runs.findings import read_findings
from gflow.runs.index import Place, is_study, read_index
from gflow.runs.manifest import PARTS, is_run, read_manifest, verified


class State(enum.StrEnum):
    """Where a point of a study stands."""

    WAITING = "waiting"
    RUNNING = "running"
    FINISHED = "finished"
    STOPPED = "stopped early"
    FAILED = "failed"


class Status(NamedTuple):
    """A point of a study and its state."""

    label: str
    folder: Path
    state: State
    reason: str = ""
    """Why it stopped early or failed; which process computes it, if it runs."""
    t: float | None = None
    """Flow time reached."""
    seconds: float | None = None
    """Wall time of its computation; so far, if it runs."""
    verdict: str = ""
    """Verdict on Conjecture 1; empty if not judged."""
    kind: str = ""
    """Class of the error it failed with."""
    verdicts: Mapping[str, int] = {}
    """Number of predictions by verdict, as stored."""
    sound: bool = True
    """Whether nothing stored says that its numerics are not."""

    def __str__(self) -> str:
        return f"{self.label}: {self.state}" + (f", {self.reason}" if self.reason else "")

    def to_json(self) -> dict[str, object]:
        """Plain values, for `--json`."""
        values = self._asdict() | {"folder": str(self.folder)}
        return {"point": values.pop("label"), "time": values.pop("t"), **values}


def read_status(folder: str | Path) -> tuple[Status, ...]:
    """The state of every point of a study, or of a run that stands alone, its files verified.

    **Raises:** `RecordError` for a folder that is neither, or a study whose index is broken.
    """
    folder = Path(folder)
    if is_study(folder):
        return tuple(_verified(status_of(place)) for place in read_index(folder))
    alone = status_of(Place("", {}, folder))
    if alone.state is State.WAITING:
        read_manifest(folder)
    return (_verified(alone),)


def _verified(status: Status) -> Status:
    """The same, but failed if a file of a run that has ended was altered, removed or cut short."""
    if status.state is State.WAITING and any((status.folder / name).exists() for name in PARTS):
        return status._replace(reason="its folder is incomplete, and will be computed anew")
    if status.state not in (State.FINISHED, State.STOPPED):
        return status
    try:
        manifest = read_manifest(status.folder)
        for name in PARTS:
            verified(status.folder / name, manifest)
    except RecordError as error:
        return Status(status.label, status.folder, State.FAILED, str(error), kind="RecordError")
    return status


def status_of(place: Place) -> Status:
    """The state of one point."""
    label, _, folder = place
    progress = lock.holder(folder)
    if progress is not None:
        who = f"process {progress.get('pid', 'unknown')} on {progress.get('host', 'this machine')}"
        t, seconds = progress.get("t"), progress.get("seconds")
        return Status(label, folder, State.RUNNING, who, t=t, seconds=seconds)
    failure = load_failure(folder)
    if failure is not None:
        return Status(label, folder, State.FAILED, failure.text, kind=failure.kind)
    if not is_run(folder):
        return Status(label, folder, State.WAITING)
    try:
        return _ended(label, folder, read_manifest(folder))
    except (RecordError, KeyError, TypeError) as error:
        return Status(label, folder, State.FAILED, str(error), kind="RecordError")


def count(statuses: Sequence[Status]) -> dict[str, int]:
    """Number of points in each state that occurs."""
    number = Counter(status.state for status in statuses)
    return {state.value: number[state] for state in State if number[state]}


def count_verdicts(statuses: Sequence[Status]) -> dict[str, int]:
    """Number of predictions by verdict at all points, for each verdict that occurs."""
    number: Counter[str] = Counter()
    for status in statuses:
        number.update(status.verdicts)
    return {verdict.value: number[verdict] for verdict in Verdict if number[verdict]}


_COMPLETE = ("end_time", "end_loss", "end_margin")
"""Reasons of an `Outcome` of a flow that ended where it should."""


def _ended(label: str, folder: Path, manifest: dict) -> Status:
    outcome, seconds = manifest["outcome"], float(manifest["seconds"])
    complete = outcome["reason"] in _COMPLETE
    state = State.FINISHED if complete else State.STOPPED
    reason = "" if complete else outcome["reason"]
    findings = read_findings(folder) or ()
    return Status(
        label,
        folder,
        state,
        reason,
        t=float(outcome["t"]),
        seconds=seconds,
        verdict=next((f.verdict.value for f in findings if f.id == "conjecture-1"), ""),
        verdicts=dict(Counter(finding.verdict.value for finding in findings)),
        sound=not any(finding.opinion.reason.startswith(UNSOUND) for finding in findings),
    )
