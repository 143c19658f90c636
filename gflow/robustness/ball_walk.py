"""A walk down a margin in a ball of its own, which shrinks while the sample is misclassified.

One idea: the ball grows while the sample is right, by factors that tend to 1, so one walk ends at a
radius.  It knows margins and slopes only, and is the same in numpy and in jax.

**Source:** Pintor et al., NeurIPS 2021 (FMN).
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Array, Float

from gflow.robustness.norm import Norm, library

_SHRINK, _LAST_SHRINK, _STEP, _LAST_STEP = 0.05, 1e-4, 1.0, 1e-4

Numbers = Float[Array | np.ndarray, " n"]
Rows = Float[Array | np.ndarray, "n D"]


class BallWalk(NamedTuple):
    """Where the walk of each sample is, and the shortest error that it met."""

    delta: Rows
    R: Numbers
    """Radius of the ball; inf before anything is known."""
    radius: Numbers
    """Of the shortest error; inf while there is none."""
    best: Rows
    """The shortest error."""

    def after(
        self, value: Numbers, slope: Rows, norm: Norm, farthest: Numbers, *, wave: float | Array
    ) -> "BallWalk":
        """The walk one step on.

        **Arguments:**

        - `value`, `slope`: the margin at δ, not positive for an error, and its gradient.
        - `norm`: in which errors are short.
        - `farthest`: how far the ball may grow before there is an error.
        - `wave`: how bold a step is, from 1 at the start to 0 at the end on a cosine.
        """
        delta, R, radius, best = self
        xp = library(delta)

        # Whatever is wrong and shorter than before is the best so far.
        size, wrong = norm.size(delta), ~(value > 0)
        shorter = wrong & (size < radius)
        best = xp.where(shorter[:, None], delta, best)
        radius = xp.where(shorter, size, radius)

        # The ball: before the first success as large as the margin over its slope suggests; after
        # it smaller while wrong and larger while right, by factors that tend to 1.
        shrink = _LAST_SHRINK + (_SHRINK - _LAST_SHRINK) * wave
        steepness = norm.dual.size(slope)
        ahead = size + value / xp.where(steepness > 0, steepness, 1)
        # Beyond the boundary, which rounding might otherwise keep a walk from crossing.
        grown = (1 + shrink) * xp.where(xp.isfinite(radius), R, xp.minimum(ahead, farthest))
        R = xp.minimum(xp.where(wrong, xp.minimum(R, size) * (1 - shrink), grown), radius)

        # A step down the margin, brought back into the ball.
        step = (_LAST_STEP + (_STEP - _LAST_STEP) * wave) * R
        delta = norm.projected(delta - step[:, None] * norm.step(slope), R)
        return BallWalk(xp.asarray(delta), R, radius, best)
