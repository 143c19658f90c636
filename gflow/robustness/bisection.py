"""Where something first happens along many lines: brackets, halved all at once."""

from collections.abc import Callable
from typing import TypeVar

import jax
import numpy as np
from jaxtyping import Array, Bool, Float
from numpy import ndarray

Places = TypeVar("Places", Float[Array, "*n"], Float[ndarray, "*n"])
"""One place per line."""


def bisected(
    happened: Callable[[Places], Bool[Array | ndarray, "*n"]],
    low: Places,
    high: Places,
    halvings: int,
) -> tuple[Places, Places]:
    """Brackets of the first place at which something has happened, one per line.

    **Arguments:**

    - `happened`: whether it has happened at one place of each line.
    - `low`, `high`: brackets to start from; it must have happened at `high`.
    - `halvings`: number of times that each bracket is halved.

    **Returns:** the lower and the upper ends, as numpy or jax arrays like the ones given; it has
    happened at every upper end.
    """
    xp = low.__array_namespace__()

    def halve(_: int | Array, ends: tuple[Places, Places]) -> tuple[Places, Places]:
        low, high = ends
        middle = (low + high) / 2
        before = happened(middle)
        return xp.where(before, low, middle), xp.where(before, middle, high)

    if xp is not np:
        return jax.lax.fori_loop(0, halvings, halve, (low, high))
    ends = low, high
    for i in range(halvings):
        ends = halve(i, ends)
    return ends
