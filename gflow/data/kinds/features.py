"""Data of kind "features": features of a pretrained network, labeled by category, in an npz file.

As in the experiments of 2024, the class of a category is its index modulo a small number, so that a
class consists of many unrelated subclasses (theory E4).  Where the file says which categories are
akin, as the coarse labels of CIFAR-100 do, that may be the class instead; the same classes with
their categories exchanged at random tell what kinship is good for.

A few hundred features of real photographs come with the package.

**Source:** Caltech-101 (Li, Andreeto, Ranzato and Perona; CC BY 4.0) through EfficientNet-Lite0
(1280 features, ImageNet weights of Google's release).
"""

from importlib import resources
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import numpy as np
from jaxtyping import Float, Int
from pydantic import Field

from gflow.data.dataset import Split
from gflow.data.kind import AbstractRealData, Facts, Sizes
from gflow.data.labels import classes_of, numbered
from gflow.data.npz import array_shapes, length_of, matrix_shape, read_arrays
from gflow.data.rows import split_by_category
from gflow.errors import DataError
from gflow.random import stream

LEAST = 2
"""Fewest samples per category: one to train on and one to test on."""

MOST = 1_000_000
"""Category indices are smaller than this."""

TEST_SHARE = 0.2
"""Fraction of every category to test on, where neither the file nor the scenario says which."""

PACKAGED: dict[str, tuple[int, ...]] = {"x": (800, 1280), "names": (40,)}
"""Shapes of the arrays that come with gflow."""

_ARGUMENTS = "x=..., y=..., names=..."


class FeatureData(AbstractRealData):
    """Features of a pretrained network, labeled by category (final)."""

    kind: Literal["features"] = Field(default="features", description="where samples come from")
    path: Path | None = Field(
        default=None,
        strict=False,
        description="npz file with x, y and names, relative to the scenario file; by default "
        "the features of 800 photographs that come with gflow",
    )
    test_share: Annotated[float, Field(gt=0, lt=1)] | None = Field(
        default=None,
        description="fraction of every category to test on, chosen at random; by default what the "
        f"array split of the file says, or {TEST_SHARE:g} where there is none",
        examples=[TEST_SHARE],
    )
    classes: (  # pyright: ignore[reportIncompatibleVariableOverride]
        Literal["coarse", "shuffled"]
        | Annotated[int, Field(ge=2)]
        | Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(strict=False, min_length=2)]
    ) = Field(
        default=10,
        description="number of classes, the class of a category being its index modulo this; a "
        "list of the class of each category; or what the array coarse of the file says, as it is "
        "(coarse) or with its entries exchanged at random (shuffled), so that classes keep their "
        "sizes",
        examples=[2],
    )

    @property
    def sizes(self) -> Sizes:
        """Read from the header of the file; categories are unknown without their names."""
        shapes = PACKAGED if self.path is None else array_shapes(self.path)
        n, D = matrix_shape(self.path or Path("features"), shapes, "x")
        # Without names, the header does not say how many categories there are.
        K = length_of(shapes, "names", 10)
        m = round(n * (self.test_share or TEST_SHARE))
        if self.test_share is None and "split" in shapes:
            m = int((self._labels("split") == 1).sum())
        return self.sizes_of(n - m, m, D, K)

    @property
    def class_count(self) -> int:
        if isinstance(self.classes, str):
            return len(np.unique(self._labels("coarse")))
        return super().class_count

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
        class_of = self._classes(features, present, seed)
        train, test = (
            self.labeled(features.x[rows], subclass[rows], names, class_of)
            for rows in self._rows(features, stream(seed, "split"))
        )
        return self.split_of(train, test, seed)

    def _rows(
        self, features: "Features", rng: np.random.Generator
    ) -> tuple[Int[np.ndarray, " m"], Int[np.ndarray, " k"]]:
        """Rows to train on, and rows to test on, these in random order."""
        if self.test_share is None and features.split is not None:
            train, test = (np.flatnonzero(features.split == part) for part in (0, 1))
            return train, rng.permutation(test)
        _check_counts(features.category)
        return split_by_category(features.category, self.test_share or TEST_SHARE, rng)

    def _classes(
        self, features: "Features", present: Int[np.ndarray, " K"], seed: int
    ) -> tuple[int, ...]:
        """Class of each category that has samples."""
        if not isinstance(self.classes, str):
            return classes_of(present.tolist(), self.classes)
        if features.coarse is None:
            raise DataError(
                f"`data.classes` must be a number or a list where no array `coarse` gives the "
                f'class of each category, but is "{self.classes}"; add the array to the file, or '
                "set a number of classes."
            )
        coarse = features.coarse[present]
        shuffled = self.classes == "shuffled"
        return numbered(stream(seed, "coarse").permutation(coarse) if shuffled else coarse)

    def _labels(self, name: str) -> np.ndarray:
        """An array of the file that holds one number per row or category; empty without one."""
        arrays = {} if self.path is None else read_arrays(self.path, _ARGUMENTS, (name,))
        return arrays.get(name, np.zeros(0, np.int64))


