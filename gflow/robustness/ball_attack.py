"""Attacks within a ball of given radius by gradients, on any differentiable model.

One idea: the margin is lowered by steps of the norm with momentum and with a length that halves
when it no longer helps; the best point of each sample counts, and no gradient is divided by more
than its length.

**Source:** Croce and Hein, ICML 2020 (APGD).
"""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray, Real

from gflow.robustness.model_margin import AbstractModelMargin
from gflow.robustness.norm import Norm

_MOMENTUM, _ENOUGH, _CHECKS = 0.75, 0.75, 10


class Lowest(eqx.Module):
    """The lowest margin of each sample so far (final)."""

    delta: Float[Array, "n D"]
    margin: Float[Array, " n"]
    """That of x + δ; <= 0 where the prediction was turned."""

    def or_lower(self, other: "Lowest") -> "Lowest":
        """The lower of both, sample by sample."""
        better = other.margin < self.margin
        return Lowest(
            jnp.where(better[:, None], other.delta, self.delta),
            jnp.where(better, other.margin, self.margin),
        )


class _Ball(eqx.Module):
    """The samples, their margin, and the ball that each may be moved in (final)."""

    margin: AbstractModelMargin
    x: Float[Array, "n D"]
    y: Real[Array, " n"]
    R: Float[Array, " n"]
    norm: Norm = eqx.field(static=True)

    def at(self, delta: Float[Array, "n D"]) -> Float[Array, " n"]:
        """The margins of x + δ."""
        return self.margin(self.x + delta, self.y)

    def projected(self, delta: Float[Array, "n D"]) -> Float[Array, "n D"]:
        """δ brought into the ball."""
        return jnp.asarray(self.norm.projected(delta, self.R))


@eqx.filter_jit
def ball_attack(
    margin: AbstractModelMargin,
    x: Float[Array, "n D"],
    y: Real[Array, " n"],
    R: Float[Array, " n"],
    *,
    norm: Norm,
    starts: Float[Array, "k n D"],
    steps: int = 100,
) -> Lowest:
    """Lower the margin of each sample within ‖δ‖ <= R by its gradients.

    Ten times on its way a sample whose margin fell in less than three of four steps, or whose best
    stayed what it was, returns to its best and halves its step.

    **Arguments:**

    - `margin`: how right a prediction is.
    - `x`, `y`: samples and labels.
    - `R`: radius for each sample.
    - `norm`: of the ball.
    - `starts`: perturbations to start from, brought into the ball; `random_starts` draws some.
    - `steps`: evaluations of margin and slope from each.

    **Returns:** the best of all starts: an upper bound on the least margin in the ball.

    **Source:** Croce and Hein, ICML 2020.
    """
    ball = _Ball(margin, x, y, R, norm)
    lowest = [_descended(ball, ball.projected(start), steps) for start in starts]
    margins = jnp.stack([one.margin for one in lowest])
    deltas = jnp.stack([one.delta for one in lowest])
    best = margins.argmin(axis=0)
    return Lowest(deltas[best, jnp.arange(x.shape[0])], margins.min(axis=0))


def random_starts(
    x: Float[Array, "n D"], R: Float[Array, " n"], norm: Norm, count: int, *, key: PRNGKeyArray
) -> Float[Array, "k n D"]:
    """No perturbation, and `count` random ones of size R."""
    normal = jax.random.normal(key, (count, *x.shape), x.dtype)
    return jnp.concatenate([jnp.zeros_like(x)[None], norm.to_size(normal, R)])


class _Walk(eqx.Module):
    """Where the walk of each sample is (final)."""

    delta: Float[Array, "n D"]
    before: Float[Array, "n D"]
    margin: Float[Array, " n"]
    best: Lowest
    step: Float[Array, " n"]
    falls: Float[Array, " n"]
    """Steps since the last check that lowered the margin."""
    checked: Float[Array, " n"]
    """Best margin at the last check."""


def _descended(ball: _Ball, start: Float[Array, "n D"], steps: int) -> Lowest:
    """The lowest margins on a walk from `start`."""
    slope = jax.grad(lambda delta: ball.at(delta).sum())
    period = max(steps // _CHECKS, 1)

    def advance(i: Array, walk: _Walk) -> _Walk:
        # A step of the norm, then momentum toward where it leads; the first step has no past.
        step = walk.step[:, None] * ball.norm.step(slope(walk.delta))
        aim = ball.projected(walk.delta - step)
        carried = (
            walk.delta
            + _MOMENTUM * (aim - walk.delta)
            + (1 - _MOMENTUM) * (walk.delta - walk.before)
        )
        moved = jnp.where(i == 0, aim, ball.projected(carried))

        # What it came to, and now and then whether the step is still worth its length.
        value = ball.at(moved)
        best = walk.best.or_lower(Lowest(moved, value))
        falls = walk.falls + (value < walk.margin).astype(walk.falls.dtype)
        walk = _Walk(
            delta=moved,
            before=walk.delta,
            margin=value,
            best=best,
            step=walk.step,
            falls=falls,
            checked=walk.checked,
        )
        return jax.lax.cond((i + 1) % period == 0, lambda w: _checked(w, period), lambda w: w, walk)

    value = ball.at(start)
    walk = _Walk(
        delta=start,
        before=start,
        margin=value,
        best=Lowest(start, value),
        step=2 * ball.R,
        falls=jnp.zeros_like(ball.R),
        checked=value,
    )
    return jax.lax.fori_loop(0, steps, advance, walk).best


def _checked(walk: _Walk, period: int) -> _Walk:
    """Samples that are stuck return to their best point with half the step."""
    stuck = (walk.falls < _ENOUGH * period) | (walk.best.margin >= walk.checked)
    back = stuck[:, None]
    return _Walk(
        delta=jnp.where(back, walk.best.delta, walk.delta),
        before=jnp.where(back, walk.best.delta, walk.before),
        margin=jnp.where(stuck, walk.best.margin, walk.margin),
        best=walk.best,
        step=jnp.where(stuck, walk.step / 2, walk.step),
        falls=jnp.zeros_like(walk.falls),
        checked=walk.best.margin,
    )
