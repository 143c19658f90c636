"""Neurons without normalization, each alone while the network is negligible (theory D29).

One idea: with dτ = |v| dt every coordinate on orthonormal centers has its own elementary solution,
and with the growth ℓ of the coordinate that leads in place of τ, so has the output weight.  All
that is left is one integral for the time, whose integrand falls like e^{-(p-1)ℓ}: the neuron blows
up at a finite time, and what happens just before keeps its digits.

Without noise and without fitting; p >= 2.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float
from scipy.optimize import root_scalar

from gflow.data.checks import check_numbers
from gflow.measure.rank_one import ClassWeights

_X, _W = np.polynomial.legendre.leggauss(12)
_NODES, _SHARES = (_X + 1) / 2, _W / 2

Growth = float | Float[np.ndarray, "*S"]
"""Growths ℓ, or what belongs to each of them."""

LAST = 60.0
"""Growth ℓ up to which time is counted; what is left is e^{-60} and less."""


class Field(NamedTuple):
    """What moves the neurons of one class while f = 0."""

    mu: Float[np.ndarray, "K D"]
    """Orthonormal centers."""
    pull: Float[np.ndarray, " K"]
    """s y_k κ π_k: positive at own centers, negative at opposite ones."""
    p: float
    """Power, >= 2."""


def blow_up_times(start: ClassWeights, field: Field) -> Float[np.ndarray, " h"]:
    """Flow time at which each neuron, alone, would be infinite; inf without an awake own center.

        T = ∫₀^∞ e^{-(p-2)ℓ}/(p a c^{p-2} |v|) dℓ

    with a the pull and c the initial coordinate of the leading center, max a_k c_k^{p-2}.

    **Raises:** `ValueError` for p < 2 and for an output weight that is not positive.

    **Source:** theory D29; P24 for one neuron at its center.
    """
    return np.array([lone.blow_up for lone in _each(start, field)])


def at_level(start: ClassWeights, field: Field, level: float) -> ClassWeights:
    """The class when its first neuron has grown to the mass m = `level`, each neuron alone.

    **Arguments:**

    - `start`: balanced or not, but the output weight of no neuron may pass through 0.
    - `field`: what moves it.
    - `level`: mass m = |v|‖w‖^p, above that of any neuron at the start.

    **Raises:** `ValueError` as `blow_up_times`, if the level is not above the start, and if no
    neuron has an awake own center.

    **Source:** theory D29.
    """
    each = _each(start, field)
    first = min(each, key=lambda lone: lone.blow_up)
    if not (np.isfinite(first.blow_up) and np.exp(start.log_mass(field.p).max()) < level):
        raise ValueError(
            "`level` must be above every mass of the start, and some neuron awake to an own "
            f"center, but level = {level:g}; give a smaller start."
        )
    # The first has so little time left that it is read by its growth, not by the clock.
    growth = first.growth_at(np.log(level))
    time = first.time(growth)
    states = [lone.at(growth if lone is first else lone.growth(time)) for lone in each]
    grown = np.array([c for c, _ in states])
    before = start.w @ field.mu.T
    return ClassWeights(start.w + (grown - before) @ field.mu, np.array([v for _, v in states]))


def lead(times: Float[np.ndarray, " h"]) -> float:
    """T_1/T_2 of the two neurons that blow up first; 0 if there is one, nan if there is none."""
    first, second = np.sort(np.append(times, [np.inf, np.inf]))[:2]
    known = np.isfinite(first) and not np.isnan(times).any()
    return float(first / second) if known else np.nan


def kkt_exponent(awake: Bool[np.ndarray, " K"], field: Field) -> float:
    """Exponent in ε of the KKT residual, for the coordinates the winner is awake to.

    What is not along the winner stays at ε, so it is 1; but at p = 2 lighter own coordinates of the
    winner grow as well, to ε^{1 - π_l/π_1}.

    **Source:** theory D29.
    """
    check_numbers(pull=field.pull)
    own = np.where(awake, field.pull, 0.0)
    lighter = own[(own > 0) & (own < own.max())]
    return 1 - float(lighter.max() / own.max()) if field.p == 2 and len(lighter) else 1.0


@dataclass(frozen=True)
class _Lone:
    """One neuron, by the growth ℓ of the awake coordinate that leads.

    That of a neuron without an awake own center is the opposite one that falls fastest, and ℓ its
    decay.
    """

    c: Float[np.ndarray, " K"]
    """<w, μ_k> at the start."""
    square: float
    """‖w‖² at the start."""
    v: float
    p: float
    share: Float[np.ndarray, " K"]
    """γ_k = a_k c_k^{p-2} over that of the leading center; 0 where nothing moves."""
    pace: float
    """p |a| c^{p-2} of the leading center; 0 if nothing moves."""
    side: float
    """+1 if the leading center is an own one, else -1."""

    def gain(self, growth: Growth) -> Float[np.ndarray, "*S K"]:
        """log c_k/c_k(0) = -log(1 - γ_k (1 - e^{-(p-2)ℓ}))/(p-2), at p = 2 γ_k ℓ."""
        ell, q = self.side * np.asarray(growth)[..., None], self.p - 2
        if q == 0:
            return self.share * ell
        # Of the leading coordinate itself this is ℓ, which rounding would lose.
        left = np.where(self.share == 1, 0.0, self.share * np.expm1(-q * ell))
        return np.where(self.share == 1, ell, -np.log1p(left) / q)

    def added(self, growth: Growth) -> Growth:
        """‖w‖² - ‖w(0)‖² = p (v² - v(0)²), which balance makes one number (theory D2a)."""
        return (self.c**2 * np.expm1(2 * self.gain(growth))).sum(axis=-1)

    def output(self, growth: Growth) -> Growth:
        """|v|."""
        return np.sqrt(self.v**2 + self.added(growth) / self.p)

    def log_mass(self, growth: Growth) -> Growth:
        """log |v|‖w‖^p."""
        return np.log(self.output(growth)) + self.p / 2 * np.log(self.square + self.added(growth))

    def elapsed(self, start: Growth, stop: Growth) -> Growth:
        """∫ dt = ∫ e^{-(p-2)ℓ}/(pace |v|) dℓ, by Gauss nodes."""
        width = np.asarray(stop) - start
        ell = np.asarray(start)[..., None] + width[..., None] * _NODES
        rate = np.exp(-self.side * (self.p - 2) * ell) / (self.pace * self.output(ell))
        return rate @ _SHARES * width

    @cached_property
    def ladder(self) -> Float[np.ndarray, " S"]:
        """Ends of panels up to `LAST`, crowded at the start, where opposite coordinates fall."""
        width = 1 / self.p
        return np.concatenate(
            [[0.0], width * 0.5 ** np.arange(20, 0, -1), np.arange(width, LAST + width, width)]
        )

    @cached_property
    def clock(self) -> Float[np.ndarray, " S"]:
        """Flow times at the ends of panels; without a pull time stands still."""
        ends = self.ladder
        if not self.pace:
            return np.zeros_like(ends)
        return np.append(0.0, np.cumsum(self.elapsed(ends[:-1], ends[1:])))

    @property
    def blow_up(self) -> float:
        """The time at which it is infinite."""
        return float(self.clock[-1]) if self.pace and self.side > 0 else np.inf

    def time(self, growth: float) -> float:
        """Flow time at which it has grown so far."""
        ends = self.ladder
        i = int(np.searchsorted(ends, growth, side="right")) - 1
        return float(self.clock[i] + self.elapsed(ends[i], growth))

    def growth_at(self, log_mass: float) -> float:
        """ℓ at which its mass passes a level for the last time."""
        ends = self.ladder
        i = int(np.flatnonzero(self.log_mass(ends) < log_mass)[-1])
        panel = ends[i], ends[i + 1]
        return float(root_scalar(lambda ell: self.log_mass(ell) - log_mass, bracket=panel).root)

    def growth(self, time: float) -> float:
        """ℓ at a time before it blows up."""
        ends, clock = self.ladder, self.clock
        i = int(np.searchsorted(clock, time, side="right")) - 1
        if i == len(ends) - 1:  # long after all that it is awake to has decayed
            return LAST
        left, panel = time - clock[i], (ends[i], ends[i + 1])
        return float(root_scalar(lambda ell: self.elapsed(ends[i], ell) - left, bracket=panel).root)

    def at(self, growth: float) -> tuple[Float[np.ndarray, " K"], float]:
        """Coordinates and output weight."""
        return self.c * np.exp(self.gain(growth)), float(self.output(growth))


def _each(start: ClassWeights, field: Field) -> list[_Lone]:
    check_numbers(**start._asdict(), **field._asdict())
    if not (field.p >= 2 and (start.v > 0).all()):
        raise ValueError(
            f"`p` must be at least 2 and output weights positive, but p = {field.p:g} and the "
            f"smallest is {start.v.min():g}; give their sizes."
        )
    return [
        _lone(w @ field.mu.T, float(w @ w), float(v), field)
        for w, v in zip(start.w, start.v, strict=True)
    ]


def _lone(c: Float[np.ndarray, " K"], square: float, v: float, field: Field) -> _Lone:
    awake = c > 0
    push = np.where(awake, field.pull * np.where(awake, c, 1.0) ** (field.p - 2), 0.0)
    # An own center leads if there is one, else the opposite one that falls fastest.
    top = push.max() if push.max() > 0 else push.min()
    share = push / top if top else push
    return _Lone(
        c, square, v, field.p, share=share, pace=field.p * abs(top), side=float(np.sign(top))
    )
