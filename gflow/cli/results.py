"""What verbs do with a result: judge it, draw it, print it, and end with an exit code."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console, RenderableType

from gflow.cli.guard import MENDABLE, Exit
from gflow.cli.request import prediction_of

if TYPE_CHECKING:
    from gflow.judges.finding import Finding
    from gflow.judges.prediction import Prediction
    from gflow.report.card import Answer
    from gflow.runs.run import Run
    from gflow.runs.study import Study
    from gflow.scenario import Scenario


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


def draw(result: "Run | Study", console: Console) -> list[str]:
    """Store the figures of a result as png, and the table of a study.

    **Returns:** what was printed about figures that are left out.
    """
    from gflow.report import figures
    from gflow.runs import study

    study.save_table(result)
    notes: list[str] = []
    if result.entries:
        figures.draw(result, home_of(result) / "figures", tell=notes.append, keep=True, pdf=False)
    for note in notes:
        console.print(note, markup=False)  # sentences name [vary]
    return notes


def report(
    result: "Run | Study", findings: "dict[str, tuple[Finding, ...]]", as_json: bool, quiet: bool
) -> None:
    """Print the cards of all runs and the verdicts, or one JSON value."""
    from gflow.report.card import Answer, unanswered_lines
    from gflow.report.radii_table import robustness_table, rows_of

    rows = rows_of(result.entries)
    between = [robustness_table(rows)] if rows and not quiet else []
    _print_answer(Answer.of(result, findings), as_json, quiet, between=between)
    if not as_json:
        terminal().print(unanswered_lines(result.unanswered))


def _print_answer(
    answer: "Answer", as_json: bool, quiet: bool, *, between: Sequence[RenderableType] = ()
) -> None:
    """Print an answer, with `between` before the verdicts."""
    from gflow.report.card import run_card, verdict_table

    if as_json:
        print_json(answer.rows)
        return
    console = terminal()
    for title, rows in () if quiet else answer.cards:
        console.print(run_card(title, rows))
    for part in between:
        console.print(part)
    console.print(verdict_table(answer.findings))


def keep(
    result: "Run | Study", findings: "dict[str, tuple[Finding, ...]]", notes: Sequence[str]
) -> None:
    """Keep the answer in its folder if it is final; `notes` were printed about its figures."""
    from gflow.report.card import Answer
    from gflow.runs.answer import keep_answer

    runs = [run for _, run in result.entries]
    if result.unanswered or any(
        run.outcome.reason == "interrupted" or run.evidence.robustness for run in runs
    ):
        return
    answer, home = Answer.of(result, findings), home_of(result)
    made = [*home.glob("figures/*"), *home.glob("table.*")]
    values = {**answer._asdict(), "notes": [*notes], "code": exit_code(result, findings)}
    keep_answer(home, result.scenario, values, made)


def repeat(folder: Path, scenario: "Scenario | None", as_json: bool, quiet: bool) -> int | None:
    """Print the answer that is kept in a folder, without reading its runs.

    **Arguments:**

    - `folder`: of a run or a study.
    - `scenario`: the question; None for that in the folder.

    **Returns:** the exit code; None if there is no answer that is still true.
    """
    from gflow.report.card import Answer
    from gflow.runs.answer import read_answer

    values = read_answer(folder, scenario)
    if values is None:
        return None
    _print_answer(Answer(values["cards"], values["rows"]), as_json, quiet)
    console = terminal(quiet or as_json)
    for note in values["notes"]:
        console.print(note, markup=False)
    console.print(where_figures_are(folder), soft_wrap=True)
    return Exit(values["code"])


def where_figures_are(folder: Path) -> str:
    """Where the figures of a result are, and how to get others."""
    return f"Figures are in {folder / 'figures'}; `gflow plot {folder}` draws pdf too."


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
