"""Verdicts stored beside what they are about, and when they may be used again.

One idea: a stored verdict names who judged what: the judges by a hash of all code they may run, the
predictions by id, a run by the seal of its manifest, a study by the seals of its runs.  Where
one of them differs, it is judged anew.
"""

from collections.abc import Sequence
from pathlib import Path

from gflow import __version__
from gflow.errors import RecordError
from gflow.judges.finding import Finding, Opinion, Verdict
from gflow.laws.hypothesis import Hypothesis
from gflow.runs.code import code_hash
from gflow.runs.manifest import FINDINGS, MANIFEST, RADII
from gflow.runs.sealed import read_sealed, seal_of, warn_unused, write_sealed


def save_findings(
    folder: Path,
    findings: Sequence[Finding],
    ids: Sequence[str] | None = None,
    runs: Sequence[Path] = (),
) -> None:
    """Store verdicts beside the run or study they are about.

    **Arguments:**

    - `folder`: a run or study folder.
    - `findings`: the verdicts.
    - `ids`: predictions that were judged, some of which may not be about this; None for those of
        the verdicts.
    - `runs`: run folders of a study.
    """
    judged = [finding.id for finding in findings] if ids is None else ids
    stamp = _stamp(folder, judged, runs)
    rows = [finding.to_json() for finding in findings]
    write_sealed(folder / FINDINGS, {"judged_by": stamp, "findings": rows})


def read_findings(
    folder: Path, ids: Sequence[str] | None = None, runs: Sequence[Path] = ()
) -> tuple[Finding, ...] | None:
    """Stored verdicts; None if there are none that are about the run or study as it is now.

    Warns if they were altered or cut short.

    **Arguments:**

    - `folder`: a run or study folder.
    - `ids`: predictions that must have been judged, by the judges of today; None takes whatever was
        judged, whenever that was.
    - `runs`: run folders of a study.
    """
    try:
        values = read_sealed(folder / FINDINGS, "its verdicts are not used and are judged anew")
        findings = tuple(finding_of(row) for row in values["findings"])
        stamp, today = values["judged_by"], _stamp(folder, ids or [], runs)
        same = stamp == today if ids is not None else stamp["about"] == today["about"]
    except RecordError as error:
        warn_unused(error)
        return None
    except (OSError, KeyError, TypeError, ValueError):
        return None
    return findings if same else None


def read_verdicts(folder: Path) -> dict[str, str]:
    """Stored verdicts by prediction; empty if there are none about the run as it is now."""
    return {finding.id: finding.verdict.value for finding in read_findings(folder) or ()}


def _stamp(folder: Path, ids: Sequence[str], runs: Sequence[Path]) -> dict[str, object]:
    return {
        "gflow": __version__,
        "judges": code_hash("judges"),
        "ids": list(ids),
        "about": [seal for run in runs or (folder,) for seal in _seals(run)],
    }


def _seals(run: Path) -> list[str]:
    """Seals of what a verdict about a run rests on: the run, and its radii if there are any."""
    seals = [seal_of(run / name) for name in (MANIFEST, RADII)]
    return seals if seals[1] else seals[:1]


def finding_of(row: dict) -> Finding:
    """A finding from its plain values, the inverse of `Finding.to_json`."""
    bracket = row["bracket"]
    opinion = Opinion(
        Verdict(row["verdict"]),
        row["expected"],
        row["measured"],
        row["reason"],
        bracket=None if bracket is None else (float(bracket[0]), float(bracket[1])),
        details=dict(row["details"]),
        hypotheses=tuple(Hypothesis(**hypothesis) for hypothesis in row["hypotheses"]),
    )
    return Finding(row["id"], row["statement"], row["source"], opinion)
