"""What the arrays of a caller must hold, checked once at the door of what makes a claim.

A nan compares as false with everything, so behind the door it would pass for whatever the other
branch of a comparison says: a margin that is not <= 0, a sample that is not positive.
"""

from typing import Any

import numpy as np
from jaxtyping import Float, Real

from gflow.errors import DataError


def check_finite(x: Float[np.ndarray, "n D"], name: str) -> None:
    """Raise `DataError` for samples with nan or inf, naming the first such row."""
    if not np.isfinite(x).all():
        row = int(np.flatnonzero(~np.isfinite(x).all(axis=1))[0])
        raise DataError(
            f"{name} must be finite, but row {row} is not; drop or repair samples with nan or inf."
        )


def check_numbers(**values: Any) -> None:
    """Raise `DataError` unless every entry of every array is finite, naming the first other one."""
    for name, array in values.items():
        _refuse(name, array, ~np.isfinite(array), "must be finite")


def check_signs(**values: Any) -> None:
    """Raise `DataError` unless every entry of every array is +1 or -1."""
    for name, array in values.items():
        _refuse(name, array, ~np.isin(array, (-1, 1)), "must be +1 or -1")


def check_classes(y: Real[np.ndarray, " n"], C: int) -> None:
    """Raise `DataError` unless every label is one of the classes 0 to C - 1."""
    _refuse("y", y, ~np.isin(y, np.arange(C)), f"must be a class, 0 to {C - 1}")


def check_not_negative(**values: Any) -> None:
    """Raise `DataError` unless every entry of every array is finite and at least 0."""
    for name, array in values.items():
        # An infinite one is refused as well: sums and shares of it are no numbers.
        least = np.isfinite(array) & (np.asarray(array) >= 0)
        _refuse(name, array, ~least, "must be finite and not negative")


def check_values(y: Float[np.ndarray, " n"], n: int) -> None:
    """Raise `DataError` unless real labels are n finite numbers of which one is not 0."""
    if y.shape != (n,):
        raise DataError(
            f"real labels must be one per row of inputs (n = {n}), but have shape {y.shape}; give "
            "a vector."
        )
    check_numbers(y=y)
    if not y.any():
        raise DataError(
            "real labels must not all be 0, which a network fits before it moves, but are; give "
            "others."
        )


def check_samples(x: Float[np.ndarray, "n D"], y: Real[np.ndarray, " n"]) -> None:
    """Raise `DataError` unless inputs are finite and labels ±1, as for a network of one output."""
    check_finite(np.asarray(x), "`x`")
    check_signs(y=y)


def _refuse(name: str, array: Any, wrong: Any, rule: str) -> None:
    if np.any(wrong):
        array, at = np.asarray(array), tuple(np.argwhere(wrong)[0].tolist())
        where = f"{name}{list(at)}" if at else "it"
        raise DataError(f"`{name}` {rule}, but {where} is {array[at]:g}; repair or leave it out.")
