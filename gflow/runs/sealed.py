"""Sealed files: JSON with gflow's name, the format of its folders, and a checksum of its own text.

Manifests, indexes, verdicts and radii are sealed, so that one altered, cut short, or written by
another version is refused and never guessed at.
"""

import hashlib
import json
import warnings
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from gflow.errors import GflowWarning, RecordError
from gflow.runs.files import to_json, write_text

FORMAT = 3
"""Version of the layout of folders and of scenario files; others are refused."""

_BLANK = "0" * 64
"""Stands for the seal while it is computed."""


def write_sealed(path: Path, values: Mapping[str, object]) -> None:
    """Write plain values, sealed, all or nothing."""
    text = to_json({"program": "gflow", "format": FORMAT, **values, "seal": _BLANK})
    seal = hashlib.sha256(text.encode("utf-8")).hexdigest()
    write_text(path, text.replace(_BLANK, seal))


def read_sealed(path: Path, cure: str = "run its scenario again with --fresh") -> dict:
    """Values of a sealed file.

    **Arguments:**

    - `path`: the file.
    - `cure`: what to do about a file that was altered or cut short.

    **Raises:** `FileNotFoundError`; `RecordError` if it is foreign, altered, or of another format.
    """
    try:
        data = path.read_bytes()
        values = json.loads(data.decode("utf-8"))
    except FileNotFoundError:
        raise
    except (OSError, ValueError, RecursionError) as error:
        raise RecordError(
            f"{path}: must be JSON, but cannot be read ({error}); it was altered or cut short, so "
            f"{cure}."
        ) from None
    if not isinstance(values, dict) or values.get("program") != "gflow":
        raise RecordError(
            f"{path}: must be a file of gflow, but is of another program; give the folder that "
            "`gflow run` printed."
        )
    _check_format(path, values.get("format"))
    seal = str(values.pop("seal", ""))
    blank = data.replace(seal.encode("utf-8"), _BLANK.encode()) if len(seal) == 64 else b""
    if hashlib.sha256(blank).hexdigest() != seal:
        raise RecordError(
            f"{path}: must have the checksum it carries, but has another; it was altered or cut "
            f"short, so {cure}."
        )
    return values


def warn_unused(reason: object) -> None:
    """Say of something stored why it is not used, and what is done about it."""
    warnings.warn(str(reason), GflowWarning, stacklevel=3)


def _check_format(path: Path, written: object) -> None:
    """Refuse what another version of gflow wrote."""
    if isinstance(written, int) and written < FORMAT:
        raise RecordError(
            f"{path}: must have format {FORMAT}, but has {written}; it was written by gflow 0.1 "
            "or an early 0.2, whose scenarios have other keys. Run its scenario file again, which "
            "computes it anew in a folder of its own."
        )
    if written != FORMAT:
        raise RecordError(
            f"{path}: must have format {FORMAT}, but has {written}; it was written by a newer "
            "gflow, so upgrade gflow."
        )


def seal_of(path: Path) -> str:
    """The seal a file carries, unchecked; empty if there is none."""
    with suppress(OSError, ValueError):
        return str(json.loads(path.read_text(encoding="utf-8")).get("seal", ""))
    return ""
