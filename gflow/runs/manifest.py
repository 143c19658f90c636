"""The manifest of a run folder: what made it, how it ended, and the checksums of its files.

The manifest is written last and sealed, so a folder whose manifest is whole is complete.
"""

from pathlib import Path

from gflow.errors import RecordError
from gflow.runs.sealed import read_sealed

MANIFEST, FINDINGS, RADII = "manifest.json", "findings.json", "robustness.json"
"""Sealed files of a run folder; the last two may be missing."""


def is_run(folder: Path) -> bool:
    """Whether a folder holds a run that ended."""
    return (folder / MANIFEST).is_file()


def read_manifest(folder: Path) -> dict:
    """The manifest of a run folder; the files it lists are not verified here.

    **Raises:** `RecordError` if it is missing, foreign, altered, or from another version.
    """
    if not folder.is_dir():
        raise RecordError(f"{folder}: no such run folder; `gflow run SCENARIO` makes one.")
    try:
        return read_sealed(folder / MANIFEST)
    except FileNotFoundError:
        raise RecordError(
            f"{folder}: must be a run folder, but has no {MANIFEST}; give the folder that "
            "`gflow run` printed."
        ) from None
