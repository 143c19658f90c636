"""Labels of real data: which class and sign a subclass has, and what is done to inputs."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from gflow.data.dataset import Dataset
from gflow.errors import DataError

Length = Literal["given", "mean", "unit"]
"""What lengths of inputs become: as they are; 1 in the mean; 1 each."""


def classes_of(indices: Sequence[int], classes: int | tuple[int, ...]) -> tuple[int, ...]:
    """Class of each subclass: its index modulo a number, without gaps; or as listed.

    **Raises:** `DataError` for a list that is too long, too short, or leaves a class out.
    """
    if isinstance(classes, int):
        remainder = np.unique(np.asarray(indices) % classes, return_inverse=True)[1]
        return tuple(remainder.tolist())
    if len(classes) != len(indices) or set(classes) != set(range(max(classes) + 1)):
        raise DataError(
            f"`data.classes` must list a class, 0, 1, … without gaps, for each of {len(indices)} "
            f"subclasses, but lists {len(classes)} with the classes {sorted(set(classes))}."
        )
    return classes


def signs_of(class_of: tuple[int, ...], positive: tuple[int, ...] | None) -> tuple[int, ...]:
    """Sign of each subclass: that of its class; None makes the odd classes positive.

    **Raises:** `DataError` if all or none of the classes are positive.
    """
    C = max(class_of) + 1
    odd_or_given = tuple(range(1, C, 2)) if positive is None else positive
    sign = np.where(np.isin(np.arange(C), odd_or_given), 1, -1)
    if abs(sign.sum()) == C or max(odd_or_given) >= C:
        raise DataError(
            f"`data.positive` must hold some but not all of the classes 0 to {C - 1}, but is "
            f"{list(odd_or_given)}; try [1], or other data.classes."
        )
    return tuple(sign[list(class_of)].tolist())


def prepared(
    train: Dataset, test: Dataset, centered: bool, length: Length
) -> tuple[Dataset, Dataset]:
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
