"""The verbs about scenarios and runs: run, status, show, check, attack, theory and others.

One idea: a verb takes a scenario or a folder, passes it to one function of the library, and turns
the result into text and an exit code.
"""

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from gflow import __version__
from gflow.cli.guard import Exit, guarded
from gflow.cli.names import PREDICTIONS, THE_PREDICTIONS
from gflow.cli.options import (
    All,
    Folder,
    Json,
    Markdown,
    Overrides,
    OwnPredictions,
    Quiet,
    ScenarioFile,
    Shelf,
    Source,
)
from gflow.cli.request import (
    crew_of,
    folder_to_write,
    prediction_of,
    predictions_in,
    radii_of,
    radii_to_read,
    refuse,
)
from gflow.cli.results import (
    NARROWEST,
    Form,
    by_own,
    draw,
    exit_code,
    exit_code_of,
    interrupted,
    judge_anew,
    keep,
    print_json,
    print_lines,
    print_next,
    repeat,
    report,
    spoken,
    store,
    terminal,
)
from gflow.scenario import load_scenario
from gflow.scenario import schema as scenario_schema


class Verbs(TyperGroup):
    """The verbs; without one the help is printed, and `help VERB` is `VERB --help`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the arguments of `gflow`."""
        match args:
            case []:
                args = ["--help"]
            case ["help", verb]:
                args = [verb, "--help"]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=Verbs,
    help="Gradient flow of two-layer networks from vanishing initialization, held against theory.",
    epilog="`gflow help` prints examples, `gflow help VERB` the options of a verb.",
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)


def _print_version(wanted: bool) -> bool:
    if wanted:
        print(f"gflow {__version__}")
        raise typer.Exit
    return wanted


@app.callback()
def root(
    version: Annotated[
        bool,
        typer.Option(
            "--version", is_eager=True, callback=_print_version, help="Print the version."
        ),
    ] = False,
) -> None:
    """Options that need no verb."""


@app.command()
@guarded
def run(
    source: Source,
    *,
    set_: Overrides = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder that holds the run folders; by default `runs`.")
    ] = None,
    until: Annotated[float | None, typer.Option(help="Continue to this flow time.")] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Compute stored runs anew.")] = False,
    workers: Annotated[int, typer.Option(help="Processes that compute the points of a grid.")] = 1,
    dask: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Dask scheduler that computes a grid.")
    ] = None,
    whole: All = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> int:
    """Compute a scenario, judge it, draw it, and store everything in a folder."""
    from gflow.cli.interruption import acknowledged
    from gflow.cost import check_memory
    from gflow.report.progress import telling
    from gflow.runs import index
    from gflow.runs.interrupt import stopping

    is_study = index.is_study(source)
    scenario = None if source.is_dir() else load_scenario(source, set_ or ())
    crew = crew_of(workers, dask, is_study or (scenario is not None and scenario.is_grid))
    form = Form(as_json, quiet, whole)
    console = terminal(quiet=not form.is_text)
    if scenario is None:
        refuse(set_, "--set", "a run folder, whose question is settled")
        refuse(out is not None, "--out", "a run folder, which stays where it is")
        refuse(fresh and not is_study, "--fresh", "a run folder; run its scenario anew")
        folder = source
    else:
        folder_to_write(out)
        check_memory(scenario, workers)
        folder = index.home(scenario, out or Path("runs"))
        if scenario.is_grid:
            console.print(f"Points are stored in {folder}", soft_wrap=True, highlight=False)

    # A finished question is answered from its folder.
    if until is None and not fresh:
        code = repeat(folder, scenario, form)
        if code is not None:
            return code

    with acknowledged(spoken(console)):
        # Compute what is not stored yet; only now is jax imported.
        with telling(console) as tell:
            from gflow.report.card import Answer
            from gflow.runs import study, verdicts

            if scenario is None:
                result = study.resume(source, fresh, tell.announce, crew)
            else:
                root = out or Path("runs")
                result = study.answer(scenario, root, fresh, tell.announce, crew=crew)
            if until is not None and not stopping.is_set():
                result = study.continue_to(result, until, tell.announce, crew)
            if stopping.is_set():
                raise KeyboardInterrupt(*interrupted(result))
            findings = verdicts.judged(result, tell.stage)
            tell.stage("summing up")
            answer = Answer.of(result, findings)
            code = exit_code(result, findings, answer.headline["sound"])
        # The answer comes first: it is printed even if the disk is too full for figures.
        report(result, answer, form)
        with telling(console) as tell:
            notes = draw(result, tell.stage)
        if form.is_text:
            print_lines(notes)
            print_next(answer, figures=True)
        keep(result, answer, code, notes)
        return code


