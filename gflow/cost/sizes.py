"""Sizes of a scenario: samples, dimensions, subclasses and weights.

One idea: a scenario gives them, or the header of its file of samples, no more of which is read.
"""

import zipfile
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np

from gflow.errors import DataError
from gflow.scenario import DigitData, FeatureData, ImageData, Scenario


class Sizes(NamedTuple):
    """Sizes that a scenario gives, or the header of its file of samples."""

    n: int
    m: int
    """Test samples."""
    D: int
    K: int


def sizes_of(scenario: Scenario) -> Sizes:
    """Sizes of the data of one flow.

    **Raises:** `DataError` for a file of samples whose header cannot be read.
    """
    data = scenario.data
    if data.kind == "mixture":
        return Sizes(data.samples, data.test_samples, data.dimension, data.subclasses)
    if isinstance(data, DigitData):
        return _digit_sizes(data)
    if isinstance(data, ImageData):
        return Sizes(data.samples or 50_000, data.test_samples or 10_000, 3072, 10)
    if isinstance(data, FeatureData):
        return _feature_sizes(data)
    shapes = _npz_shapes(data.path)
    if len(shapes.get("X", ())) != 2:
        found = f"has shape {shapes['X']}" if "X" in shapes else "is missing"
        raise DataError(
            f"{data.path}: array `X` must be inputs of shape (n, D), but {found}; write it with "
            "numpy.savez(path, X=..., y=...)."
        )
    n, D = shapes["X"]
    return Sizes(n, shapes.get("X_test", (0,))[0], D, shapes.get("centers", (2,))[0])


def _digit_sizes(data: DigitData) -> Sizes:
    n, m = (3000, 1000) if data.extract else (60_000, 10_000)
    return Sizes(data.samples or n, data.test_samples or m, 784, 10)


def _feature_sizes(data: FeatureData) -> Sizes:
    packaged = {"x": (800, 1280), "names": (40,)}
    shapes = packaged if data.path is None else _npz_shapes(data.path)
    n, D = shapes.get("x", (0, 0))
    m = round(n * data.test_share)
    K = shapes.get("names", (10,))[0]  # categories without names are not counted here
    return Sizes(data.samples or n - m, data.test_samples or m, D, K)


def _npz_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Shapes of the arrays of an npz file, from their headers."""
    try:
        with zipfile.ZipFile(path) as archive:
            return {
                name.removesuffix(".npy"): _npy_shape(archive, name) for name in archive.namelist()
            }
    except FileNotFoundError:
        raise DataError(
            f"{path}: must be an npz file, but is not there; set data.path to one."
        ) from None
    except _UNREADABLE as error:
        raise DataError(
            f"{path}: must be an npz file of plain arrays, but cannot be read ({error}); write it "
            "with numpy.savez."
        ) from None


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


def weights_of(scenario: Scenario, sizes: Sizes) -> int:
    """Hidden and output weights; of two layers the hidden ones, beside which the others vanish."""
    h, network = scenario.network.width, scenario.network
    if not network.is_deep:
        return h * sizes.D
    outputs = {"sign": 1, "classes": classes_of(scenario), "subclasses": sizes.K}[network.outputs]
    return h * (sizes.D + (network.hidden_layers - 1) * h + outputs)


def classes_of(scenario: Scenario) -> int:
    """Classes of real data; a mixture has two."""
    classes = getattr(scenario.data, "classes", 2)
    return classes if isinstance(classes, int) else max(classes) + 1
