"""The verbs for whoever begins: help and init."""

from pathlib import Path
from typing import Annotated

import typer

from gflow.cli.guard import Exit, guarded
from gflow.errors import ScenarioError

TEMPLATES = Path(__file__).parent / "templates"

KINDS = {
    "plane": ("plane.toml", "two subclasses in the plane"),
    "file": ("samples.toml", "your own samples in an npz file"),
    "quickstart": ("quickstart.toml", "ten subclasses in 1000 dimensions, ReLU beside pReLU"),
}
"""What `gflow init` can write: the file, and what it is about."""

EXAMPLES = """\
Begin:
  gflow init                                 writes plane.toml, a commented scenario
  gflow run plane.toml                       computes, judges, draws and stores it under runs/
  gflow show plane.toml                      its defaults, and what it costs

Look at a result (RUN is the folder that `gflow run` printed):
  gflow check RUN --all                      every prediction with its numbers
  gflow check RUN --explain P17              one prediction, its hypotheses and its reason
  gflow plot RUN --only alignment            one figure as pdf and png
  gflow report RUN                           one page for a browser, with a time slider
  gflow attack RUN --norm l2 --at 0.3        robust accuracy at an attack radius
  gflow attack RUN --within off_samples      radii off the span of the training samples
  gflow diff RUN RUN                         how two questions and their answers differ
  gflow status runs                          all runs there are

Change the question:
  gflow run plane.toml --set network.power=4
  gflow run RUN --until 1000                 goes on to a later flow time
  gflow run GRID.toml --workers 4            the points of a grid, four at a time

Your own:
  gflow init file                            a scenario for samples in an npz file
  gflow check RUN --with mine.py             your own predictions
  gflow theory P17                           what the theory says

`gflow VERB -h` lists the options of a verb; `gflow --install-completion` completes them."""


@guarded
def help_() -> int:
    """Print examples; `gflow help VERB` prints the options of a verb."""
    print(EXAMPLES)
    return Exit.OK


@guarded
def init(
    kind: Annotated[
        str,
        typer.Argument(metavar="[plane|file|quickstart]", help="What the scenario is about."),
    ] = "plane",
    out: Annotated[Path | None, typer.Option(help="File to write.")] = None,
) -> int:
    """Write a commented scenario to start from: plane, file (your own npz) or quickstart."""
    if kind not in KINDS:
        known = ", ".join(KINDS)
        raise ScenarioError((f"`init` must be given one of {known}, but {kind!r} is none.",))
    name, about = KINDS[kind]
    path = out or Path(name)
    if path.exists():
        raise ScenarioError((f"{path}: must not exist, but does; try --out OTHER.toml.",))
    path.write_text((TEMPLATES / f"{kind}.toml").read_text(encoding="utf-8"), encoding="utf-8")
    print(f"{path}: {about}. Next: gflow run {path}")
    return Exit.OK
