"""Certified radii of networks of many neurons, by a convex function below y f on a ball.

One idea: σ^p is convex, so own neurons are convex as they are, and opposite ones lie below a chord
or a parabola.  What is left is convex, and the tangent plane at any point bounds it from below on
the whole ball, with the loss that Frank and Wolfe's gap measures (theory D10).  Gradients of both
classes cancel before they are measured, so nothing is lost to a sum over neurons.
"""

from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
from jaxtyping import Bool, Float, Int

from gflow.data.checks import check_not_negative, check_numbers, check_samples
from gflow.network.population import Population, population_of
from gflow.network.prelu import Network, host_power
from gflow.robustness.bisection import bisected
from gflow.robustness.leaning import DOUBT
from gflow.robustness.norm import Norm
from gflow.robustness.quadratic_form import QuadraticForm
from gflow.robustness.subspace import Subspace

_HALVINGS = 14
"""Of the bracket of each radius, which leaves 1e-4 of it."""
_PLANES = 4
"""Tangent planes tried on each ball."""
_ROWS = 200
"""Samples at a time."""
_ROUNDING = 4 * float(np.finfo(np.float64).eps)
"""Relative error of a product or a sum of two numbers, with a margin."""


def relaxed_radii(
    network: Network | Population,
    x: Float[np.ndarray, "n D"],
    y: Float[np.ndarray, " n"],
    most: Float[np.ndarray, " n"],
    *,
    norm: Norm = Norm.L2,
    bias: float = 0.0,
    bias_power: float = 0.0,
    within: Subspace | None = None,
) -> Float[np.ndarray, " n"]:
    """A radius within which y (f(x') + b ‖x'‖₂^q) > 0, sample by sample, for many neurons.

    With z_j = <u_j, x>, own neurons (+) and opposite ones (-),

        y f(x + δ) >= Σ_+ m_j σ(z_j + <u_j, δ>)^p - Σ_- m_l (h_l + k_l <u_l, δ>) - c ‖δ‖² ,

    where for ‖δ‖ <= R and r_l = R ‖u_l‖* the chord over [z_l - r_l, z_l + r_l] gives h_l and k_l,
    with c = 0; or, for p >= 2, the tangent at z_l does, with c from the parabola through its end.

    **Arguments:**

    - `network`: f.
    - `x`, `y`: samples and their labels ±1.
    - `most`: radii that need not be exceeded, such as attacked ones.
    - `norm`: in which δ is measured.
    - `bias`, `bias_power`: b and q >= 0, in units of e^{log_scale}.
    - `within`: a subspace that δ lies in, in l2: neurons see P u_j of it (theory D31).

    **Returns:** radii, at most `most`; 0 where nothing is certified.

    **Source:** theory D10; Zhang et al., NeurIPS 2018 (chords and tangents, for networks of any
    depth).
    """
    check_samples(x, y)
    check_not_negative(most=most, bias_power=bias_power)
    check_numbers(bias=bias)
    f = population_of(network).distinct
    f = f.take(f.m > 0)
    certified = np.zeros(len(x))
    for s in (1.0, -1.0):
        sides = _Sides.of(f, s, norm, bias=bias, bias_power=bias_power, within=within)
        rows = np.flatnonzero((y * s > 0) & (most > 0))
        for first in range(0, len(rows), _ROWS):
            some = rows[first : first + _ROWS]
            # What leaves the range of numbers certifies nothing.
            with np.errstate(over="ignore", invalid="ignore"):
                certified[some] = _certified(sides, x[some], most[some])
    return certified


def _certified(
    sides: "_Sides", x: Float[np.ndarray, "n D"], most: Float[np.ndarray, " n"]
) -> Float[np.ndarray, " n"]:
    """Certified radii of samples of one class."""
    relaxations = (_chords, _parabolas) if sides.own.p >= 2 else (_chords,)
    near, against, size = x @ sides.own.u.T, x @ sides.opposite.u.T, np.linalg.norm(x, axis=1)

    def uncertain(
        rows: Int[np.ndarray, " r"], R: Float[np.ndarray, " r"]
    ) -> Bool[np.ndarray, " r"]:
        # Own neurons see a little less, and opposite ones a little more, than rounding may change.
        doubt = DOUBT * (size[rows] + sides.form.width * R)[:, None]
        balls = _Balls(sides, near[rows] - doubt, against[rows] + doubt, size[rows], R)
        lowest = [_lowest(balls, relaxed(balls)) for relaxed in relaxations]
        return ~(np.max(lowest, axis=0) > 0)

    certified = most.copy()
    rows = np.flatnonzero(uncertain(np.arange(len(x)), most))
    least, largest = np.zeros(len(rows)), most[rows]
    certified[rows] = bisected(partial(uncertain, rows), least, largest, _HALVINGS)[0]
    return certified


