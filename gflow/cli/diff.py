"""The verb that compares two results."""

from pathlib import Path
from typing import Annotated

import typer

from gflow.cli.guard import Exit, guarded
from gflow.cli.options import Json
from gflow.cli.results import print_json, print_lines

_Side = Annotated[
    Path, typer.Argument(metavar="RUN|SCENARIO", help="A run or study folder, or a scenario file.")
]


@guarded
def diff(a: _Side, b: _Side, as_json: Json = False) -> int:
    """Print how two questions differ, and their answers if both have one."""
    from gflow.runs.comparison import compare

    comparison = compare(a, b)
    if as_json:
        print_json(comparison.to_json())
    else:
        print_lines(comparison.lines)
    return Exit.OK
