"""Reading the arrays of an npz file, or reporting what is wrong with it."""

import zipfile
import zlib
from pathlib import Path

import numpy as np

from gflow.errors import DataError

_BROKEN = (OSError, ValueError, TypeError, AttributeError, EOFError, KeyError, MemoryError)
"""What numpy raises for files that are of another kind, truncated or altered."""


def read_arrays(path: Path, arguments: str) -> dict[str, np.ndarray]:
    """All arrays of a file, by name.

    **Arguments:**

    - `path`: an npz file of plain arrays; pickled ones are refused.
    - `arguments`: the arguments of `numpy.savez` that would write it, for the message.

    **Raises:** `DataError` for a file that is missing or not an npz file.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except FileNotFoundError:
        raise _missing(path) from None
    except (*_BROKEN, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(
            f"{path}: must be an npz file of plain arrays, but cannot be read ({error}); write it "
            f"with numpy.savez(path, {arguments})."
        ) from None


def array_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Shapes of the arrays of an npz file, from their headers.

    **Raises:** `DataError` for a file that is missing, or whose headers cannot be read.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return {
                name.removesuffix(".npy"): _npy_shape(archive, name) for name in archive.namelist()
            }
    except FileNotFoundError:
        raise _missing(path) from None
    except _UNREADABLE as error:
        raise DataError(
            f"{path}: must be an npz file of plain arrays, but cannot be read ({error}); write it "
            "with numpy.savez."
        ) from None


def _missing(path: Path) -> DataError:
    return DataError(f"{path}: must be an npz file, but does not exist; set data.path to one.")


_UNREADABLE = (OSError, ValueError, RuntimeError, EOFError, zipfile.BadZipFile, zlib.error)
_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


def _npy_shape(archive: zipfile.ZipFile, name: str) -> tuple[int, ...]:
    with archive.open(name) as file:
        version = np.lib.format.read_magic(file)
        if version not in _HEADERS:
            raise ValueError(f"{name} is of a newer numpy format {version}")
        return _HEADERS[version](file)[0]
