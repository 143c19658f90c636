"""Exit codes, and how every error ends in one.

One idea: whatever a verb raises becomes a sentence on stderr and an exit code; a traceback is a
mistake in gflow, and says so.
"""

import functools
import os
import sys
import traceback
from collections.abc import Callable
from typing import Any

import typer

from gflow.errors import GflowError, RecordError

OK, INTERNAL, BAD_INPUT, STOPPED, BAD_RECORD, FAILS, INTERRUPTED = 0, 1, 2, 3, 4, 5, 130
"""Exit codes."""

FROM_BEST_TO_WORST = (OK, FAILS, STOPPED, BAD_INPUT, BAD_RECORD, INTERNAL, INTERRUPTED)
"""Of several codes, the one that comes last here is returned."""

MENDABLE = {
    "ScenarioError": BAD_INPUT,
    "DataError": BAD_INPUT,
    "PrecisionError": BAD_INPUT,
    "RecordError": BAD_RECORD,
}
"""Exit codes of points that failed, by the class of the error; that of others is `INTERNAL`."""


def guarded(verb: Callable[..., int]) -> Callable[..., None]:
    """A verb that ends the process with its exit code, and every error with its own."""

    @functools.wraps(verb)
    def run(*args: Any, **kwargs: Any) -> None:
        try:
            code = verb(*args, **kwargs)
            sys.stdout.flush()
        except GflowError as error:
            print(error, file=sys.stderr)
            code = BAD_RECORD if isinstance(error, RecordError) else BAD_INPUT
        except KeyboardInterrupt:
            print("Interrupted; finished points are kept.", file=sys.stderr)
            code = INTERRUPTED
        except BrokenPipeError:
            # The reader of the output, such as `head`, has closed it; say nothing more.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            code = INTERRUPTED
        except OSError as error:
            what = error.filename or "a file"
            print(
                f"{what}: must be written or read, but cannot be ({error.strerror or error}); free "
                "space or permit it.",
                file=sys.stderr,
            )
            code = BAD_RECORD
        except Exception:
            traceback.print_exc()
            print("This is a mistake in gflow, not yours; please report it.", file=sys.stderr)
            code = INTERNAL
        raise typer.Exit(code)

    return run
