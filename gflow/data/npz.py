"""Arrays of an npz file, or a sentence about what is wrong with it."""

import zipfile
import zlib
from pathlib import Path

import numpy as np

from gflow.errors import DataError

_BROKEN = (OSError, ValueError, TypeError, AttributeError, EOFError, KeyError, MemoryError)
"""What numpy raises for files of another kind, cut short, or altered."""


def read_arrays(path: Path, arguments: str) -> dict[str, np.ndarray]:
    """All arrays of a file by name.

    **Arguments:**

    - `path`: an npz file of plain arrays; pickled ones are refused.
    - `arguments`: of `numpy.savez` that would write it, for the message.

    **Raises:** `DataError` for a file that is missing or is none.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except FileNotFoundError:
        raise DataError(
            f"{path}: must be an npz file, but is not there; set data.path to one."
        ) from None
    except (*_BROKEN, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(
            f"{path}: must be an npz file of plain arrays, but cannot be read ({error}); write it "
            f"with numpy.savez(path, {arguments})."
        ) from None
