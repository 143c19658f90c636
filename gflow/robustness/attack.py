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

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.linalg import orth

from gflow.data.checks import check_samples
from gflow.network.population import Population, population_of
from gflow.network.prelu import Network
from gflow.robustness.lines import Lines, Samples, evenly, first_flips, scaled, steepest
from gflow.robustness.norm import Norm
from gflow.robustness.subspace import FARTHEST, Subspace

LONGEST = 2.0
"""Largest perturbation tried, in units of ‖x‖: beyond it the input is another one."""

_PLACES, _FAR_PLACES = 48, 46  # along each direction, up to `LONGEST` and from there on
_ROUNDS, _WALKS, _RANDOM = 400, 4, 4
_LEAST_GAIN = 1e-9  # of a step, and relative width of its bracket
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
    within: Subspace | None = None,
) -> Attack:
    """Find short perturbations with y f(x + δ) <= 0 by directions of the theory and by walking.

    **Arguments:**

    - `network`: f, of few neurons: the cost grows with their number and that of their dimensions.
    - `x`, `y`: samples and their labels ±1.
    - `seed`: of the random directions.
    - `norm`: in which perturbations are short.
    - `within`: a subspace that perturbations must lie in, in l2.

    **Returns:** an `Attack`: an upper bound on the distance of each sample to {y f <= 0}.

    **Source:** theory D10.
    """
    check_samples(x, y)
    f = population_of(network)
    f = f.distinct.take(f.distinct.m > 0)
    if not len(f.m):
        return Attack(np.zeros(len(x)), np.zeros(x.shape), None)  # y f = 0 is wrong everywhere

    # What is orthogonal to every neuron only lengthens a perturbation, if rotations do not count.
    if within is None:
        basis = orth(f.u.T) if norm.euclidean else None
        samples = Samples.of(f, x, y, norm, basis=basis)
        longest, shares = LONGEST, evenly(_PLACES)
    else:
        basis = within.seen_by(f.u).basis
        samples = Samples.confined(f, x, y, norm, basis=basis)
        longest, shares = FARTHEST, _far_shares()
        if not basis.shape[1]:
            wrong = Lines.of(samples, samples.x).flipped(np.zeros(len(x)))
            return Attack(np.where(wrong, 0.0, np.inf), samples.x, basis)

    # As many samples at a time as fit into memory with all of their directions.
    rng = np.random.default_rng(seed)
    radius, delta = np.empty(len(x)), np.empty(samples.x.shape)
    width = (2 * min(len(f.m), _TOWARD) + 7 + _RANDOM) * max(len(f.m), samples.x.shape[1])
    rows = max(_ENTRIES // width, 1)
    for begin in range(0, len(x), rows):
        some = slice(begin, begin + rows)
        reach = longest * np.asarray(norm.size(x[some]))
        radius[some], delta[some] = _shortest(samples.take(some), reach, shares, rng)
    return Attack(radius, delta, basis)


def _shortest(
    samples: Samples,
    reach: Float[np.ndarray, " n"],
    shares: Float[np.ndarray, " places"],
    rng: np.random.Generator,
) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, "n d"]]:
    """The shortest of what all directions lead to, and the perturbations."""
    f, x, y, norm = samples.f, samples.x, samples.y, samples.norm

    # At the origin every network is 0, and where own neurons are silent it is not right.
    own = np.where(y[:, None] * f.s > 0, np.maximum(samples.views, 0) / f.m ** (1 / f.p), 0)
    to_zero = [scaled(norm, way, steepest(norm, -x))[:, None] for way in (-x, -own @ f.u)]
    ways = [steepest(norm, _directions(samples, rng)), *to_zero]
    if not norm.euclidean:
        # A step may be worth one neuron only: in l1 that of a sum is that of its heaviest part.
        some = f.take(_heaviest(f))
        ways.append(steepest(norm, -(y[:, None] * some.s)[..., None] * some.u))
    ways = np.concatenate(ways, axis=1)

    # Every direction is followed to its first flip, and a walk starts at the shortest of them.
    length, way = first_flips(samples, ways, reach, _WALKS, shares=shares)
    n, walks, d = way.shape
    length, way = _walked(samples.repeated(walks), way.reshape(-1, d), length.reshape(-1))

    # The shortest walk of each sample counts; a sample that is wrong already needs none.
    winner = np.arange(n) * walks + length.reshape(n, walks).argmin(axis=1)
    lines = Lines.of(samples, way[winner])
    radius = np.where(lines.flipped(np.zeros(n)), 0.0, lines.exact(length[winner]))
    return radius, np.where(np.isfinite(radius), radius, 0.0)[:, None] * way[winner]


def _far_shares() -> Float[np.ndarray, " places"]:
    """Places along a direction in a subspace: as many near by as elsewhere, and far away a few."""
    far = np.geomspace(LONGEST, FARTHEST, _FAR_PLACES + 1)[1:]
    return np.concatenate([LONGEST * evenly(_PLACES), far]) / FARTHEST


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
    strength = np.where(signs > 0, samples.views, -np.inf)
    own = strength.argmax(axis=1)
    pull = (gain[:, None] * f.u)[own]
    some = _heaviest(f)
    toward = -pull[:, None] + (-signs * gain)[:, some, None] * f.u[some]

    # To all opposite ones together, weighted in several ways, and down the slope.
    against = np.where(signs < 0, f.m ** (1 / f.p), 0.0) @ f.u
    spread = np.where(signs < 0, 1.0, 0.0) @ (gain[:, None] * f.u)
    every = -(signs * f.m) @ f.u
    slope = -y[:, None] * samples.slope(np.zeros_like(x))
    between = steepest(Norm.L2, against) - steepest(Norm.L2, pull)
    more = np.stack([-pull, between, -pull + spread, every, slope], axis=1)

    random = rng.standard_normal((len(x), _RANDOM, x.shape[1]))
    return np.concatenate([toward, more, random], axis=1)


def _walked(
    samples: Samples, way: Float[np.ndarray, "r d"], length: Float[np.ndarray, " r"]
) -> tuple[Float[np.ndarray, " r"], Float[np.ndarray, "r d"]]:
    """Lengths and directions after walking along the boundary while that shortens them."""
    z, damping = samples.z, np.ones(len(way))
    for _ in range(_ROUNDS):
        live = np.flatnonzero(np.isfinite(length) & (damping > 1e-3))
        if not len(live):
            break

        # A turn toward the tangent plane counts if the new direction flips at a shorter distance.
        walkers, longest = samples.take(live), length[live]
        turned = _toward_tangent(walkers, way[live], longest, damping[live])
        lines = Lines.of(walkers, turned, z[live])
        shorter = lines.first_within(longest, tolerance=_LEAST_GAIN)
        better = shorter < longest * (1 - _LEAST_GAIN)

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
    norm = samples.norm
    slope = samples.y[:, None] * samples.slope(length[:, None] * way)
    closest = steepest(norm, -slope)
    turned = way + damping[:, None] * (closest - way)
    if not norm.euclidean:
        return scaled(norm, turned, closest)
    ahead = (closest * way).sum(axis=1, keepdims=True) > 0
    return np.where(ahead, steepest(norm, turned), way)