@dataclass(frozen=True)
class _Sides:
    """Own and opposite neurons of samples of one class, and the bias in favor of it."""

    own: Population
    opposite: Population
    own_seen: Float[np.ndarray, "a d"]
    """What own neurons see of a perturbation."""
    opposite_seen: Float[np.ndarray, "b d"]
    norm: Norm
    bias: float
    """b in favor of the class."""
    bias_power: float
    """q."""

    @classmethod
    def of(
        cls,
        f: Population,
        s: float,
        norm: Norm,
        *,
        bias: float,
        bias_power: float,
        within: Subspace | None,
    ) -> "_Sides":
        """The sides of samples of label s."""
        own, opposite = f.take(f.s == s), f.take(f.s != s)
        seen = (one.u if within is None else one.u @ within.basis for one in (own, opposite))
        return cls(own, opposite, *seen, norm=norm, bias=s * bias, bias_power=bias_power)

    @cached_property
    def form(self) -> QuadraticForm:
        """Σ_l m_l c_l <u_l, δ>² over opposite neurons."""
        return QuadraticForm(self.opposite_seen, self.opposite.m, self.norm)

    @property
    def terms(self) -> int:
        """How many numbers a sum has, at most."""
        return sum(self.own.u.shape) + len(self.opposite.m)


@dataclass(frozen=True)
class _Balls:
    """Balls around samples of one class, as both sides see them."""

    sides: _Sides
    near: Float[np.ndarray, "n a"]
    """<u_j, x> of own neurons."""
    against: Float[np.ndarray, "n b"]
    """<u_l, x> of opposite neurons."""
    size: Float[np.ndarray, " n"]
    """‖x‖₂."""
    R: Float[np.ndarray, " n"]

    @property
    def width(self) -> Float[np.ndarray, " n"]:
        """The largest ‖δ‖₂."""
        return self.sides.form.width * self.R

    @property
    def reach(self) -> Float[np.ndarray, "n b"]:
        """The largest <u_l, δ> of opposite neurons."""
        return self.R[:, None] * self.sides.form.reach

    @property
    def bias(self) -> Float[np.ndarray, " n"]:
        """b ‖x + δ‖₂^q in favor of the class, at least."""
        bias, power = self.sides.bias, self.sides.bias_power
        size = np.maximum(self.size + np.copysign(self.width, -bias), 0)
        return bias * size**power if bias else np.zeros(len(size))


@dataclass(frozen=True)
class _Above:
    """A bound from above, Σ_l m_l σ(z_l + <u_l, δ>)^p <= height + <slope, δ>, on ‖δ‖ <= R."""

    height: Float[np.ndarray, " n"]
    slope: Float[np.ndarray, "n d"]
    rate: Float[np.ndarray, " n"]
    """Σ_l of the absolute slopes."""

    @classmethod
    def of(
        cls, sides: _Sides, height: Float[np.ndarray, " n"], rate: Float[np.ndarray, "n b"]
    ) -> "_Above":
        """The bound with these slopes of the single neurons."""
        slopes = sides.opposite.m * rate
        return cls(height, slopes @ sides.opposite_seen, slopes.sum(axis=1))


def _chords(balls: _Balls) -> _Above:
    """By the chord of each neuron over what it can see."""
    f, z, r = balls.sides.opposite, balls.against, balls.reach
    low, high = host_power(z - r, f.p), host_power(z + r, f.p)
    rate = np.divide(high - low, 2 * r, out=np.zeros_like(z), where=r > 0)
    return _Above.of(balls.sides, (high + low) @ f.m / 2, rate)


def _parabolas(balls: _Balls) -> _Above:
    """By the tangent of each neuron, and a parabola that meets it at the far end of what it sees.

    (φ(z + d) - φ(z) - φ'(z) d)/d² is a mean of φ''/2 over [z, z + d], which rises for p >= 2.
    """
    f, z, r = balls.sides.opposite, balls.against, balls.reach
    size, rate, top = host_power(z, f.p), f.p * host_power(z, f.p - 1), host_power(z + r, f.p)
    # Rounding of a small difference is on the safe side.
    rise = np.maximum(top - size - rate * r, 0) + _ROUNDING * top
    bend = np.divide(rise, r**2, out=np.zeros_like(z), where=r > 0)
    height = size @ f.m + balls.R**2 * balls.sides.form.largest(bend)
    return _Above.of(balls.sides, height, rate)


def _lowest(balls: _Balls, above: _Above) -> Float[np.ndarray, " n"]:
    """Lower bound on y f(x + δ) over each ball, from the best of a few tangent planes."""
    sides, own, p, width = balls.sides, balls.sides.own, balls.sides.own.p, balls.width
    height = balls.bias - above.height
    best, delta = np.full(len(height), -np.inf), np.zeros_like(above.slope)
    for i in range(_PLANES):
        z = balls.near + delta @ sides.own_seen.T
        weighted = host_power(z, p - 1) * own.m
        value = (weighted * z).sum(axis=1) + height - (above.slope * delta).sum(axis=1)
        gradient = p * (weighted @ sides.own_seen) - above.slope

        # The plane's lowest point is at the end of the ball that the gradient points away from.
        end = sides.norm.to_size(-np.asarray(sides.norm.steepest(gradient)), balls.R)
        plane = value + (gradient * (end - delta)).sum(axis=1)

        # All that is summed, without signs, by which rounding is measured.
        sizes = (weighted * (np.abs(z) + 2 * p * width[:, None])).sum(axis=1)
        sizes += above.height + np.abs(height) + 2 * above.rate * width
        best = np.fmax(best, plane - sides.terms * _ROUNDING * sizes)
        delta = delta + 2 / (i + 2) * (end - delta)
    return best
