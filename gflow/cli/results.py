"""What verbs do with a result: judge it, draw it, print it, and end with an exit code."""

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from rich.console import Console, RenderableType

from gflow.cli.guard import MENDABLE, Exit
from gflow.cli.request import prediction_of
from gflow.runs.status import State, Status
from gflow.runs.watch import Stage

if TYPE_CHECKING:
    from gflow.judges.finding import Finding
    from gflow.judges.prediction import Prediction
    from gflow.report.card import Answer
    from gflow.runs.run import Run
    from gflow.runs.study import Study
    from gflow.scenario import Scenario

NARROWEST = 60
"""Columns at which an answer is still laid out; a terminal that has fewer breaks its lines."""


def print_json(value: object) -> None:
    """Print plain values as one JSON value."""
    unicode = (sys.stdout.encoding or "").lower().startswith("utf")
    print(json.dumps(value, indent=2, ensure_ascii=not unicode))


def terminal(quiet: bool = False) -> Console:
    """The terminal at its width; 120 columns for a file or a pipe."""
    console = _Terminal(quiet=quiet)
    return console if console.is_terminal else _Terminal(quiet=quiet, width=120)


class _Terminal(Console):
    """A console that leaves a reader who is gone to `gflow.cli.guard`."""

    def on_broken_pipe(self) -> None:
        """Where rich would end the process with exit code 1."""
        raise BrokenPipeError


def spoken(console: Console) -> Callable[[str], None]:
    """How a sentence gets to a person while progress is shown; to stderr where none is."""
    from gflow.report.progress import draws_bars

    if draws_bars(console) and not console.quiet:
        return lambda text: console.print(text, markup=False, highlight=False)
    return lambda text: print(text, file=sys.stderr, flush=True)


def interrupted(result: "Run | Study") -> list[str]:
    """Where Ctrl-C ended the flow of a result, in a sentence."""
    return [
        f"Interrupted{f' {label}' if label else ''} at t = {run.outcome.t:.4g}; finished points "
        "are kept, and the same command goes on from here."
        for label, run in result.entries
        if run.outcome.reason == "interrupted"
    ]


def judge_anew(
    result: "Run | Study",
    only: list[str] | None,
    own: "Sequence[Prediction]",
    stage: Stage,
) -> "dict[str, tuple[Finding, ...]]":
    """Judge a stored result anew: by some predictions, or by its scenario's and the user's own."""
    from gflow.runs import verdicts

    if only is not None:
        ids = [prediction_of(name, own).id for name in only]
        return verdicts.judge(result, ids, own, stage)
    of_scenario = verdicts.judge(result, stage=stage)
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


def by_own(
    findings: "dict[str, tuple[Finding, ...]]", own: "Sequence[Prediction]"
) -> "dict[str, tuple[Finding, ...]]":
    """The findings of the user's predictions."""
    ids = {one.id for one in own}
    return {label: tuple(f for f in rows if f.id in ids) for label, rows in findings.items()}


def draw(result: "Run | Study", stage: Stage) -> list[str]:
    """Store the figures of a result as png, and the table of a study.

    **Returns:** what there is to say about figures that are left out.
    """
    from gflow.api.answer import store_figures

    notes: list[str] = []
    store_figures(result, stage, notes.append)
    return notes


class Form(NamedTuple):
    """How much of an answer is printed, and in which form."""

    as_json: bool = False
    quiet: bool = False
    whole: bool = False

    @property
    def is_text(self) -> bool:
        """Whether a person is told more than one line per point."""
        return not (self.as_json or self.quiet)


def report(result: "Run | Study", answer: "Answer", form: Form) -> None:
    """Print an answer that was just found, with the radii of its runs if there are any."""
    from gflow.report.card import unanswered_lines
    from gflow.report.headline_lines import MOST_LINES
    from gflow.report.radii_table import robustness_table, rows_of

    rows = rows_of(result.entries)
    shown = form.whole or len(rows) <= MOST_LINES
    _print_answer(answer, form, [robustness_table(rows)] if rows and shown else [])
    if form.is_text and form.whole:
        terminal().print(unanswered_lines(result.unanswered))


