"""Labeled samples.

Labels come in three grains.  A sample belongs to a subclass (a center, a digit, a category of
photographs), and a subclass has a class and a sign.  A network may be trained on any of the three;
alignment is measured to subclasses.  In regression a label is a real number instead, and the
subclass of a sample is only the center that it is closest to.
"""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Int, Real

from gflow.data.centers import Centers, unit_rows
from gflow.data.checks import check_finite, check_values
from gflow.data.rows import split_by_category
from gflow.errors import DataError

Grain = Literal["sign", "classes", "subclasses"]
"""The labels to train on: the sign with one output, or one output per class or subclass."""


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
    """False where subclasses are unlabeled, so that the two signs stand in for them."""
    turn: Float[np.ndarray, " n"] | None = None
    """For a sample whose label is flipped a number from 0 to 1 (excluded), which picks the label in
    its place; nan for the others. None if no label is flipped."""
    value: Float[np.ndarray, " n"] | None = None
    """The label of each sample where labels are real numbers; None where they are classes."""

    def __post_init__(self):
        check_finite(self.x, "inputs")
        if self.subclass.shape != (len(self.x),):
            raise DataError(
                f"labels must be one per row of inputs (n = {len(self.x)}), but have shape "
                f"{self.subclass.shape}; give a vector of integers."
            )
        wrong = self.subclass[(self.subclass < 0) | (self.subclass >= self.K)]
        if len(wrong):
            raise DataError(
                f"labels must be 0 to {self.K - 1}, but one is {int(wrong[0])}; number them from 0."
            )
        if self.value is not None:
            check_values(self.value, self.n)

    @classmethod
    def of_signs(cls, x: Float[np.ndarray, "n D"], y: Real[np.ndarray, " n"]) -> "Dataset":
        """Samples with unlabeled subclasses: the signs that occur stand in for them, +1 first."""
        signs = tuple(sign for sign in (1, -1) if (y == sign).any())
        return cls(
            x,
            np.where(y == signs[0], 0, 1),
            names=tuple(f"{sign:+d}" for sign in signs),
            class_of=tuple(int(sign > 0) for sign in signs),
            sign=signs,
            subclasses_known=False,
        )

    @classmethod
    def of_values(
        cls, x: Float[np.ndarray, "n D"], y: Float[np.ndarray, " n"], centers: Centers
    ) -> "Dataset":
        """Samples with real labels, each beside the center to which its cosine is largest."""
        return cls(
            x,
            (x @ unit_rows(centers.mu).T).argmax(axis=1),
            names=centers.reference_names[: centers.K],
            class_of=tuple((centers.label > 0).astype(int).tolist()),
            sign=tuple(centers.label.tolist()),
            subclasses_known=False,
            value=y,
        )

    @property
    def has_classes(self) -> bool:
        """Whether labels are classes, so that outputs have margins, and not real numbers."""
        return self.value is None

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
        """Training targets of this grain: ±1, or an index per sample; real labels as they are.

        **Raises:** `DataError` for several outputs and a single class: no output is a wrong one.
        """
        if grain != "sign" and len(set(self.class_of)) == 1:
            raise DataError(
                f'`network.outputs` must be "sign" for data of one class, but is "{grain}", whose '
                "outputs are held against those of other classes; remove it."
            )
        return self._labels(self.subclass, self.K) if grain == "subclasses" else self.labels(grain)

    def labels(self, grain: Grain) -> Real[np.ndarray, " n"]:
        """Labels that predictions are compared with: ±1 for one output, else classes.

        Real labels are those of the one output, as they are.
        """
        if self.value is not None:
            return self.value
        class_of = np.asarray(self.class_of)
        if grain == "subclasses":
            return class_of[self._labels(self.subclass, self.K)]
        if grain == "classes":
            return self._labels(class_of[self.subclass], self.C)
        y = np.asarray(self.sign, np.float64)[self.subclass]
        return y if self.flipped is None else np.where(self.flipped, -y, y)

    def _labels(self, label: Int[np.ndarray, " n"], count: int) -> Int[np.ndarray, " n"]:
        """Labels 0..count-1, with another one in place of each that is flipped."""
        if self.turn is None:
            return label
        step = 1 + np.floor(np.nan_to_num(self.turn) * (count - 1)).astype(label.dtype)
        return np.where(np.isnan(self.turn), label, (label + step) % count)

    @property
    def flipped(self) -> Bool[np.ndarray, " n"] | None:
        """Samples whose label is another one than that of their subclass; None for no sample."""
        return None if self.turn is None else ~np.isnan(self.turn)

    def outputs(self, grain: Grain) -> int:
        """Number of outputs for this grain."""
        return outputs_of(grain, self.K, self.C)

    @property
    def means(self) -> Float[np.ndarray, "K D"]:
        """Mean input of each subclass.

        **Raises:** `DataError` for a subclass without a sample.
        """
        counts = np.bincount(self.subclass, minlength=self.K)
        if not counts.all():
            raise DataError(
                f"every subclass must have a sample, but {self.names[int(counts.argmin())]!r} has "
                "none; raise data.samples or leave that subclass out."
            )
        sums = np.zeros((self.K, self.D))
        np.add.at(sums, self.subclass, self.x)
        return sums / counts[:, None]

    def with_flips(self, share: float | tuple[float, ...], rng: np.random.Generator) -> "Dataset":
        """The same samples with the labels of round(share·n) random ones flipped.

        A flipped label is another one of those that a network is trained on: the other sign, or
        any other class or subclass with the same chance. Of several shares each is that of one
        subclass.

        **Raises:** `DataError` unless there are as many shares as subclasses.
        """
        shares = share if isinstance(share, tuple) else (share,)
        groups = [np.arange(self.n)]
        if isinstance(share, tuple):
            groups = [np.flatnonzero(self.subclass == k) for k in range(self.K)]
        if len(shares) != len(groups):
            raise DataError(
                f"`data.flip` must have one share for each of the {self.K} subclasses, but has "
                f"{len(shares)}; give a single number for the same chance everywhere."
            )
        flipped = np.zeros(self.n, bool)
        for mine, part in zip(groups, shares, strict=True):
            flipped[rng.permutation(mine)[: round(part * len(mine))]] = True
        turn = np.where(flipped, rng.random(self.n), np.nan)
        return replace(self, turn=turn) if flipped.any() else self

    @property
    def flips(self) -> Float[np.ndarray, " K"]:
        """η_k, the share of the labels of each subclass that are flipped; nan without a sample."""
        flipped = np.zeros(self.n, bool) if self.flipped is None else self.flipped
        counts = np.bincount(self.subclass, minlength=self.K)
        with np.errstate(invalid="ignore"):
            return np.bincount(self.subclass[flipped], minlength=self.K) / counts

    def subset(self, count: int, rng: np.random.Generator) -> "Dataset":
        """`count` random samples, as evenly over the subclasses as possible; 0 means all.

        **Raises:** `DataError` if there are fewer.
        """
        if count == 0 or count == self.n:
            return self
        if count > self.n:
            raise DataError(
                "`data.samples` and `data.test_samples` must be at most the number available, "
                f"{self.n}, but one is {count}; try 0 for all."
            )
        # Number the samples of each subclass in random order; the first numbers of all come first.
        order = rng.permutation(self.n)
        rank = np.empty(self.n, int)
        for k in range(self.K):
            mine = order[self.subclass[order] == k]
            rank[mine] = np.arange(len(mine))
        return self.rows(np.sort(order[np.argsort(rank[order], kind="stable")[:count]]))

    def of_each(self, count: int, rng: np.random.Generator) -> "Dataset":
        """`count` random samples of each subclass; with a larger count these and others.

        **Raises:** `DataError` if a subclass has fewer.
        """
        counts = np.bincount(self.subclass, minlength=self.K)
        least = int(counts.argmin())
        if counts[least] < count:
            raise DataError(
                "`data.per_subclass` must be at most the number of training samples of every "
                f"subclass, but is {count}, and {int((counts < count).sum())} of {self.K} have "
                f"fewer ({self.names[least]!r} has {counts[least]}); try {counts[least]}."
            )
        return self.subset(count * self.K, rng)

    def divided(
        self, share: float | None, rng: np.random.Generator
    ) -> "tuple[Dataset, Dataset | None]":
        """Samples to train on, and this fraction of every subclass held out, if any.

        **Raises:** `DataError` if no subclass has two samples.
        """
        if share is None:
            return self, None
        train, held_out = split_by_category(self.subclass, share, rng)
        if not len(held_out):
            raise DataError(
                "`data.validation_share` must be left out where every subclass has one training "
                f"sample, but is {share:g}; remove it."
            )
        return self.rows(train), self.rows(held_out)

    def rows(self, rows: Int[np.ndarray, " m"]) -> "Dataset":
        """Some of the samples."""
        turn = None if self.turn is None else self.turn[rows]
        value = None if self.value is None else self.value[rows]
        return replace(self, x=self.x[rows], subclass=self.subclass[rows], turn=turn, value=value)


@dataclass(frozen=True)
class Split:
    """Samples by their use, and the centers that neurons are compared with."""

    train: Dataset
    test: Dataset | None
    """None if there are no test samples."""
    centers: Centers
    validation: Dataset | None = None
    """Samples held out of those to train on; None if there are none."""

    def centers_for(self, grain: Grain) -> Centers:
        """The centers; with an average per class where outputs distinguish more than two."""
        several = 2 < self.train.C < self.train.K
        if grain == "sign" or not several or set(self.train.class_of) != set(range(self.train.C)):
            return self.centers
        return replace(self.centers, class_of=self.train.class_of)


def outputs_of(grain: Grain, K: int, C: int) -> int:
    """Number of outputs of a network that is trained on labels of this grain."""
    return {"sign": 1, "classes": C, "subclasses": K}[grain]
