"""The manifest of a run folder: what made it, how it ended, and the checksums of its files.

The manifest is written last and sealed, so a folder whose manifest is whole is complete.
"""

from collections.abc import Mapping
from pathlib import Path

from gflow.errors import RecordError
from gflow.runs.files import read_json, write_sealed

FORMAT = 1
"""Version of the folder's layout; raised when an older gflow could not read it."""

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
    if not isinstance(manifest.get("format"), int) or manifest["format"] > FORMAT:
        raise RecordError(
            f"{path}: must have format <= {FORMAT}, but has {manifest.get('format')}; it was "
            "written by a newer gflow, so upgrade gflow."
        )
    if not is_whole:
        raise RecordError(
            f"{path}: must have the checksum it carries, but has another; the file was altered or "
            "cut short. Run its scenario again with --fresh."
        )
    return manifest
