"""The command line: run, show, check, plot, schema, doctor.

One idea: a verb takes a scenario or a folder and says in one exit code how it went:

    0 ran and nothing FAILS        1 internal error      2 bad input
    3 integration stopped early    4 bad run folder      5 a prediction FAILS    130 interrupted

The worst point of a grid wins.  Nothing here imports jax before a flow is about to be computed, so
`--help` and `show` answer at once.
"""

import functools
import json
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from gflow.errors import GflowError, RecordError, ScenarioError
from gflow.scenario import Scenario, load_scenario
from gflow.scenario import schema as scenario_schema

if TYPE_CHECKING:
    from gflow.runs.experiment import Run
    from gflow.runs.study import Study
    from gflow.theory.finding import Finding

OK, INTERNAL, BAD_INPUT, STOPPED, BAD_RECORD, FAILS, INTERRUPTED = 0, 1, 2, 3, 4, 5, 130
"""Exit codes."""

_FROM_BEST_TO_WORST = (OK, FAILS, STOPPED, INTERRUPTED)

app = typer.Typer(
    help="Gradient flow of two-layer networks from vanishing initialization, held against theory.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

ScenarioFile = Annotated[Path, typer.Argument(metavar="SCENARIO", help="A scenario file (TOML).")]
Source = Annotated[
    Path, typer.Argument(metavar="SCENARIO|RUN", help="A scenario file, or a run or study folder.")
]
Folder = Annotated[
    Path, typer.Argument(metavar="RUN", help="A run or study folder, as `gflow run` printed it.")
]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override a key of the scenario; repeatable."),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON value instead of text.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Print the verdicts only.")]


def main() -> None:
    """Entry point of the `gflow` command."""
    app()


def _guarded(verb: Callable[..., int]) -> Callable[..., None]:
    """Turn a verb's exit code, and every mistake of the user's, into the end of the process."""

    @functools.wraps(verb)
    def run(*args: Any, **kwargs: Any) -> None:
        try:
            code = verb(*args, **kwargs)
        except GflowError as error:
            print(error, file=sys.stderr)
            code = BAD_RECORD if isinstance(error, RecordError) else BAD_INPUT
        except KeyboardInterrupt:
            print("Interrupted; finished points are kept.", file=sys.stderr)
            code = INTERRUPTED
        except Exception:
            traceback.print_exc()
            print("This is a mistake in gflow, not yours; please report it.", file=sys.stderr)
            code = INTERNAL
        raise typer.Exit(code)

    return run


