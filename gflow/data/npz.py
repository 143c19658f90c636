"""Reading the arrays of an npz file, or reporting what is wrong with it."""

import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np

from gflow.errors import DataError

_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


def read_arrays(
    path: Path, arguments: str, only: Sequence[str] | None = None
) -> dict[str, np.ndarray]:
    """Arrays of a file, by name.

    **Arguments:**

    - `path`: an npz file of plain arrays; pickled ones are refused.
    - `arguments`: the arguments of `numpy.savez` that would write it, for the message.
    - `only`: names of the arrays to read, as far as they exist; None for all.

    **Raises:** `DataError` for a file that is missing or not an npz file.
    """
    with _reading(path, f"(path, {arguments})"), np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files if only is None or name in only}


def array_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Shapes of the arrays of an npz file, from their headers.

    **Raises:** `DataError` for a file that is missing, or whose headers cannot be read.
    """
    with _reading(path), zipfile.ZipFile(path) as archive:
        return {name.removesuffix(".npy"): _npy_shape(archive, name) for name in archive.namelist()}


def matrix_shape(path: Path, shapes: dict[str, tuple[int, ...]], name: str) -> tuple[int, int]:
    """The shape of an array of inputs, by `array_shapes`.

    **Raises:** `DataError` if there is no such array, or it is no matrix.
    """
    shape = shapes.get(name, ())
    if len(shape) != 2:
        what = f"has shape {shape}" if name in shapes else "is missing"
        raise DataError(
            f"{path}: array `{name}` must be inputs of shape (n, D), but {what}; write it with "
            f"numpy.savez(path, {name}=..., y=...)."
        )
    return shape[0], shape[1]


def length_of(shapes: dict[str, tuple[int, ...]], name: str, default: int) -> int:
    """The length of the first axis of an array that may be missing or without axes."""
    return (*shapes.get(name, ()), default)[0]


@contextmanager
def _reading(path: Path, arguments: str = "") -> Iterator[None]:
    """Raise what is wrong with a file as a `DataError`."""
    try:
        yield
    except FileNotFoundError:
        raise DataError(
            f"{path}: must be an npz file, but does not exist; set data.path to one."
        ) from None
    # A file of another kind may make zipfile, its decompressors and numpy raise anything.
    except Exception as error:
        raise DataError(f"{path}: {_complaint(path, error, arguments)}.") from None


def _complaint(path: Path, error: Exception, arguments: str) -> str:
    """What a file that cannot be read must be, what it is, and the cure."""
    must = "must be an npz file of plain arrays, but"
    with suppress(OSError), path.open("rb") as file:
        head = file.read(6)
        if head == b"\x93NUMPY":
            return f"{must} holds a single array (npy); write it with numpy.savez{arguments}"
        if head.startswith(b"PK\3\4") and not zipfile.is_zipfile(path):
            return f"{must} is cut short; download it or save it again"
        if zipfile.is_zipfile(path) and any(m.flag_bits & 1 for m in _members(path)):
            return f"{must} is encrypted; save it without a password"
    return f"{must} cannot be read ({error}); write it with numpy.savez{arguments}"


def _members(path: Path) -> list[zipfile.ZipInfo]:
    with suppress(zipfile.BadZipFile), zipfile.ZipFile(path) as archive:
        return archive.infolist()
    return []


def _npy_shape(archive: zipfile.ZipFile, name: str) -> tuple[int, ...]:
    with archive.open(name) as file:
        version = np.lib.format.read_magic(file)
        if version not in _HEADERS:
            raise ValueError(f"{name} is of a newer numpy format {version}")
        return _HEADERS[version](file)[0]
