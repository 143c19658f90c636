"""Exit codes, and how every mistake of a user's ends in one.

One idea: whatever a verb raises becomes a sentence on stderr and a code; a traceback is gflow's own
mistake, and says so.
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
"""Of several codes the last of these wins."""

MENDABLE = {
    "ScenarioError": BAD_INPUT,
    "DataError": BAD_INPUT,
    "PrecisionError": BAD_INPUT,
    "RecordError": BAD_RECORD,
}
"""Exit codes of points that failed, by the class of their error; any other is `INTERNAL`."""


def guarded(verb: Callable[..., int]) -> Callable[..., None]:
    """Turn a verb's exit code, and every mistake of the user's, into the end of the process."""

    @functools.wraps(verb)
    def run(*args: Any, **kwargs: Any) -> None:
        """The verb, and the end of the process with its code."""
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
            # Whoever read the output, such as `head`, has seen enough; nothing more is said to it.
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
