"""Real data: the class and sign of each subclass, and the centering and scaling of inputs."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
from jaxtyping import Int

from gflow.data.dataset import Dataset
from gflow.errors import DataError

Length = Literal["given", "mean", "unit"]
"""Lengths of inputs: as given; with mean 1; or 1 each."""


def classes_of(indices: Sequence[int], classes: int | tuple[int, ...]) -> tuple[int, ...]:
    """Class of each subclass: its index modulo `classes`, renumbered without gaps; or as listed.

    **Raises:** `DataError` for a list that is too long, too short, or leaves a class out.
    """
    if isinstance(classes, int):
        return numbered(np.asarray(indices) % classes)
    if len(classes) != len(indices) or set(classes) != set(range(max(classes) + 1)):
        raise DataError(
            f"`data.classes` must list a class, 0, 1, … without gaps, for each of {len(indices)} "
            f"subclasses, but lists {len(classes)} with the classes {sorted(set(classes))}; try a "
            "number of classes."
        )
    return classes


def numbered(labels: Int[np.ndarray, " K"]) -> tuple[int, ...]:
    """The same labels numbered 0, 1, … without gaps, in their order."""
    return tuple(np.unique(labels, return_inverse=True)[1].tolist())


def signs_of(class_of: tuple[int, ...], positive: tuple[int, ...] | None) -> tuple[int, ...]:
    """Sign of each subclass, which is that of its class; None makes the odd classes positive.

    **Raises:** `DataError` for a positive class that does not exist.
    """
    C = max(class_of) + 1
    positive_classes = tuple(range(1, C, 2)) if positive is None else positive
    sign = np.where(np.isin(np.arange(C), positive_classes), 1, -1)
    if max(positive_classes, default=0) >= C:
        raise DataError(
            f"`data.positive` must hold classes, which are 0 to {C - 1}, but is "
            f"{list(positive_classes)}; leave out the others, or set other data.classes."
        )
    return tuple(sign[list(class_of)].tolist())


def prepared(sets: Sequence[Dataset], centered: bool, length: Length) -> list[Dataset]:
    """All sets, minus the mean training input if `centered`, and with lengths by `length`.

    **Arguments:**

    - `sets`: the training set, and the others.
    - `centered`, `length`: as in a scenario.

    **Raises:** `DataError` for a zero input with `length = "unit"`.
    """
    train = sets[0]
    shift = train.x.mean(axis=0) if centered else np.zeros(train.D)
    moved = [one.x - shift for one in sets]
    if length != "given":
        sizes = [np.linalg.norm(x, axis=1, keepdims=True) for x in moved]
        if length == "mean":
            sizes = [sizes[0].mean()] * len(sets)
        elif any((size == 0).any() for size in sizes):
            raise DataError(
                'every input must be nonzero for data.length = "unit", but one is 0; try "mean".'
            )
        moved = [x / size for x, size in zip(moved, sizes, strict=True)]
    return [replace(one, x=x) for one, x in zip(sets, moved, strict=True)]
