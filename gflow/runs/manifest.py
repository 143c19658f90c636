"""The manifest of a run folder: what made it, how it ended, and the checksums of its files.

The manifest is written last and sealed, so a folder whose manifest is whole is complete.
"""

import hashlib
from pathlib import Path

from gflow.errors import RecordError
from gflow.runs.sealed import read_sealed

MANIFEST, FINDINGS, RADII = "manifest.json", "findings.json", "robustness.json"
"""Sealed files of a run folder; the last two may be missing."""

PARTS = ("scenario.toml", "trajectory.nc", "network.npz")
"""The files whose checksums are in the manifest."""


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


def verified(path: Path, manifest: dict) -> bytes:
    """The content of one of the `PARTS`, read once, so that exactly what was checked is used.

    **Raises:** `RecordError` if it is missing, altered, or cut short.
    """
    try:
        data = path.read_bytes()
    except OSError:
        raise RecordError(
            f"{path}: must exist, but is missing; the run folder was truncated. Run its "
            "scenario again with --fresh."
        ) from None
    if hashlib.sha256(data).hexdigest() != manifest.get("checksums", {}).get(path.name):
        raise RecordError(
            f"{path}: must have the checksum in manifest.json, but has another; the file was "
            "altered or truncated. Run its scenario again with --fresh."
        )
    return data
