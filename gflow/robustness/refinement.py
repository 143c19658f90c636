"""Shorter flips by many starts and random turns, where a walk by slopes may have ended early.

Ends of walks that know no neuron (`starts.in_balls`) are among the starts: in l1 they find what
moves several entries at once (`python tests/benchmarks search` prints the gain).

One idea: at a corner of the boundary a tangent plane says nothing of where it is closest, but a
random turn that flips at a shorter distance is kept wherever it leads.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.linalg import orth

from gflow.network.population import Population
from gflow.robustness.attack import Attack
from gflow.robustness.lines import Lines, Samples, scaled, steepest
from gflow.robustness.norm import Norm
from gflow.robustness.starts import (
    FROM_BALLS,
    FROM_RAYS,
    STARTS,
    errors,
    in_balls,
    on_rays,
    to_errors,
)
from gflow.robustness.subspace import Subspace

_ROUNDS = ((16, 64), (6, 128), (3, 128))  # walks of each sample that go on, and their rounds
_WORK, _LEAST_EFFORT, _MOST_EFFORT = 2e3, 0.02, 3.0
_STEPS, _MOST_STEPS = 400, 200  # of walks in balls
_EVALUATIONS, _LEAST_GAIN = 6, 1e-7
_BOLD, _NEAR = 0.3, 4  # size of the first turns, and neurons that count as about to change
_ENTRIES = 1 << 20  # of walks times neurons or coordinates, held at once


def refined(
    f: Population,
    x: Float[np.ndarray, "n D"],
    y: Float[np.ndarray, " n"],
    known: Float[np.ndarray, "k n D"],
    seed: int,
    *,
    norm: Norm,
    within: Subspace | None = None,
) -> Attack:
    """Shorten perturbations that are known to flip, and find others.

    Of many samples of many neurons each gets less of the search, and nothing if that is too little.

    **Arguments:**

    - `f`: of few neurons, all of which contribute.
    - `x`, `y`: samples and their labels ±1.
    - `known`: perturbations of each sample; those that do not flip it are not used.
    - `seed`: of all that is drawn.
    - `norm`: in which perturbations are short.
    - `within`: a subspace that perturbations must lie in; errors far from it are no starts then.

    **Returns:** an `Attack`; its radius is inf where nothing flips.

    **Source:** theory D10.
    """
    if within is None:
        basis = orth(f.u.T) if norm.euclidean else None
        samples = Samples.of(f, x, y, norm, basis=basis)
    else:
        basis = within.seen_by(f.u).basis
        samples = Samples.confined(f, x, y, norm, basis=basis)
    flat = known if basis is None else known @ basis
    n, width = len(x), len(f.m) + samples.x.shape[1]
    radius, delta = np.full(n, np.inf), np.zeros(samples.x.shape)
    effort = min(_WORK / (n * width), _MOST_EFFORT)
    if effort < _LEAST_EFFORT or not samples.x.shape[1]:
        return Attack(radius, delta, basis)

    rng = np.random.default_rng(seed)
    signs = [] if within else np.unique(y).tolist()
    wrong = {sign: errors(samples, flat, sign, rng) for sign in signs}
    rows = max(_ENTRIES // ((len(flat) + STARTS + FROM_RAYS + FROM_BALLS) * width), 1)
    for begin in range(0, n, rows):
        some = slice(begin, begin + rows)
        part = samples.take(some)
        shortest = flat[:, some]
        walked = in_balls(part, shortest[0], int(min(_STEPS * effort, _MOST_STEPS)))
        starts = [shortest, walked, to_errors(part, wrong), on_rays(part, n, rng)]
        starts = np.concatenate(starts)
        radius[some], delta[some] = _shortened(part, starts, effort, rng)
    return Attack(radius, delta, basis)


def _shortened(
    samples: Samples,
    starts: Float[np.ndarray, "w n d"],
    effort: float,
    rng: np.random.Generator,
) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, "n d"]]:
    """The shortest perturbations after ever longer walks from ever fewer starts."""
    walks = len(starts)
    rows = starts.transpose(1, 0, 2).reshape(-1, starts.shape[2])
    search = _Search.of(samples.repeated(walks), rows, walks)
    for most, rounds in _ROUNDS:
        search = search.best(most)
        search.go_on(int(effort * rounds), rng)
    search = search.best(1)
    lines = Lines.of(samples, search.way, search.z)
    radius = lines.exact(search.length)
    return radius, np.where(np.isfinite(radius), radius, 0.0)[:, None] * search.way


@dataclass
class _Search:
    """Walks by random turns, one per row."""

    samples: Samples
    walks: int
    """Of each sample, in consecutive rows."""
    z: Float[np.ndarray, "r h"]
    """What neurons see of the samples."""
    way: Float[np.ndarray, "r d"]
    length: Float[np.ndarray, " r"]
    """Where `way` flips; inf if it does not."""
    last: Float[np.ndarray, "r d"]
    """The last turn that helped."""
    boldness: Float[np.ndarray, "r kinds"]
    """Size of turns of each kind."""

    @classmethod
    def of(cls, samples: Samples, delta: Float[np.ndarray, "r d"], walks: int) -> "_Search":
        """Walks from perturbations, of which some may not flip."""
        size = np.asarray(samples.norm.size(delta))
        way = delta / np.where(size > 0, size, 1)[:, None]
        lines = Lines.of(samples, way)

        # What flips the whole network may flip this one a little later.
        high = np.full(len(way), np.inf)
        for factor in (1.1, 1.01, 1.001, 1.0):
            high = np.where(lines.flipped(factor * size), factor * size, high)
        return cls(
            samples,
            walks,
            z=lines.z,
            way=way,
            length=lines.first_within(high, evaluations=_EVALUATIONS),
            last=np.zeros_like(way),
            boldness=np.full((len(way), len(_TURNS)), _BOLD),
        )

    def best(self, most: int) -> "_Search":
        """The shortest walks of each sample."""
        if most >= self.walks:
            return self
        order = np.argsort(self.length.reshape(-1, self.walks), axis=1, kind="stable")[:, :most]
        rows = (self.walks * np.arange(len(order))[:, None] + order).reshape(-1)
        return _Search(
            self.samples.take(rows),
            most,
            z=self.z[rows],
            way=self.way[rows],
            length=self.length[rows],
            last=self.last[rows],
            boldness=self.boldness[rows],
        )

    @property
    def reach(self) -> Float[np.ndarray, " r"]:
        """Lengths of walks; 0 of those that do not flip."""
        return np.where(np.isfinite(self.length), self.length, 0.0)

    def go_on(self, rounds: int, rng: np.random.Generator) -> None:
        """Turn directions at random, and keep those that flip at a shorter distance."""
        samples, norm = self.samples, self.samples.norm
        for i in range(rounds):
            kind = i % len(_TURNS)
            size = self.boldness[:, kind] * 0.1 ** rng.uniform(0, 2, len(self.way))
            turned = scaled(norm, self.way + size[:, None] * _TURNS[kind](self, rng), self.way)

            lines = Lines.of(samples, turned, self.z)
            aim = self.length * (1 - _LEAST_GAIN)
            length = lines.first_within(aim, evaluations=_EVALUATIONS)
            better = length < self.length
            self.length[better] = length[better]
            self.last[better] = (turned - self.way)[better]
            self.way[better] = turned[better]
            bolder = self.boldness[:, kind] * np.where(better, 2.0, 0.9)
            self.boldness[:, kind] = np.clip(bolder, 1e-2, 1.0)

    def at_random(self, rng: np.random.Generator) -> Float[np.ndarray, "r d"]:
        """A turn in any direction."""
        return self._of_size_1(rng.standard_normal(self.way.shape))

    def along_axis(self, rng: np.random.Generator) -> Float[np.ndarray, "r d"]:
        """A turn of one entry."""
        turn, entry = self._entry(rng)
        turn[entry] = rng.choice([-1.0, 1.0], size=len(turn))
        return self._of_size_1(turn)

    def to_an_end(self, rng: np.random.Generator) -> Float[np.ndarray, "r d"]:
        """A turn of one entry to 0, where l1 balls have corners, or to ± the largest, as of l∞."""
        turn, entry = self._entry(rng)
        largest = np.abs(self.way).max(axis=1)
        turn[entry] = rng.choice([-1.0, 0.0, 1.0], size=len(turn)) * largest - self.way[entry]
        return turn

    def down_the_slope(self, _: np.random.Generator) -> Float[np.ndarray, "r d"]:
        """A turn to the closest point of the tangent plane."""
        slope = self.samples.y[:, None] * self.samples.slope(self.reach[:, None] * self.way)
        return steepest(self.samples.norm, -slope) - self.way

    def again(self, _: np.random.Generator) -> Float[np.ndarray, "r d"]:
        """The last turn that helped."""
        return self._of_size_1(self.last)

    def between_walks(self, rng: np.random.Generator) -> Float[np.ndarray, "r d"]:
        """A turn along the difference of two walks of the sample, as in differential evolution."""
        first = np.arange(len(self.way)) // self.walks * self.walks
        one, other = (first + rng.integers(self.walks, size=len(first)) for _ in range(2))
        return 2 * (self.way[one] - self.way[other])

    def sliding(self, rng: np.random.Generator) -> Float[np.ndarray, "r d"]:
        """A turn of some entries that leaves what one or two neurons see that are about to change.

        So it stays on an edge of the boundary.
        """
        every, w = np.arange(len(self.way)), self.samples.leaning.w
        entries = rng.random(self.way.shape) < rng.uniform(0, 1, (len(self.way), 1))
        turn = np.where(entries, rng.standard_normal(self.way.shape), 0.0)

        # Two of the neurons closest to falling asleep or waking, as orthonormal rows.
        z = self.z + self.reach[:, None] * (self.way @ w.T)
        near = np.argsort(np.abs(z) / np.linalg.norm(w, axis=1), axis=1)[:, :_NEAR]
        one, other = (near[every, rng.integers(near.shape[1], size=len(near))] for _ in range(2))
        first = _unit_or_zero(np.where(entries, w[one], 0.0))
        turn -= _along(turn, first)
        second = np.where(entries, w[other], 0.0)
        second = _unit_or_zero(second - _along(second, first))
        two = rng.random((len(turn), 1)) < 0.5
        return self._of_size_1(turn - np.where(two, _along(turn, second), 0.0))

    def _entry(
        self, rng: np.random.Generator
    ) -> tuple[Float[np.ndarray, "r d"], tuple[Int[np.ndarray, " r"], Int[np.ndarray, " r"]]]:
        """No turn, and the index of one entry of each row."""
        r, d = self.way.shape
        return np.zeros((r, d)), (np.arange(r), rng.integers(d, size=r))

    def _of_size_1(self, turn: Float[np.ndarray, "r d"]) -> Float[np.ndarray, "r d"]:
        return scaled(self.samples.norm, turn, turn)


_TURNS = (
    _Search.at_random,
    _Search.along_axis,
    _Search.to_an_end,
    _Search.down_the_slope,
    _Search.again,
    _Search.between_walks,
    _Search.sliding,
    _Search.sliding,
)


def _along(
    rows: Float[np.ndarray, "r d"], unit: Float[np.ndarray, "r d"]
) -> Float[np.ndarray, "r d"]:
    """The part of each row along a unit vector."""
    return (rows * unit).sum(axis=1, keepdims=True) * unit


def _unit_or_zero(rows: Float[np.ndarray, "r d"]) -> Float[np.ndarray, "r d"]:
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.divide(rows, length, out=np.zeros_like(rows), where=length > 1e-9)
