"""A run stored elsewhere on the shelf that answers the same question.

One idea: a run folder is named for its question, so a point of a grid is found wherever it lies:
in a study with fewer values, in another study that has it, or as a run that stands alone.
"""

import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from gflow.errors import RecordError
from gflow.flow.trajectory import Reason
from gflow.runs import store
from gflow.runs.files import staged
from gflow.runs.index import digest_of, is_study
from gflow.runs.manifest import FINDINGS, MANIFEST, PARTS, RADII
from gflow.runs.radii import ARRAYS
from gflow.runs.run import Run
from gflow.scenario import Scenario

_COPIED = (*PARTS, MANIFEST, FINDINGS, RADII, ARRAYS, "log.txt")


def copy_of_twin(scenario: Scenario, folder: Path) -> Run | None:
    """A finished run of the same question, copied into a folder; None if there is none.

    **Arguments:**

    - `scenario`: one flow.
    - `folder`: the run folder it belongs into, whose lock the caller holds.
    """
    for place in _places(scenario, folder):
        with suppress(RecordError):
            run = store.load(place)
            if run.outcome.reason is not Reason.INTERRUPTED and _answers(run, scenario):
                return _copied(run, place, scenario, folder)
    return None


def _places(scenario: Scenario, folder: Path) -> Iterator[Path]:
    """Other run folders beside and below the study or shelf of a folder, named for the question."""
    shelf = folder.parent.parent if is_study(folder.parent) else folder.parent
    name = f"*-{digest_of(scenario)}"
    for pattern in (f"{name}/{MANIFEST}", f"*/{name}/{MANIFEST}"):
        for path in sorted(shelf.glob(pattern)):
            if path.parent != folder and not path.parent.name.startswith("."):
                yield path.parent


def _answers(run: Run, scenario: Scenario) -> bool:
    """Whether a stored run ended where the question does; one that was continued does not."""
    return digest_of(run.scenario) == digest_of(scenario)


def _copied(run: Run, place: Path, scenario: Scenario, folder: Path) -> Run:
    """The run in its new folder; with its verdicts and radii if all that was asked is the same."""
    if run.scenario.to_toml() != scenario.to_toml():
        evidence = replace(run.evidence, scenario=scenario, robustness=None)
        log = (place / "log.txt").read_text(encoding="utf-8")
        return store.save(replace(run, evidence=evidence), folder, log)
    with staged(folder) as stage:
        for name in _COPIED:
            if (place / name).exists():
                shutil.copy2(place / name, stage / name)
    return store.load(folder)
