"""The verb `report`: the page of a stored result, for a browser."""

from pathlib import Path
from typing import Annotated

import typer

from gflow.cli.guard import Exit, guarded
from gflow.cli.options import Folder
from gflow.cli.results import terminal
from gflow.errors import ScenarioError


@guarded
def report(
    folder: Folder,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="File to write; by default report.html in the folder."),
    ] = None,
) -> int:
    """Write one HTML file about a stored run or study: verdicts, and a slider over flow time."""
    from gflow.report.progress import telling

    if out is not None and out.is_dir():
        raise ScenarioError(
            (f"`--out` must be a file, new or not, but {out} is a folder; try {out}/report.html.",)
        )
    with telling(terminal()) as tell:
        from gflow.report.page import page
        from gflow.runs import study

        tell.stage(f"reading {folder}")
        path = page(study.load(folder), out, tell.stage)
    print(path)
    return Exit.OK
