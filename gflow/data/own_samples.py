"""Samples of one's own from the arrays of an npz file, or what is wrong with them.

Labels are classes ±1, in any form that can mean only one thing, or real numbers.
"""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float, Int

from gflow.data.centers import Centers, unit_rows
from gflow.data.checks import check_finite, check_values
from gflow.data.clusters import clustered, estimated, silhouettes
from gflow.data.dataset import Dataset, Split
from gflow.data.npz import read_arrays
from gflow.data.real_labels import attracted_signs, weighted_means
from gflow.errors import DataError, GflowWarning
from gflow.random import stream

Clusters = Literal["none", "estimate"] | tuple[int, ...]
"""What replaces missing subclasses: nothing, clusters, or given numbers of them per sign."""

_ARRAYS = {
    "X": "inputs, shape (n, D)",
    "y": "labels, shape (n,)",
    "subclass": "index of each sample's subclass from 0, shape (n,)",
    "centers": "one row per subclass, shape (K, D)",
    "X_test": "test inputs, shape (m, D)",
    "y_test": "test labels, shape (m,)",
}
"""The arrays that are used; of samples with real labels all but `subclass`."""


def read_npz(
    path: Path,
    clusters: Clusters = "none",
    seed: int = 0,
    *,
    labels: Literal["signs", "real"] = "signs",
    per_subclass: int | None = None,
    validation_share: float | None = None,
) -> Split:
    """Read the user's own samples from an npz file.

    **Arguments:**

    - `path`: a file with arrays `X` (n, D) and `y` (n,) of +1 and -1, and optionally `subclass`
        (n,), `centers` (K, D), `X_test` (m, D), `y_test` (m,).  Labels may be of shape (n, 1),
        and bool or 0 and 1, which a warning says; it also names zero inputs and unused arrays.
    - `clusters`: "none"; or clusters within each class that replace a missing `subclass`: as many
        as silhouettes suggest, or these numbers of +1 and of -1.
    - `seed`: seed of the clustering, and of the choice of samples.
    - `labels`: "signs"; or "real", where `y` and `y_test` are any numbers, `centers` are directions
        to compare neurons with, and `subclass` is not used.
    - `per_subclass`: number of training samples of each subclass (or class, where subclasses are
        unknown), chosen at random; None for all.
    - `validation_share`: fraction of each of these that is held out before; None for none.

    **Returns:** a `Split`; its centers are those of the file, else the mean of each subclass, else
    the mean of each class (two subclasses); of real labels, else `weighted_means`.

    **Raises:** `DataError` naming the file and the array, what it must be and what it is.
    """
    arrays = read_arrays(path, "X=..., y=...")

    def note(text: str) -> None:
        warnings.warn(f"{path}: {text}", GflowWarning, stacklevel=2)

    try:
        _check_names(arrays, labels, note)
        if labels == "real":
            every, test, centers = _regression(arrays, note)
            train, validation = every.divided(validation_share, stream(seed, "validation"))
            return Split(train, test, centers, validation)
        every, test = _from_arrays(arrays, note)
        train, validation = every.divided(validation_share, stream(seed, "validation"))
        if clusters != "none":
            train = _with_clusters(train, clusters, seed)
        if per_subclass is not None:
            train = train.of_each(per_subclass, stream(seed, "train"))
        origin = "subclass means" if clusters == "none" else "means of clusters"
        return Split(train, test, _centers(arrays, train, origin), validation)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None


Note = Callable[[str], None]
"""Called with a sentence about what was read in a way that a careful reader should know of."""


def _check_names(
    arrays: dict[str, np.ndarray], labels: Literal["signs", "real"], note: Note
) -> None:
    """That what is needed exists, and that nothing is ignored without a word."""
    used = [name for name in _ARRAYS if labels == "signs" or name != "subclass"]
    for name in ("X", "y"):
        if name not in arrays:
            raise DataError(
                f"array `{name}` ({_ARRAYS[name]}) must exist, but the file holds only "
                f"{sorted(arrays)}; write it with numpy.savez(path, X=..., y=...)."
            )
    if unknown := ", ".join(f"`{name}`" for name in sorted(set(arrays) - set(used))):
        note(f"{unknown} is not used; the arrays that are used are {', '.join(used)}.")


def _regression(
    arrays: dict[str, np.ndarray], note: Note
) -> tuple[Dataset, Dataset | None, Centers]:
    """All samples with real labels to train on, the test samples, and their directions."""
    x, y = _inputs(arrays, "X", note), _labels(arrays, "X", "y", arrays["y"])
    check_values(y, len(x))
    centers = _directions(arrays, x, y)
    test = None
    if _has_test(arrays):
        x_test = _inputs(arrays, "X_test", note)
        _check_width(x_test, x.shape[1])
        y_test = _labels(arrays, "X_test", "y_test", arrays["y_test"])
        test = Dataset.of_values(x_test, y_test, centers)
    return Dataset.of_values(x, y, centers), test, centers