@app.command()
@guarded
def status(folder: Shelf, as_json: Json = False) -> int:
    """Print the state of each point of a study, also while it is computed.

    Of a folder of runs, such as `runs`, print the state of each.
    """
    from gflow.report.status_table import shelf_lines, status_lines
    from gflow.runs.shelf import is_shelf, read_shelf
    from gflow.runs.status import count, count_verdicts, read_status

    if is_shelf(folder):
        results = read_shelf(folder)
        points = [point for result in results for point in result.statuses]
        rows = {"results": [result.to_json() for result in results]}
    else:
        results, points = (), read_status(folder)
        rows = {"points": [point.to_json() for point in points]}
    if as_json:
        print_json(rows | {"counts": count(points), "verdicts": count_verdicts(points)})
    else:
        width = max(terminal().width, NARROWEST)
        print_lines(shelf_lines(results, width) if results else status_lines(points, width))
    return exit_code_of(points)


@app.command(epilog=THE_PREDICTIONS)
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


@app.command()
@guarded
def attack(
    folder: Folder,
    *,
    norm: Annotated[
        list[str] | None, typer.Option(help="l1, l2 or linf, repeatable; else the scenario's.")
    ] = None,
    samples: Annotated[int | None, typer.Option(help="Number of test samples; 0 for all.")] = None,
    at: Annotated[
        list[float] | None,
        typer.Option(metavar="RADIUS", help="Read robust accuracies at this radius; repeatable."),
    ] = None,
    published: Annotated[
        bool, typer.Option("--published", help="Also run the attack of the published code.")
    ] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Measure stored radii anew.")] = False,
    markdown: Markdown = False,
    as_json: Json = False,
) -> int:
    """Bracket how far test samples of a stored run are from being misclassified."""
    from gflow.report.progress import telling

    at = radii_to_read(at or [])
    with telling(terminal(quiet=as_json or markdown)) as tell:
        from gflow.report import radii_table
        from gflow.runs import study, verdicts

        result = study.load(folder)
        requested = radii_of(result.scenario, norm, samples, published)
        result = study.attack(result, requested, fresh, tell.stage)
        verdicts.judged(result, tell.stage)  # those that rest on radii have changed
        notes = [] if as_json or markdown else draw(result, tell.stage)
    rows = radii_table.rows_of(result.entries, at)
    if as_json:
        print_json([row.to_json() for row in rows])
    elif markdown:
        print(radii_table.markdown(rows))
        print("\n".join(radii_table.published_lines(result.entries)))
    else:
        from gflow.report.card import unanswered_lines

        console = terminal()
        console.print(radii_table.robustness_table(rows))
        console.print("\n".join(radii_table.published_lines(result.entries)), markup=False)
        console.print(unanswered_lines(result.unanswered))
        print_lines(notes)
    return exit_code(result, {})


@app.command()
@guarded
def theory(
    about: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[P17]|[RUN]...",
            help="One prediction; or run or study folders, or folders of them.",
        ),
    ] = None,
    *,
    with_: OwnPredictions = None,
    markdown: Markdown = False,
    as_json: Json = False,
) -> int:
    """List the predictions, explain one, or print where each stands in run folders."""
    from gflow.report import theory_table as table
    from gflow.runs.standing import standings

    refuse(markdown and as_json, "--json", "--markdown")
    if about and not any(Path(name).is_dir() for name in about):
        refuse(len(about) > 1, "a second name", "one prediction")
        one = prediction_of(about[0], predictions_in(with_))
        print_json(table.to_json(one)) if as_json else terminal().print(table.explanation(one))
        return Exit.OK
    refuse(about and with_, "--with", "run folders, whose verdicts are stored")
    if not about:
        predictions = (*table.ALL, *predictions_in(with_))
        if as_json:
            print_json([table.to_json(one) for one in predictions])
        else:
            terminal().print(table.catalogue(predictions))
        return Exit.OK
    found = standings([Path(name) for name in about])
    if as_json:
        print_json([table.standing_json(one) for one in found])
    elif markdown:
        print(table.markdown(found))
    else:
        terminal().print(table.findings_table(found))
    return Exit.FAILS if any(one.verdict == "FAILS" for one in found) else Exit.OK


@app.command()
@guarded
def show(scenario: ScenarioFile, set_: Overrides = None, as_json: Json = False) -> int:
    """Print a scenario with its defaults, and an estimate of its cost."""
    from dataclasses import asdict

    from gflow.cost import estimate

    question = load_scenario(scenario, set_ or ())
    cost = estimate(question)
    if as_json:
        print_json({"scenario": question.to_toml(), "cost": asdict(cost)})
    else:
        print(question.to_toml())
        print(cost)
    return Exit.OK


@app.command()
@guarded
def schema() -> int:
    """Print the JSON Schema of a scenario, for editors."""
    print_json(scenario_schema())
    return Exit.OK


@app.command()
@guarded
def doctor(as_json: Json = False) -> int:
    """Print versions, cores, matrix-product speed, and whether disk and cache are writable."""
    from gflow.cli.doctor import examine

    facts = examine()
    if as_json:
        print_json(facts)
    else:
        for name, fact in facts.items():
            print(f"{name:>16}  {fact}")
    return Exit.OK
