"""Labeled samples, and how they are read from a caller's own arrays.

One idea: a flow needs only inputs, labels and weights; subclasses and centers are what the theory
asks about, so they may be missing and are then replaced by the best that the arrays allow.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float, Int

from gflow.data.centers import Centers
from gflow.data.clusters import clustered, estimated, silhouettes
from gflow.data.npz import read_arrays
from gflow.errors import DataError


@dataclass(frozen=True)
class Dataset:
    """n labeled samples."""

    x: Float[np.ndarray, "n D"]
    """Inputs, one per row."""
    y: Float[np.ndarray, " _"]
    """Labels, +1 or -1, shape (n,); another shape is a `DataError`."""
    subclass: Int[np.ndarray, " n"] | None
    """Index of each sample's subclass, 0..K-1, where known."""

    def __post_init__(self):
        if self.y.shape != (self.x.shape[0],):
            raise DataError(
                f"`y` must have one label per row of `X` (n = {self.x.shape[0]}), but has shape "
                f"{self.y.shape}; give a vector of +1 and -1."
            )
        if not np.isfinite(self.x).all():
            row = int(np.flatnonzero(~np.isfinite(self.x).all(axis=1))[0])
            raise DataError(
                f"`X` must be finite, but row {row} is not; drop or repair the samples with nan "
                "or inf."
            )
        if not np.isin(self.y, (-1, 1)).all():
            found = np.unique(self.y)[:5].tolist()
            raise DataError(
                f"`y` must hold only +1 and -1, but holds {found}; map the two classes to +1 "
                "and -1."
            )
        for sign, word in ((1, "positive"), (-1, "negative")):
            if not (self.y == sign).any():
                raise DataError(
                    f"`y` must have samples of both classes, but has no {word} one; add some."
                )

    @property
    def target(self) -> Float[np.ndarray, " n"]:
        """What a prediction is held against: `y`."""
        return self.y

    @property
    def n(self) -> int:
        """Number of samples."""
        return self.x.shape[0]

    @property
    def D(self) -> int:
        """Input dimension."""
        return self.x.shape[1]

    def counts(self, K: int) -> Int[np.ndarray, " K"]:
        """Samples of each of `K` subclasses; raises `DataError` where subclasses are unknown."""
        if self.subclass is None:
            raise DataError(
                "`subclass` must be known to count samples, but the data have none; add it."
            )
        return np.bincount(self.subclass, minlength=K)


_ARRAYS = {
    "X": "inputs, shape (n, D)",
    "y": "labels +1 or -1, shape (n,)",
    "subclass": "index of each sample's subclass from 0, shape (n,)",
    "centers": "subclass centers, shape (K, D)",
    "X_test": "test inputs, shape (m, D)",
    "y_test": "test labels, shape (m,)",
}


Clusters = Literal["none", "estimate"] | tuple[int, ...]
"""What to do without subclasses: nothing; find clusters; find so many of +1 and of -1."""


def read_npz(
    path: Path, clusters: Clusters = "none", seed: int = 0
) -> tuple[Dataset, Dataset | None, Centers]:
    """Read a caller's own samples from an npz file.

    **Arguments:**

    - `path`: a file with arrays `X` (n, D) and `y` (n,) of +1 and -1, and where known `subclass`
        (n,), `centers` (K, D), `X_test` (m, D), `y_test` (m,).
    - `clusters`: "none"; or what stands in for `subclass` if the file has none, clusters within
        each class: as many as silhouettes suggest, or so many of +1 and of -1.
    - `seed`: of the search for clusters.

    **Returns:** training samples, test samples or None, and the centers: as given; else the mean
    of each subclass; else the mean of each class (two subclasses).

    **Raises:** `DataError` naming the file, the array, what it must be and what it is.
    """
    arrays = read_arrays(path, "X=..., y=...")
    try:
        return _from_arrays(arrays, clusters, seed)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None


def _from_arrays(
    arrays: dict[str, np.ndarray], clusters: Clusters, seed: int
) -> tuple[Dataset, Dataset | None, Centers]:
    for name in ("X", "y"):
        if name not in arrays:
            raise DataError(
                f"array `{name}` ({_ARRAYS[name]}) must be there, but the file holds only "
                f"{sorted(arrays)}; write it with numpy.savez(path, X=..., y=...)."
            )
    unknown = sorted(set(arrays) - set(_ARRAYS))
    if unknown:
        raise DataError(
            f"arrays must be among {sorted(_ARRAYS)}, but the file also holds {unknown}; leave "
            "them out."
        )
    x = _real(arrays, "X", 2)
    subclass = _indices(arrays, x.shape[0]) if "subclass" in arrays else None
    train = Dataset(x, _real(arrays, "y", 1), subclass)
    if clusters == "none":
        return train, _test_split(arrays, train.D), _centers(arrays, train)
    if subclass is not None:
        raise DataError(
            '`data.clusters` must be "none" where the file has an array `subclass`, but is '
            f"{clusters}; take one of them out."
        )
    train = replace(train, subclass=_clustered(train, clusters, seed))
    centers = replace(_centers(arrays, train), origin="means of clusters")
    return train, _test_split(arrays, train.D), centers


