"""The shortest perturbation of any differentiable model that gradients and neighbors lead to.

One idea: a walk in a ball that shrinks and grows (`ball_walk`) gives each sample its radius in one
pass.  Gradients know nothing of a neuron that is silent, and a walk ends at the closest error of
those that speak; so more walks start where lines to samples of other classes, and to their means,
first change the prediction.  No radius is longer than the way to an origin that is no better.

**Source:** Pintor et al., NeurIPS 2021 (FMN), with the margin in place of a loss; lines to samples
of other classes as in Brendel et al., ICLR 2018.
"""

from collections.abc import Callable
from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Real

from gflow.data.checks import check_classes, check_finite
from gflow.robustness.attack import LONGEST, Attack
from gflow.robustness.ball_walk import BallWalk
from gflow.robustness.bisection import bisected
from gflow.robustness.model_margin import AbstractModelMargin, Perturbed, RivalMargin
from gflow.robustness.norm import Norm
from gflow.robustness.subspace import Subspace

_RADII, _HALVINGS = 32, 40
_WALKS = 3  # from the shortest of the lines
_ENTRIES = 1 << 22  # of samples times their length, held at once several times


def minimum_norm(
    margin: AbstractModelMargin,
    x: Float[np.ndarray, "n D"],
    y: Real[np.ndarray, " n *label"],
    norm: Norm,
    *,
    toward: Float[np.ndarray, "n k D"] | None = None,
    within: Subspace | None = None,
    steps: int = 500,
) -> Attack:
    """Find a short δ with margin <= 0 for each sample, in the precision of `x`.

    Steps are steepest in the norm, of a length that falls from R to R/10⁴ on a cosine.  Before
    the first success R is margin/‖slope‖* more than ‖δ‖; after it R is the last one.  Each time
    it falls or grows by a factor that tends to 1.

    **Arguments:**

    - `margin`: how right a prediction is.
    - `x`, `y`: samples and labels.
    - `norm`: in which δ is short.
    - `toward`: perturbations whose directions are tried first, such as `rivals` gives.
    - `within`: a subspace that perturbations must lie in, in l2.
    - `steps`: evaluations of margin and slope, of each of four walks.

    **Returns:** an `Attack`: an upper bound on each sample's distance to the nearest error.

    **Source:** Pintor et al., NeurIPS 2021.
    """
    check_finite(x, "`x`")
    n, D = x.shape
    along = np.zeros((n, 0, D), x.dtype) if toward is None else toward.astype(x.dtype)
    rows = min(n, max(_ENTRIES // D, 1))
    basis = None if within is None else within.basis
    radius, delta = np.empty(n), np.empty((n, D if basis is None else basis.shape[1]))
    with jax.enable_x64(x.dtype == np.float64):
        for begin in range(0, n, rows):
            some = np.minimum(np.arange(begin, begin + rows), n - 1)  # one shape for all batches
            at, label, ways = (jnp.asarray(rows[some]) for rows in (x, y, along))
            chart = None if basis is None else jnp.asarray(basis, x.dtype)
            samples = Perturbed(margin, at, label, norm, chart)
            shortest = _shortest(samples, samples.coordinates(ways), steps)
            radius[some], delta[some] = map(np.asarray, shortest)
    return Attack(radius, delta, basis)


def minimum_norm_of_classes(
    f: Callable,
    x: Float[np.ndarray, "n D"],
    y: Int[np.ndarray, " n"],
    norm: Norm,
    *,
    toward: Float[np.ndarray, "n k D"] | None = None,
    within: Subspace | None = None,
    steps: int = 500,
) -> Attack:
    """Find a short δ by which a model of C outputs takes each sample for one of another class.

    The margin against one other class at a time, since the closest boundary may be that of a class
    whose output is not the next largest.

    **Arguments:** as for `minimum_norm`, and

    - `f`: the model, from inputs (n, D) to outputs (n, C).
    - `y`: labels 0, 1, …
    """
    check_finite(x, "`x`")
    with jax.enable_x64(x.dtype == np.float64):
        z = np.array(f(jnp.asarray(x)))
    check_classes(y, z.shape[1])
    z[np.arange(len(y)), y] = -np.inf
    ranked = np.argsort(-z, axis=1)[:, : z.shape[1] - 1]
    margin = RivalMargin(f)
    search = partial(minimum_norm, toward=toward, within=within, steps=steps)
    attacks = [search(margin, x, np.stack([y, rival], axis=1), norm) for rival in ranked.T]
    radius = np.stack([one.radius for one in attacks])
    best = radius.argmin(axis=0)
    delta = np.stack([one.coordinates for one in attacks])[best, np.arange(len(y))]
    return Attack(radius.min(axis=0), delta, attacks[0].basis)


def rivals(
    x: Float[np.ndarray, "n D"],
    y: Real[np.ndarray, " n"],
    pool: Float[np.ndarray, "N D"],
    label: Real[np.ndarray, " N"],
    *,
    count: int = 4,
) -> Float[np.ndarray, "n k D"]:
    """Perturbations that lead to samples of other classes in a pool, k per sample.

    They lead to the `count` closest means of other classes, or to all there are, and to as many
    closest samples.
    """
    classes = np.unique(label)
    means = np.stack([pool[label == one].mean(axis=0) for one in classes])
    ends = [_closest(x, y, *ends, count=count) for ends in ((means, classes), (pool, label))]
    return np.concatenate(ends, axis=1) - x[:, None]


def _closest(
    x: Float[np.ndarray, "n D"],
    y: Real[np.ndarray, " n"],
    pool: Float[np.ndarray, "N D"],
    label: Real[np.ndarray, " N"],
    *,
    count: int,
) -> Float[np.ndarray, "n k D"]:
    """The closest points of other classes, as many as every class has."""
    k = min(count, min(int((label != one).sum()) for one in np.unique(y)))
    square = (pool**2).sum(axis=1)[None] - 2 * x @ pool.T
    square[y[:, None] == label[None]] = np.inf
    return pool[np.argpartition(square, k - 1, axis=1)[:, :k]]


_Turns = tuple[Float[Array, " n"], Float[Array, "n D"]]
"""Radii of perturbations that turn a prediction, inf where there is none, and the perturbations."""


@eqx.filter_jit
def _shortest(margin: Perturbed, toward: Float[Array, "n k d"], steps: int) -> _Turns:
    """Radius, 0 where wrong and inf where nothing turns it; δ, 0 where nothing does."""
    x = margin.coordinates(margin.x)

    # One walk starts at the sample itself, the others where the shortest lines turn it.
    starts = [(jnp.full(x.shape[0], jnp.inf, x.dtype), jnp.zeros_like(x))]
    if toward.shape[1]:
        lines = jax.lax.map(lambda way: _on_line(margin, way), jnp.moveaxis(toward, 1, 0))
        starts += [_ranked(lines, i) for i in range(min(_WALKS, toward.shape[1]))]
    walks = jax.lax.map(
        lambda start: _walked(margin, start, steps),
        jax.tree.map(lambda *one: jnp.stack(one), *starts),
    )
    radius, delta = _ranked(walks, 0)

    # A walk crosses the boundary in steps; the line to where it ended crosses it exactly.  And at
    # the origin a network without biases is 0, which is not right.
    for way in (delta, -x):
        straight = _on_line(margin, way)
        shorter = straight[0] < radius
        radius = jnp.where(shorter, straight[0], radius)
        delta = jnp.where(shorter[:, None], straight[1], delta)
    wrong = ~(margin(jnp.zeros_like(x)) > 0)  # a nan is not right
    return jnp.where(wrong, 0.0, radius), jnp.where(wrong[:, None], 0.0, delta)


def _ranked(turns: tuple[Float[Array, "k n"], Float[Array, "k n D"]], i: int) -> _Turns:
    """Of k perturbations of each sample the i-th shortest."""
    radius, delta = turns
    which, every = jnp.argsort(radius, axis=0)[i], jnp.arange(radius.shape[1])
    return radius[which, every], delta[which, every]


def _on_line(margin: Perturbed, way: Float[Array, "n D"]) -> _Turns:
    """The first change of prediction on a grid from x to x + way, or none."""

    def turned(t: Float[Array, " n"]) -> Bool[Array, " n"]:
        return ~(margin(t[:, None] * way) > 0)

    def look(i: Array, t: Float[Array, " n"]) -> Float[Array, " n"]:
        s = jnp.full_like(t, i / _RADII)
        return jnp.where(jnp.isinf(t) & turned(s), s, t)

    never = jnp.full(way.shape[0], jnp.inf, way.dtype)
    first = jax.lax.fori_loop(1, _RADII + 1, look, never)
    turns = jnp.isfinite(first)
    high = jnp.where(turns, first, 1.0)
    high = bisected(turned, jnp.maximum(high - 1 / _RADII, 0), high, _HALVINGS)[1]
    delta = jnp.where(turns[:, None], high[:, None] * way, 0.0)
    return jnp.where(turns, margin.norm.size(delta), jnp.inf), delta


def _walked(margin: Perturbed, start: _Turns, steps: int) -> _Turns:
    """The shortest δ met from a δ that turns the prediction, or from 0 if its radius is inf."""
    norm = margin.norm
    value_and_slope = jax.value_and_grad(
        lambda delta: (lambda m: (m.sum(), m))(margin(delta)), has_aux=True
    )
    farthest = LONGEST * norm.size(margin.x)

    def advance(i: Array, walk: BallWalk) -> BallWalk:
        (_, value), slope = value_and_slope(walk.delta)
        wave = (1 + jnp.cos(jnp.pi * i / steps)) / 2
        return walk.after(value, slope, norm, farthest, wave=wave)

    radius, delta = start
    walk = jax.lax.fori_loop(0, steps, advance, BallWalk(delta, radius, radius, delta))
    return walk.radius, walk.best
