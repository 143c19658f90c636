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
    x = starts.copy()
    value, gradient = objective(x)
    way = _tangent(gradient, x)
    step = np.full(len(x), _FIRST_STEP)
    for _ in range(iterations):
        live = np.flatnonzero((step > _SMALLEST_STEP) & (np.linalg.norm(way, axis=1) > 0))
        if not len(live):
            break

        # Every live point takes its step, and keeps the end of it where the value rose.
        new = _move(x[live], way[live], step[live])
        new_value, new_gradient = objective(new)
        rose = new_value > value[live]
        up, stuck = live[rose], live[~rose]
        x[up], value[up] = new[rose], new_value[rose]

        # On from there along the new gradient; else along the ridge that lies between.
        way[up] = _tangent(new_gradient[rose], x[up])
        way[stuck] = _shortest_between(way[stuck], _tangent(new_gradient[~rose], x[stuck]))
        step[up] = np.minimum(_GROW * step[up], _LARGEST_STEP)
        step[stuck] *= _SHRINK
    return x, value


def _tangent(
    gradient: Float[np.ndarray, "n d"], x: Float[np.ndarray, "n d"]
) -> Float[np.ndarray, "n d"]:
    return gradient - (gradient * x).sum(axis=1, keepdims=True) * x


def _move(
    x: Float[np.ndarray, "n d"], way: Float[np.ndarray, "n d"], step: Float[np.ndarray, " n"]
) -> Float[np.ndarray, "n d"]:
    length = np.linalg.norm(way, axis=1, keepdims=True)
    new = np.cos(step)[:, None] * x + np.sin(step)[:, None] * (way / length)
    return new / np.linalg.norm(new, axis=1, keepdims=True)


def _shortest_between(
    a: Float[np.ndarray, "n d"], b: Float[np.ndarray, "n d"]
) -> Float[np.ndarray, "n d"]:
    """The shortest vector on the segment from a to b, row by row."""
    change = b - a
    square = (change**2).sum(axis=1)
    share = -(a * change).sum(axis=1) / np.where(square > 0, square, 1)
    return a + np.clip(share, 0, 1)[:, None] * change
