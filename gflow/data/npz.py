"""Reading the arrays of an npz file, or reporting what is wrong with it."""

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from gflow.errors import DataError

_BROKEN = (
    OSError, ValueError, TypeError, AttributeError, RuntimeError, EOFError, KeyError, MemoryError,
    zipfile.BadZipFile, zlib.error,
)  # fmt: skip
"""What numpy and zipfile raise for files that are of another kind, truncated or altered."""

_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


def read_arrays(path: Path, arguments: str) -> dict[str, np.ndarray]:
    """All arrays of a file, by name.

    **Arguments:**

    - `path`: an npz file of plain arrays; pickled ones are refused.
    - `arguments`: the arguments of `numpy.savez` that would write it, for the message.

    **Raises:** `DataError` for a file that is missing or not an npz file.
    """
    with _reading(path, f"(path, {arguments})"), np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def array_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Shapes of the arrays of an npz file, from their headers.

    **Raises:** `DataError` for a file that is missing, or whose headers cannot be read.
    """
    with _reading(path), zipfile.ZipFile(path) as archive:
        return {name.removesuffix(".npy"): _npy_shape(archive, name) for name in archive.namelist()}


@contextmanager
def _reading(path: Path, arguments: str = "") -> Iterator[None]:
    """Raise what is wrong with a file as a `DataError`."""
    try:
        yield
    except FileNotFoundError:
        raise DataError(
            f"{path}: must be an npz file, but does not exist; set data.path to one."
        ) from None
    except _BROKEN as error:
        raise DataError(
            f"{path}: must be an npz file of plain arrays, but cannot be read ({error}); write it "
            f"with numpy.savez{arguments}."
        ) from None


def _npy_shape(archive: zipfile.ZipFile, name: str) -> tuple[int, ...]:
    with archive.open(name) as file:
        version = np.lib.format.read_magic(file)
        if version not in _HEADERS:
            raise ValueError(f"{name} is of a newer numpy format {version}")
        return _HEADERS[version](file)[0]