@app.command()
@_guarded
def run(
    source: Source,
    set_: Overrides = None,
    out: Annotated[Path, typer.Option(help="Folder that holds the run folders.")] = Path("runs"),
    until: Annotated[float | None, typer.Option(help="Continue to this flow time.")] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Compute anew what is there.")] = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> int:
    """Compute a scenario, judge it, draw it, and store everything in a folder."""
    from gflow.report import figures
    from gflow.report.progress import announcer
    from gflow.runs import study

    console = _console(quiet=quiet or as_json)
    with announcer(console) as announce:
        if source.is_dir():
            _refuse(set_, "--set", "a run folder, whose question is settled")
            result = study.load(source)
        else:
            scenario = load_scenario(source, set_ or ())
            _check_memory(scenario)
            result = study.answer(scenario, out, fresh, announce)
        if until is not None:
            result = study.prolong(result, until, announce)
    findings = _judge(result)
    assert result.folder is not None
    figures.draw(result, result.folder / "figures", tell=console.print, keep=True)
    _report(result, findings, as_json, quiet)
    console.print(f"Figures are in {result.folder / 'figures'}", soft_wrap=True)
    return _exit_code(result, findings)


@app.command()
@_guarded
def check(
    folder: Folder,
    only: Annotated[
        list[str] | None, typer.Option(help="Judge this prediction; repeatable.")
    ] = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> int:
    """Judge a stored run again, without simulating."""
    from gflow.runs import study

    result = study.load(folder)
    findings = _judge(result, only)
    _report(result, findings, as_json, quiet)
    return _exit_code(result, findings)


@app.command()
@_guarded
def plot(
    folder: Folder,
    only: Annotated[str | None, typer.Option(help="Draw this figure only.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the pictures.")] = None,
) -> int:
    """Draw the figures of a stored run, as pdf and png."""
    from gflow.report import figures
    from gflow.runs import study

    for path in figures.draw(study.load(folder), out or folder / "figures", only, tell=print):
        print(path)
    return OK


@app.command()
@_guarded
def show(scenario: ScenarioFile, set_: Overrides = None, as_json: Json = False) -> int:
    """Print a scenario with its defaults, and what it would cost."""
    from dataclasses import asdict

    from gflow.cost import estimate

    question = load_scenario(scenario, set_ or ())
    cost = estimate(question)
    if as_json:
        print(json.dumps({"scenario": question.to_toml(), "cost": asdict(cost)}, indent=2))
    else:
        print(question.to_toml())
        print(cost)
    return OK


@app.command()
@_guarded
def schema() -> int:
    """Print the JSON Schema of a scenario, for editors."""
    print(json.dumps(scenario_schema(), indent=2))
    return OK


@app.command()
@_guarded
def doctor(as_json: Json = False) -> int:
    """Print versions, cores, matrix-product speed, and whether disk and cache are writable."""
    from gflow.report.doctor import examine

    facts = examine()
    if as_json:
        print(json.dumps(facts, indent=2))
    else:
        for name, fact in facts.items():
            print(f"{name:>16}  {fact}")
    return OK


def _console(quiet: bool = False) -> Console:
    """A terminal as wide as it is; 120 columns in a file or a pipe."""
    console = Console(quiet=quiet)
    return console if console.is_terminal else Console(quiet=quiet, width=120)


def _refuse(given: object, option: str, what: str) -> None:
    if given:
        raise ScenarioError((f"`{option}` must not be given with {what}; give a scenario file.",))


def _check_memory(scenario: Scenario) -> None:
    from gflow.cost import check_memory

    check_memory(scenario)


def _judge(
    result: "Run | Study", only: list[str] | None = None
) -> "dict[str, tuple[Finding, ...]]":
    """Judge a stored result, and store the verdicts beside it."""
    from gflow.runs import record, study
    from gflow.theory.predictions import CATALOGUE

    for name in only or ():
        if name not in CATALOGUE:
            known = ", ".join(CATALOGUE)
            raise ScenarioError(
                (f"`--only` must be a known prediction, but is {name}; try {known}.",)
            )
    findings = study.judge(result, only)
    if only is None:
        for label, run in study.entries(result):
            if run.folder is not None:
                record.save_findings(run.folder, findings[label])
    return findings


def _report(
    result: "Run | Study", findings: "dict[str, tuple[Finding, ...]]", as_json: bool, quiet: bool
) -> None:
    from gflow.report.card import run_card, to_json, verdict_table
    from gflow.runs.study import entries

    if as_json:
        print(json.dumps(to_json(result, findings), indent=2, ensure_ascii=False))
        return
    console = _console()
    if not quiet:
        for label, run in entries(result):
            console.print(run_card(label, run))
    console.print(verdict_table(findings))


def _exit_code(result: "Run | Study", findings: "dict[str, tuple[Finding, ...]]") -> int:
    from gflow.runs.study import entries

    codes = [OK]
    for label, run in entries(result):
        if run.outcome.reason == "interrupted":
            codes.append(INTERRUPTED)
        elif not run.outcome.complete:
            codes.append(STOPPED)
        if any(finding.verdict == "FAILS" for finding in findings[label]):
            codes.append(FAILS)
    return max(codes, key=_FROM_BEST_TO_WORST.index)
