"""The index of a study: its points, and the run folder of each.

One idea: the index is written once, before the first point, and never again.  The state of a point
is read from its own folder (see `gflow.runs.status`), so any number of processes can work on a
study while others watch.
"""

import functools
import hashlib
from pathlib import Path
from typing import Any, NamedTuple

from gflow.errors import DataError, RecordError, ScenarioError
from gflow.runs.files import checksum, write_text
from gflow.runs.sealed import read_sealed, write_sealed
from gflow.scenario import Scenario, parse_scenario

_INDEX = "study.json"

_LONGEST = 160
"""Longest part of a label that names a folder; file systems allow names of 255 bytes."""


class Place(NamedTuple):
    """A point of a study, and where its run is stored."""

    label: str
    """Varied keys and their values, such as "power=3"; empty for a run that stands alone."""
    varied: dict[str, Any]
    """Values by varied key."""
    folder: Path


def home(scenario: Scenario, root: Path) -> Path:
    """The folder in which a scenario is answered."""
    return root / f"{scenario.name}-{digest_of(scenario)}"


def is_study(folder: Path) -> bool:
    """Whether a folder holds a study rather than a run."""
    return (folder / _INDEX).is_file()


def write_index(scenario: Scenario, folder: Path) -> tuple[Place, ...]:
    """Begin or resume a study: write its scenario and the places of its points."""
    places = tuple(
        Place(p.label, p.varied, folder / f"{p.label[:_LONGEST]}-{digest_of(p.scenario)}")
        for p in scenario.points()
    )
    rows = [{"label": p.label, "varied": p.varied, "folder": p.folder.name} for p in places]
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / "scenario.toml", scenario.to_toml())
    write_sealed(folder / _INDEX, {"name": scenario.name, "points": rows})
    return places


def read_index(folder: Path) -> tuple[Place, ...]:
    """The points of a study in the order of its grid, whatever their state.

    **Raises:** `RecordError` for an index that was altered, cut short, or is from another version.
    """
    rows = read_sealed(folder / _INDEX, "run its scenario again, finished points are kept")[
        "points"
    ]
    return tuple(Place(row["label"], row["varied"], folder / row["folder"]) for row in rows)


def read_study_scenario(folder: Path, places: tuple[Place, ...]) -> Scenario:
    """The scenario of a study, resolved when it began.

    **Raises:** `RecordError` if its points are not those of the index.
    """
    path = folder / "scenario.toml"
    try:
        scenario = parse_scenario(path.read_text(encoding="utf-8"), str(path))
        if [point.label for point in scenario.points()] != [place.label for place in places]:
            raise ValueError("its points are not those of study.json")
    except (OSError, ValueError, ScenarioError) as error:
        raise RecordError(
            f"{path}: must be the scenario of the study, but is not ({error}); run its scenario "
            "file again, finished points are kept."
        ) from None
    return scenario


def verify_question(scenario: Scenario, folder: Path) -> None:
    """Refuse to compute a point whose question is no longer the one that its folder is named for.

    **Raises:** `DataError` if the samples changed; `RecordError` if the question, or the
    numerics, did.
    """
    if folder.name.endswith(f"-{digest_of(scenario)}"):
        return
    if files := scenario.data.files:
        place = files[0].parent if files[1:] else files[0]
        raise DataError(
            f"{place}: must be as it was when the study began, but has changed or is "
            "missing; put it back, or run the scenario file again for a new study."
        )
    raise RecordError(
        f"{folder}: must be named for its question, but the question or gflow's numerics changed "
        "since; run the scenario file again for a new study."
    )


def digest_of(scenario: Scenario) -> str:
    """Short hash of a question: data, network, flow, record, seed, and the points of a grid."""
    if not scenario.is_grid:
        return scenario.digest(data_checksum(scenario))
    parts = [f"{point.label}:{digest_of(point.scenario)}" for point in scenario.points()]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:8]


def data_checksum(scenario: Scenario) -> str:
    """Checksums of the files that samples are read from; empty if there are none or one is gone."""
    try:
        files = [(path, path.stat()) for path in scenario.data.files]
    except (DataError, OSError):
        return ""
    return "+".join(_checksum(path, stat.st_mtime_ns, stat.st_size) for path, stat in files)


@functools.lru_cache(maxsize=64)
def _checksum(path: Path, modified: int, size: int) -> str:
    """Checksum of a file of samples, computed once for all points that share it."""
    return checksum(path)
