"""The command line: init, run, status, show, check, attack, theory, plot, data, schema, doctor.

A verb takes a scenario or a folder, and its exit code says how it went:

    0 ran and nothing FAILS        1 internal error      2 bad input
    3 stopped early, or not sound  4 bad run folder      5 a prediction FAILS    130 interrupted

Of a grid, the worst point decides.  Nothing here imports jax before a flow is computed, so
`--help`, `show` and `status` answer at once.
"""

import os
import platform
import sys
import warnings
from pathlib import Path
from typing import Any

from gflow.cli import data, guide
from gflow.cli.guard import Exit
from gflow.cli.verbs import app
from gflow.errors import GflowWarning

__all__ = ["Exit", "app", "main"]

app.add_typer(data.app, name="data")
app.command("init")(guide.init)
app.command("help")(guide.help_)


def main() -> None:
    """Entry point of the `gflow` command."""
    _keep_compiled_code()
    warnings.showwarning = _say
    app()


def _say(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, *rest: Any
) -> None:
    """Print a warning as a sentence if it is gflow's, as Python does otherwise."""
    if not issubclass(category, GflowWarning):
        message = warnings.formatwarning(message, category, filename, lineno)
    print(str(message).rstrip(), file=sys.stderr)


def _keep_compiled_code() -> None:
    """Let jax store compiled code for the next command, unless its own variables say otherwise."""
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    # Compiled code is for one kind of processor, but machines may share a home folder.
    os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(caches / "gflow" / platform.node()))
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
