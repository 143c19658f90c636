"""The folder for what can be fetched or compiled again."""

import os
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
