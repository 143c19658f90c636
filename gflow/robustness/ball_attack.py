"""Attacks within a ball of given radius, on any differentiable model.

One idea: the margin is lowered by steepest steps of the norm with momentum and with a step that
halves when it no longer helps; the best point of each sample is kept, and no gradient is divided by
more than its length.  A search without gradients stands beside it: what only that one finds,
gradients were hiding.

**Source:** Croce and Hein, ICML 2020 (APGD); Andriushchenko et al., ECCV 2020 (Square).
"""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray, Real

from gflow.robustness.model_margin import AbstractModelMargin
from gflow.robustness.norm import Norm

_MOMENTUM, _ENOUGH, _CHECKS = 0.75, 0.75, 10
_SHARE_L1, _HALVINGS = 0.05, 12


class Lowest(eqx.Module):
    """The lowest margin found for each sample (final)."""

    delta: Float[Array, "n D"]
    margin: Float[Array, " n"]
    """That of x + δ; <= 0 where the prediction was turned."""


@eqx.filter_jit
def ball_attack(
    margin: AbstractModelMargin,
    x: Float[Array, "n D"],
    y: Real[Array, " n"],
    R: Float[Array, " n"],
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
    found = [_descended(margin, x, y, R, norm, norm.projected(start, R), steps) for start in starts]
    margins = jnp.stack([one.margin for one in found])
    deltas = jnp.stack([one.delta for one in found])
    best = margins.argmin(axis=0)
    return Lowest(deltas[best, jnp.arange(x.shape[0])], margins.min(axis=0))


def random_starts(
    x: Float[Array, "n D"], R: Float[Array, " n"], norm: Norm, count: int, key: PRNGKeyArray
) -> Float[Array, "k n D"]:
    """No perturbation, and `count` random ones of size R."""
    drawn = jax.random.normal(key, (count, *x.shape), x.dtype)
    return jnp.concatenate([jnp.zeros_like(x)[None], _to_size(norm, drawn, R)])


def way(norm: Norm, g: Float[Array, "n D"]) -> Float[Array, "n D"]:
    """A step of size 1 up a slope: the steepest, but in l1 spread over the top entries of g."""
    if norm is not Norm.L1:
        return jnp.asarray(norm.steepest(g))
    count = max(int(_SHARE_L1 * g.shape[1]), 1)
    size = jnp.abs(g)

    def halve(_, ends):
        low, high = ends
        middle = (low + high) / 2
        enough = (size >= middle).sum(axis=1, keepdims=True) >= count
        return jnp.where(enough, middle, low), jnp.where(enough, high, middle)

    # `count` entries or more are above the lower end; sorting would take longer than a gradient.
    ends = jnp.zeros_like(size[:, :1]), size.max(axis=1, keepdims=True)
    least = jax.lax.fori_loop(0, _HALVINGS, halve, ends)[0]
    step = jnp.where((size >= least) & (size > 0), jnp.sign(g), jnp.zeros_like(g))
    return _to_size(norm, step, jnp.ones(g.shape[0], g.dtype))


def _to_size(norm, delta, R):
    size = norm.size(delta)
    share = jnp.broadcast_to(R, size.shape) / jnp.where(size > 0, size, 1)
    return delta * share[..., None]


class _Walk(eqx.Module):
    """Where the walk of each sample is (final)."""

    delta: Array
    before: Array
    margin: Array
    best: Lowest
    step: Array
    falls: Array
    """Steps since the last check that lowered the margin."""
    checked: Array
    """Best margin at the last check."""


def _descended(margin, x, y, R, norm, start, steps) -> Lowest:
    slope = jax.grad(lambda delta: margin(x + delta, y).sum())
    period = max(steps // _CHECKS, 1)

    def advance(i, walk):
        reached = walk.delta - walk.step[:, None] * way(norm, slope(walk.delta))
        aim = norm.projected(reached, R)
        carried = (
            walk.delta
            + _MOMENTUM * (aim - walk.delta)
            + (1 - _MOMENTUM) * (walk.delta - walk.before)
        )
        moved = jnp.where(i == 0, aim, norm.projected(carried, R))
        value = margin(x + moved, y)
        best = _lower(walk.best, Lowest(moved, value))
        falls = walk.falls + (value < walk.margin).astype(walk.falls.dtype)
        walk = _Walk(moved, walk.delta, value, best, walk.step, falls, walk.checked)
        return jax.lax.cond((i + 1) % period == 0, lambda w: _checked(w, period), lambda w: w, walk)

    value = margin(x + start, y)
    walk = _Walk(start, start, value, Lowest(start, value), 2 * R, jnp.zeros_like(R), value)
    return jax.lax.fori_loop(0, steps, advance, walk).best


def _lower(a: Lowest, b: Lowest) -> Lowest:
    better = b.margin < a.margin
    return Lowest(
        jnp.where(better[:, None], b.delta, a.delta), jnp.where(better, b.margin, a.margin)
    )


def _checked(walk, period):
    stuck = (walk.falls < _ENOUGH * period) | (walk.best.margin >= walk.checked)
    back = stuck[:, None]
    return _Walk(
        jnp.where(back, walk.best.delta, walk.delta),
        jnp.where(back, walk.best.delta, walk.before),
        jnp.where(stuck, walk.best.margin, walk.margin),
        walk.best,
        jnp.where(stuck, walk.step / 2, walk.step),
        jnp.zeros_like(walk.falls),
        walk.best.margin,
    )


@eqx.filter_jit
def square_attack(
    margin: AbstractModelMargin,
    x: Float[Array, "n D"],
    y: Real[Array, " n"],
    R: Float[Array, " n"],
    key: PRNGKeyArray,
    steps: int = 1000,
) -> Lowest:
    """Lower the margin within ‖δ‖_∞ <= R without gradients: random changes, kept if they help.

    From a random vertex of the cube; a change draws the signs of a random part of the entries anew,
    of half of them at first and of one in the end.

    **Arguments:** as for `ball_attack`.

    - `key`: of the changes.
    - `steps`: evaluations of the margin.

    **Source:** Andriushchenko et al., ECCV 2020, for inputs that are not images.
    """
    D = x.shape[1]

    def vertex(key):
        return R[:, None] * jax.random.rademacher(key, x.shape, x.dtype)

    def advance(i, state):
        best, key = state
        key, part, one, sign = jax.random.split(key, 4)
        share = jnp.maximum(0.5 * (1 - i / steps) ** 2, 1 / D)
        chosen = jax.random.uniform(part, x.shape) < share
        chosen |= jnp.arange(D)[None] == jax.random.randint(one, (x.shape[0], 1), 0, D)
        delta = jnp.where(chosen, vertex(sign), best.delta)
        return _lower(best, Lowest(delta, margin(x + delta, y))), key

    first, key = jax.random.split(key)
    start = vertex(first)
    state = (Lowest(start, margin(x + start, y)), key)
    return jax.lax.fori_loop(0, steps, advance, state)[0]