def _clustered(train: Dataset, clusters: Clusters, seed: int) -> Int[np.ndarray, " n"]:
    """Clusters of the class +1, then those of -1."""
    subclass, begin = np.zeros(train.n, np.int64), 0
    for i, sign in enumerate((1, -1)):
        mine = train.x[train.y == sign]
        k = estimated(silhouettes(mine, seed)) if clusters == "estimate" else int(clusters[i])
        found = clustered(mine, k, seed)
        subclass[train.y == sign] = begin + found
        begin += found.max() + 1
    return subclass


def _real(arrays: dict[str, np.ndarray], name: str, ndim: int) -> np.ndarray:
    array = arrays[name]
    if array.ndim != ndim or not np.issubdtype(array.dtype, np.number) or np.iscomplexobj(array):
        raise DataError(
            f"array `{name}` must be real numbers ({_ARRAYS[name]}), but is {array.dtype} with "
            f"shape {array.shape}; store it so."
        )
    return array.astype(np.float64)


def _indices(arrays: dict[str, np.ndarray], n: int) -> np.ndarray:
    subclass = arrays["subclass"]
    if (
        subclass.shape != (n,)
        or not np.issubdtype(subclass.dtype, np.integer)
        or subclass.min(initial=0) < 0
        or subclass.max(initial=0) >= n
    ):
        raise DataError(
            f"array `subclass` must be integers from 0 to n - 1 ({_ARRAYS['subclass']}), but is "
            f"{subclass.dtype} with shape {subclass.shape}; number the subclasses without gaps."
        )
    return subclass.astype(np.int64)


def _test_split(arrays: dict[str, np.ndarray], D: int) -> Dataset | None:
    given = {"X_test", "y_test"} & set(arrays)
    if not given:
        return None
    if len(given) == 1:
        raise DataError(
            f"`X_test` and `y_test` must come together, but only {given.pop()} is there; add the "
            "other."
        )
    x = _real(arrays, "X_test", 2)
    if x.shape[1] != D:
        raise DataError(
            f"`X_test` must have D = {D} columns like `X`, but has {x.shape[1]}; store whole rows."
        )
    y = _real(arrays, "y_test", 1)
    try:
        return Dataset(x, y, None)
    except DataError as error:
        raise DataError(str(error).replace("`X`", "`X_test`").replace("`y`", "`y_test`")) from None


def _centers(arrays: dict[str, np.ndarray], train: Dataset) -> Centers:
    if train.subclass is None:
        if "centers" in arrays:
            raise DataError(
                "`subclass` must be there when `centers` is (it tells the class of a center), but "
                "is missing; add it."
            )
        means = np.stack([train.x[train.y > 0].mean(axis=0), train.x[train.y < 0].mean(axis=0)])
        if not means.any(axis=1).all():
            raise DataError(
                "the mean of each class must not be 0 where subclasses are unknown, but one is; "
                "add an array `subclass`."
            )
        return Centers(means, np.array([1, -1]), "class means")
    K = int(train.subclass.max()) + 1
    label = np.zeros(K, dtype=np.int64)
    for k in range(K):
        classes = np.unique(train.y[train.subclass == k])
        if len(classes) != 1:
            what = "none" if len(classes) == 0 else "samples of both classes"
            raise DataError(
                f"every `subclass` 0..{K - 1} must have samples of one class, but {k} has {what}; "
                "number the subclasses without gaps, each within one class."
            )
        label[k] = int(classes[0])
    if "centers" not in arrays:
        means = np.stack([train.x[train.subclass == k].mean(axis=0) for k in range(K)])
        return Centers(means, label, "subclass means")
    mu = _real(arrays, "centers", 2)
    if mu.shape != (K, train.D):
        raise DataError(
            f"`centers` must have shape (K, D) = ({K}, {train.D}), but has {mu.shape}; give one "
            "row per subclass."
        )
    if not np.isfinite(mu).all():
        raise DataError("`centers` must be finite, but holds nan or inf; repair them.")
    return Centers(mu, label, "given")