def _print_answer(answer: "Answer", form: Form, radii: Sequence[RenderableType] = ()) -> None:
    """Print an answer: as JSON, in one line per point, or in some dozen lines after the rest."""
    from gflow.report.card import run_card, verdict_table
    from gflow.report.headline import Headline
    from gflow.report.headline_lines import headline_lines, quiet_lines

    if form.as_json:
        print_json(answer.to_json())
        return
    console, headline = terminal(), Headline.from_json(answer.headline)
    if form.quiet:
        print_lines(quiet_lines(headline))
        return
    parts: list[RenderableType] = []
    if form.whole:
        parts += [run_card(title, rows) for title, rows in answer.cards]
        parts.append(verdict_table(answer.findings))
    for part in [*parts, *radii]:
        console.print(part)
    print_lines(headline_lines(headline, max(console.width, NARROWEST)))


def print_next(answer: "Answer", *, figures: bool) -> None:
    """Print where figures are, and what to type next."""
    from gflow.report.headline import Headline
    from gflow.report.headline_lines import next_lines

    print_lines(["", *next_lines(Headline.from_json(answer.headline), figures)])


def print_lines(lines: Sequence[str]) -> None:
    """Print lines as they are, with verdicts in color on a terminal."""
    from gflow.report.card import colored

    console = terminal()
    for line in lines:
        console.print(colored(line), soft_wrap=True)


def keep(result: "Run | Study", answer: "Answer", code: int, notes: Sequence[str]) -> None:
    """Keep the answer in its folder if it is final; `notes` were printed about its figures."""
    from gflow.runs.answer import keep_answer

    runs = [run for _, run in result.entries]
    if result.unanswered or any(
        run.outcome.reason == "interrupted" or run.evidence.robustness for run in runs
    ):
        return
    home = home_of(result)
    made = [*home.glob("figures/*"), *home.glob("table.*")]
    values = {**answer._asdict(), "notes": [*notes], "code": code}
    keep_answer(home, result.scenario, values, made)


def repeat(folder: Path, scenario: "Scenario | None", form: Form) -> int | None:
    """Print the answer that is kept in a folder, without reading its runs.

    **Arguments:**

    - `folder`: of a run or a study.
    - `scenario`: the question; None for that in the folder.
    - `form`: how it is printed.

    **Returns:** the exit code; None if there is no answer that is still true.
    """
    from gflow.report.card import Answer
    from gflow.runs.answer import read_answer

    values = read_answer(folder, scenario)
    if values is None:
        return None
    answer = Answer(*(values[name] for name in Answer._fields))
    _print_answer(answer, form)
    if form.is_text:
        print_lines(values["notes"])
        print_next(answer, figures=True)
    return Exit(values["code"])


def exit_code(
    result: "Run | Study", findings: "dict[str, tuple[Finding, ...]]", sound: bool = True
) -> int:
    """The worst exit code of the points, of their numerics, and of the verdicts."""
    failed = (point for point in result.unanswered if point.state == "failed")
    codes = [Exit.OK, *(MENDABLE.get(point.kind, Exit.INTERNAL) for point in failed)]
    for _, run in result.entries:
        if run.outcome.reason == "interrupted":
            codes.append(Exit.INTERRUPTED)
        elif not run.outcome.complete:
            codes.append(Exit.STOPPED)
    if not sound:
        codes.append(Exit.STOPPED)
    if any(finding.verdict == "FAILS" for rows in findings.values() for finding in rows):
        codes.append(Exit.FAILS)
    return max(codes, key=list(Exit).index)


def exit_code_of(points: Sequence[Status]) -> int:
    """The exit code that `gflow run` would end with, from the states of points."""
    codes = [Exit.OK]
    for point in points:
        if point.state is State.FAILED:
            codes.append(MENDABLE.get(point.kind, Exit.INTERNAL))
        elif point.state is State.STOPPED or not point.sound:
            codes.append(Exit.INTERRUPTED if point.reason == "interrupted" else Exit.STOPPED)
        if point.verdicts.get("FAILS"):
            codes.append(Exit.FAILS)
    return max(codes, key=list(Exit).index)


def home_of(result: "Run | Study") -> Path:
    """The folder of a stored result."""
    assert result.folder is not None, "it was just stored"
    return result.folder
