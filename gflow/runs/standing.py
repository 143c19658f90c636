"""Where each prediction stands, from the verdicts stored in run and study folders."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from gflow.errors import RecordError
from gflow.judges.catalogue import ALL
from gflow.judges.finding import Finding, Verdict
from gflow.judges.prediction import Prediction
from gflow.runs.findings import read_findings
from gflow.runs.index import is_study, read_index
from gflow.runs.manifest import is_run


class Standing(NamedTuple):
    """What stored verdicts say of one prediction."""

    prediction: Prediction
    expected: str
    measured: str
    verdict: Verdict
    counts: str
    """All verdicts, such as "HOLDS 3, OUTSIDE 1"."""
    where: str
    """Name of the scenario whose folder it speaks of."""


class _Stored(NamedTuple):
    """A finding, the run or study folder it belongs to, and whether it is about all of a study."""

    finding: Finding
    folder: Path
    is_about_study: bool


_WORST_FIRST = (Verdict.FAILS, Verdict.UNDECIDED, Verdict.HOLDS, Verdict.OUTSIDE)


def standings(folders: Iterable[Path]) -> tuple[Standing, ...]:
    """Where every prediction of the catalogue stands.

    If the folder of the scenario made for a prediction is among the folders, its standing is the
    worst verdict there, otherwise the worst verdict anywhere. The verdict on a study takes
    precedence over those on its points.

    **Arguments:**

    - `folders`: run folders, study folders, or folders that hold some.

    **Raises:** `RecordError` for a folder that is neither and holds none.
    """
    stored = [one for folder in folders for one in _stored_in(folder)]
    return tuple(_standing(one, [s for s in stored if s.finding.id == one.id]) for one in ALL)


def standing_of(one: Prediction, folder: Path) -> Standing | None:
    """Where one prediction stands; None if the folder holds no runs."""
    try:
        stored = _stored_in(folder)
    except RecordError:
        return None
    return _standing(one, [s for s in stored if s.finding.id == one.id])


def _stored_in(folder: Path) -> list[_Stored]:
    if is_study(folder):
        points = [place.folder for place in read_index(folder)]
        together = read_findings(folder, None, [p for p in points if is_run(p)]) or ()
        return [
            *(_Stored(finding, folder, True) for finding in together),
            *(_Stored(f, folder, False) for point in points for f in read_findings(point) or ()),
        ]
    if is_run(folder):
        return [_Stored(finding, folder, False) for finding in read_findings(folder) or ()]
    inside = sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
    results = [path for path in inside if is_study(path) or is_run(path)]
    if not results:
        raise RecordError(
            f"{folder}: must be a run or study folder, or hold some, but is none; try `runs`."
        )
    return [one for path in results for one in _stored_in(path)]


def _standing(one: Prediction, stored: list[_Stored]) -> Standing:
    made_for_it = [s for s in stored if _scenario(s) == one.scenario] or stored
    judged = [s for s in made_for_it if s.finding.verdict is not Verdict.OUTSIDE] or made_for_it
    if not judged:
        return Standing(one, "", "not judged here", Verdict.NOT_MEASURED, counts="", where="")
    decisive = [s for s in judged if s.is_about_study] or judged
    number = Counter(s.finding.verdict for s in decisive)
    counts = ", ".join(f"{v} {number[v]}" for v in _WORST_FIRST if number[v])
    worst = min(decisive, key=_severity)
    opinion = worst.finding.opinion
    return Standing(
        one,
        opinion.expected,
        opinion.measured,
        opinion.verdict,
        counts=counts,
        where=_scenario(worst),
    )


def _scenario(stored: _Stored) -> str:
    """Name of the scenario that a folder answers; its digest follows a hyphen."""
    return stored.folder.name.rpartition("-")[0]


def _severity(stored: _Stored) -> tuple[int, bool]:
    """Sorts the worst verdicts first, and of equal ones those that a solver might have missed."""
    by_construction = "by construction" in stored.finding.opinion.reason
    return _WORST_FIRST.index(stored.finding.verdict), by_construction
