"""Labeled samples of several classes, and what is done to them before training.

One idea: labels come in three grains.  A sample has a subclass (a digit, a category of
photographs), a subclass has a class, its index modulo some number, and a class has a sign.  A
network may be trained on any of the three; alignment is held against subclasses.
"""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from jaxtyping import Float, Int

from gflow.data.centers import Centers
from gflow.data.dataset import Dataset
from gflow.errors import DataError

Length = Literal["given", "mean", "unit"]
"""What lengths of inputs become: as they are; 1 in the mean; 1 each."""


@dataclass(frozen=True)
class Labeled:
    """n samples of K subclasses in C classes."""

    x: Float[np.ndarray, "n D"]
    """Inputs, one per row."""
    subclass: Int[np.ndarray, " n"]
    """Subclass of each sample, 0..K-1."""
    names: tuple[str, ...]
    """Names of the K subclasses."""
    class_of: tuple[int, ...]
    """Class of each subclass, 0..C-1."""

    def __post_init__(self):
        if not np.isfinite(self.x).all():
            row = int(np.flatnonzero(~np.isfinite(self.x).all(axis=1))[0])
            raise DataError(
                f"inputs must be finite, but row {row} is not; drop or repair the samples with "
                "nan or inf."
            )
        if self.subclass.shape != (len(self.x),):
            raise DataError(
                f"there must be one label a row of inputs (n = {len(self.x)}), but labels have "
                f"shape {self.subclass.shape}; give a vector of integers."
            )
        wrong = self.subclass[(self.subclass < 0) | (self.subclass >= self.K)]
        if len(wrong):
            raise DataError(
                f"labels must be 0 to {self.K - 1}, but one is {int(wrong[0])}; number them from 0."
            )

    @property
    def target(self) -> Int[np.ndarray, " n"]:
        """What a prediction is held against: `label`."""
        return self.label

    @property
    def n(self) -> int:
        """Number of samples."""
        return len(self.x)

    @property
    def D(self) -> int:
        """Input dimension."""
        return self.x.shape[1]

    @property
    def K(self) -> int:
        """Number of subclasses."""
        return len(self.names)

    @property
    def C(self) -> int:
        """Number of classes."""
        return max(self.class_of) + 1

    @property
    def label(self) -> Int[np.ndarray, " n"]:
        """Class of each sample, 0..C-1."""
        return np.asarray(self.class_of)[self.subclass]

    @property
    def means(self) -> Float[np.ndarray, "K D"]:
        """Mean input of each subclass.

        **Raises:** `DataError` for a subclass without a sample.
        """
        counts = np.bincount(self.subclass, minlength=self.K)
        if not counts.all():
            raise DataError(
                f"every subclass must have a sample, but {self.names[int(counts.argmin())]!r} has "
                "none; raise data.samples or leave it out."
            )
        sums = np.zeros((self.K, self.D))
        np.add.at(sums, self.subclass, self.x)
        return sums / counts[:, None]

    def chosen(self, count: int, rng: np.random.Generator) -> "Labeled":
        """`count` samples, as even over the subclasses as they go; all of them for 0.

        **Raises:** `DataError` if there are not so many.
        """
        if count == 0 or count == self.n:
            return self
        if count > self.n:
            raise DataError(
                f"`data.samples` and `data.test_samples` must be at most what is there, {self.n}, "
                f"but one is {count}; try 0 for all."
            )
        order = rng.permutation(self.n)
        rank = np.empty(self.n, int)
        for k in range(self.K):
            mine = order[self.subclass[order] == k]
            rank[mine] = np.arange(len(mine))
        some = np.sort(order[np.argsort(rank[order], kind="stable")[:count]])
        return replace(self, x=self.x[some], subclass=self.subclass[some])


def prepared(
    train: Labeled, test: Labeled, centered: bool, length: Length
) -> tuple[Labeled, Labeled]:
    """Both sets less the mean training input, if asked, and with lengths as asked.

    **Raises:** `DataError` for an input of length 0 that is to have length 1.
    """
    shift = train.x.mean(axis=0) if centered else np.zeros(train.D)
    moved = [one.x - shift for one in (train, test)]
    if length != "given":
        sizes = [np.linalg.norm(x, axis=1, keepdims=True) for x in moved]
        if length == "mean":
            sizes = [sizes[0].mean()] * 2
        elif any((size == 0).any() for size in sizes):
            raise DataError(
                'every input must have a length for data.length = "unit", but one is 0; use "mean".'
            )
        moved = [x / size for x, size in zip(moved, sizes, strict=True)]
    return replace(train, x=moved[0]), replace(test, x=moved[1])


def two_classes(
    train: Labeled, test: Labeled, positive: tuple[int, ...] | None
) -> tuple[Dataset, Dataset, Centers]:
    """Labels ±1 by the classes that are positive, None for the odd ones; centers are means.

    **Raises:** `DataError` if all or none of the classes are positive.
    """
    centers = centers_of(train, positive)
    first, second = (
        Dataset(one.x, centers.label[one.subclass].astype(np.float64), one.subclass)
        for one in (train, test)
    )
    return first, second, centers


def centers_of(train: Labeled, positive: tuple[int, ...] | None) -> Centers:
    """Means of subclasses, with the signs of their classes; None makes the odd ones positive.

    **Raises:** `DataError` if all or none of the classes are positive.
    """
    chosen = tuple(range(1, train.C, 2)) if positive is None else positive
    sign = np.where(np.isin(np.arange(train.C), chosen), 1, -1)
    if abs(sign.sum()) == train.C or max(chosen) >= train.C:
        raise DataError(
            f"`data.positive` must hold some but not all of the classes 0 to {train.C - 1}, but is "
            f"{list(chosen)}; try [1], or other data.classes."
        )
    return Centers(train.means, sign[list(train.class_of)], "subclass means")
