"""Arguments and options that several verbs share."""

from pathlib import Path
from typing import Annotated

import typer

ScenarioFile = Annotated[Path, typer.Argument(metavar="SCENARIO", help="A scenario file (TOML).")]
Source = Annotated[
    Path, typer.Argument(metavar="SCENARIO|RUN", help="A scenario file, or a run or study folder.")
]
Sources = Annotated[
    list[Path],
    typer.Argument(
        metavar="SCENARIO|RUN...",
        help="Scenario files, computed one after the other; or one run or study folder.",
    ),
]
Folder = Annotated[
    Path, typer.Argument(metavar="RUN", help="A run or study folder, as `gflow run` printed it.")
]
Shelf = Annotated[
    Path, typer.Argument(metavar="RUN|RUNS", help="A run or study folder, or a folder of them.")
]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override a key of the scenario; repeatable."),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON value instead of text.")]
OwnPredictions = Annotated[
    Path | None, typer.Option("--with", metavar="FILE.py", help="Your own predictions.")
]
Markdown = Annotated[bool, typer.Option(help="Print the table as Markdown.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Print one line per point.")]
All = Annotated[
    bool, typer.Option("--all", help="Print every run and every verdict with its numbers as well.")
]
