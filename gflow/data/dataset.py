"""Labeled samples.

Labels come in three grains. A sample has a subclass (a center, a digit, a category of
photographs), a subclass has a class, and it has a sign. A network may be trained on any of the
three; alignment is held against subclasses.
"""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from jaxtyping import Float, Int, Real

from gflow.data.centers import Centers
from gflow.errors import DataError

Grain = Literal["sign", "classes", "subclasses"]
"""What outputs are trained on: one output on the sign, or one output per class or subclass."""


@dataclass(frozen=True)
class Dataset:
    """n samples of K subclasses in C classes."""

    x: Float[np.ndarray, "n D"]
    """Inputs, one per row."""
    subclass: Int[np.ndarray, " n"]
    """Subclass of each sample, 0..K-1."""
    names: tuple[str, ...]
    """Names of the K subclasses."""
    class_of: tuple[int, ...]
    """Class of each subclass, 0..C-1."""
    sign: tuple[int, ...]
    """Sign of each subclass, +1 or -1."""
    subclasses_known: bool = True
    """False where the two signs stand in for subclasses that nobody has labeled."""

    def __post_init__(self):
        check_finite(self.x, "inputs")
        if self.subclass.shape != (len(self.x),):
            raise DataError(
                f"there must be one label per row of inputs (n = {len(self.x)}), but labels have "
                f"shape {self.subclass.shape}; give a vector of integers."
            )
        wrong = self.subclass[(self.subclass < 0) | (self.subclass >= self.K)]
        if len(wrong):
            raise DataError(
                f"labels must be 0 to {self.K - 1}, but one is {int(wrong[0])}; number them from 0."
            )

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

    def targets(self, grain: Grain) -> Real[np.ndarray, " n"]:
        """What outputs of this grain are trained on: ±1, or an index per sample.

        **Raises:** `DataError` if a sign is asked for that no sample has.
        """
        return self.subclass if grain == "subclasses" else self.labels(grain)

    def labels(self, grain: Grain) -> Real[np.ndarray, " n"]:
        """What predictions are held against: ±1 for one output, else the class of each sample.

        **Raises:** `DataError` if a sign is asked for that no sample has.
        """
        if grain != "sign":
            return np.asarray(self.class_of)[self.subclass]
        y = np.asarray(self.sign, np.float64)[self.subclass]
        check_both_signs(y, "labels")
        return y

    def outputs(self, grain: Grain) -> int:
        """Number of outputs of this grain."""
        return {"sign": 1, "classes": self.C, "subclasses": self.K}[grain]

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

    def subset(self, count: int, rng: np.random.Generator) -> "Dataset":
        """`count` samples, spread as evenly over the subclasses as possible; all of them for 0.

        **Raises:** `DataError` if there are fewer.
        """
        if count == 0 or count == self.n:
            return self
        if count > self.n:
            raise DataError(
                "`data.samples` and `data.test_samples` must be at most the number there is, "
                f"{self.n}, but one is {count}; try 0 for all."
            )
        order = rng.permutation(self.n)
        rank = np.empty(self.n, int)
        for k in range(self.K):
            mine = order[self.subclass[order] == k]
            rank[mine] = np.arange(len(mine))
        some = np.sort(order[np.argsort(rank[order], kind="stable")[:count]])
        return replace(self, x=self.x[some], subclass=self.subclass[some])


@dataclass(frozen=True)
class Split:
    """Training and test samples, and the centers that neurons are held against."""

    train: Dataset
    test: Dataset | None
    """None where there are no test samples."""
    centers: Centers

    def centers_for(self, grain: Grain) -> Centers:
        """The centers, with averages of many classes where outputs tell these apart."""
        several = 2 < self.train.C < self.train.K
        if grain == "sign" or not several or set(self.train.class_of) != set(range(self.train.C)):
            return self.centers
        return replace(self.centers, class_of=self.train.class_of)


def check_finite(x: Float[np.ndarray, "n D"], name: str) -> None:
    """Refuse samples with nan or inf, naming the first such row."""
    if not np.isfinite(x).all():
        row = int(np.flatnonzero(~np.isfinite(x).all(axis=1))[0])
        raise DataError(
            f"{name} must be finite, but row {row} is not; drop or repair the samples with nan "
            "or inf."
        )


def check_both_signs(y: Float[np.ndarray, " n"], name: str) -> None:
    """Refuse labels ±1 that are all of one sign."""
    for sign, word in ((1, "positive"), (-1, "negative")):
        if not (y == sign).any():
            raise DataError(
                f"{name} must have samples of both classes, but has no {word} one; add some."
            )
