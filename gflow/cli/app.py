"""The command `gflow` itself: its help, its version, and how it takes verbs.

One idea: a verb takes a scenario or a folder, passes it to one function of the library, and turns
the result into text and an exit code.
"""

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from gflow import __version__


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
