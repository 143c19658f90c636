"""Folders for what can be fetched or compiled again, and where data sets are looked for."""

import os
import tempfile
from pathlib import Path


def cache_folder() -> Path | None:
    """`gflow` in `$XDG_CACHE_HOME`, or in `~/.cache`; None if it cannot be written.

    In a container there may be no home folder, no such user, or a file system that is read-only.
    """
    try:
        caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    except RuntimeError:
        return None
    there = next((place for place in (caches, *caches.parents) if place.exists()), None)
    return caches / "gflow" if there is not None and os.access(there, os.W_OK) else None


def download_folder(name: str) -> Path:
    """The folder into which `gflow data` downloads the data set of this name."""
    return (cache_folder() or Path(tempfile.gettempdir()) / "gflow") / name


def places(folder: Path | None, name: str) -> list[Path]:
    """Where a data set is looked for: in `folder` only, or for None in the usual places.

    These are `name` in `$GFLOW_DATA`, `$GFLOW_DATA` itself, and the download folder.
    """
    if folder is not None:
        return [folder]
    root = os.environ.get("GFLOW_DATA")
    return [*([Path(root) / name, Path(root)] if root else []), download_folder(name)]
