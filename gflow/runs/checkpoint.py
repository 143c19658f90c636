"""The file from which a flow goes on after it was killed.

A checkpoint is one npz file, replaced as a whole, and says which question, which numerics and how
many threads it belongs to.  One that does not fit is not used: the flow then starts anew.
"""

import copy
import glob
import os
import time
import warnings
import zipfile
import zlib
from pathlib import Path

import numpy as np

from gflow.errors import GflowWarning
from gflow.flow.records import AbstractCheckpoint
from gflow.runs.provenance import threads
from gflow.scenario import NUMERICS, Scenario

_UNREADABLE = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error)


SECONDS = 20.0
"""Wall time between two checkpoints."""


def checkpoint_of(scenario: Scenario, folder: Path) -> "FileCheckpoint":
    """The checkpoint of a flow that will be stored in `folder`."""
    path = folder.with_name(f".{folder.name}.checkpoint.npz")
    return FileCheckpoint(path, scenario.digest(), SECONDS)


class FileCheckpoint(AbstractCheckpoint):
    """A checkpoint in a file."""

    def __init__(self, path: Path, question: str, seconds: float):
        self.path = path
        self.question = f"{question} numerics {NUMERICS}"
        self.seconds = seconds
        self._last = time.monotonic()

    def load(self) -> dict[str, np.ndarray] | None:
        """The arrays saved for this question, or None.

        Warns if it was computed with another number of threads, whose sums differ in their last
        bits.
        """
        try:
            with np.load(self.path, allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
            question, count = str(arrays.pop("question")), int(arrays.pop("threads"))
        except _UNREADABLE:
            return None
        if question != self.question:
            return None
        if count != threads():
            warnings.warn(
                f"The checkpoint was computed with {count} threads and goes on with {threads()}: "
                "the result is right to the tolerance, but not equal to the bit.",
                GflowWarning,
                stacklevel=2,
            )
        return arrays

    def due(self) -> bool:
        """Whether `seconds` have passed since the last checkpoint."""
        return time.monotonic() - self._last >= self.seconds

    def save(self, arrays: dict[str, np.ndarray]) -> None:
        """Replace the file as a whole; warn if it cannot be written, and go on without it."""
        self._last = time.monotonic()
        try:
            self._write(arrays)
        except OSError as error:
            warnings.warn(
                f"{self.path}: must be written to go on after a kill, but cannot be "
                f"({error.strerror or error}); the flow itself goes on. Free space or permit it.",
                GflowWarning,
                stacklevel=2,
            )

    def leg(self, name: str) -> "FileCheckpoint":
        """A file beside this one, which `remove` deletes, too."""
        leg = copy.copy(self)
        leg.path = self.path.with_suffix(f".{name}.npz")
        return leg

    def _write(self, arrays: dict[str, np.ndarray]) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self.path.with_name(f"{self.path.name}.{os.getpid()}.partial")
        labels = {"question": np.array(self.question), "threads": np.array(threads())}
        try:
            with temporary.open("wb") as file:
                np.savez(file, allow_pickle=False, **labels, **arrays)
            os.replace(temporary, self.path)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise

    def remove(self) -> None:
        """Delete the file, and those of its legs."""
        for path in self.path.parent.glob(f"{glob.escape(self.path.stem)}*.npz"):
            path.unlink(missing_ok=True)
