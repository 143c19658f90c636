"""Data of kind "features": features of a pretrained network, labeled by category, in an npz file.

As in the experiments of 2024, the class of a category is its index modulo a small number, so that a
class consists of many unrelated subclasses (theory E4).

A few hundred features of real photographs come with the package.

**Source:** Caltech-101 (Li, Andreeto, Ranzato and Perona; CC BY 4.0) through EfficientNet-Lite0
(1280 features, ImageNet weights of Google's release).
"""

from importlib import resources
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float, Int
from pydantic import Field

from gflow.data.dataset import Split
from gflow.data.kind import AbstractRealData, Facts, Sizes
from gflow.data.npz import array_shapes, length_of, matrix_shape, read_arrays
from gflow.errors import DataError
from gflow.random import stream

LEAST = 2
"""Fewest samples per category: one to train on and one to test on."""

MOST = 1_000_000
"""Category indices are smaller than this."""

PACKAGED: dict[str, tuple[int, ...]] = {"x": (800, 1280), "names": (40,)}
"""Shapes of the arrays that come with gflow."""


class FeatureData(AbstractRealData):
    """Features of a pretrained network, labeled by category (final)."""

    kind: Literal["features"] = Field(default="features", description="where samples come from")
    path: Path | None = Field(
        default=None,
        strict=False,
        description="npz file with x, y and names, relative to the scenario file; by default "
        "the features of 800 photographs that come with gflow",
    )
    test_share: float = Field(
        default=0.2, gt=0, lt=1, description="fraction of every category to test on"
    )

    @property
    def sizes(self) -> Sizes:
        """Read from the header of the file; categories are unknown without their names."""
        shapes = PACKAGED if self.path is None else array_shapes(self.path)
        n, D = matrix_shape(self.path or Path("features"), shapes, "x")
        m = round(n * self.test_share)
        # Without names, the header does not say how many categories there are.
        K = length_of(shapes, "names", 10)
        return Sizes(self.samples or n - m, self.test_samples or m, D, K, self.class_count)

    @property
    def files(self) -> tuple[Path, ...]:
        return () if self.path is None else (self.path,)

    @property
    def facts(self) -> Facts:
        return Facts(shuffled=True, scale="features")

    def read(self, seed: int) -> Split:
        """Training and test samples; the subclasses are the categories that have samples."""
        features = read_features(self.path)
        present, subclass = np.unique(features.category, return_inverse=True)
        names = tuple(features.names[k] for k in present)
        train, test = (
            self.labeled(features.x[rows], subclass[rows], names, present.tolist())
            for rows in split_by_category(features.category, self.test_share, stream(seed, "split"))
        )
        return self.split_of(train, test, seed)


class Features(NamedTuple):
    """n feature vectors and their categories."""

    x: Float[np.ndarray, "n D"]
    category: Int[np.ndarray, " n"]
    names: tuple[str, ...]


def read_features(path: Path | None) -> Features:
    """Features from an npz file with arrays `x` (n, D), `y` (n,) and optionally `names`.

    **Arguments:**

    - `path`: the file; None for the features that come with gflow, 20 in each of 40 categories.

    **Raises:** `DataError` naming the file and the array, what it must be and what it is.
    """
    if path is None:
        extract = resources.files("gflow.data").joinpath("extracts/features.npz")
        with resources.as_file(extract) as packaged:
            return read_features(packaged)
    arrays = read_arrays(path, "x=..., y=..., names=...")
    try:
        return _features(arrays)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None


def split_by_category(
    category: Int[np.ndarray, " n"], test_share: float, rng: np.random.Generator
) -> tuple[Int[np.ndarray, " m"], Int[np.ndarray, " k"]]:
    """Indices of training and test samples: the same fraction of each category, at least one each.

    Test samples are in random order, so that the first ones are from all categories.
    """
    train, test = [], []
    for k in np.unique(category):
        mine = rng.permutation(np.flatnonzero(category == k))
        count = min(max(round(test_share * len(mine)), 1), len(mine) - 1)
        test.append(mine[:count])
        train.append(mine[count:])
    return np.sort(np.concatenate(train)), rng.permutation(np.concatenate(test))


def _features(arrays: dict[str, np.ndarray]) -> Features:
    # The arrays by themselves: they exist, and have the right shape and type.
    for name in ("x", "y"):
        if name not in arrays:
            raise DataError(
                f"array `{name}` must exist, but the file holds {sorted(arrays)}; add it."
            )
    x, y = arrays["x"], arrays["y"]
    if x.ndim != 2 or not np.issubdtype(x.dtype, np.floating):
        raise DataError(
            f"array `x` must be features of shape (n, D), but is {x.dtype} with shape {x.shape}; "
            "store one row of floats per sample."
        )
    if y.shape != (len(x),) or not np.issubdtype(y.dtype, np.integer) or not len(y):
        raise DataError(
            f"array `y` must be one integer for each of {len(x)} rows of `x`, but is {y.dtype} "
            f"with shape {y.shape}; number the categories from 0."
        )

    # The categories: indices that may be counted, with samples to train and test on, and names.
    if y.min() < 0 or y.max() >= MOST:
        raise DataError(
            f"array `y` must hold categories from 0 to {MOST - 1}, but holds {int(y.min())} to "
            f"{int(y.max())}; number the categories from 0."
        )
    present, counts = np.unique(y, return_counts=True)
    few = present[counts < LEAST]
    if len(few):
        raise DataError(
            f"every category must have at least {LEAST} samples, but {len(few)} have fewer (the "
            f"first is {int(few[0])}); leave these out."
        )
    count = int(y.max()) + 1
    names = np.atleast_1d(arrays.get("names", np.arange(count))).astype(str)
    if len(names) < count:
        raise DataError(
            f"array `names` must have an entry for each of {count} categories, but has "
            f"{len(names)}; add the others, or leave `names` out."
        )
    return Features(x.astype(np.float64), y.astype(np.int64), tuple(names.tolist()))
