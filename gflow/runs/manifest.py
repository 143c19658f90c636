"""The manifest of a run folder: what made it, how it ended, and the checksums of its files.

The manifest is written last and sealed, so a folder whose manifest is whole is complete.
"""

from collections.abc import Mapping
from pathlib import Path

from gflow.errors import RecordError
from gflow.runs.files import read_json, write_sealed

FORMAT = 2
"""Version of the folder's layout and of scenario files; others are refused, never guessed at."""

_NAME = "manifest.json"


def write_manifest(folder: Path, values: Mapping[str, object]) -> None:
    """Write the manifest of a run folder, sealed."""
    write_sealed(folder / _NAME, {"program": "gflow", "format": FORMAT, **values})


def read_manifest(folder: Path) -> dict:
    """The manifest of a run folder; the files it lists are not verified here.

    **Raises:** `RecordError` if it is missing, foreign, altered, or from a newer version.
    """
    if not folder.is_dir():
        raise RecordError(f"{folder}: no such run folder; `gflow run SCENARIO` makes one.")
    path = folder / _NAME
    try:
        manifest, is_whole = read_json(path)
    except FileNotFoundError:
        raise RecordError(
            f"{folder}: must be a run folder, but has no manifest.json; give the folder that "
            "`gflow run` printed."
        ) from None
    if manifest.get("program") != "gflow":
        raise RecordError(
            f"{folder}: must be a gflow run folder, but its manifest.json is of another program; "
            "give the folder that `gflow run` printed."
        )
    check_format(path, manifest)
    if not is_whole:
        raise RecordError(
            f"{path}: must have the checksum it carries, but has another; the file was altered or "
            "cut short. Run its scenario again with --fresh."
        )
    return manifest


def check_format(path: Path, values: Mapping[str, object]) -> None:
    """Refuse a file of a run or study folder that another version of gflow wrote.

    **Raises:** `RecordError` saying which, and how to get on.
    """
    written = values.get("format")
    if isinstance(written, int) and written < FORMAT:
        raise RecordError(
            f"{path}: must have format {FORMAT}, but has {written}; it was written by gflow 0.1, "
            "whose networks have other keys. Run its scenario file again, which computes it anew "
            "in a folder of its own."
        )
    if written != FORMAT:
        raise RecordError(
            f"{path}: must have format {FORMAT}, but has {written}; it was written by a newer "
            "gflow, so upgrade gflow."
        )
