"""Attacks within a ball of given radius by gradients, on any differentiable model.

One idea: the margin is lowered by steps of the norm with momentum and with a length that halves
when it no longer helps; the best point of each sample counts, and no gradient is divided by more
than its length.

**Source:** Croce and Hein, ICML 2020 (APGD).
"""

from dataclasses import replace
from functools import reduce

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray, Real

from gflow.robustness.model_margin import AbstractModelMargin, Perturbed
from gflow.robustness.norm import Norm

_MOMENTUM, _ENOUGH, _CHECKS = 0.75, 0.75, 10


class Lowest(eqx.Module):
    """The lowest margin of each sample so far (final)."""

    delta: Float[Array, "n D"]
    margin: Float[Array, " n"]
    """That of x + δ; <= 0 where the prediction was turned."""

    def or_lower(self, other: "Lowest") -> "Lowest":
        """The lower of both, sample by sample."""
        # A margin that is not a number is not right, so there is none lower.
        better = ~(other.margin >= self.margin) & ~jnp.isnan(self.margin)
        return Lowest(
            jnp.where(better[:, None], other.delta, self.delta),
            jnp.where(better, other.margin, self.margin),
        )


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
    samples = Perturbed(margin, x, y, norm)
    return reduce(Lowest.or_lower, (_descended(samples, start, R, steps) for start in starts))


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


def _descended(
    margin: Perturbed, start: Float[Array, "n D"], R: Float[Array, " n"], steps: int
) -> Lowest:
    """The lowest margins on a walk from `start`, brought into the ball of radius R."""
    norm, slope = margin.norm, jax.grad(lambda delta: margin(delta).sum())
    period = max(steps // _CHECKS, 1)

    def advance(i: Array, walk: _Walk) -> _Walk:
        # A step of the norm, then momentum toward where it leads; the first step has no past.
        aim = norm.projected(walk.delta - walk.step[:, None] * norm.step(slope(walk.delta)), R)
        carried = (
            walk.delta
            + _MOMENTUM * (aim - walk.delta)
            + (1 - _MOMENTUM) * (walk.delta - walk.before)
        )
        moved = jnp.where(i == 0, aim, norm.projected(carried, R))

        # What it came to, and now and then whether the step is still worth its length.
        value = margin(moved)
        best = walk.best.or_lower(Lowest(moved, value))
        falls = walk.falls + (value < walk.margin).astype(walk.falls.dtype)
        walk = replace(walk, delta=moved, before=walk.delta, margin=value, best=best, falls=falls)
        return jax.lax.cond((i + 1) % period == 0, lambda w: _checked(w, period), lambda w: w, walk)

    start = jnp.asarray(norm.projected(start, R))
    value = margin(start)
    walk = _Walk(
        delta=start,
        before=start,
        margin=value,
        best=Lowest(start, value),
        step=2 * R,
        falls=jnp.zeros_like(R),
        checked=value,
    )
    return jax.lax.fori_loop(0, steps, advance, walk).best


def _checked(walk: _Walk, period: int) -> _Walk:
    """Samples that are stuck return to their best point with half the step."""
    stuck = (walk.falls < _ENOUGH * period) | (walk.best.margin >= walk.checked)
    back = stuck[:, None]
    return replace(
        walk,
        delta=jnp.where(back, walk.best.delta, walk.delta),
        before=jnp.where(back, walk.best.delta, walk.before),
        margin=jnp.where(stuck, walk.best.margin, walk.margin),
        step=jnp.where(stuck, walk.step / 2, walk.step),
        falls=jnp.zeros_like(walk.falls),
        checked=walk.best.margin,
    )
