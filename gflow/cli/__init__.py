"""The command line: init, run, status, show, check, attack, diff, theory, plot, data and others.

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
from typing import Any

from gflow.cli import (
    attack,
    check,
    data,
    diff,
    doctor,
    guide,
    plot,
    report,
    run,
    show,
    status,
    theory,
)
from gflow.cli.app import app
from gflow.cli.guard import Exit
from gflow.cli.names import THE_FIGURES, THE_PREDICTIONS
from gflow.cli.spelling import spell_what_cannot_be_encoded
from gflow.data.caches import cache_folder
from gflow.errors import GflowWarning

__all__ = ["Exit", "app", "main"]

# In the order in which the help lists them.
app.command()(run.run)
app.command()(status.status)
app.command(epilog=THE_PREDICTIONS)(check.check)
app.command()(attack.attack)
app.command()(theory.theory)
app.command()(diff.diff)
app.command(epilog=THE_FIGURES)(plot.plot)
app.command()(report.report)
app.command()(show.show)
app.command()(show.schema)
app.command()(doctor.doctor)
app.command()(guide.init)
app.command("help")(guide.help_)
app.add_typer(data.app, name="data")


def main() -> None:
    """Entry point of the `gflow` command."""
    spell_what_cannot_be_encoded()
    warnings.showwarning = _show_warning
    os.environ["MPLBACKEND"] = "agg"  # figures are files, whatever a notebook or a desktop needs
    _keep_compiled_code()
    app()


def _keep_compiled_code() -> None:
    """Let jax store compiled code for the next command, unless its own variables say otherwise."""
    # Compiled code is for one kind of processor, but machines may share a home folder.
    if (caches := cache_folder()) is not None:
        os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(caches / platform.node()))
        os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")


def _show_warning(
    message: Warning | str, category: type[Warning], *where: Any, **more: Any
) -> None:
    """A warning of gflow in one line; the place in its code is of no use to its reader."""
    if issubclass(category, GflowWarning):
        print(f"Note: {message}", file=sys.stderr)
    else:
        _as_before(message, category, *where, **more)


_as_before = warnings.showwarning
