"""The search for inputs at which c f and a reference classifier differ most, for the best c.

One idea: a finite set of inputs has a least c, which is a convex problem in one unknown,
solved exactly; ascend at that c, add the inputs where it leads, solve for c again.

Every input counts as the whole network sees it, in float64.  Only ascents use folded ones, in
coordinates of the few dimensions that matter: a coarse one, and a fine one from where that leads.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int

from gflow.data.centers import Centers
from gflow.data.checks import check_numbers
from gflow.measure.ascent import ascend
from gflow.measure.certificate import unit_tilt
from gflow.measure.relu_supremum import enumerable, relu_supremum
from gflow.network.folded import folded
from gflow.network.population import Population

# Angle (radians) within which neurons are folded, and share of the mass that is left out.
_COARSE, _FINE = (1e-3, 1e-5), (1e-4, 1e-7)
# Numbers of dominant neurons, random, extreme and polished points the search goes on from.
_DOMINANT, _RANDOM, _EXTREME, _POLISHED = 40, 64, 64, 8
_CLIMB, _POLISH = 200, 60  # iterations
# Entries of the directions times iterations; beyond it the search climbs less, at least 30 steps.
_WORK = 1e7
_ROUNDS, _TIGHT = 20, 5e-4


@dataclass(frozen=True)
class Gap:
    """c f - goal as a function of the input."""

    f: Population
    goal: Population
    c: float = 0.0

    def at(self, c: float) -> "Gap":
        """The gap at another factor."""
        return replace(self, c=c)

    def signed(self, x: Float[np.ndarray, "n D"]) -> Float[np.ndarray, " n"]:
        """c f - goal."""
        return self.c * self.f(x) - self.goal(x)

    def __call__(
        self, x: Float[np.ndarray, "n D"]
    ) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, "n D"]]:
        """|c f - goal| and its gradient: the objective of the ascent."""
        f, f_slope = self.f.value_and_gradient(x)
        goal, goal_slope = self.goal.value_and_gradient(x)
        sign = np.where(self.c * f < goal, -1.0, 1.0)
        return sign * (self.c * f - goal), sign[:, None] * (self.c * f_slope - goal_slope)

    def within(self, frame: Float[np.ndarray, "D d"]) -> "Gap":
        """The same gap in coordinates of an orthonormal frame."""
        f, goal = (replace(part, u=part.u @ frame) for part in (self.f, self.goal))
        return Gap(f, goal, self.c)


@dataclass(frozen=True)
class Thin:
    """The gap of a folded network, in an orthonormal frame of all that it depends on."""

    gap: Gap
    """In coordinates of the frame."""
    frame: Float[np.ndarray, "D d"]

    @classmethod
    def of(cls, gap: Gap, angle: float, rest: float, beside: Float[np.ndarray, "q D"]) -> "Thin":
        """Fold the network within an angle, without a share of its mass.

        **Arguments:**

        - `beside`: what the frame spans besides the neurons: the centers, and one dimension that
            stands for all others, since f and F of different powers may differ most at an input
            that is partly orthogonal to every neuron.
        """
        few = folded(gap.f, angle, rest).population
        frame = np.linalg.qr(np.concatenate([few.u, beside]).T)[0]
        return cls(Gap(few, gap.goal).within(frame), frame)

    def ascend(
        self, c: float, inputs: Float[np.ndarray, "n D"], iterations: int
    ) -> Float[np.ndarray, "m D"]:
        """Where an ascent at the factor c leads from the inputs."""
        ends, _ = ascend(self.gap.at(c), _unit(inputs @ self.frame), iterations)
        return _unit(ends @ self.frame.T)


@dataclass(frozen=True)
class Worst:
    """Where a search ended."""

    inputs: Float[np.ndarray, "n D"]
    """Unit vectors x_i."""
    c: float
    """A factor at which the search ends no more than 5e-4 above `lower`."""
    lower: float
    """min_c max_i |c f(x_i) - goal(x_i)|."""
    fine: Thin
    """What the last ascents used."""

    def highest(self, gap: Gap) -> float:
        """The largest |c f - goal| at another factor that an ascent from the inputs reaches."""
        starts = self.inputs[_most_extreme(gap.signed(self.inputs), _EXTREME)]
        ends = self.fine.ascend(gap.c, starts, _POLISH)
        return float(np.abs(gap.signed(np.concatenate([starts, ends]))).max())


def exchange(gap: Gap, centers: Centers, rng: np.random.Generator) -> Worst:
    """Inputs at which f differs most from the goal, and the factor that makes the least of it.

    Where the least maximum is taken on a whole interval, as for F against F^(1), any c in it is a
    minimizer for the inputs, but only the one that was searched is known to be one for all x.

    **Arguments:**

    - `gap`: f and the goal, at any factor.
    - `centers`: of the goal.
    - `rng`: draws the starts.
    """
    beside = np.concatenate([centers.mu, rng.standard_normal((1, centers.D))])
    coarse, fine = (Thin.of(gap, *fold, beside) for fold in (_COARSE, _FINE))
    few = _few_relus(gap)
    inputs = starts = _starts(coarse, centers, rng)
    f, goal = gap.f(inputs), gap.goal(inputs)
    c, lower = least_maximum(f, goal)
    for _ in range(_ROUNDS):
        # Ascend at the present c; two ReLU networks of few neurons need no search.
        ends = _climbed(gap.at(c), coarse, fine, starts)
        if few is not None:
            ends = np.append(ends, relu_supremum(few, gap.goal, c)[1][None], axis=0)

        # Solve for c again, unless the ends are no worse for it than the inputs before.
        inputs = np.concatenate([inputs, ends])
        f, goal = np.append(f, gap.f(ends)), np.append(goal, gap.goal(ends))
        highest = np.abs(c * f - goal).max()
        better, lower = least_maximum(f, goal)
        if highest <= (1 + _TIGHT) * lower:
            break
        c = better

        # The next ascent starts from the inputs that are worst for the new c, and at random.
        worst = _most_extreme(c * f - goal, _EXTREME)
        starts = np.concatenate([inputs[worst], _random(coarse, rng)])
    return Worst(inputs, c, lower, fine)


def _climbed(
    gap: Gap, coarse: Thin, fine: Thin, starts: Float[np.ndarray, "s D"]
) -> Float[np.ndarray, "n D"]:
    """Where the coarse ascent leads, and the fine one from the best of that."""
    climb = int(np.clip(_WORK / max(coarse.gap.f.u.size, 1), 30, _CLIMB))
    points = coarse.ascend(gap.c, starts, climb)
    best = points[_most_extreme(gap.signed(points), _POLISHED)]
    return np.concatenate([points, fine.ascend(gap.c, best, _POLISH)])


def _few_relus(gap: Gap) -> Population | None:
    """The network folded so far that its farthest input is known exactly (B5), if it can be."""
    fewer = enumerable(gap.f, len(gap.goal.m)) if gap.f.p == gap.goal.p == 1 else None
    return fewer and fewer[0]


def _starts(coarse: Thin, centers: Centers, rng: np.random.Generator) -> Float[np.ndarray, "s D"]:
    """First inputs of the search (theory section 7, point 2)."""
    thin, frame = coarse.gap, coarse.frame
    mu, averages = centers.mu @ frame, centers.averages @ frame
    label = centers.label.astype(np.float64)
    axes = np.concatenate([mu, averages, thin.f.u[:_DOMINANT], label[None] @ mu])
    normal = rng.standard_normal((_RANDOM, centers.K))
    subset = rng.random(normal.shape) < rng.random((_RANDOM, 1))
    beside = np.outer(rng.standard_normal(_RANDOM), np.eye(frame.shape[1])[-1])
    inside = [
        _unit(np.concatenate([axes, -axes])),
        _tilted(thin),
        _unit((np.sign(normal) * subset) @ mu),
        _unit((np.abs(normal) * label) @ mu),
        _unit(normal @ mu + beside),
    ]
    return np.concatenate([np.concatenate(inside) @ frame.T, _random(coarse, rng)])


def _tilted(thin: Gap) -> Float[np.ndarray, "s d"]:
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
    check_numbers(f=f, goal=goal)
    left = _highest_piece(f, goal, 0.0)
    if left[0] >= 0:
        return 0.0, left[1]
    right = _highest_piece(f, goal, float(3 * np.abs(goal).max() / np.abs(f).max()))
    while True:
        c = (left[1] - right[1]) / (right[0] - left[0])
        new = _highest_piece(f, goal, c)
        if not left[0] < new[0] < right[0]:
            return c, new[0] * c + new[1]
        left, right = (new, right) if new[0] < 0 else (left, new)


def _highest_piece(
    f: Float[np.ndarray, " n"], goal: Float[np.ndarray, " n"], c: float
) -> tuple[float, float]:
    """Slope and intercept of the line c -> ±(c f_i - F_i) that is highest at c."""
    gap = c * f - goal
    i = int(np.abs(gap).argmax())
    sign = 1.0 if gap[i] > 0 else -1.0
    return sign * float(f[i]), -sign * float(goal[i])


def _most_extreme(value: Float[np.ndarray, " n"], count: int) -> Int[np.ndarray, " m"]:
    """Positions of the largest and the smallest values, half of each."""
    order = np.argsort(value)
    return np.unique(np.concatenate([order[: count // 2], order[-(count // 2) :]]))


def _random(thin: Thin, rng: np.random.Generator) -> Float[np.ndarray, "s D"]:
    """Random directions of a frame."""
    return _unit(rng.standard_normal((_RANDOM, thin.frame.shape[1]))) @ thin.frame.T


def _unit(x: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "m d"]:
    """Rows normalized; rows of zeros dropped."""
    norm = np.linalg.norm(x, axis=1, keepdims=True)
    return (x / np.where(norm > 0, norm, 1))[norm[:, 0] > 0]
