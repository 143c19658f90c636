"""Where a search for short flips starts: errors of all kinds, each as close to a sample as it gets.

One idea: f is homogeneous, so an input that it gets wrong is wrong all along its ray.  A few
thousand errors, the ends of other samples' perturbations among them, serve all samples, and those
that wake the same neurons count as of one kind: at p = 1 the network is linear there.
"""

import itertools
from collections.abc import Mapping

import numpy as np
from jaxtyping import Float

from gflow.robustness.ball_walk import BallWalk
from gflow.robustness.lines import Lines, Samples, evenly, first_flips, scaled
from gflow.robustness.norm import Norm

STARTS, FROM_RAYS, FROM_BALLS = 8, 4, 3
"""Starts of each sample at errors, at first flips along rays, and where walks in balls end."""

_DRAWN, _ENTRIES = 1024, 1 << 14  # inputs drawn, and entries of all errors that are kept
_CLIMBERS, _CLIMBS = 256, 64  # inputs that climb to errors, and their steps
_SCALES = np.geomspace(0.03, 1, 8)  # of multiples of an error, in units of ‖x‖
_RAYS, _RAYS_OF_ALL = 512, 1 << 12  # of each sample at most, and of all together
_PLACES = 16  # along each ray


def errors(
    samples: Samples, known: Float[np.ndarray, "k n d"], sign: float, rng: np.random.Generator
) -> Float[np.ndarray, "N d"]:
    """Unit vectors that are wrong for a label, in random order.

    They are drawn at random, between neurons, and where known perturbations lead; those that are
    right climb to where they are not, since errors may fill very little of the sphere.
    """
    leaning, d, q = samples.leaning, samples.x.shape[1], len(samples.f.m)
    few = rng.exponential(size=(_DRAWN, q)) * (rng.random((_DRAWN, q)) < 3 / q)
    ends = (samples.x + known)[:, samples.y == sign].reshape(-1, d)
    ends = ends[rng.permutation(len(ends))[:_DRAWN]]
    pool = _unit(np.concatenate([rng.standard_normal((_DRAWN, d)), few @ leaning.w, ends]))

    def margin(rows: Float[np.ndarray, "r d"]) -> Float[np.ndarray, " r"]:
        label = np.full(len(rows), sign)
        return leaning.margin(leaning.views(rows, label, np.ones(len(rows))), label)

    def slope(rows: Float[np.ndarray, "r d"]) -> Float[np.ndarray, "r d"]:
        return leaning.slope(rows @ leaning.w.T)

    # Down the slope and at random by turns, which get bolder or more careful.
    height = margin(pool)
    right = np.flatnonzero(height > 0)[:_CLIMBERS]
    boldness = np.ones(len(right))
    for i in range(_CLIMBS):
        turn = rng.standard_normal((len(right), d)) if i % 2 else -sign * slope(pool[right])
        turned = _unit(pool[right] + boldness[:, None] * _unit(turn))
        lower = margin(turned)
        better = lower < height[right]
        pool[right[better]], height[right[better]] = turned[better], lower[better]
        boldness *= np.where(better, 1.5, 0.8)
    pool = pool[~(height > 0)]
    return pool[rng.permutation(len(pool))[: max(_ENTRIES // d, 1)]]


def to_errors(
    samples: Samples, errors: Mapping[float, Float[np.ndarray, "N d"]]
) -> Float[np.ndarray, "w n d"]:
    """Perturbations to multiples of errors by label, the closest of each kind; 0 without one."""
    starts = np.zeros((STARTS, *samples.x.shape))
    for sign, pool in errors.items():
        kind = np.unique(pool @ samples.leaning.w.T > 0, axis=0, return_inverse=True)[1].ravel()
        pool, kind = pool[np.argsort(kind, kind="stable")], np.sort(kind)
        ends = np.append(np.flatnonzero(np.diff(kind, prepend=-1)), len(kind)).tolist()
        for i in np.flatnonzero(samples.y == sign).tolist():
            ways = _to_multiples(samples.x[i], pool, samples.norm)
            size = np.asarray(samples.norm.size(ways))
            closest = [a + size[a:b].argmin() for a, b in itertools.pairwise(ends)]
            best = sorted(closest, key=lambda j, size=size: size[j])[:STARTS]
            starts[: len(best), i] = ways[best]
    return starts


def on_rays(samples: Samples, total: int, rng: np.random.Generator) -> Float[np.ndarray, "w n d"]:
    """Shortest first flips along random directions of some entries; 0 where none flips.

    **Arguments:**

    - `total`: number of all samples, that share the rays.
    """
    (n, d), norm = samples.x.shape, samples.norm
    rays = int(np.clip(_RAYS_OF_ALL // total, FROM_RAYS, _RAYS))
    entries = rng.random((n * rays, d)) < rng.uniform(1 / d, 1, (n * rays, 1))
    ways = np.where(entries, rng.standard_normal((n * rays, d)), 0.0)
    ways = scaled(norm, ways, ways).reshape(n, rays, d)
    reach = np.asarray(norm.size(samples.whole))
    length, way = first_flips(samples, ways, reach, FROM_RAYS, shares=evenly(_PLACES))
    return (np.where(np.isfinite(length), length, 0.0)[..., None] * way).transpose(1, 0, 2)


def in_balls(
    samples: Samples, known: Float[np.ndarray, "n d"], steps: int
) -> Float[np.ndarray, "w n d"]:
    """The shortest flips on walks that know slopes only: from known ones, the origin, and x itself.

    They are `known` where nothing shorter was met; 0 in `known` is no flip.
    """
    starts = np.concatenate([known, -samples.x, np.zeros_like(known)])
    walkers = samples.take(np.tile(np.arange(len(known)), FROM_BALLS))
    best = np.tile(known, (FROM_BALLS, 1))
    radius = np.asarray(samples.norm.size(best))
    radius = np.where(radius > 0, radius, np.inf)
    z, walk = walkers.z, BallWalk(starts, radius, radius, best)
    for i in range(steps):
        wave = (1 + np.cos(np.pi * i / steps)) / 2
        delta = np.asarray(walk.delta)
        value = Lines.of(walkers, delta, z).margin(np.ones(len(z)))
        slope = walkers.y[:, None] * walkers.slope(delta)
        walk = walk.after(value, slope, samples.norm, radius, wave=wave)
    return np.asarray(walk.best).reshape(FROM_BALLS, *known.shape)


def _to_multiples(
    x: Float[np.ndarray, " d"], ends: Float[np.ndarray, "N d"], norm: Norm
) -> Float[np.ndarray, "N d"]:
    """The shortest ways to multiples of unit vectors, exact in l2."""
    along = np.maximum(ends @ x, 0)[:, None]
    scales = [along] if norm.euclidean else [along, *(np.linalg.norm(x) * _SCALES)]
    ways = np.stack([scale * ends - x for scale in scales])
    best = np.asarray(norm.size(ways)).argmin(axis=0)
    return ways[best, np.arange(len(ends))]


def _unit(rows: Float[np.ndarray, "r d"]) -> Float[np.ndarray, "r d"]:
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(length > 0, length, 1)
