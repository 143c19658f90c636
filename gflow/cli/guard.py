"""Exit codes, and how every error ends in one.

One idea: whatever a verb raises becomes a sentence on stderr and an exit code, also what libraries
and the machine raise; a traceback is a mistake in gflow, and says so.
"""

import enum
import functools
import os
import sys
import traceback
from collections.abc import Callable
from typing import Any

import typer

from gflow.errors import GflowError, RecordError, as_own


class Exit(enum.IntEnum):
    """Exit codes, from best to worst; of several, the last one is returned."""

    OK = 0
    FAILS = 5
    STOPPED = 3
    BAD_INPUT = 2
    BAD_RECORD = 4
    INTERNAL = 1
    INTERRUPTED = 130


MENDABLE = {
    "ScenarioError": Exit.BAD_INPUT,
    "DataError": Exit.BAD_INPUT,
    "PrecisionError": Exit.BAD_INPUT,
    "MachineError": Exit.BAD_INPUT,
    "RecordError": Exit.BAD_RECORD,
}
"""Exit codes of points that failed, by the class of the error; others are `Exit.INTERNAL`."""


def guarded(verb: Callable[..., int]) -> Callable[..., None]:
    """A verb that ends the process with its exit code, and every error with its own."""

    @functools.wraps(verb)
    def run(*args: Any, **kwargs: Any) -> None:
        """Run the verb, and end the process with the exit code of its outcome."""
        raise typer.Exit(attempted(functools.partial(verb, *args, **kwargs)))

    return run


def attempted(action: Callable[[], int]) -> int:
    """The exit code of an action; an error of it is printed and has its own."""
    try:
        code = action()
        sys.stdout.flush()
        return code
    except GflowError as error:
        print(error, file=sys.stderr)
        return Exit.BAD_RECORD if isinstance(error, RecordError) else Exit.BAD_INPUT
    except KeyboardInterrupt as stop:
        what = "; ".join(map(str, stop.args)) or "Interrupted; finished points are kept."
        print(what, file=sys.stderr)
        return Exit.INTERRUPTED
    except BrokenPipeError:
        # The reader of the output, such as `head`, has closed it; say nothing more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.OK
    except OSError as error:
        what = error.filename or "a file"
        print(
            f"{what}: must be written or read, but cannot be ({error.strerror or error}); free "
            "space or permit it.",
            file=sys.stderr,
        )
        return Exit.BAD_RECORD
    except Exception as error:
        own = as_own(error)
        if own is None:
            traceback.print_exc()
            own = "This is a mistake in gflow, not yours; please report it."
        print(own, file=sys.stderr)
        return Exit.INTERNAL if isinstance(own, str) else Exit.BAD_INPUT