def _directions(
    arrays: dict[str, np.ndarray], x: Float[np.ndarray, "n D"], y: Float[np.ndarray, " n"]
) -> Centers:
    """Directions to compare neurons with where labels are real: those of the file, or means."""
    if "centers" not in arrays:
        return weighted_means(x, y)
    mu = unit_rows(_given_centers(arrays, None, x.shape[1]))
    return Centers(mu, attracted_signs(mu, x, y), "given")


def _from_arrays(arrays: dict[str, np.ndarray], note: Note) -> tuple[Dataset, Dataset | None]:
    """All samples to train on, and the test samples; classes stand in for missing subclasses."""
    x, y = _samples(arrays, "X", "y", note)
    subclass = _indices(arrays, len(x)) if "subclass" in arrays else None
    test = _test_split(arrays, x.shape[1], note)
    if subclass is not None:
        return _labeled(x, subclass, _signs(y, subclass)), test
    if "centers" in arrays:
        raise DataError(
            "`subclass` must be given along with `centers` (it gives their classes), but is "
            "missing; add it."
        )
    return Dataset.of_signs(x, y), test


def _labeled(
    x: Float[np.ndarray, "n D"], subclass: Int[np.ndarray, " n"], label: Int[np.ndarray, " K"]
) -> Dataset:
    """Samples of subclasses that are known, or taken for known."""
    return Dataset(
        x,
        subclass,
        names=tuple(f"{k}" for k in range(len(label))),
        class_of=tuple(int(sign > 0) for sign in label),
        sign=tuple(label.tolist()),
    )


def _with_clusters(train: Dataset, clusters: Clusters, seed: int) -> Dataset:
    """Samples whose subclasses are the clusters of the class +1, then those of -1."""
    if train.subclasses_known:
        raise DataError(
            '`data.clusters` must be "none" where the file has an array `subclass`, but is '
            f"{clusters}; remove one of them."
        )
    x, y = train.x, train.labels("sign")
    subclass, begin = np.zeros(len(x), np.int64), 0
    for i, sign in enumerate((1, -1)):
        mine = x[y == sign]
        k = estimated(silhouettes(mine, seed)) if clusters == "estimate" else int(clusters[i])
        cluster = clustered(mine, k, seed)
        subclass[y == sign] = begin + cluster
        begin += cluster.max() + 1
    return _labeled(x, subclass, _signs(y, subclass))


def _samples(
    arrays: dict[str, np.ndarray], inputs: str, labels: str, note: Note
) -> tuple[Float[np.ndarray, "n D"], Float[np.ndarray, " n"]]:
    """Inputs and their labels ±1, in any form that can mean only one thing."""
    x = _inputs(arrays, inputs, note)
    given = _vector(arrays[labels], len(x))
    if given.dtype == bool or (given.dtype.kind in "iuf" and _holds(given, (0, 1))):
        no, yes = given.dtype.type(0), given.dtype.type(1)
        note(f"`{labels}` holds {no} and {yes}, which are read as -1 and +1.")
        given = np.where(given.astype(bool), 1.0, -1.0)
    y = _labels(arrays, inputs, labels, given)
    if not np.isin(y, (-1, 1)).all():
        raise DataError(
            f"`{labels}` must hold only +1 and -1, but holds {np.unique(y)[:5].tolist()}; map the "
            'two classes to +1 and -1, or set data.labels = "real" for regression.'
        )
    if len(signs := np.unique(y)) == 1:
        note(f"`{labels}` holds {signs[0]:+g} only, so that there is one class.")
    return x, y


def _inputs(arrays: dict[str, np.ndarray], name: str, note: Note) -> Float[np.ndarray, "n D"]:
    """Finite inputs; a note says which are zero."""
    x = _real(arrays, name, 2)
    check_finite(x, f"`{name}`")
    if len(zero := np.flatnonzero(~x.any(axis=1))):
        note(_about_zero_rows(name, zero.tolist()))
    return x


def _labels(
    arrays: dict[str, np.ndarray], inputs: str, labels: str, given: np.ndarray
) -> Float[np.ndarray, " n"]:
    """A real number per row of inputs."""
    n = len(arrays[inputs])
    y = _real({labels: _vector(given, n)}, labels, 1)
    if y.shape != (n,):
        raise DataError(
            f"`{labels}` must have one label per row of `{inputs}` (n = {n}), but has shape "
            f"{y.shape}; give a vector."
        )
    return y


