"""The smallest perturbation that flips a prediction: attacks, hence upper bounds on a radius.

One idea: a network of few neurons depends on an input through <u_j, x> only, and an attack knows
where to look: from the own neuron toward an opposite one.  Each direction is followed to the first
sign change; then the boundary is replaced by its tangent plane, whose closest point gives the next
direction.  In l2 all of this happens in the span of the neurons; in l1 and l∞ a step
is the steepest of its norm, which leaves that span.  Every sample gets its own radius, so the
robust accuracy at all radii is one computation and monotone (theory T3 says what a walk at a fixed
radius misses).

What it returns are witnesses: perturbed inputs that the network gets wrong.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.linalg import orth

from gflow.data.checks import check_samples
from gflow.network.population import Population, population_of
from gflow.network.prelu import Network
from gflow.robustness.bisection import bisected
from gflow.robustness.leaning import Leaning
from gflow.robustness.norm import Norm

LONGEST = 2.0
"""Largest perturbation tried, in units of ‖x‖: beyond it the input is another one."""

_RADII, _HALVINGS = 48, 40
_ROUNDS, _WALKS, _RANDOM = 400, 4, 4
_TOWARD = 24  # heaviest neurons that samples are moved toward, or from
_ENTRIES = 1 << 22  # of samples times directions times their length, held at once


@dataclass(frozen=True)
class Attack:
    """The shortest perturbations of an attack, one per sample."""

    radius: Float[np.ndarray, " n"]
    """‖δ_i‖; 0 where the sample is wrong as it is, inf where no perturbation flips it."""
    coordinates: Float[np.ndarray, "n d"]
    """δ_i in the basis; 0 where no perturbation flips the sample."""
    basis: Float[np.ndarray, "D d"] | None
    """Orthonormal basis of the span of the neurons, in l2; None if coordinates are entries."""

    @property
    def perturbation(self) -> Float[np.ndarray, "n D"]:
        """All δ_i: y_i f(x_i + δ_i) <= 0 wherever the radius is finite."""
        return self.coordinates if self.basis is None else self.coordinates @ self.basis.T


def share_beyond(
    radius: Float[np.ndarray, " n"], R: Float[np.ndarray, " B"]
) -> Float[np.ndarray, " B"]:
    """Share of radii above each R: a robust accuracy, monotone in R."""
    known = np.where(radius >= 0, radius, 0.0)  # what is not a number is beyond nothing
    return 1 - np.searchsorted(np.sort(known), R, side="right") / len(known)


def attack(
    network: Network | Population,
    x: Float[np.ndarray, "n D"],
    y: Float[np.ndarray, " n"],
    seed: int,
    *,
    norm: Norm = Norm.L2,
) -> Attack:
    """Find short perturbations with y f(x + δ) <= 0 by directions of the theory and by walking.

    **Arguments:**

    - `network`: f, of few neurons: the cost grows with their number and that of their dimensions.
    - `x`, `y`: samples and their labels ±1.
    - `seed`: of the random directions.
    - `norm`: in which perturbations are short.

    **Returns:** an `Attack`: an upper bound on the distance of each sample to {y f <= 0}.

    **Source:** theory D10.
    """
    check_samples(x, y)
    f = population_of(network)
    f = f.distinct.take(f.distinct.m > 0)
    if not len(f.m):
        return Attack(np.zeros(len(x)), np.zeros(x.shape), None)  # y f = 0 is wrong everywhere

    # What is orthogonal to every neuron only lengthens a perturbation, if rotations do not count.
    basis = orth(f.u.T) if norm.euclidean else None
    samples = Samples.of(f, x, y, norm, basis)

    # As many samples at a time as fit into memory with all of their directions.
    rng = np.random.default_rng(seed)
    radius, delta = np.empty(len(x)), np.empty(samples.x.shape)
    width = (2 * min(len(f.m), _TOWARD) + 7 + _RANDOM) * max(len(f.m), samples.x.shape[1])
    rows = max(_ENTRIES // width, 1)
    for begin in range(0, len(x), rows):
        some = slice(begin, begin + rows)
        reach = LONGEST * np.asarray(norm.size(x[some]))
        radius[some], delta[some] = _shortest(samples.take(some), reach, rng)
    return Attack(radius, delta, basis)


@dataclass(frozen=True)
class Samples:
    """Samples, the network they are to be perturbed against, and the norm that counts."""

    f: Population
    leaning: Leaning
    """Of `f`."""
    x: Float[np.ndarray, "n d"]
    y: Float[np.ndarray, " n"]
    size: Float[np.ndarray, " n"]
    """‖x‖₂, in all dimensions."""
    norm: Norm

    @classmethod
    def of(
        cls,
        f: Population,
        x: Float[np.ndarray, "n D"],
        y: Float[np.ndarray, " n"],
        norm: Norm,
        basis: Float[np.ndarray, "D d"] | None,
    ) -> "Samples":
        """Samples and neurons in coordinates of a basis of the span of all neurons."""
        flat = f if basis is None else replace(f, u=f.u @ basis)
        at = x if basis is None else x @ basis
        return cls(flat, Leaning.of(flat), at, y, np.linalg.norm(x, axis=1), norm)

    def take(self, index: slice | Int[np.ndarray, " r"]) -> "Samples":
        return replace(self, x=self.x[index], y=self.y[index], size=self.size[index])

    def repeated(self, count: int) -> "Samples":
        return self.take(np.repeat(np.arange(len(self.x)), count))


@dataclass(frozen=True)
class Lines:
    """Lines x + t·way, as the neurons see them: z + t dz."""

    leaning: Leaning
    y: Float[np.ndarray, " r"]
    z: Float[np.ndarray, "r h"]
    dz: Float[np.ndarray, "r h"]

    @classmethod
    def of(cls, samples: Samples, way: Float[np.ndarray, "r d"]) -> "Lines":
        leaning = samples.leaning
        z = leaning.views(samples.x, samples.y, samples.size)
        return cls(leaning, samples.y, z, way @ leaning.w.T)

    def take(self, index: Bool[np.ndarray, " r"] | Int[np.ndarray, " q"]) -> "Lines":
        return replace(self, y=self.y[index], z=self.z[index], dz=self.dz[index])

    def flipped(self, t: Float[np.ndarray, " r"]) -> Bool[np.ndarray, " r"]:
        """Where y f <= 0 at distance t, however it is rounded."""
        return self.leaning.wrong(self.z + t[:, None] * self.dz, self.y)

    def bisected(
        self, low: Float[np.ndarray, " r"], high: Float[np.ndarray, " r"], halvings: int = _HALVINGS
    ) -> Float[np.ndarray, " r"]:
        """The upper ends of brackets after halving them until rounding; inf where that is inf."""
        some = np.isfinite(high)
        high[some] = bisected(self.take(some).flipped, low[some], high[some], halvings)[1]
        return high


def _shortest(
    samples: Samples, reach: Float[np.ndarray, " n"], rng: np.random.Generator
) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, "n d"]]:
    """The shortest of what all directions lead to, and the perturbations."""
    f, x, y, norm = samples.f, samples.x, samples.y, samples.norm

    # At the origin every network is 0, and where own neurons are silent it is not right.
    own = np.where(y[:, None] * f.s > 0, np.maximum(x @ f.u.T, 0), 0)
    to_zero = [scaled(norm, way, steepest(norm, -x))[:, None] for way in (-x, -own @ f.u)]
    ways = [steepest(norm, _directions(samples, rng)), *to_zero]
    if not norm.euclidean:
        # A step may be worth one neuron only: in l1 that of a sum is that of its heaviest part.
        some = f.take(_heaviest(f))
        ways.append(steepest(norm, -(y[:, None] * some.s)[..., None] * some.u))
    ways = np.concatenate(ways, axis=1)

    # Every direction is followed to its first flip, and a walk starts at the shortest of them.
    n, count, d = ways.shape
    every = samples.repeated(count)
    length = first_flip(every, ways.reshape(-1, d), np.repeat(reach, count)).reshape(n, count)
    best = np.argsort(length, axis=1)[:, :_WALKS]
    walks = best.shape[1]
    way = np.take_along_axis(ways, best[..., None], axis=1).reshape(-1, d)
    length = np.take_along_axis(length, best, axis=1).reshape(-1)
    length, way = _walked(samples.repeated(walks), way, length)

    # The shortest walk of each sample counts; a sample that is wrong already needs none.
    winner = length.reshape(n, walks).argmin(axis=1)
    length = length.reshape(n, walks)[np.arange(n), winner]
    way = way.reshape(n, walks, d)[np.arange(n), winner]
    wrong = samples.leaning.wrong(samples.leaning.views(x, y, samples.size), y)
    radius = np.where(wrong, 0.0, length)
    return radius, np.where(np.isfinite(radius), radius, 0.0)[:, None] * way


def steepest(norm: Norm, ways: Float[np.ndarray, "*n d"]) -> Float[np.ndarray, "*n d"]:
    """Unit steps along `ways` in the norm; along the first axis where there is no way."""
    step = np.asarray(norm.steepest(ways))
    still = np.asarray(norm.size(step)) == 0
    step[still] = np.eye(ways.shape[-1])[0]
    return step


def scaled(
    norm: Norm, ways: Float[np.ndarray, "n d"], fallback: Float[np.ndarray, "n d"]
) -> Float[np.ndarray, "n d"]:
    """Rows at size 1 in the norm; those of `fallback` where a row is 0."""
    size = np.asarray(norm.size(ways))[:, None]
    return np.where(size > 0, ways / np.where(size > 0, size, 1), fallback)


def _heaviest(f: Population) -> Int[np.ndarray, " q"]:
    return np.argsort(-f.m, kind="stable")[:_TOWARD]


def _directions(samples: Samples, rng: np.random.Generator) -> Float[np.ndarray, "n w d"]:
    """Where to look: down the slope, and from own neurons to opposite ones.

    From the strongest own neuron to each neuron, and to all opposite ones by their gains; from all
    own neurons to all opposite ones; and at random.
    """
    f, x, y = samples.f, samples.x, samples.y
    gain = f.m ** (1 / f.p)
    signs = y[:, None] * f.s

    # From the own neuron that contributes most to each of the heaviest.
    strength = np.where(signs > 0, gain * (x @ f.u.T), -np.inf)
    own = strength.argmax(axis=1)
    pull = (gain[:, None] * f.u)[own]
    some = _heaviest(f)
    toward = -pull[:, None] + (-signs * gain)[:, some, None] * f.u[some]

    # To all opposite ones together, weighted in several ways, and down the slope.
    against = np.where(signs < 0, f.m ** (1 / f.p), 0.0) @ f.u
    spread = np.where(signs < 0, 1.0, 0.0) @ (gain[:, None] * f.u)
    every = -(signs * f.m) @ f.u
    slope = -y[:, None] * samples.leaning.slope(x)
    between = steepest(Norm.L2, against) - steepest(Norm.L2, pull)
    more = np.stack([-pull, between, -pull + spread, every, slope], axis=1)

    random = rng.standard_normal((len(x), _RANDOM, x.shape[1]))
    return np.concatenate([toward, more, random], axis=1)


def first_flip(
    samples: Samples,
    way: Float[np.ndarray, "r d"],
    reach: Float[np.ndarray, " r"],
    halvings: int = _HALVINGS,
) -> Float[np.ndarray, " r"]:
    """Distance along unit directions to the first sign change on a grid; inf if there is none."""
    lines = Lines.of(samples, way)
    low, high = np.zeros(len(way)), np.full(len(way), np.inf)
    for step in np.arange(1, _RADII + 1) / _RADII:
        unflipped = np.isinf(high)
        if not unflipped.any():
            break
        t = step * reach[unflipped]
        flipped = lines.take(unflipped).flipped(t)
        at = np.flatnonzero(unflipped)
        high[at[flipped]], low[at[~flipped]] = t[flipped], t[~flipped]
    return lines.bisected(low, high, halvings)


def _walked(
    samples: Samples, way: Float[np.ndarray, "r d"], length: Float[np.ndarray, " r"]
) -> tuple[Float[np.ndarray, " r"], Float[np.ndarray, "r d"]]:
    """Lengths and directions after walking along the boundary while that shortens them."""
    damping = np.ones(len(way))
    for _ in range(_ROUNDS):
        live = np.flatnonzero(np.isfinite(length) & (damping > 1e-3))
        if not len(live):
            break

        # A turn toward the tangent plane counts if the new direction flips at a shorter distance.
        walkers, longest = samples.take(live), length[live]
        turned = _toward_tangent(walkers, way[live], longest, damping[live])
        shorter = _flip_within(walkers, turned, longest)
        better = shorter < longest * (1 - 1e-12)

        # Turns get bolder after a success and more careful after a failure.
        at = live[better]
        way[at], length[at] = turned[better], shorter[better]
        damping[live] = np.where(better, np.minimum(2 * damping[live], 1), damping[live] / 3)
    return length, way


def _toward_tangent(
    samples: Samples,
    way: Float[np.ndarray, "r d"],
    length: Float[np.ndarray, " r"],
    damping: Float[np.ndarray, " r"],
) -> Float[np.ndarray, "r d"]:
    """Directions turned toward the point of the tangent plane of the boundary closest to x."""
    norm, boundary = samples.norm, samples.x + length[:, None] * way
    slope = samples.y[:, None] * samples.leaning.slope(boundary)
    closest = steepest(norm, -slope)
    turned = way + damping[:, None] * (closest - way)
    if not norm.euclidean:
        return scaled(norm, turned, closest)
    ahead = (closest * way).sum(axis=1, keepdims=True) > 0
    return np.where(ahead, steepest(norm, turned), way)


def _flip_within(
    samples: Samples, way: Float[np.ndarray, "r d"], length: Float[np.ndarray, " r"]
) -> Float[np.ndarray, " r"]:
    """Where a direction flips, if it does at `length`; inf else."""
    lines = Lines.of(samples, way)
    return lines.bisected(np.zeros(len(way)), np.where(lines.flipped(length), length, np.inf))
