"""The verb `plot`: figures of a stored run."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from gflow.cli.guard import Exit, guarded
from gflow.cli.names import FIGURES
from gflow.cli.options import Folder
from gflow.cli.request import folder_to_write
from gflow.cli.results import terminal


@guarded
def plot(
    folder: Folder,
    only: Annotated[
        str | None,
        typer.Option(help="Draw only this figure.", autocompletion=lambda: list(FIGURES)),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the figures.")] = None,
) -> int:
    """Draw the figures of a stored run, as pdf and png."""
    from gflow.report.progress import telling

    with telling(terminal()) as tell:
        from gflow.report import figures
        from gflow.runs import study

        folder_to_write(out)
        result = study.load(folder)
        notes: list[str] = []
        paths = figures.draw(
            result, out or folder / "figures", only, notes.append, stage=tell.stage
        )
    for point in result.unanswered:
        print(f"Not drawn: {point}", file=sys.stderr)
    print("\n".join([*notes, *map(str, paths)]))
    return Exit.OK
