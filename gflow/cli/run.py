"""The verb `run`: scenarios are computed, judged, drawn and stored."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer
from rich.console import Console

from gflow.cli.guard import Exit, attempted, guarded
from gflow.cli.options import All, Json, Overrides, Quiet, Sources
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
from gflow.cost import check_memory
from gflow.errors import ScenarioError
from gflow.runs.index import home, is_study
from gflow.scenario import Scenario, load_scenario

if TYPE_CHECKING:
    from gflow.runs.run import Run
    from gflow.runs.study import Study
    from gflow.runs.workers import Announce, Crew


class _Request(NamedTuple):
    """One question: a scenario file, or the folder of a run or study."""

    source: Path
    scenario: Scenario | None
    """None for a folder, whose question is settled."""
    folder: Path
    """Where its answer is stored."""

    @property
    def is_grid(self) -> bool:
        """Whether it has several flows."""
        return is_study(self.source) if self.scenario is None else self.scenario.is_grid

    def answer(
        self, root: Path, announce: "Announce", crew: "Crew", *, until: float | None, fresh: bool
    ) -> "Run | Study":
        """Its runs, those that are not stored computed under `root`, and continued to `until`."""
        from gflow.runs import study
        from gflow.runs.interrupt import stopping

        if self.scenario is None:
            result = study.resume(self.source, fresh, announce, crew)
        else:
            result = study.answer(self.scenario, root, fresh, announce, crew=crew)
        if until is not None and not stopping.is_set():
            result = study.continue_to(result, until, announce, crew)
        return result


@guarded
def run(
    sources: Sources,
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
    """Compute scenarios, judge them, draw them, and store everything in a folder each."""
    form, root = Form(as_json, quiet, whole), out or Path("runs")
    several = len(sources) > 1
    if several:
        refuse(as_json, "--json", "several scenarios; ask for one at a time")
        refuse(until is not None, "--until", "several scenarios")
    requests = _requests(sources, set_ or (), root)
    console = terminal(quiet=not form.is_text)

    # What options mean, and whether all fits into memory, is asked before anything is computed.
    for one in requests:
        if one.scenario is None:
            refuse(several, "a folder", "other sources; name it alone")
            refuse(set_, "--set", "a run folder, whose question is settled")
            refuse(out is not None, "--out", "a run folder, which stays where it is")
            refuse(fresh and not one.is_grid, "--fresh", "a run folder; run its scenario anew")
        else:
            folder_to_write(out)
            check_memory(one.scenario, workers)
    crew = crew_of(workers, dask, any(one.is_grid for one in requests))

    def code_of(one: _Request) -> int:
        if one.scenario is not None and one.is_grid:
            console.print(f"Points are stored in {one.folder}", soft_wrap=True, highlight=False)
        if until is None and not fresh:
            code = repeat(one.folder, one.scenario, form)
            if code is not None:
                return code
        compute = partial(one.answer, root, crew=crew, until=until, fresh=fresh)
        return _answered(compute, form, console)

    if not several:
        return code_of(requests[0])
    codes = []
    for i, one in enumerate(requests, start=1):
        print_lines([f"[{i}/{len(requests)}] {one.source}"])
        codes.append(attempted(partial(code_of, one)))
        if codes[-1] == Exit.INTERRUPTED:
            break
    if form.is_text:
        print_lines([f"Where predictions stand: gflow theory {root}"])
    return max(codes, key=list(Exit).index)


def _requests(sources: Sequence[Path], overrides: Sequence[str], root: Path) -> list[_Request]:
    """The questions of all sources; the mistakes of all files at once."""
    requests, mistakes = [], []
    for source in sources:
        if source.is_dir():
            requests.append(_Request(source, None, source))
            continue
        try:
            scenario = load_scenario(source, overrides)
        except ScenarioError as error:
            mistakes += error.mistakes
        else:
            requests.append(_Request(source, scenario, home(scenario, root)))
    if mistakes:
        raise ScenarioError(tuple(mistakes))
    return requests


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
