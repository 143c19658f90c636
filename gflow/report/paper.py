"""The paper that a figure is drawn for: its widths, and how many runs fit side by side.

One idea: a figure has a natural width, one column or two, and is laid out for another one where a
paper asks for it, as in `with paper.spanning(1): figures.alignment(run)`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from gflow.errors import GflowError

SINGLE, DOUBLE = 3.25, 6.75
"""Widths in inches of one and two columns of a two-column paper."""

MOST = 4
"""Most runs side by side in two columns; half as many in one."""

_SPANNED: ContextVar[int | None] = ContextVar("spanned", default=None)

_LIMIT: ContextVar[int] = ContextVar("limit", default=MOST)


@contextmanager
def spanning(columns: int | None) -> Iterator[None]:
    """Draw figures as wide as 1 or 2 columns of a paper; each as wide as it likes for None.

    **Raises:** `GflowError` for another number.
    """
    if columns not in (None, 1, 2):
        raise GflowError(f"`columns` must be 1 or 2, but is {columns}; try 2.")
    token = _SPANNED.set(columns)
    try:
        yield
    finally:
        _SPANNED.reset(token)


def width(natural: int = 2) -> float:
    """The width in inches of a figure that spans `natural` columns unless asked otherwise."""
    return SINGLE if (_SPANNED.get() or natural) == 1 else DOUBLE


def is_narrow() -> bool:
    """Whether figures are asked to fit one column."""
    return _SPANNED.get() == 1


@contextmanager
def at_most(runs: int) -> Iterator[None]:
    """Show no more than some runs side by side."""
    token = _LIMIT.set(runs)
    try:
        yield
    finally:
        _LIMIT.reset(token)


def most_side_by_side() -> int:
    """Most runs side by side."""
    return min(MOST // 2 if is_narrow() else MOST, _LIMIT.get())
