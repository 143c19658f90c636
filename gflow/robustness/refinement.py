"""Shorter flips by many starts and random turns, where a walk by slopes may have ended early.

One idea: f is homogeneous, so an input that it gets wrong is wrong all along its ray.  A few
thousand inputs that are wrong for a label, the ends of other samples' perturbations among them,
therefore show every sample where errors are close to it.  From the closest of them, and from what
is known, directions are turned at random: a corner of the boundary, where tangent planes say
nothing, stops no random turn.
"""

import itertools
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.linalg import orth

from gflow.network.population import Population
from gflow.robustness.attack import Attack, Lines, Samples, first_flip, scaled, steepest
from gflow.robustness.norm import Norm

_POOL, _STARTS = 1024, 8  # inputs drawn, and starts of each sample
_RAYS, _FROM_RAYS = 512, 4
_RAYS_OF_ALL, _WORK, _LEAST_EFFORT = 1 << 13, 6e3, 0.02
_CLIMBERS, _CLIMBS = 256, 64  # that look for errors, and their steps
_SCALES = np.geomspace(0.03, 1, 8)  # of multiples of an input, in units of ‖x‖
_ROUNDS = ((16, 64), (6, 128), (3, 128))  # walks of each sample that go on, and their rounds
_KINDS, _HALVINGS = 8, 12
_LEAST_GAIN = 1e-7
_ENTRIES = 1 << 20  # of walks times neurons or coordinates, held at once


