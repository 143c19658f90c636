"""What verbs do with a result: judge it, draw it, print it, and end with an exit code."""

import functools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from gflow.cli.guard import MENDABLE, Exit
from gflow.cli.request import prediction_of

if TYPE_CHECKING:
    from gflow.judges.finding import Finding
    from gflow.judges.prediction import Prediction
    from gflow.runs.run import Run
    from gflow.runs.study import Study


def print_json(value: object) -> None:
    """Print plain values as one JSON value."""
    print(json.dumps(value, indent=2, ensure_ascii=False))


def terminal(quiet: bool = False) -> Console:
    """The terminal at its width; 120 columns for a file or a pipe."""
    console = Console(quiet=quiet)
    return console if console.is_terminal else Console(quiet=quiet, width=120)


def judge_anew(
    result: "Run | Study", only: list[str] | None, own: "Sequence[Prediction]"
) -> "dict[str, tuple[Finding, ...]]":
    """Judge a stored result anew: by some predictions, or by its scenario's and the user's own."""
    from gflow.runs import verdicts

    if only is not None:
        return verdicts.judge(result, [prediction_of(name, own).id for name in only], own)
    of_scenario = verdicts.judge(result)
    of_user = verdicts.judge(result, [one.id for one in own], own) if own else {}
    return {label: (*rows, *of_user.get(label, ())) for label, rows in of_scenario.items()}


def store(
    result: "Run | Study",
    findings: "dict[str, tuple[Finding, ...]]",
    own: "Sequence[Prediction]",
) -> None:
    """Store verdicts, except on the user's predictions, and the table of a study."""
    from gflow.runs import study, verdicts

    ids = {one.id for one in own}
    verdicts.keep(
        result,
        {label: tuple(f for f in rows if f.id not in ids) for label, rows in findings.items()},
    )
    study.save_table(result)


def draw(result: "Run | Study", console: Console) -> None:
    """Store the figures of a result as png, and the table of a study."""
    from gflow.report import figures
    from gflow.runs import study

    study.save_table(result)
    if result.entries:
        tell = functools.partial(console.print, markup=False)  # sentences name [vary]
        figures.draw(result, home_of(result) / "figures", tell=tell, keep=True, pdf=False)


def report(
    result: "Run | Study", findings: "dict[str, tuple[Finding, ...]]", as_json: bool, quiet: bool
) -> None:
    """Print the cards of all runs and the verdicts, or one JSON value."""
    from gflow.report.card import run_card, to_json, unanswered_lines, verdict_table
    from gflow.report.radii_table import robustness_table, rows_of

    if as_json:
        print_json(to_json(result, findings))
        return
    console = terminal()
    if not quiet:
        for label, run in result.entries:
            console.print(run_card(label, run))
        if rows := rows_of(result.entries):
            console.print(robustness_table(rows))
    console.print(verdict_table(findings))
    console.print(unanswered_lines(result.unanswered))


def exit_code(result: "Run | Study", findings: "dict[str, tuple[Finding, ...]]") -> int:
    """The worst exit code of the points and of the verdicts."""
    failed = (point for point in result.unanswered if point.state == "failed")
    codes = [Exit.OK, *(MENDABLE.get(point.kind, Exit.INTERNAL) for point in failed)]
    for _, run in result.entries:
        if run.outcome.reason == "interrupted":
            codes.append(Exit.INTERRUPTED)
        elif not run.outcome.complete:
            codes.append(Exit.STOPPED)
    if any(finding.verdict == "FAILS" for rows in findings.values() for finding in rows):
        codes.append(Exit.FAILS)
    return max(codes, key=list(Exit).index)


def home_of(result: "Run | Study") -> Path:
    """The folder of a stored result."""
    assert result.folder is not None, "it was just stored"
    return result.folder
