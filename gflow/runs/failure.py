"""Why a point of a grid could not be computed, as a file in its folder.

The file is where the run would be, and is removed by the next attempt that succeeds.
"""

import json
import traceback
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from gflow.errors import RecordError, as_own
from gflow.runs.files import write_json

_NAME = "failure.json"


class Failure(NamedTuple):
    """What kept a point from being computed or judged."""

    kind: str
    """Name of the error's class."""
    text: str
    """What happened, for a person."""
    traceback: str = ""
    """Where in the program; empty for a mistake that the user can correct."""


def failure_of(error: Exception) -> Failure:
    """The failure that an error causes."""
    kind, own = type(error).__name__, as_own(error)
    trace = "" if own is error else "".join(traceback.format_exception(error))
    if own is None:
        return Failure(kind, f"{kind}: {error}", trace)
    return Failure(type(own).__name__, str(own), trace)


def save_failure(folder: Path, failure: Failure) -> None:
    """Store why a point failed, beside an older run if there is one.

    A full disk may be the very reason, so it is no error if this cannot be written.
    """
    with suppress(OSError, RecordError):
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / _NAME, failure._asdict())


def load_failure(folder: Path) -> Failure | None:
    """Why the last attempt at a point failed; None if it succeeded, or there was none."""
    try:
        values = json.loads((folder / _NAME).read_text(encoding="utf-8"))
        return Failure(*(str(values[name]) for name in Failure._fields))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        return Failure("RecordError", f"{folder / _NAME} cannot be read ({error}).")


def forget_failure(folder: Path) -> None:
    """Remove the failure of an earlier attempt, since the last one succeeded."""
    with suppress(OSError):
        (folder / _NAME).unlink(missing_ok=True)