def refined(
    f: Population,
    x: Float[np.ndarray, "n D"],
    y: Float[np.ndarray, " n"],
    known: Float[np.ndarray, "k n D"],
    seed: int,
    *,
    norm: Norm,
) -> Attack:
    """Shorten perturbations that are known to flip, and find others.

    **Arguments:**

    - `f`: of few neurons, all of which contribute.
    - `x`, `y`: samples and their labels ±1.
    - `known`: perturbations of each sample; those that do not flip it are not used.
    - `seed`: of all that is drawn.
    - `norm`: in which perturbations are short.

    **Returns:** an `Attack`; its radius is inf where nothing flips.

    **Source:** theory D10.
    """
    basis = orth(f.u.T) if norm.euclidean else None
    flat = known if basis is None else known @ basis
    samples = Samples.of(f, x, y, norm, basis)
    rng = np.random.default_rng(seed)
    pools = {sign: _pool(samples, flat, sign, rng) for sign in np.unique(y).tolist()}

    # Of many samples of many neurons each gets less than its share of the search.
    effort = min(_WORK / (len(x) * (f.u.shape[0] + samples.x.shape[1])), 1)
    if effort < _LEAST_EFFORT:
        return Attack(np.full(len(x), np.inf), np.zeros(samples.x.shape), basis)
    rays = int(np.clip(_RAYS_OF_ALL // len(x), _FROM_RAYS, _RAYS))
    radius, delta = np.empty(len(x)), np.empty(samples.x.shape)
    width = (len(flat) + _STARTS) * max(f.u.shape[0], samples.x.shape[1])
    rows = max(_ENTRIES // width, 1)
    for begin in range(0, len(x), rows):
        some = slice(begin, begin + rows)
        radius[some], delta[some] = _shortened(
            samples.take(some), flat[:, some], pools, effort, rays, rng
        )
    return Attack(radius, delta, basis)


def _pool(
    samples: Samples, known: Float[np.ndarray, "k n d"], sign: float, rng: np.random.Generator
) -> Float[np.ndarray, "N d"]:
    """Unit vectors that are wrong for a label, in random order.

    They are drawn at random, between neurons, and where known perturbations lead; those that are
    right climb to where they are not, since errors may fill very little of the sphere.
    """
    leaning, d, q = samples.leaning, samples.x.shape[1], len(samples.f.m)
    few = rng.exponential(size=(_POOL, q)) * (rng.random((_POOL, q)) < 3 / q)
    ends = (samples.x + known)[:, samples.y == sign].reshape(-1, d)
    ends = ends[rng.permutation(len(ends))[:_POOL]]
    pool = _unit(np.concatenate([rng.standard_normal((_POOL, d)), few @ leaning.w, ends]))
    label, size = np.full(len(pool), sign), np.ones(len(pool))

    margin = leaning.margin(leaning.views(pool, label, size), label)
    right = np.flatnonzero(margin > 0)[:_CLIMBERS]
    boldness = np.ones(len(right))
    for i in range(_CLIMBS):
        turn = rng.standard_normal((len(right), d)) if i % 2 else -sign * leaning.slope(pool[right])
        turned = _unit(pool[right] + boldness[:, None] * _unit(turn))
        now = leaning.margin(leaning.views(turned, label[right], size[right]), label[right])
        better = now < margin[right]
        pool[right[better]], margin[right[better]] = turned[better], now[better]
        boldness *= np.where(better, 1.5, 0.8)
    pool = pool[~(margin > 0)]
    return pool[rng.permutation(len(pool))]


def _unit(rows: Float[np.ndarray, "r d"]) -> Float[np.ndarray, "r d"]:
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(length > 0, length, 1)


def _starts(
    samples: Samples, pools: dict[float, Float[np.ndarray, "N d"]]
) -> Float[np.ndarray, "w n d"]:
    """Perturbations to wrong inputs, the closest that wake the same neurons; 0 without one."""
    starts = np.zeros((_STARTS, *samples.x.shape))
    for sign, pool in pools.items():
        awake = pool @ samples.leaning.w.T > 0
        which = np.unique(awake, axis=0, return_inverse=True)[1].ravel()
        order = np.argsort(which, kind="stable")
        first = np.flatnonzero(np.diff(which[order], prepend=-1))
        for i in np.flatnonzero(samples.y == sign).tolist():
            ways = _to_multiples(samples.x[i], pool[order], samples.norm)
            size = np.asarray(samples.norm.size(ways))
            ends = np.append(first, len(size))
            closest = [a + size[a:b].argmin() for a, b in itertools.pairwise(ends.tolist())]
            best = sorted(closest, key=lambda j: size[j])[:_STARTS]
            starts[: len(best), i] = ways[best]
    return starts


def _on_rays(samples: Samples, rays: int, rng: np.random.Generator) -> Float[np.ndarray, "w n d"]:
    """The first flips along the best of random directions of some entries; 0 where none flips."""
    n, d = samples.x.shape
    entries = rng.random((n, rays, d)) < rng.uniform(1 / d, 1, (n, rays, 1))
    ways = np.where(entries, rng.standard_normal((n, rays, d)), 0.0)
    ways = scaled(samples.norm, ways.reshape(-1, d), ways.reshape(-1, d))
    reach = np.repeat(np.asarray(samples.norm.size(samples.x)), rays)
    length = first_flip(samples.repeated(rays), ways, reach).reshape(n, rays)
    best = np.argsort(length, axis=1)[:, :_FROM_RAYS]
    size = np.take_along_axis(length, best, axis=1)[..., None]
    way = np.take_along_axis(ways.reshape(n, rays, d), best[..., None], axis=1)
    return np.where(np.isfinite(size), size, 0.0).transpose(1, 0, 2) * way.transpose(1, 0, 2)


def _to_multiples(
    x: Float[np.ndarray, " d"], ends: Float[np.ndarray, "N d"], norm: Norm
) -> Float[np.ndarray, "N d"]:
    """The shortest ways to multiples of unit vectors."""
    along = np.maximum(ends @ x, 0)
    scales = [along] if norm.euclidean else [along, *(np.linalg.norm(x) * _SCALES)[:, None]]
    ways = np.stack([np.broadcast_to(scale, along.shape)[:, None] * ends - x for scale in scales])
    best = np.asarray(norm.size(ways)).argmin(axis=0)
    return ways[best, np.arange(len(ends))]


def _shortened(
    samples: Samples,
    known: Float[np.ndarray, "k n d"],
    pools: dict[float, Float[np.ndarray, "N d"]],
    effort: float,
    rays: int,
    rng: np.random.Generator,
) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, "n d"]]:
    """The shortest perturbations after ever longer walks from ever fewer starts."""
    n, d = samples.x.shape
    starts = np.concatenate([known, _starts(samples, pools), _on_rays(samples, rays, rng)])
    starts = starts.transpose(1, 0, 2)
    walks = starts.shape[1]
    length = np.asarray(samples.norm.size(starts)).reshape(-1)
    way = starts.reshape(-1, d) / np.where(length > 0, length, 1)[:, None]
    search = _Search.of(samples.repeated(walks), way, length, walks)
    for most, rounds in _ROUNDS:
        if most < walks:
            best = np.argsort(search.length.reshape(n, walks), axis=1, kind="stable")[:, :most]
            search = search.take((walks * np.arange(n)[:, None] + best).reshape(-1), most)
            walks = most
        search.go_on(int(effort * rounds), rng)
    best = search.length.reshape(n, walks).argmin(axis=1) + walks * np.arange(n)
    radius = search.length[best]
    return radius, np.where(np.isfinite(radius), radius, 0.0)[:, None] * search.way[best]


@dataclass
class _Search:
    """Walks by random turns, one per row."""

    samples: Samples
    z: Float[np.ndarray, "r h"]
    way: Float[np.ndarray, "r d"]
    length: Float[np.ndarray, " r"]
    """Where `way` flips; inf if it does not."""
    last: Float[np.ndarray, "r d"]
    """The last turn that helped."""
    boldness: Float[np.ndarray, "r kinds"]
    """Size of turns of each kind."""
    walks: int
    """Of each sample, in consecutive rows."""

    @classmethod
    def of(
        cls,
        samples: Samples,
        way: Float[np.ndarray, "r d"],
        length: Float[np.ndarray, " r"],
        walks: int,
    ) -> "_Search":
        # What flips the whole network may flip this one a little later.
        lines = Lines.of(samples, way)
        high = np.full(len(way), np.inf)
        for factor in (1.1, 1.01, 1.001, 1.0):
            high = np.where(lines.flipped(factor * length), factor * length, high)
        length = lines.bisected(np.zeros(len(way)), high)
        boldness = np.full((len(way), _KINDS), 0.3)
        return cls(samples, lines.z, way, length, np.zeros_like(way), boldness, walks)

    def take(self, index: Int[np.ndarray, " q"], walks: int) -> "_Search":
        parts = (self.z, self.way, self.length, self.last, self.boldness)
        return _Search(self.samples.take(index), *(part[index] for part in parts), walks)

    def go_on(self, rounds: int, rng: np.random.Generator) -> None:
        """Turn directions at random, and keep those that flip at a shorter distance."""
        samples, norm = self.samples, self.samples.norm
        for i in range(rounds):
            kind = i % _KINDS
            size = self.boldness[:, kind] * 0.1 ** rng.uniform(0, 2, len(self.way))
            turn = size[:, None] * self._turn(kind, rng)
            turned = scaled(norm, self.way + turn, self.way)
            lines = Lines(samples.leaning, samples.y, self.z, turned @ samples.leaning.w.T)

            # One evaluation says whether a turn helps; only then is it worth a bisection.
            finite = np.isfinite(self.length)
            aim = np.where(finite, self.length, 0.0) * (1 - _LEAST_GAIN)
            better = finite & lines.flipped(aim)
            self._accept(better, turned, lines, aim)
            self.boldness[:, kind] *= np.where(better, 2.0, 0.9)
            self.boldness[:, kind] = np.clip(self.boldness[:, kind], 1e-2, 1.0)

    def _accept(
        self,
        better: Bool[np.ndarray, " r"],
        turned: Float[np.ndarray, "r d"],
        lines: Lines,
        aim: Float[np.ndarray, " r"],
    ) -> None:
        if better.any():
            low = np.zeros(int(better.sum()))
            self.length[better] = lines.take(better).bisected(low, aim[better], _HALVINGS)
            self.last[better] = (turned - self.way)[better]
            self.way[better] = turned[better]

    def _turn(self, kind: int, rng: np.random.Generator) -> Float[np.ndarray, "r d"]:
        """A turn at random, along one axis, of one entry to its end, or down the slope."""
        r, d = self.way.shape
        norm = self.samples.norm
        if kind == 0:
            noise = rng.standard_normal((r, d))
            return noise / np.asarray(norm.size(noise))[:, None]
        if kind >= 6:
            return self._sliding(kind - 5, rng)
        if kind == 4:
            return scaled(norm, self.last, self.last)
        if kind == 5:
            first = np.arange(r) // self.walks * self.walks
            one, other = (first + rng.integers(self.walks, size=r) for _ in range(2))
            return 2 * (self.way[one] - self.way[other])
        if kind == 3:
            finite = np.where(np.isfinite(self.length), self.length, 0.0)
            boundary = self.samples.x + finite[:, None] * self.way
            slope = self.samples.y[:, None] * self.samples.leaning.slope(boundary)
            return steepest(norm, -slope) - self.way
        axis, turn = rng.integers(d, size=r), np.zeros((r, d))
        every = np.arange(r)
        if kind == 1:
            turn[every, axis] = rng.choice([-1.0, 1.0], size=r)
            turn /= np.asarray(norm.size(turn))[:, None]
        else:
            largest = np.abs(self.way).max(axis=1)
            end = rng.choice([-1.0, 0.0, 1.0], size=r) * largest
            turn[every, axis] = end - self.way[every, axis]
        return turn

    def _sliding(self, count: int, rng: np.random.Generator) -> Float[np.ndarray, "r d"]:
        """A turn of some entries that keeps what `count` neurons see that are about to change."""
        r, d = self.way.shape
        every, w, norm = np.arange(r), self.samples.leaning.w, self.samples.norm
        entries = rng.random((r, d)) < rng.uniform(0, 1, (r, 1))
        turn = np.where(entries, rng.standard_normal((r, d)), 0.0)
        finite = np.where(np.isfinite(self.length), self.length, 0.0)
        z = self.z + finite[:, None] * (self.way @ w.T)
        near = np.abs(z) / np.linalg.norm(w, axis=1)
        order = np.argsort(near, axis=1)[:, :4]
        rows = []
        for _ in range(count):
            j = order[every, rng.integers(order.shape[1], size=r)]
            row = np.where(entries, w[j], 0.0)
            for other in rows:
                row = row - (row * other).sum(axis=1, keepdims=True) * other
            length = np.linalg.norm(row, axis=1, keepdims=True)
            row = np.divide(
                row,
                length,
                out=np.zeros_like(row),
                where=length > 1e-9 * np.linalg.norm(w[j], axis=1, keepdims=True),
            )
            turn -= (turn * row).sum(axis=1, keepdims=True) * row
            rows.append(row)
        return scaled(norm, turn, turn)
