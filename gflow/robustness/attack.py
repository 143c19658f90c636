"""The smallest perturbation that flips a prediction: attacks, hence upper bounds on a radius.

One idea: a network of few neurons depends on an input through <u_j, x> only, and an attack knows
where to look: from the own neuron toward an opposite one.  Each direction is followed to the first
sign change; then the boundary is replaced by its tangent plane, whose closest point gives the next
direction.  In l2 all of this happens in the span of the neurons; in l1 and l∞ a step is the
steepest of its norm, which leaves that span.  Every sample gets its own radius, so the robust
accuracy at all radii is one computation and monotone (theory T3 says what a walk at a fixed radius
misses).

What it returns are witnesses: perturbed inputs that the network gets wrong.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from scipy.linalg import orth

from gflow.network.condense import Population
from gflow.network.prelu import Network
from gflow.robustness.norm import Norm

LONGEST = 2.0
"""Largest perturbation tried, in units of ‖x‖: beyond it the input is another one."""

_RADII, _HALVINGS = 48, 40
_ROUNDS, _KEPT, _RANDOM = 400, 4, 4
_TOWARD = 24  # heaviest neurons that samples are moved toward, or from
_ENTRIES = 1 << 22  # of samples times directions times their length, held at once


@dataclass(frozen=True)
class Attack:
    """The shortest perturbations found, one a sample."""

    radius: Float[np.ndarray, " n"]
    """‖δ_i‖; 0 where the sample is wrong as it is, inf where nothing was found."""
    coordinates: Float[np.ndarray, "n d"]
    """δ_i in the basis; 0 where nothing was found."""
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
    return 1 - np.searchsorted(np.sort(radius), R, side="right") / len(radius)


def attack(
    network: Network | Population,
    x: Float[np.ndarray, "n D"],
    y: Float[np.ndarray, " n"],
    seed: int,
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
    f = network if isinstance(network, Population) else Population.of(network)
    f = f.distinct.take(f.distinct.m > 0)
    if not len(f.m):
        return Attack(np.zeros(len(x)), np.zeros(x.shape), None)  # y f = 0 is wrong everywhere
    basis = orth(f.u.T) if norm is Norm.L2 else None
    flat = f if basis is None else Population(f.u @ basis, f.m, f.s, f.p, f.log_scale)
    place, rng = x if basis is None else x @ basis, np.random.default_rng(seed)
    radius, delta = np.empty(len(x)), np.empty(place.shape)
    width = (2 * min(len(f.m), _TOWARD) + 7 + _RANDOM) * max(len(f.m), place.shape[1])
    rows = max(_ENTRIES // width, 1)
    for begin in range(0, len(x), rows):
        some = slice(begin, begin + rows)
        reach = LONGEST * np.asarray(norm.size(x[some]))
        radius[some], delta[some] = _shortest(flat, place[some], y[some], reach, rng, norm)
    return Attack(radius, delta, basis)


def _shortest(f, x, y, reach, rng, norm):
    """The shortest of what all directions lead to (n,), and the perturbations (n, d)."""
    # At the origin every network is 0, and where own neurons are silent it is not right.
    seen = np.where(y[:, None] * f.s > 0, np.maximum(x @ f.u.T, 0), 0)
    to_zero = [_scaled(norm, way, _steepest(norm, -x))[:, None] for way in (-x, -seen @ f.u)]
    ways = [_steepest(norm, _directions(f, x, y, rng)), *to_zero]
    if norm is not Norm.L2:
        # A step may be worth one neuron only: in l1 that of a sum is that of its heaviest part.
        some = f.take(_heaviest(f))
        ways.append(_steepest(norm, -(y[:, None] * some.s)[..., None] * some.u))
    ways = np.concatenate(ways, axis=1)
    n, count, d = ways.shape
    length = _first_flip(f, _repeat(x, count), ways.reshape(-1, d), _repeat(y, count),
                         _repeat(reach, count)).reshape(n, count)  # fmt: skip
    best = np.argsort(length, axis=1)[:, :_KEPT]
    kept = best.shape[1]
    way = np.take_along_axis(ways, best[..., None], axis=1).reshape(-1, d)
    length = np.take_along_axis(length, best, axis=1).reshape(-1)
    length, way = _walked(f, _repeat(x, kept), way, _repeat(y, kept), length, norm)
    winner = length.reshape(n, kept).argmin(axis=1)
    length = length.reshape(n, kept)[np.arange(n), winner]
    way = way.reshape(n, kept, d)[np.arange(n), winner]
    wrong = y * f(x) <= 0
    radius = np.where(wrong, 0.0, length)
    return radius, np.where(np.isfinite(radius), radius, 0.0)[:, None] * way


def _repeat(values, count):
    return np.repeat(values, count, axis=0)


def _steepest(norm, ways):
    """Unit steps along `ways` in the norm; along the first axis where there is no way."""
    step = norm.steepest(ways)
    still = np.asarray(norm.size(step)) == 0
    step[still] = np.eye(ways.shape[-1])[0]
    return step


def _scaled(norm, ways, fallback):
    """Rows at size 1 in the norm; those of `fallback` where a row is 0."""
    size = np.asarray(norm.size(ways))[:, None]
    return np.where(size > 0, ways / np.where(size > 0, size, 1), fallback)


def _heaviest(f):
    return np.argsort(-f.m, kind="stable")[:_TOWARD]


def _directions(f, x, y, rng):
    """Where to look (n, some, d): down the slope, and from own neurons to opposite ones.

    From the strongest own neuron to each neuron, and to all opposite ones by their gains; from all
    own neurons to all opposite ones; and at random.
    """
    gain = f.m ** (1 / f.p)
    signs = y[:, None] * f.s
    strength = np.where(signs > 0, gain * (x @ f.u.T), -np.inf)
    own = strength.argmax(axis=1)
    pull = (gain[:, None] * f.u)[own]
    some = _heaviest(f)
    toward = -pull[:, None] + (-signs * gain)[:, some, None] * f.u[some]
    against = np.where(signs < 0, f.m ** (1 / f.p), 0.0) @ f.u
    spread = np.where(signs < 0, 1.0, 0.0) @ (gain[:, None] * f.u)
    every = -(signs * f.m) @ f.u
    slope = -y[:, None] * f.value_and_gradient(x)[1]
    between = _steepest(Norm.L2, against) - _steepest(Norm.L2, pull)
    more = np.stack([-pull, between, -pull + spread, every, slope], axis=1)
    drawn = rng.standard_normal((len(x), _RANDOM, x.shape[1]))
    return np.concatenate([toward, more, drawn], axis=1)


def _first_flip(f, x, way, y, reach):
    """Distance along unit directions to the first sign change seen; inf if there is none (r,)."""
    z, dz = x @ f.u.T, way @ f.u.T
    low, high = np.zeros(len(x)), np.full(len(x), np.inf)
    for step in np.arange(1, _RADII + 1) / _RADII:
        open_ = np.isinf(high)
        if not open_.any():
            break
        t = step * reach[open_]
        flipped = _signed(f, z[open_] + t[:, None] * dz[open_], y[open_]) <= 0
        at = np.flatnonzero(open_)
        high[at[flipped]], low[at[~flipped]] = t[flipped], t[~flipped]
    found = np.isfinite(high)
    high[found] = _bisected(f, z[found], dz[found], y[found], low[found], high[found])
    return high


def _bisected(f, z, dz, y, low, high):
    """The upper ends of brackets after halving them until rounding; always flipped."""
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        flipped = _signed(f, z + middle[:, None] * dz, y) <= 0
        low, high = np.where(flipped, low, middle), np.where(flipped, middle, high)
    return high


def _signed(f, z, y):
    """y f at inner products z with the neurons, in units of e^{log_scale}."""
    return y * (np.maximum(z, 0) ** f.p @ (f.s * f.m))


def _walked(f, x, way, y, length, norm):
    """Directions and lengths after walking along the boundary while that shortens them."""
    damping = np.ones(len(x))
    for _ in range(_ROUNDS):
        live = np.flatnonzero(np.isfinite(length) & (damping > 1e-3))
        if not len(live):
            break
        new = _toward_tangent(f, x[live], way[live], y[live], length[live], damping[live], norm)
        longest = length[live]
        shorter = _flip_within(f, x[live], new, y[live], longest)
        better = shorter < longest * (1 - 1e-12)
        at = live[better]
        way[at], length[at] = new[better], shorter[better]
        damping[live] = np.where(better, np.minimum(2 * damping[live], 1), damping[live] / 3)
    return length, way


def _toward_tangent(f, x, way, y, length, damping, norm):
    """Directions turned toward the point of the tangent plane of the boundary closest to x."""
    slope = y[:, None] * f.value_and_gradient(x + length[:, None] * way)[1]
    closest = _steepest(norm, -slope)
    new = way + damping[:, None] * (closest - way)
    if norm is not Norm.L2:
        return _scaled(norm, new, closest)
    ahead = (closest * way).sum(axis=1, keepdims=True) > 0
    return np.where(ahead, _steepest(norm, new), way)


def _flip_within(f, x, way, y, length):
    """Where a direction flips, if it does at `length`; inf else (r,)."""
    z, dz = x @ f.u.T, way @ f.u.T
    flipped: Bool[np.ndarray, " r"] = _signed(f, z + length[:, None] * dz, y) <= 0
    result = np.full(len(x), np.inf)
    if flipped.any():
        zero = np.zeros(int(flipped.sum()))
        some = z[flipped], dz[flipped], y[flipped]
        result[flipped] = _bisected(f, *some, zero, length[flipped])
    return result
