"""Where something first happens along many lines: brackets, narrowed all at once."""

from collections.abc import Callable
from typing import TypeVar

import jax
import numpy as np
from jaxtyping import Array, Bool, Float
from numpy import ndarray

Places = TypeVar("Places", Float[Array, "*n"], Float[ndarray, "*n"])
"""One place per line."""

_INWARD = 0.2  # of the square of a width in units of the first one


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


def crossed(
    value: Callable[[Float[ndarray, " n"]], Float[ndarray, " n"]],
    low: Float[ndarray, " n"],
    high: Float[ndarray, " n"],
    *,
    before: Float[ndarray, " n"],
    after: Float[ndarray, " n"],
    evaluations: int,
    tolerance: float = 0.0,
) -> tuple[Float[ndarray, " n"], Float[ndarray, " n"]]:
    """Brackets of a change of sign, one per line, narrowed by interpolation.

    A dozen evaluations find a smooth change to rounding, and brackets of any other are at most
    twice as wide as those that halving leaves.

    **Arguments:**

    - `value`: a number at one place of each line, positive before the change.
    - `low`, `high`: brackets to start from.
    - `before`, `after`: values at their ends; `after` must not be positive.
    - `evaluations`: number of times that each bracket is narrowed, at most.
    - `tolerance`: width of brackets that are narrow enough, in units of their upper ends.

    **Returns:** the lower and the upper ends; the value is not positive at any upper end.

    **Source:** Oliveira and Takahashi, ACM TOMS 2020 (interpolate, truncate, project).
    """
    span = high - low
    for i in range(evaluations):
        middle, width = (low + high) / 2, high - low
        if (width <= tolerance * high).all():
            break

        # Where the chord is 0, moved toward the middle by less and less.
        chord = before * high - after * low
        signs = (before > 0) & (after <= 0)
        place = np.divide(chord, before - after, out=middle.copy(), where=signs)
        inward = middle - place
        share = np.divide(width, span, out=np.zeros_like(span), where=span > 0)
        place += np.copysign(np.minimum(_INWARD * share * width, np.abs(inward)), inward)

        # As close to the middle as keeps up with halving.
        farthest = np.maximum(span / 2**i - width / 2, 0)
        place = np.clip(place, middle - farthest, middle + farthest)
        now = value(place)
        first = now > 0
        low, before = np.where(first, place, low), np.where(first, now, before)
        high, after = np.where(first, high, place), np.where(first, after, now)
    return low, high