def _holds(labels: np.ndarray, both: tuple[int, int]) -> bool:
    """Whether labels take exactly these two values."""
    return tuple(np.unique(labels)[:3].tolist()) == both


def _vector(array: np.ndarray, n: int) -> np.ndarray:
    """An array of shape (n, 1) or (1, n) as a vector; any other as it is."""
    return array.reshape(-1) if array.shape in ((n, 1), (1, n)) else array


def _about_zero_rows(inputs: str, rows: list[int]) -> str:
    """That samples are zero: which, and what follows."""
    first = ", ".join(map(str, rows[:5])) + (", …" if len(rows) > 5 else "")
    are = f"row {first} is zero, a sample" if len(rows) == 1 else f"rows {first} are zero, samples"
    return (
        f"`{inputs}`: {are} on which every network is 0; laws of samples around unit centers are "
        "not judged."
    )


def _real(arrays: dict[str, np.ndarray], name: str, ndim: int) -> np.ndarray:
    array = arrays[name]
    if array.ndim != ndim or not np.issubdtype(array.dtype, np.number) or np.iscomplexobj(array):
        raise DataError(
            f"array `{name}` must be real numbers ({_ARRAYS[name]}), but is {array.dtype} with "
            f"shape {array.shape}; store it in this form."
        )
    return array.astype(np.float64)


def _indices(arrays: dict[str, np.ndarray], n: int) -> np.ndarray:
    subclass = _vector(arrays["subclass"], n)
    if subclass.dtype.kind == "f" and (subclass == np.round(subclass)).all():
        subclass = subclass.astype(np.int64)
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


def _test_split(arrays: dict[str, np.ndarray], D: int, note: Note) -> Dataset | None:
    if not _has_test(arrays):
        return None
    x, y = _samples(arrays, "X_test", "y_test", note)
    _check_width(x, D)
    return Dataset.of_signs(x, y)


def _has_test(arrays: dict[str, np.ndarray]) -> bool:
    """Whether there are test samples, which need inputs and labels."""
    present = {"X_test", "y_test"} & set(arrays)
    if len(present) == 1:
        raise DataError(
            f"`X_test` and `y_test` must come together, but only {present.pop()} exists; add the "
            "other."
        )
    return bool(present)


def _check_width(x: Float[np.ndarray, "m E"], D: int) -> None:
    """Raise `DataError` unless test inputs have the dimension of the others."""
    if x.shape[1] != D:
        raise DataError(
            f"`X_test` must have D = {D} columns like `X`, but has {x.shape[1]}; store whole rows."
        )


def _centers(arrays: dict[str, np.ndarray], train: Dataset, origin: str) -> Centers:
    """The centers of the file, or else means of training samples."""
    label, strays = np.array(train.sign), int((~train.x.any(axis=1)).sum())
    if not train.subclasses_known:
        if not train.means.any(axis=1).all():
            raise DataError(
                "the mean of each class must not be 0 where subclasses are unknown, but one is; "
                "add an array `subclass`."
            )
        return Centers(train.means, label, "class means", strays=strays)
    if "centers" not in arrays:
        means = np.stack([train.x[train.subclass == k].mean(axis=0) for k in range(train.K)])
        return Centers(means, label, origin, strays=strays)
    return Centers(_given_centers(arrays, train.K, train.D), label, "given", strays=strays)


def _given_centers(
    arrays: dict[str, np.ndarray], K: int | None, D: int
) -> Float[np.ndarray, "K D"]:
    """The centers of the file, one per subclass; as many as there are where K is None."""
    mu = _real(arrays, "centers", 2)
    rows = len(mu) if K is None else K
    if mu.shape != (rows, D):
        raise DataError(
            f"`centers` must have shape (K, D) = ({rows}, {D}), but has {mu.shape}; give one row "
            "per subclass."
        )
    if not np.isfinite(mu).all():
        raise DataError("`centers` must be finite, but holds nan or inf; repair them.")
    return mu


def _signs(y: Float[np.ndarray, " n"], subclass: Int[np.ndarray, " n"]) -> Int[np.ndarray, " K"]:
    """Class of each subclass, ±1, which all of its samples share."""
    K = int(subclass.max()) + 1
    label = np.zeros(K, dtype=np.int64)
    for k in range(K):
        classes = np.unique(y[subclass == k])
        if len(classes) != 1:
            what = "none" if len(classes) == 0 else "samples of both classes"
            raise DataError(
                f"every `subclass` 0..{K - 1} must have samples of one class, but {k} has {what}; "
                "number the subclasses without gaps, each within one class."
            )
        label[k] = int(classes[0])
    return label
