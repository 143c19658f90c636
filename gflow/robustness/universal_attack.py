"""The shortest single vector that misclassifies many samples of a class at once.

One idea: with every margin replaced by its tangent plane this is a least-distance problem, solved
exactly; its solution is where the next tangent planes are taken.  What counts is how long a vector
of that direction must be, which is measured.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Real
from scipy.linalg import orth
from scipy.optimize import nnls

from gflow.data.checks import check_finite, check_not_negative, check_numbers, check_samples
from gflow.measure.margin import margins
from gflow.network.population import Population
from gflow.network.prelu import host_power
from gflow.robustness.attack import LONGEST
from gflow.robustness.cast import casts_of
from gflow.robustness.leaning import Leaning
from gflow.robustness.lengths import relative_to_largest
from gflow.robustness.lines import Lines, Samples, evenly
from gflow.robustness.norm import Norm
from gflow.robustness.universal_bound import least_flips, universal_bound

_PLACES, _FAR_PLACES, _HALVINGS, _ROUNDS = 96, 24, 40, 60
_FARTHEST = 1e3  # in units of ‖x‖: what is wrong for a class flips all of it if it is long enough
_AT_ONCE, _CUTS = 60, 12  # tangent planes added at a time, and how often
_HEAVIEST, _RANDOM = 8, 16  # opposite neurons and random directions to start from
_WALKS, _LEAST_GAIN = 12, 1e-6
_ROUGH, _FINE = 1e-3, 1e-8  # relative errors of lengths, of starts and on walks
_DOUBT = 256  # of a margin of a model, in units of the last digit of its largest output

Planes = Callable[
    [Float[np.ndarray, " d"]], tuple[Float[np.ndarray, " n"], Float[np.ndarray, "n d"]]
]
"""Margins of all samples at x + δ, <= 0 where wrong, and their slopes."""


@dataclass(frozen=True)
class Universal:
    """One vector for a class, between what none can do and what one has done."""

    label: float
    """Of the class that is misclassified: ±1, or 0, 1, …"""
    share: float
    """Of its samples, which were to be misclassified at once."""
    certified: float
    """No vector of this length or less does it; 0 where nothing is certified."""
    attacked: float
    """‖δ‖₂ of a vector that does; inf where none is known, 0 where none is needed."""
    vector: Float[np.ndarray, " D"]
    """δ; 0 where none is known."""


def universal(
    network: Population | Callable,
    x: Float[np.ndarray, "n D"],
    y: Float[np.ndarray, " n"],
    share: float,
    *,
    certified: Float[np.ndarray, " n"],
    known: Float[np.ndarray, "n D"],
    seed: int,
) -> tuple[Universal, ...]:
    """Bracket the length of the shortest l2 vector for each class that flips a share of it at once.

    **Arguments:**

    - `network`: f; of a model that is no population the lower end is that of single samples alone.
    - `x`, `y`: samples and their labels.
    - `share`: of the samples of a class, in (0, 1].
    - `certified`, `known`: radii of samples one by one, and perturbations of each.
    - `seed`: of random directions.

    **Returns:** one `Universal` for each label that occurs.

    **Source:** theory D26, D31.
    """
    check_finite(x, "`x`")
    check_numbers(y=y)
    check_not_negative(certified=certified, share=share)
    answers = []
    for label in np.unique(y).tolist():
        mine = y == label
        toward = x[~mine].mean(axis=0) if (~mine).any() else np.zeros(x.shape[1])
        starts = [toward - x[mine].mean(axis=0), -x[mine].mean(axis=0), known[mine].mean(axis=0)]
        rng = np.random.default_rng(seed)
        if isinstance(network, Population):
            low = universal_bound(network, x[mine], y[mine], share, certified=certified[mine])
            delta = _of_neurons(network, x[mine], y[mine], share, starts=starts, rng=rng)
        else:
            low = float(np.sort(certified[mine])[least_flips(int(mine.sum()), share) - 1])
            delta = _of_model(network, x[mine], y[mine], share, starts=starts)
        length = np.inf if delta is None else float(np.linalg.norm(delta))
        vector = np.zeros(x.shape[1]) if delta is None else delta
        answers.append(Universal(label, share, low, length, vector))
    return tuple(answers)


def _of_neurons(
    f: Population,
    x: Float[np.ndarray, "n D"],
    y: Float[np.ndarray, " n"],
    share: float,
    *,
    starts: Sequence[Float[np.ndarray, " D"]],
    rng: np.random.Generator,
) -> Float[np.ndarray, " D"] | None:
    """A short vector, looked for on the network folded least, that flips the whole one."""
    check_samples(x, y)
    leader, whole = casts_of(f)[0].leader, f.take(f.m > 0)
    confirming = Samples.of(whole, x, y, Norm.L2)

    def wrong(delta: Float[np.ndarray, " D"]) -> Bool[np.ndarray, " n"]:
        lines = Lines.of(confirming, np.broadcast_to(delta, x.shape))
        return lines.flipped(np.ones(len(x)))

    # Own neurons fall together, and opposite ones rise together or one alone.
    basis = orth(leader.u.T)
    flat = Samples.of(leader, x, y, Norm.L2, basis=basis)
    own, theirs = (leader.take(leader.s == side * y[0]) for side in (1, -1))
    heaviest = theirs.u[np.argsort(-theirs.m, kind="stable")[:_HEAVIEST]]
    falling = -own.u.sum(axis=0)
    rising = [theirs.u.sum(axis=0), *heaviest]
    random = rng.standard_normal((_RANDOM, x.shape[1]))
    ways = [*starts, falling, *rising, *(falling + one for one in rising), *random]

    eye = flat.leaning
    z = flat.views

    def planes(
        delta: Float[np.ndarray, " d"],
    ) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, "n d"]]:
        return _lead(eye, z + eye.w @ delta, y)

    vectors = [way @ basis for way in ways]
    search = _Search(planes, lambda c: wrong(basis @ c), least_flips(len(x), share))
    best = search.best(vectors, float(np.median(np.linalg.norm(x, axis=1))))
    return None if best is None else basis @ best


def _lead(
    eye: Leaning, z: Float[np.ndarray, "n h"], y: Float[np.ndarray, " n"]
) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, "n d"]]:
    """a - ζ, which is homogeneous of degree 1 and has the sign of y f, and its slope in x."""
    lead, slope = np.zeros(len(z)), np.zeros((len(z), eye.w.shape[1]))
    for side in (1.0, -1.0):
        some = eye.s * y[0] == side
        top, ratio = relative_to_largest(z[:, some])
        total = host_power(ratio, eye.p).sum(axis=1, keepdims=True)
        length = np.where(total > 0, total, 1) ** (1 / eye.p)
        lead += side * (top * length)[:, 0] * (total[:, 0] > 0)
        # At p = 1 the slope of σ is 0 where it sleeps.
        active = np.where(ratio > 0, host_power(ratio / length, eye.p - 1), 0.0)
        slope += side * active @ eye.w[some]
    return lead, slope


def _of_model(
    f: Callable,
    x: Float[np.ndarray, "n D"],
    y: Float[np.ndarray, " n"],
    share: float,
    *,
    starts: Sequence[Float[np.ndarray, " D"]],
) -> Float[np.ndarray, " D"] | None:
    """A short vector for any differentiable model, confirmed in double precision."""

    @eqx.filter_jit
    def both(
        at: Float[Array, "n D"], label: Real[Array, " n"]
    ) -> tuple[Float[Array, " n"], Float[Array, "n D"], Float[Array, " n"]]:
        """Margins, their slopes, and what rounding may change of margins."""
        z = f(at)
        doubt = jnp.abs(z).reshape(len(z), -1).max(axis=1) * _DOUBT * jnp.finfo(z.dtype).eps
        slope = jax.grad(lambda point: margins(label.astype(z.dtype), f(point)).sum())(at)
        return margins(label.astype(z.dtype), z), slope, doubt

    with jax.enable_x64(True):
        label = jnp.asarray(y)

        def planes(
            delta: Float[np.ndarray, " D"],
        ) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, "n D"]]:
            margin, slope, _ = both(jnp.asarray(x + delta), label)
            return np.asarray(margin, np.float64), np.asarray(slope, np.float64)

        def wrong(delta: Float[np.ndarray, " D"]) -> Bool[np.ndarray, " n"]:
            margin, _, doubt = both(jnp.asarray(x + delta), label)
            return ~(np.asarray(margin) > -np.asarray(doubt))

        search = _Search(planes, wrong, least_flips(len(x), share))
        return search.best(starts, float(np.median(np.linalg.norm(x, axis=1))))


@dataclass(frozen=True)
class _Search:
    """What is known of a class that is to be flipped by one vector."""

    planes: Planes
    wrong: Callable[[Float[np.ndarray, " d"]], Bool[np.ndarray, " n"]]
    count: int
    """How many samples are to be flipped."""

    def best(
        self, starts: Sequence[Float[np.ndarray, " d"]], size: float
    ) -> Float[np.ndarray, " d"] | None:
        """The shortest vector from all starts; None if none of them leads to one.

        **Arguments:**

        - `size`: length of a sample.
        """
        if self._flips(np.zeros_like(starts[0])):
            return np.zeros_like(starts[0])
        far = np.geomspace(LONGEST, _FARTHEST, _FAR_PLACES)[1:]
        lengths = size * np.concatenate([LONGEST * evenly(_PLACES), far])
        vectors = [self._first(way, lengths, _ROUGH) for way in starts]
        known = sorted((delta for delta in vectors if delta is not None), key=_length)
        return min(map(self._shortened, known[:_WALKS]), key=_length, default=None)

    def _flips(self, delta: Float[np.ndarray, " d"]) -> bool:
        return int(self.wrong(delta).sum()) >= self.count

    def _first(
        self, way: Float[np.ndarray, " d"], lengths: Float[np.ndarray, " k"], tolerance: float
    ) -> Float[np.ndarray, " d"] | None:
        """The shortest vector of a direction that flips enough, on a grid and then narrowed.

        **Arguments:**

        - `tolerance`: of its length, relative.
        """
        size = np.linalg.norm(way)
        if not size > 0:
            return None
        unit, low = way / size, 0.0
        for high in lengths.tolist():
            if self._flips(high * unit):
                break
            low = high
        else:
            return None
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            low, high = (low, middle) if self._flips(middle * unit) else (middle, high)
            if high - low <= tolerance * high:
                break
        return high * unit

    def _shortened(self, delta: Float[np.ndarray, " d"]) -> Float[np.ndarray, " d"]:
        """After turns toward where the tangent planes of enough samples are met at once."""
        damping = 1.0
        for _ in range(_ROUNDS):
            toward = self._least_distance(delta)
            if toward is None or damping < 1e-3:
                break
            length = _length(delta)
            way = delta + damping * (toward - delta)
            grid = np.unique(np.clip(_length(way) * np.geomspace(0.8, 1.25, 9), 0, length))
            turned = self._first(way, grid, _FINE)
            if turned is not None and _length(turned) < length * (1 - _LEAST_GAIN):
                delta, damping = turned, min(2 * damping, 1.0)
            else:
                damping /= 3
        exact = self._first(delta, _length(delta) * np.array([1 - 2 * _FINE, 1.0]), 0.0)
        return delta if exact is None else exact

    def _least_distance(self, delta: Float[np.ndarray, " d"]) -> Float[np.ndarray, " d"] | None:
        """The shortest vector beyond the tangent planes of the samples that are easiest to flip.

        Planes are added where they are violated most, until none is; None if they contradict.
        """
        margin, slope = self.planes(delta)
        steepness = np.linalg.norm(slope, axis=1)
        usable = steepness > 0
        gap = np.divide(margin, steepness, out=np.copysign(np.inf, margin), where=usable)
        chosen = np.argsort(gap, kind="stable")[: self.count]
        chosen = chosen[usable[chosen]]
        rows = slope[chosen] / steepness[chosen, None]
        level = rows @ delta - gap[chosen]  # <row, δ'> <= level
        active, point = np.zeros(len(rows), bool), np.zeros_like(delta)
        for _ in range(_CUTS):
            violated = rows @ point - level
            new = np.argsort(-violated, kind="stable")[:_AT_ONCE]
            new = new[(violated[new] > 1e-9) & ~active[new]]
            if not len(new):
                break
            active[new] = True
            solution = _shortest_beyond(-rows[active], -level[active])
            if solution is None:
                return None
            point = solution
        return point


def _length(delta: Float[np.ndarray, " d"]) -> float:
    return float(np.linalg.norm(delta))


def _shortest_beyond(
    rows: Float[np.ndarray, "k d"], level: Float[np.ndarray, " k"]
) -> Float[np.ndarray, " d"] | None:
    """The shortest δ with rows δ >= level; None if there is none.

    **Source:** Lawson and Hanson, Solving Least Squares Problems, 1974, chapter 23.
    """
    goal = np.append(np.zeros(rows.shape[1]), 1.0)
    try:
        weights, rest = nnls(np.vstack([rows.T, level]), goal)
    except RuntimeError:  # it did not converge
        return None
    residual = np.vstack([rows.T, level]) @ weights - goal
    return None if rest <= 1e-9 else -residual[:-1] / residual[-1]
