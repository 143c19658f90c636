"""How far a network is from a reference classifier, up to a positive factor.

    dist(f, F) = inf_{c>0} sup_{‖x‖=1} |c f(x) - F(x)| / sup|F|

One idea: the number is a bracket.  A finite set of inputs gives a lower bound, because the least c
for the set is a convex problem in one unknown, solved exactly; a certificate gives an upper one.
The search exchanges: ascend at the current c, add what was found, solve for c again.  Division by
sup|F| makes a network that is zero score exactly 1 for every target (theory T6).

The witness inputs are evaluated by the whole network in float64, neurons of exactly one direction
as one.  Only the search for them uses a condensed one, in coordinates of the few dimensions that
matter.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from gflow.measure.ascent import ascend
from gflow.measure.certificate import certify_best, enumerable, relu_supremum, unit_tilt
from gflow.network.condense import Population, condense
from gflow.network.prelu import Network
from gflow.network.reference import Target

# The search sees neurons merged within this angle (radians), without this share of the mass.
_SEARCH_ANGLE, _SEARCH_REST = 1e-3, 1e-5
# Numbers of dominant neurons, random, kept and polished points the search goes on from.
_DOMINANT, _RANDOM, _KEPT, _POLISHED = 40, 64, 64, 8
_CLIMB, _POLISH = 200, 60  # iterations
# Entries of the directions times iterations; beyond it the search climbs less, at least 30 steps.
_WORK = 1e7
_ROUNDS, _TIGHT = 20, 5e-4
# What rounding may add to a certified value, in units of sup|target|.
_ROUNDING = 1e-12


@dataclass(frozen=True)
class Distance:
    """A bracket of the normalized distance of a network to a reference classifier."""

    target: str
    """Name of the target: "F" or "F^(p)"."""
    lower: float
    """Searched lower bound, in units of `supremum`."""
    upper: float
    """Certified upper bound, in units of `supremum`."""
    bound: str
    """The bound behind `upper`: "B1" to "B7" (theory D9), or "trivial" (c = 0)."""
    log_c: float
    """log of a factor c at which a search finds no more than `lower`, up to 5e-4 of it; -inf for
    c = 0."""
    log_c_least_squares: float
    """log of Σ_k f(μ_k) F(μ_k) / Σ_k f(μ_k)²; -inf unless that is positive."""
    value_at_least_squares: float
    """Searched lower bound on sup |c f - F| at that factor, in units of `supremum`."""
    supremum: float
    """sup |target| over the unit sphere."""
    witness: Float[np.ndarray, " D"]
    """A unit vector at which |c f - target| >= `lower` · `supremum`, c = e^{log_c}."""

    @property
    def c(self) -> float:
        """The factor e^{log_c}; inf beyond the largest float."""
        return _exp(self.log_c)

    @property
    def c_least_squares(self) -> float:
        """The factor e^{log_c_least_squares}; inf beyond the largest float."""
        return _exp(self.log_c_least_squares)

    def __str__(self) -> str:
        return (
            f"Distance to {self.target}, in units of sup|{self.target}| = {self.supremum:.4g}\n"
            f"  searched           >= {self.lower:.4g}   at c = {self.c:.4g}\n"
            f"  certified          <= {self.upper:.4g}   by {self.bound}\n"
            f"  least-squares c    >= {self.value_at_least_squares:.4g}   "
            f"at c = {self.c_least_squares:.4g}"
        )


def distance(network: Network, target: Target, seed: int) -> Distance:
    """Bracket inf_{c>0} sup_{‖x‖=1} |c f(x) - F(x)| / sup|F|.

    The lower bound is min_c max_i |c f(x_i) - F(x_i)| over the inputs found by exchange, exact
    for those inputs; the upper bound is the least certificate.

    **Arguments:**

    - `network`: f, of any power and scale; log-contributions far below -745 are welcome.
    - `target`: F or F^(p), with the orthonormal centers it is made of.
    - `seed`: of the random starts.

    **Returns:** a `Distance`.  A network that is zero has `lower` = `upper` = 1.

    **Raises:** `DataError` if a direction or contribution of the network is not a number.

    **Source:** theory section 7; Min and Vidal, ICML 2024, Conjecture 1.
    """
    size, mu = target.supremum, target.centers.mu
    gap = _Gap(Population.of(network).distinct, Population.of(target.network).unscaled(), 0.0)
    inputs, c, lower = _exchange(gap, target, np.random.default_rng(seed))
    value = np.abs(gap.at(c).signed(inputs))
    least = _least_squares(gap.f(mu), gap.goal(mu))
    upper, bound = certify_best(gap.f, target, c)
    return Distance(
        target=target.name,
        lower=min(lower / size, 1.0),
        upper=min(upper / size + _ROUNDING, 1.0),
        bound=bound,
        log_c=_log(c) - gap.f.log_scale,
        log_c_least_squares=_log(least) - gap.f.log_scale,
        value_at_least_squares=_highest(gap.at(least), inputs) / size,
        supremum=size,
        witness=inputs[value.argmax()],
    )


def contrast(own: Target, cross: Target, seed: int) -> Distance:
    """Distance of the classifier `own` itself to the target `cross`.

    A network that has reached `own` is this far from `cross`: the scale for its cross distance.

    **Source:** theory section 7, reading.
    """
    return distance(own.network, cross, seed)


@dataclass(frozen=True)
class _Gap:
    """c f - goal as a function of the input."""

    f: Population
    goal: Population
    c: float

    def at(self, c):
        return replace(self, c=c)

    def signed(self, x):
        return self.c * self.f(x) - self.goal(x)

    def __call__(self, x):
        """|c f - goal| and its gradient: the objective of the ascent."""
        f, f_slope = self.f.value_and_gradient(x)
        goal, goal_slope = self.goal.value_and_gradient(x)
        sign = np.where(self.c * f < goal, -1.0, 1.0)
        return sign * (self.c * f - goal), sign[:, None] * (self.c * f_slope - goal_slope)

    def within(self, frame):
        """The same gap in coordinates of an orthonormal frame (D, d)."""
        f, goal = (replace(part, u=part.u @ frame) for part in (self.f, self.goal))
        return _Gap(f, goal, self.c)


def _exchange(gap, target, rng):
    """Inputs x_i (n, D), a factor c, and min_c max_i |c f(x_i) - goal(x_i)|.

    Where the least maximum is taken on a whole interval, as for F against F^(1), any c in it is a
    minimizer for the inputs, but only the one that was searched is known to be one for all x.
    """
    thin, frame = _thinned(gap, target.centers.mu, rng)
    few = _few_relus(gap)
    starts = _starts(thin, target.centers, frame, rng)
    inputs = starts @ frame.T
    f, goal = gap.f(inputs), gap.goal(inputs)
    c, lower = least_maximum(f, goal)
    for _ in range(_ROUNDS):
        found = _climbed(gap.at(c), thin.at(c), frame, starts)
        if few is not None:
            found = np.append(found, relu_supremum(few, gap.goal, c)[1][None], axis=0)
        inputs = np.concatenate([inputs, found])
        f, goal = np.append(f, gap.f(found)), np.append(goal, gap.goal(found))
        highest = np.abs(c * f - goal).max()
        better, lower = least_maximum(f, goal)
        if highest <= (1 + _TIGHT) * lower:
            break
        c = better
        best = _most_extreme(c * f - goal, _KEPT)
        starts = np.concatenate([_unit(inputs[best] @ frame), _random(frame.shape[1], rng)])
    return inputs, c, lower


def _thinned(gap, mu, rng):
    """The gap of the condensed network, in an orthonormal frame of all that it depends on.

    One dimension more stands for all others: f and F of different powers may differ most at an
    input that is partly orthogonal to every neuron.
    """
    few = condense(gap.f, _SEARCH_ANGLE, _SEARCH_REST).population
    other = rng.standard_normal((1, mu.shape[1]))
    frame = np.linalg.qr(np.concatenate([few.u, mu, other]).T)[0]
    return _Gap(few, gap.goal, gap.c).within(frame), frame


def _climbed(gap, thin, frame, starts):
    """Where the ascent leads, the best of it polished with the whole network (n, D)."""
    climb = int(np.clip(_WORK / max(thin.f.u.size, 1), 30, _CLIMB))
    points = _unit(ascend(thin, starts, climb)[0] @ frame.T)
    best = points[_most_extreme(gap.signed(points), _POLISHED)]
    return np.concatenate([points, ascend(gap, best, _POLISH)[0]])


def _few_relus(gap):
    """The network condensed so far that its farthest input is known exactly (B5), if it can be."""
    fewer = enumerable(gap.f, len(gap.goal.m)) if gap.f.p == gap.goal.p == 1 else None
    return fewer and fewer[0]


def _starts(thin, centers, frame, rng):
    """First inputs of the search, in coordinates of the frame (theory section 7, point 2)."""
    mu, averages = centers.mu @ frame, centers.averages @ frame
    label = centers.label.astype(np.float64)
    axes = np.concatenate([mu, averages, thin.f.u[:_DOMINANT], label[None] @ mu])
    drawn = rng.standard_normal((_RANDOM, centers.K))
    subset = rng.random(drawn.shape) < rng.random((_RANDOM, 1))
    beside = np.outer(rng.standard_normal(_RANDOM), np.eye(frame.shape[1])[-1])
    return np.concatenate(
        [
            _unit(np.concatenate([axes, -axes])),
            _tilted(thin),
            _unit((np.sign(drawn) * subset) @ mu),
            _unit((np.abs(drawn) * label) @ mu),
            _unit(drawn @ mu + beside),
            _random(frame.shape[1], rng),
        ]
    )


def _tilted(thin):
    """cos φ μ ± sin φ e, tan φ = 1/√(p-1): where one tilted neuron is farthest from μ (D9)."""
    u, s = thin.f.u[:_DOMINANT], thin.f.s[:_DOMINANT]
    cosine = np.where(np.equal.outer(s, thin.goal.s), u @ thin.goal.u.T, -np.inf)
    mu = thin.goal.u[cosine.argmax(axis=1)]
    phi = np.arctan2(1, np.sqrt(thin.f.p - 1))
    along, aside = np.cos(phi) * mu, np.sin(phi) * unit_tilt(u, mu)
    return _unit(np.concatenate([along + aside, along - aside]))


def least_maximum(f: Float[np.ndarray, " n"], goal: Float[np.ndarray, " n"]) -> tuple[float, float]:
    """The c >= 0 with the least max_i |c f_i - F_i|, and that maximum, exactly.

    The maximum is convex and piecewise linear in c.  The pieces highest at the two ends of a
    bracket cross inside it; the piece highest there replaces one of them, until it is no other.
    """
    left = _highest_piece(f, goal, 0.0)
    if left[0] >= 0:
        return 0.0, left[1]
    right = _highest_piece(f, goal, 3 * np.abs(goal).max() / np.abs(f).max())
    while True:
        c = (left[1] - right[1]) / (right[0] - left[0])
        new = _highest_piece(f, goal, c)
        if not left[0] < new[0] < right[0]:
            return c, new[0] * c + new[1]
        left, right = (new, right) if new[0] < 0 else (left, new)


def _highest_piece(f, goal, c):
    """Slope and intercept of the line c -> ±(c f_i - F_i) that is highest at c."""
    gap = c * f - goal
    i = int(np.abs(gap).argmax())
    sign = 1.0 if gap[i] > 0 else -1.0
    return sign * float(f[i]), -sign * float(goal[i])


def _least_squares(f, goal):
    """Factor of f that fits the target best at the centers; 0 if f is zero or opposed there."""
    return max(float(f @ goal) / float(f @ f), 0.0) if f.any() else 0.0


def _highest(gap, inputs):
    """The largest |c f - goal| that a search from the inputs finds."""
    value = gap.signed(inputs)
    return float(ascend(gap, inputs[_most_extreme(value, _KEPT)], _POLISH)[1].max())


def _most_extreme(value, count):
    """Positions of the largest and the smallest values, half of each."""
    order = np.argsort(value)
    return np.unique(np.concatenate([order[: count // 2], order[-(count // 2) :]]))


def _random(d, rng):
    return _unit(rng.standard_normal((_RANDOM, d)))


def _unit(x):
    """Rows normalized; rows of zeros dropped."""
    norm = np.linalg.norm(x, axis=1, keepdims=True)
    return (x / np.where(norm > 0, norm, 1))[norm[:, 0] > 0]


def _log(c):
    return float(np.log(c)) if c > 0 else -np.inf


def _exp(log_c):
    with np.errstate(over="ignore"):
        return float(np.exp(log_c))
