"""Projected ascent on the unit sphere, many starts at once.

One idea: every point follows its own gradient, normalized with no floor.  A gradient of 1e-9 is
as good a direction as any other; an estimator that divides by ‖g‖ + 1e-7 instead never moves
(theory T2).  Ridges, where the gradient jumps, are climbed along the shortest vector
between the gradients of their two sides.

What it returns are local maxima: lower bounds on a supremum, never more.
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float

Objective = Callable[
    [Float[np.ndarray, "n d"]], tuple[Float[np.ndarray, " n"], Float[np.ndarray, "n d"]]
]
"""Values (n,) and gradients (n, d) of a function at points (n, d)."""

_FIRST_STEP, _LARGEST_STEP, _SMALLEST_STEP = 0.2, 0.5, 1e-7  # radians
_GROW, _SHRINK = 1.6, 0.6


def ascend(
    objective: Objective, starts: Float[np.ndarray, "n d"], iterations: int
) -> tuple[Float[np.ndarray, "n d"], Float[np.ndarray, " n"]]:
    """Local maxima of `objective` on the unit sphere, one from each start.

    Each point moves along great circles, x ← cos(t) x + sin(t) g/‖g‖ with g its tangential
    gradient.  Its step t grows when the value rises and shrinks when it does not; then g is
    replaced by the shortest vector between g and the gradient met on the other side, which points
    along a ridge.  Points whose step has vanished are not evaluated again.

    **Arguments:**

    - `objective`: values and gradients at a batch of points; need not be smooth.
    - `starts`: unit vectors.
    - `iterations`: evaluations per point, at most.

    **Returns:** the best point of each start and its value, never below the value at the start:
    a lower bound on the supremum.
    """
    x, (value, gradient) = starts, objective(starts)
    way, step = _tangent(gradient, x), np.full(len(x), _FIRST_STEP)
    best, highest, place = x.copy(), value.copy(), np.arange(len(x))
    for _ in range(iterations):
        # Points that came to rest are put away.
        length = np.sqrt(_dot(way, way))
        live = (step > _SMALLEST_STEP) & (length > 0)
        if not live.all():
            best[place], highest[place] = x, value
            x, value, way, step, length, place = (
                part[live] for part in (x, value, way, step, length, place)
            )
            if not len(place):
                break

        # Every point takes its step, and stays at the end of it where the value rose.
        new = _move(x, way / length[:, None], step)
        new_value, gradient = objective(new)
        rose = new_value > value
        x, value = np.where(rose[:, None], new, x), np.where(rose, new_value, value)

        # On from there along the new gradient; else along the ridge that lies between.
        ahead = _tangent(gradient, x)
        way = np.where(rose[:, None], ahead, _shortest_between(way, ahead))
        step = np.where(rose, np.minimum(_GROW * step, _LARGEST_STEP), _SHRINK * step)
    best[place], highest[place] = x, value
    return best, highest


def _dot(a: Float[np.ndarray, "n d"], b: Float[np.ndarray, "n d"]) -> Float[np.ndarray, " n"]:
    """Inner products, row by row."""
    return np.einsum("nd,nd->n", a, b)


def _tangent(
    gradient: Float[np.ndarray, "n d"], x: Float[np.ndarray, "n d"]
) -> Float[np.ndarray, "n d"]:
    return gradient - _dot(gradient, x)[:, None] * x


def _move(
    x: Float[np.ndarray, "n d"], way: Float[np.ndarray, "n d"], step: Float[np.ndarray, " n"]
) -> Float[np.ndarray, "n d"]:
    """A step along great circles; `way` has unit rows."""
    new = np.cos(step)[:, None] * x + np.sin(step)[:, None] * way
    return new / np.sqrt(_dot(new, new))[:, None]


def _shortest_between(
    a: Float[np.ndarray, "n d"], b: Float[np.ndarray, "n d"]
) -> Float[np.ndarray, "n d"]:
    """The shortest vector on the segment from a to b, row by row."""
    change = b - a
    square = _dot(change, change)
    share = -_dot(a, change) / np.where(square > 0, square, 1)
    return a + np.clip(share, 0, 1)[:, None] * change
