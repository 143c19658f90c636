"""What a person was told of a finished question, kept so that it can be told again at once.

One idea: telling it again needs no run to be read, so it takes as long as to verify that nothing
has changed since: the question, gflow's code, every file of every run, the verdicts, and the files
that were made of them.  Otherwise it is no answer, and the runs are read.  Nothing here needs jax.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from gflow import __version__
from gflow.errors import RecordError
from gflow.runs.code import code_hash
from gflow.runs.index import Place, is_study, read_index
from gflow.runs.manifest import FINDINGS, MANIFEST, PARTS, RADII, read_manifest, verified
from gflow.runs.sealed import read_sealed, seal_of, write_sealed
from gflow.runs.status import State, status_of
from gflow.scenario import Scenario

ANSWER = "answer.json"


def keep_answer(
    folder: Path, scenario: Scenario, values: Mapping[str, object], made: Sequence[Path]
) -> None:
    """Keep an answer in the folder of the run or study it is about.

    **Arguments:**

    - `folder`: a run or study folder.
    - `scenario`: the question.
    - `values`: the answer, as plain values.
    - `made`: files that were made with it, such as figures; it is no answer without them.
    """
    files = {path.relative_to(folder).as_posix(): _touched(path) for path in made}
    write_sealed(
        folder / ANSWER,
        {"about": _about(folder, scenario.to_toml()), "made": files, "answer": dict(values)},
    )


def read_answer(folder: Path, scenario: Scenario | None = None) -> dict | None:
    """The answer that is kept in a folder; None if there is none, or anything changed since.

    **Arguments:**

    - `folder`: a run or study folder, which may not exist.
    - `scenario`: the question; None for that in the folder.
    """
    try:
        values = read_sealed(folder / ANSWER)
        question = (folder / "scenario.toml").read_text(encoding="utf-8")
        if scenario is not None and scenario.to_toml() != question:
            return None
        made = values["made"]
        unchanged = values["about"] == _about(folder, question) and made == {
            name: _touched(folder / name) for name in made
        }
        return values["answer"] if unchanged else None
    except (OSError, RecordError, KeyError, TypeError, ValueError):
        return None


def _about(folder: Path, question: str) -> dict[str, object]:
    """What an answer rests on, every file of it verified.

    **Raises:** `RecordError` if one was altered, or a point is not finished.
    """
    study = is_study(folder)
    places = read_index(folder) if study else (Place("", {}, folder),)
    return {
        "gflow": __version__,
        "code": code_hash("cli"),
        "folder": str(folder),
        "question": question,
        "study": _seals(folder, (FINDINGS,)) if study else [],
        "runs": [_run(place) for place in places],
    }


def _run(place: Place) -> list[str]:
    """Seals of a run that has ended, the files in its manifest verified."""
    # Seals first: of an altered file nothing is said here, but where the runs are read instead.
    seals = _seals(place.folder, (MANIFEST, FINDINGS, RADII))
    if status_of(place).state not in (State.FINISHED, State.STOPPED):
        raise RecordError(f"{place.folder}: must have ended, but has not; run it again.")
    manifest = read_manifest(place.folder)
    for name in PARTS:
        verified(place.folder / name, manifest)
    return seals


def _seals(folder: Path, names: Sequence[str]) -> list[str]:
    """Seals of sealed files, verified; those that are missing have none."""
    present = [folder / name for name in names if (folder / name).exists()]
    for path in present:
        read_sealed(path)
    return [f"{path.name} {seal_of(path)}" for path in present]


def _touched(path: Path) -> list[int]:
    """Size of a file, and when it was last written."""
    stat = path.stat()
    return [stat.st_size, stat.st_mtime_ns]