class Features(NamedTuple):
    """n feature vectors and their categories."""

    x: Float[np.ndarray, "n D"]
    category: Int[np.ndarray, " n"]
    names: tuple[str, ...]
    split: Int[np.ndarray, " n"] | None = None
    """0 for rows to train on, 1 for rows to test on; None if the file does not say."""
    coarse: Int[np.ndarray, " K"] | None = None
    """Class of each category; None if the file does not say."""


def read_features(path: Path | None) -> Features:
    """Features from an npz file with arrays `x` (n, D), `y` (n,) and optionally `names` (K,).

    Two more may be there: `split` (n,), 0 for rows to train on and 1 for rows to test on, and
    `coarse` (K,), the class of each category.

    **Arguments:**

    - `path`: the file; None for the features that come with gflow, 20 in each of 40 categories.

    **Raises:** `DataError` naming the file and the array, what it must be and what it is.
    """
    if path is None:
        extract = resources.files("gflow.data").joinpath("extracts/features.npz")
        with resources.as_file(extract) as packaged:
            return read_features(packaged)
    arrays = read_arrays(path, _ARGUMENTS)
    try:
        return _features(arrays)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None


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

    # The categories: indices that may be counted, and what else is said of them.
    if y.min() < 0 or y.max() >= MOST:
        raise DataError(
            f"array `y` must hold categories from 0 to {MOST - 1}, but holds {int(y.min())} to "
            f"{int(y.max())}; number the categories from 0."
        )
    count = int(y.max()) + 1
    names = np.atleast_1d(arrays.get("names", np.arange(count))).astype(str)
    if len(names) < count:
        raise DataError(
            f"array `names` must have an entry for each of {count} categories, but has "
            f"{len(names)}; add the others, or leave `names` out."
        )
    category = y.astype(np.int64)
    split = _split(arrays["split"], category) if "split" in arrays else None
    if split is None:
        _check_counts(category)
    coarse = _coarse(arrays["coarse"], count) if "coarse" in arrays else None
    return Features(x.astype(np.float64), category, tuple(names.tolist()), split, coarse)


def _check_counts(category: Int[np.ndarray, " n"]) -> None:
    """Refuse categories that cannot be split."""
    present, counts = np.unique(category, return_counts=True)
    few = present[counts < LEAST]
    if len(few):
        raise DataError(
            f"every category must have at least {LEAST} samples, but {len(few)} have fewer (the "
            f"first is {int(few[0])}); leave these out."
        )


def _split(split: np.ndarray, category: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    """The array `split`, if it leaves samples of every category, and has some to test on."""
    if split.shape != category.shape or not np.isin(split, (0, 1)).all():
        raise DataError(
            f"array `split` must be 0 (train) or 1 (test) for each of {len(category)} rows of `x`, "
            f"but is {split.dtype} with shape {split.shape} and the values "
            f"{np.unique(split)[:5].tolist()}; leave out other rows, or `split`."
        )
    lacking = np.setdiff1d(category, category[split == 0])
    if len(lacking) or not split.any():
        what = f"category {int(lacking[0])} has none to train on" if len(lacking) else "no row is 1"
        raise DataError(
            "array `split` must leave samples of every category to train on, and some to test on, "
            f"but {what}; leave `split` out, for data.test_share at random."
        )
    return split.astype(np.int64)


def _coarse(coarse: np.ndarray, count: int) -> Int[np.ndarray, " K"]:
    """The array `coarse`, if it has a class for each category."""
    if coarse.ndim != 1 or len(coarse) < count or not np.issubdtype(coarse.dtype, np.integer):
        raise DataError(
            f"array `coarse` must be one integer for each of {count} categories, but is "
            f"{coarse.dtype} with shape {coarse.shape}; give the class of each category."
        )
    return coarse.astype(np.int64)
