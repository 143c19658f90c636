"""A shelf: a folder that holds run and study folders, such as `runs`.

Nothing here needs jax.
"""

from pathlib import Path
from typing import NamedTuple

from gflow.errors import RecordError
from gflow.runs.index import is_study
from gflow.runs.lock import holder
from gflow.runs.manifest import MANIFEST, PARTS, is_run
from gflow.runs.status import State, Status, read_status

_FILES = (*PARTS, MANIFEST, "study.json", "failure.json")
"""A folder that has one of these is a run or a study, if only a broken one."""


class Result(NamedTuple):
    """A run or study folder on a shelf, and the state of its points."""

    folder: Path
    is_study: bool
    statuses: tuple[Status, ...]

    def to_json(self) -> dict[str, object]:
        """Plain values, for `--json`."""
        points = [status.to_json() for status in self.statuses]
        return {"folder": str(self.folder), "study": self.is_study, "points": points}


def is_shelf(folder: Path) -> bool:
    """Whether a folder is neither a run nor a study, but holds some, broken or not."""
    return folder.is_dir() and not is_study(folder) and not is_run(folder) and bool(_inside(folder))


def read_shelf(folder: Path) -> tuple[Result, ...]:
    """Every run and study on a shelf by name; one that is broken has failed, and says why."""
    return tuple(_result(path) for path in _inside(folder))


def _result(folder: Path) -> Result:
    try:
        return Result(folder, is_study(folder), read_status(folder))
    except RecordError as error:
        broken = Status("", folder, State.FAILED, str(error), kind="RecordError")
        return Result(folder, is_study(folder), (broken,))


def _inside(folder: Path) -> list[Path]:
    """Folders with files of gflow, and those that a process is computing and has yet to write."""
    names = {path.parent.name for name in _FILES for path in folder.glob(f"[!.]*/{name}")}
    locks = {path.name[1:].removesuffix(".lock") for path in folder.glob(".*.lock")}
    names |= {name for name in locks if holder(folder / name) is not None}
    return [folder / name for name in sorted(names)]
