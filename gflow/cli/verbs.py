"""The verbs about scenarios and runs: run, status, show, check, attack, theory, plot and others.

One idea: a verb takes a scenario or a folder, hands it to one function of the library, and turns
what comes back into words and an exit code.
"""

import functools
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from gflow.cli.guard import (
    FAILS,
    FROM_BEST_TO_WORST,
    INTERNAL,
    INTERRUPTED,
    MENDABLE,
    OK,
    STOPPED,
    guarded,
)
from gflow.cli.options import Folder, Json, Overrides, Quiet, ScenarioFile, Source
from gflow.errors import ScenarioError
from gflow.scenario import RobustnessTable, Scenario, load_scenario
from gflow.scenario import schema as scenario_schema

if TYPE_CHECKING:
    from gflow.runs.experiment import Run
    from gflow.runs.status import Status
    from gflow.runs.study import Study
    from gflow.runs.workers import Crew
    from gflow.theory.finding import Finding
    from gflow.theory.prediction import Prediction

app = typer.Typer(
    help="Gradient flow of two-layer networks from vanishing initialization, held against theory.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.command()
@guarded
def run(
    source: Source,
    set_: Overrides = None,
    out: Annotated[Path, typer.Option(help="Folder that holds the run folders.")] = Path("runs"),
    until: Annotated[float | None, typer.Option(help="Continue to this flow time.")] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Compute anew what is there.")] = False,
    workers: Annotated[int, typer.Option(help="Processes that compute the points of a grid.")] = 1,
    dask: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Dask scheduler to compute a grid with.")
    ] = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> int:
    """Compute a scenario, judge it, draw it, and store everything in a folder."""
    from gflow.report.progress import announcer
    from gflow.runs import study

    is_study = (source / "study.json").is_file()
    scenario = None if source.is_dir() else load_scenario(source, set_ or ())
    crew = _crew(workers, dask, is_study or (scenario is not None and scenario.is_grid))
    console = _console(quiet=quiet or as_json)
    with announcer(console) as announce:
        if scenario is None:
            _refuse(set_, "--set", "a run folder, whose question is settled")
            result = study.resume(source, fresh, announce, crew)
        else:
            _check_memory(scenario, workers)
            if scenario.is_grid:
                folder = study.home(scenario, out)
                console.print(f"Points are stored in {folder}", soft_wrap=True, highlight=False)
            result = study.answer(scenario, out, fresh, announce, crew)
        if until is not None:
            result = study.prolong(result, until, announce, crew)
    findings = study.judged(result)
    # Verdicts first: they are said even if the disk is too full for pictures.
    _report(result, findings, as_json, quiet)
    _draw(result, console)
    console.print(f"Figures are in {_home(result) / 'figures'}", soft_wrap=True)
    return _exit_code(result, findings)


@app.command()
@guarded
def status(folder: Folder, as_json: Json = False) -> int:
    """Print how far each point of a study has come, also while it is computed."""
    from gflow.runs.status import count, read_status, status_lines

    points = read_status(folder)
    counts = count(points)
    if as_json:
        rows = [point.to_json() for point in points]
        print(json.dumps({"points": rows, "counts": counts}, indent=2, ensure_ascii=False))
        return OK
    for line in status_lines(points):
        print(line)
    print(f"{len(points)} points: {', '.join(f'{n} {state}' for state, n in counts.items())}")
    return OK


@app.command()
@guarded
def check(
    folder: Folder,
    only: Annotated[
        list[str] | None, typer.Option(help="Judge this prediction; repeatable.")
    ] = None,
    explain: Annotated[
        str | None, typer.Option(metavar="P13", help="Say all about one prediction.")
    ] = None,
    with_: Annotated[
        Path | None, typer.Option("--with", metavar="FILE.py", help="Predictions of your own.")
    ] = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> int:
    """Judge a stored run again, without simulating."""
    from gflow.runs import study

    result = study.load(folder)
    own = _own_predictions(with_)
    if explain is not None:
        from gflow.report.catalogue import explanation

        one = _prediction(explain, own)
        findings = study.judge(result, [one.id], own)
        _console().print(explanation(one, findings))
        return _exit_code(result, findings)
    findings = _judge(result, only, own)
    _report(result, findings, as_json, quiet)
    return _exit_code(result, findings)


@app.command()
@guarded
def attack(
    folder: Folder,
    norm: Annotated[
        list[str] | None, typer.Option(help="l1, l2 or linf; repeatable. Else the scenario's.")
    ] = None,
    samples: Annotated[int | None, typer.Option(help="Test samples, the first; 0 for all.")] = None,
    published: Annotated[
        bool, typer.Option("--published", help="Run the attack of the published code, too.")
    ] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Measure anew what is there.")] = False,
    markdown: Annotated[bool, typer.Option(help="Print the table for a README.")] = False,
    as_json: Json = False,
) -> int:
    """Bracket how far test samples of a stored run are from being misclassified."""
    from gflow.report import robustness
    from gflow.runs import study

    result = study.load(folder)
    asked = _asked_radii(result.scenario, norm, samples, published)
    result = study.attack(result, asked, fresh)
    rows = robustness.rows_of(study.entries(result))
    if as_json:
        print(json.dumps([row.to_json() for row in rows], indent=2, ensure_ascii=False))
    elif markdown:
        print(robustness.markdown(rows))
        print("\n".join(robustness.published_lines(study.entries(result))))
    else:
        from gflow.report.card import unanswered_lines

        console = _console()
        console.print(robustness.robustness_table(rows))
        console.print("\n".join(robustness.published_lines(study.entries(result))), markup=False)
        console.print(unanswered_lines(_unanswered(result)))
        _draw(result, console)
    return _exit_code(result, {})


@app.command()
@guarded
def theory(
    folders: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[RUN]...", help="Run or study folders, or folders of them."),
    ] = None,
    with_: Annotated[
        Path | None, typer.Option("--with", metavar="FILE.py", help="Predictions of your own.")
    ] = None,
    markdown: Annotated[bool, typer.Option(help="Print the table for a README.")] = False,
) -> int:
    """List the predictions; with folders, what their stored verdicts say of each."""
    from gflow.report import catalogue

    if not folders:
        _console().print(catalogue.catalogue((*catalogue.ALL, *_own_predictions(with_))))
        return OK
    rows = catalogue.found_in(folders)
    if markdown:
        print(catalogue.markdown(rows))
    else:
        _console().print(catalogue.findings_table(rows))
    return FAILS if any(row.verdict == "FAILS" for row in rows) else OK


@app.command()
@guarded
def plot(
    folder: Folder,
    only: Annotated[str | None, typer.Option(help="Draw this figure only.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the pictures.")] = None,
) -> int:
    """Draw the figures of a stored run, as pdf and png."""
    from gflow.report import figures
    from gflow.runs import study

    result = study.load(folder)
    for point in _unanswered(result):
        print(f"Not drawn: {point}", file=sys.stderr)
    for path in figures.draw(result, out or folder / "figures", only, tell=print):
        print(path)
    return OK


@app.command()
@guarded
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
@guarded
def schema() -> int:
    """Print the JSON Schema of a scenario, for editors."""
    print(json.dumps(scenario_schema(), indent=2))
    return OK


@app.command()
@guarded
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
        raise ScenarioError((f"`{option}` must not be given with {what}; leave it out.",))


def _check_memory(scenario: Scenario, workers: int) -> None:
    from gflow.cost import check_memory

    check_memory(scenario, workers)


def _crew(workers: int, dask: str | None, is_grid: bool) -> "Crew":
    """Who computes the points of a grid."""
    from gflow.runs import workers as crews

    if not is_grid:
        _refuse(workers != 1, "--workers", "one flow, which uses all cores anyway")
        _refuse(dask, "--dask", "one flow")
    if dask is None:
        return crews.serial if workers == 1 else crews.processes(workers)
    _refuse(workers != 1, "--workers", "--dask, whose workers are the cluster's")
    return crews.dask(dask)


def _asked_radii(
    scenario: Scenario, norms: list[str] | None, samples: int | None, published: bool
) -> RobustnessTable:
    """What `gflow attack` is to measure: the scenario's table, or l2, and what options say."""
    own = scenario.robustness
    chosen = norms or list(own.norms) or ["l2"]
    if wrong := [name for name in chosen if name not in ("l1", "l2", "linf")]:
        raise ScenarioError((f"`--norm` must be l1, l2 or linf, but is {wrong[0]}; try l2.",))
    if (samples or 0) < 0:
        raise ScenarioError((f"`--samples` must be >= 0, but is {samples}; try 0 for all.",))
    if published and "l2" not in chosen:
        chosen.append("l2")
    return RobustnessTable(
        norms=tuple(dict.fromkeys(chosen)),  # pyright: ignore[reportArgumentType]
        attacked=own.attacked if samples is None else samples,
        published=published or own.published,
    )


def _draw(result: "Run | Study", console: Console) -> None:
    """Store the figures of a result, and the table of a study."""
    from gflow.report import figures
    from gflow.runs import study

    if isinstance(result, study.Study):
        study.save_table(result)
    if study.entries(result):
        tell = functools.partial(console.print, markup=False)  # sentences name [vary]
        figures.draw(result, _home(result) / "figures", tell=tell, keep=True)


def _home(result: "Run | Study") -> Path:
    assert result.folder is not None, "it was just stored"
    return result.folder


def _own_predictions(path: Path | None) -> "tuple[Prediction, ...]":
    """The predictions of a user's file; none without one."""
    if path is None:
        return ()
    from gflow.theory.plugin import load_predictions

    return load_predictions(path)


def _prediction(name: str, own: "Sequence[Prediction]") -> "Prediction":
    """The prediction of an id or number."""
    from gflow.theory.predictions import ALL, named

    found = named(name) or next((one for one in own if name == one.id), None)
    if found is None:
        known = ", ".join(f"{one.number} {one.id}" for one in (*ALL, *own))
        raise ScenarioError((f"`{name}` must be a known prediction, but is none; try {known}.",))
    return found


def _judge(
    result: "Run | Study", only: list[str] | None, own: "Sequence[Prediction]"
) -> "dict[str, tuple[Finding, ...]]":
    """Judge a stored result anew, and store the verdicts of all that was asked beside it."""
    from gflow.runs import study

    if only is not None:
        return study.judge(result, [_prediction(name, own).id for name in only], own)
    study.judge_anew(result)
    if isinstance(result, study.Study):
        study.save_table(result)
    mine = study.judge(result, [one.id for one in own], own) if own else {}
    return {label: (*rows, *mine.get(label, ())) for label, rows in study.judged(result).items()}


def _report(
    result: "Run | Study", findings: "dict[str, tuple[Finding, ...]]", as_json: bool, quiet: bool
) -> None:
    from gflow.report.card import run_card, to_json, unanswered_lines, verdict_table
    from gflow.report.robustness import robustness_table, rows_of
    from gflow.runs.study import entries

    if as_json:
        print(json.dumps(to_json(result, findings), indent=2, ensure_ascii=False))
        return
    console = _console()
    if not quiet:
        for label, run in entries(result):
            console.print(run_card(label, run))
        if rows := rows_of(entries(result)):
            console.print(robustness_table(rows))
    console.print(verdict_table(findings))
    console.print(unanswered_lines(_unanswered(result)))


def _unanswered(result: "Run | Study") -> "tuple[Status, ...]":
    return getattr(result, "unanswered", ())


def _exit_code(result: "Run | Study", findings: "dict[str, tuple[Finding, ...]]") -> int:
    from gflow.runs.study import entries

    failed = (point for point in _unanswered(result) if point.state == "failed")
    codes = [OK, *(MENDABLE.get(point.kind, INTERNAL) for point in failed)]
    for _, run in entries(result):
        if run.outcome.reason == "interrupted":
            codes.append(INTERRUPTED)
        elif not run.outcome.complete:
            codes.append(STOPPED)
    if any(finding.verdict == "FAILS" for rows in findings.values() for finding in rows):
        codes.append(FAILS)
    return max(codes, key=FROM_BEST_TO_WORST.index)
