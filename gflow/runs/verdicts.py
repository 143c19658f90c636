"""Verdicts of the catalogue about runs and studies.

A verdict takes seconds and changes with its judge, so it is stored beside what it is about and read
back as long as both are the same (see `gflow.runs.findings`).
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import overload

import jax

from gflow.errors import ScenarioError
from gflow.judges.catalogue import CATALOGUE, check_study, named
from gflow.judges.catalogue import check as check_evidence
from gflow.judges.finding import Finding, Findings
from gflow.judges.prediction import Prediction
from gflow.runs.findings import read_findings, save_findings
from gflow.runs.point import judged_in_folder, requested_predictions
from gflow.runs.run import Run
from gflow.runs.status import State
from gflow.runs.study import Study
from gflow.runs.watch import Stage, unstaged


@overload
def check(result: Run, ids: Sequence[str] | None = None) -> Findings: ...


@overload
def check(result: Study, ids: Sequence[str] | None = None) -> dict[str, Findings]: ...


def check(result: Run | Study, ids: Sequence[str] | None = None) -> Findings | dict[str, Findings]:
    """Judge a run, or every run of a study, by the catalogue; simulates nothing, writes nothing.

    **Arguments:**

    - `result`: a run or a study.
    - `ids`: predictions to judge, by id or number; None for those the scenario asks for.

    **Returns:** the findings of a run; of a study, those of every point by its label, and those
    about all points together under "".

    **Raises:** `ScenarioError` for a name that is no prediction's.
    """
    rows_by_label = judge(result, None if ids is None else [_id_of(name) for name in ids])
    findings = {label: Findings(rows) for label, rows in rows_by_label.items()}
    return findings[""] if isinstance(result, Run) else findings


def _id_of(name: str) -> str:
    one = named(name)
    if one is None:
        known = ", ".join(CATALOGUE)
        raise ScenarioError((f"`ids` must be predictions, but {name!r} is none; try {known}.",))
    return one.id


def judge(
    result: Run | Study,
    ids: Sequence[str] | None = None,
    own: Sequence[Prediction] = (),
    stage: Stage = unstaged,
) -> dict[str, tuple[Finding, ...]]:
    """Findings by point label; "" for a run that stands alone, and for a study as a whole.

    **Arguments:**

    - `result`: a run or a study.
    - `ids`: predictions to judge; None for those the scenario asks for.
    - `own`: predictions of the caller's, besides those of the catalogue.
    - `stage`: called with the name of each stage that begins.
    """
    chosen = requested_predictions(result.scenario) if ids is None else ids
    with jax.enable_x64(True):
        findings: dict[str, tuple[Finding, ...]] = {}
        for label, run in result.entries:
            stage(f"judging {label}".strip())
            findings[label] = check_evidence(run.evidence, chosen, own)
        if isinstance(result, Run):
            return findings
        stage("judging all points together")
        alone = list(findings.values())
        evidences = [run.evidence for run in result.runs]
        return findings | {"": check_study(evidences, chosen, own, alone)}


def keep(result: Run | Study, findings: Mapping[str, tuple[Finding, ...]]) -> None:
    """Store findings of `judge`, about all that the scenario asks for, beside a stored result."""
    ids = requested_predictions(result.scenario)
    for label, run in result.entries:
        if run.folder is not None:
            save_findings(run.folder, findings[label], ids)
    if isinstance(result, Study):
        save_findings(result.folder, findings[""], ids, _folders(result))


def judged(result: Run | Study, stage: Stage = unstaged) -> dict[str, tuple[Finding, ...]]:
    """Findings by point label, read from each run folder, or judged and stored there.

    A point that failed has none.  Those about a study as a whole have the label "".

    **Arguments:**

    - `result`: a run or a study.
    - `stage`: called with the name of each stage that begins.
    """
    ids = requested_predictions(result.scenario)
    if isinstance(result, Run):
        return {"": judged_in_folder(result, ids)}
    hopeless = {status.label for status in result.unanswered if status.state is State.FAILED}
    findings: dict[str, tuple[Finding, ...]] = {}
    for label, run in result.entries:
        stage(f"judging {label}")
        findings[label] = () if label in hopeless else judged_in_folder(run, ids)
    stage("judging all points together")
    return findings | {"": _judged_together(result, ids, list(findings.values()))}


def _judged_together(
    study: Study, ids: Sequence[str], alone: Sequence[Sequence[Finding]]
) -> tuple[Finding, ...]:
    """Findings about the runs of a study together, from its folder if they are current.

    `alone` are those about each run by itself.
    """
    runs = _folders(study)
    stored = read_findings(study.folder, ids, runs) if runs else ()
    if stored is not None:
        return stored
    with jax.enable_x64(True):
        findings = check_study([run.evidence for run in study.runs], ids, alone=alone)
    save_findings(study.folder, findings, ids, runs)
    return findings


def _folders(study: Study) -> list[Path]:
    return [run.folder for run in study.runs if run.folder is not None]
