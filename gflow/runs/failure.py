"""Why a point of a grid has no answer, as a file in its folder.

One idea: a point that fails is a fact about that point.  It is written down where its run would
be, and goes away with the next attempt that succeeds.
"""

import json
import traceback
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from gflow.errors import GflowError, RecordError
from gflow.runs.files import write_json

_NAME = "failure.json"


class Failure(NamedTuple):
    """What kept a point from being computed or judged."""

    kind: str
    """Name of the error's class."""
    text: str
    """What happened, for a person."""
    traceback: str = ""
    """Where in the program; empty for a mistake that the user can mend."""


def failure_of(error: Exception) -> Failure:
    """A failure, from the error that caused it."""
    kind = type(error).__name__
    if isinstance(error, GflowError):
        return Failure(kind, str(error))
    trace = "".join(traceback.format_exception(error))
    if isinstance(error, MemoryError):
        text = "There was not enough memory; use fewer samples, neurons, or --workers."
        return Failure(kind, text, trace)
    return Failure(kind, f"{kind}: {error}", trace)


def save_failure(folder: Path, failure: Failure) -> None:
    """Write down why a point failed, beside an older run if there is one.

    A disk that is full may be the very reason, so failing to write is not told again.
    """
    with suppress(OSError, RecordError):
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / _NAME, failure._asdict())


def load_failure(folder: Path) -> Failure | None:
    """Why the last attempt at a point failed; None if it did not, or nobody tried."""
    try:
        values = json.loads((folder / _NAME).read_text(encoding="utf-8"))
        return Failure(*(str(values[name]) for name in Failure._fields))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        return Failure("RecordError", f"{folder / _NAME} cannot be read ({error}).")


def forget_failure(folder: Path) -> None:
    """The last attempt succeeded."""
    with suppress(OSError):
        (folder / _NAME).unlink(missing_ok=True)
