"""The verb `plot`: figures and movies of a stored run, drawn without simulating."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from gflow.cli.guard import Exit, guarded
from gflow.cli.names import FIGURES
from gflow.cli.request import folder_to_write
from gflow.cli.results import terminal
from gflow.errors import ScenarioError


@guarded
def plot(
    folder: Annotated[
        Path | None,
        typer.Argument(metavar="RUN", help="A run or study folder, as `gflow run` printed it."),
    ] = None,
    *,
    only: Annotated[
        list[str] | None,
        typer.Option(
            help="Draw only this figure; repeatable.", autocompletion=lambda: list(FIGURES)
        ),
    ] = None,
    points: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=VALUE",
            help="Draw only the points of a study with this value; repeatable. Values of one key "
            "are alternatives; the figures go to a folder of their own in `figures`.",
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the figures.")] = None,
    format_: Annotated[
        list[str] | None,
        typer.Option(
            "--format",
            help="png, pdf or svg; gif or mp4 for a movie; repeatable. By default png and pdf, or "
            "gif.",
        ),
    ] = None,
    dpi: Annotated[
        int | None, typer.Option(help="Dots per inch; by default 200, and 110 for a movie.")
    ] = None,
    columns: Annotated[
        int | None,
        typer.Option(help="Columns of a two-column paper that each figure spans: 1 or 2."),
    ] = None,
    list_: Annotated[
        bool, typer.Option("--list", help="Print the figures and what each shows; draw nothing.")
    ] = False,
) -> int:
    """Draw the figures of a stored run, as pdf and png, or a movie."""
    from gflow.report.progress import telling

    if list_:
        _print_list(folder)
        return Exit.OK
    if folder is None:
        raise ScenarioError(("`RUN` must be given, but is not; name a run folder in `runs`.",))
    folder_to_write(out)
    with telling(terminal()) as tell:
        from gflow.report import figures
        from gflow.runs import selection, study

        tell.stage(f"reading {folder}")
        result = selection.select(study.load(folder), points or ())
        notes: list[str] = []
        paths = figures.draw(
            result,
            out or folder / "figures" / ",".join(points or ()),
            _split(only),
            notes.append,
            formats=_split(format_),
            dpi=dpi,
            columns=columns,
            stage=tell.stage,
        )
    for point in result.unanswered:
        print(f"Not drawn: {point}", file=sys.stderr)
    print("\n".join([*notes, *map(str, paths)]))
    return Exit.OK


def _print_list(folder: Path | None) -> None:
    """Every figure and what it shows; those that a run gets by default are marked."""
    from gflow.report import figures
    from gflow.runs import study

    chosen = [] if folder is None else figures.default(study.load(folder))
    for name, kind in figures.known().items():
        mark = "*" if kind in chosen else " "
        print(f"{mark} {name:<16} {kind.about}")
    if folder is not None:
        print(f"* is drawn of {folder} by default")


def _split(names: list[str] | None) -> list[str] | None:
    """Names that were given one by one, or with commas."""
    return [name.strip() for text in names for name in text.split(",")] if names else None
