"""Whether files made from stored runs are newer than everything they show."""

from collections.abc import Sequence
from pathlib import Path

from gflow.runs.manifest import MANIFEST
from gflow.runs.run import Run


def is_current(made: Sequence[Path], runs: Sequence[Run], rests_on: Sequence[str]) -> bool:
    """Whether every file was made after everything it shows was stored.

    **Arguments:**

    - `made`: the files.
    - `runs`: the runs they show; False if one of them is not stored.
    - `rests_on`: files of a run folder that they show besides the manifest, such as `FINDINGS`;
        they may be missing.
    """
    folders = [run.folder for run in runs]
    if not folders or None in folders or not all(path.is_file() for path in made):
        return False
    names = (MANIFEST, *rests_on)
    sources = [folder / name for folder in folders if folder for name in names]
    stored = [path.stat().st_mtime_ns for path in sources if path.is_file()]
    return bool(stored) and min(path.stat().st_mtime_ns for path in made) >= max(stored)
