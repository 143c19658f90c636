"""The verb `run`: a scenario is computed, judged, drawn and stored."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from gflow.cli.guard import guarded
from gflow.cli.options import All, Json, Overrides, Quiet, Source
from gflow.cli.request import crew_of, folder_to_write, refuse
from gflow.cli.results import (
    Form,
    draw,
    exit_code,
    interrupted,
    keep,
    print_lines,
    print_next,
    repeat,
    report,
    spoken,
    terminal,
)
from gflow.scenario import load_scenario

if TYPE_CHECKING:
    from gflow.runs.run import Run
    from gflow.runs.study import Study
    from gflow.runs.workers import Announce


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
    from gflow.cost import check_memory
    from gflow.runs import index

    is_study = index.is_study(source)
    scenario = None if source.is_dir() else load_scenario(source, set_ or ())
    crew = crew_of(workers, dask, is_study or (scenario is not None and scenario.is_grid))
    form, root = Form(as_json, quiet, whole), out or Path("runs")
    console = terminal(quiet=not form.is_text)
    if scenario is None:
        refuse(set_, "--set", "a run folder, whose question is settled")
        refuse(out is not None, "--out", "a run folder, which stays where it is")
        refuse(fresh and not is_study, "--fresh", "a run folder; run its scenario anew")
        folder = source
    else:
        folder_to_write(out)
        check_memory(scenario, workers)
        folder = index.home(scenario, root)
        if scenario.is_grid:
            console.print(f"Points are stored in {folder}", soft_wrap=True, highlight=False)

    # A finished question is answered from its folder.
    if until is None and not fresh:
        code = repeat(folder, scenario, form)
        if code is not None:
            return code

    def compute(announce: "Announce") -> "Run | Study":
        from gflow.runs import study
        from gflow.runs.interrupt import stopping

        if scenario is None:
            result = study.resume(source, fresh, announce, crew)
        else:
            result = study.answer(scenario, root, fresh, announce, crew=crew)
        if until is not None and not stopping.is_set():
            result = study.continue_to(result, until, announce, crew)
        return result

    return _answered(compute, form, console)


def _answered(compute: "Callable[[Announce], Run | Study]", form: Form, console: Console) -> int:
    """Compute, judge, print, draw and keep a result, and return the exit code."""
    from gflow.cli.interruption import acknowledged
    from gflow.report.progress import telling
    from gflow.runs.interrupt import stopping

    with acknowledged(spoken(console)):
        # Compute what is not stored yet; only now is jax imported.
        with telling(console) as tell:
            from gflow.report.card import Answer
            from gflow.runs import verdicts

            result = compute(tell.announce)
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
