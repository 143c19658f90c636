"""The verb `check`: verdicts on a stored run, judged again."""

from typing import Annotated

import typer

from gflow.cli.guard import guarded
from gflow.cli.names import PREDICTIONS
from gflow.cli.options import All, Folder, Json, OwnPredictions, Quiet
from gflow.cli.request import prediction_of, predictions_in, refuse
from gflow.cli.results import (
    Form,
    by_own,
    exit_code,
    judge_anew,
    print_next,
    report,
    store,
    terminal,
)


@guarded
def check(
    folder: Folder,
    *,
    only: Annotated[
        list[str] | None,
        typer.Option(
            help="Judge only this prediction; repeatable.", autocompletion=lambda: list(PREDICTIONS)
        ),
    ] = None,
    explain: Annotated[
        str | None,
        typer.Option(
            metavar="P13",
            help="Explain one prediction and its verdicts.",
            autocompletion=lambda: list(PREDICTIONS),
        ),
    ] = None,
    with_: OwnPredictions = None,
    whole: All = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> int:
    """Judge a stored run again, without simulating."""
    from gflow.report.progress import telling

    refuse(explain and as_json, "--json", "--explain, which is prose")
    form = Form(as_json, quiet, whole)
    with telling(terminal(quiet=not form.is_text)) as tell:
        from gflow.report.card import Answer, verdict_table
        from gflow.runs import study

        tell.stage(f"reading {folder}")
        result = study.load(folder)
        own = predictions_in(with_)
        findings = judge_anew(result, only or ([explain] if explain else None), own, tell.stage)
        tell.stage("summing up")
        answer = Answer.of(result, findings)
    code = exit_code(result, findings, answer.headline["sound"])

    # Printed before they are stored, since a folder may be read-only.
    if explain is not None:
        from gflow.report.theory_table import explanation

        terminal().print(explanation(prediction_of(explain, own), findings))
    elif form.is_text and only is not None:
        terminal().print(verdict_table(findings))
    else:
        report(result, answer, form)
        if form.is_text:
            terminal().print(verdict_table({} if whole else by_own(findings, own)))
            print_next(answer, figures=(folder / "figures").is_dir())
    if only is None and explain is None:
        store(result, findings, own)
    return code
