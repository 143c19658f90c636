"""The coordinates of a noise-free neuron at given times, each solved on its own (theory D3).

One idea: ξ_k(χ) is elementary, so all that is left is to find χ at a time t̂ = ∫₀^χ |ξ|^{p-2} dχ′.
With s in place of χ, where

    χ = E (1 - e^{-s})  if χ ends at a finite E (a blow-up, or the death of all there is) ,
    χ = (e^s - 1)/pace  if it does not ,

and the growth e^{±s/(p-2)} of ξ that goes with it set apart, the clock t̂(s) runs at a rate that is
smooth between the deaths of opposite coordinates and never falls below 1/pace.  Panels of growing
width, both in s and in the s of a χ that would not end, and crowded below each death, resolve it.
At p = 1 and p = 2 the clock is explicit.

Start vectors a carry the part orthogonal to all centers as their last entry; push_k is π_k y_k
where coordinate k is awake and 0 where it does not move.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from gflow.data.checks import check_numbers

_X, _W = np.polynomial.legendre.leggauss(16)
_NODES, _SHARES = (_X + 1) / 2, _W / 2

_FIRST, _GROWTH = 0.25, 1.1
"""Width of the first panel of s, in units of min(1, |p-2|), and of each in units of the last."""

_CROWDING = 4.0 ** -np.arange(24)
"""Distances of panel ends from a death, as shares of the way to it."""


def log_coordinates(
    a: Float[np.ndarray, " L"],
    push: Float[np.ndarray, " L"],
    p: float,
    t_hat: Float[np.ndarray, " T"],
) -> tuple[Float[np.ndarray, "T L"], Float[np.ndarray, " T"]]:
    """log|ξ_k| at alignment times, from ξ(0) = a of length 1, less their common growth.

    **Arguments:**

    - `a`: start; moving coordinates are positive.
    - `push`: speed factor π_k y_k of each coordinate, 0 if it rests.
    - `p`: power, >= 1.
    - `t_hat`: times >= 0, in any order.

    **Returns:** logarithms, -inf for a coordinate of 0, and what to add to those of one time.
    The addend alone grows with time, so that directions keep their digits.

    **Raises:** `ValueError` for p < 1 or a negative time.

    **Source:** theory D3.
    """
    check_numbers(a=a, push=push)
    if not (p >= 1 and np.all(t_hat >= 0)):
        raise ValueError(
            f"`p` must be at least 1 and `t_hat` must not be negative, but p = {p:g} and the "
            f"earliest time is {np.min(t_hat):g}; count times from the start."
        )
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        # At p = 2, and where nothing moves, χ is t̂ and logarithms grow linearly.
        if p == 2 or not push.any():
            top = push.max()
            return np.log(np.abs(a)) + (push - top) * t_hat[:, None], top * t_hat
        clock = _clock(a, push, p)
        # At p = 1 the clock is explicit, unless every moving coordinate dies.
        if p == 1 and not clock.ends:
            return _relu(a, push, t_hat)
        # Otherwise invert t̂(s) and read the coordinates off at s.
        s = clock.invert(t_hat)
        return clock.logs(s), (s if clock.ends else -s) / clock.q


def log_length(logs: Float[np.ndarray, "*T L"]) -> Float[np.ndarray, "*T"]:
    """log|ξ| from the logarithms of its coordinates."""
    return np.logaddexp.reduce(2 * logs, axis=-1) / 2


# --- p = 1 --------------------------------------------------------------------------------------


def _relu(
    a: Float[np.ndarray, " L"], push: Float[np.ndarray, " L"], t_hat: Float[np.ndarray, " T"]
) -> tuple[Float[np.ndarray, "T L"], Float[np.ndarray, " T"]]:
    """Piece by piece: the next begins where an opposite coordinate reaches 0."""
    logs, common, begin = np.empty((len(t_hat), len(a))), np.empty(len(t_hat)), 0.0
    while True:
        later = t_hat >= begin
        logs[later], common[later] = _relu_piece(a, push, t_hat[later] - begin)
        wait, a = _next_death(a, push)
        if not np.isfinite(wait):
            return logs, common
        begin, push = begin + wait, np.where(a > 0, push, 0.0)


def _relu_piece(
    a: Float[np.ndarray, " L"], push: Float[np.ndarray, " L"], t: Float[np.ndarray, " T"]
) -> tuple[Float[np.ndarray, "*T L"], Float[np.ndarray, " T"] | float]:
    """|ξ|'' = m |ξ| in t̂ with m = |push|², so χ is a sum of two exponentials."""
    root = np.linalg.norm(push)
    if root == 0:
        return np.log(np.abs(a)), 0.0
    plus, minus = _sides(a, push)
    decay = np.exp(-root * t)[:, None]
    chi = -np.expm1(-root * t)[:, None] * (plus + minus * decay) / (2 * root**2)
    xi = a * decay + push * chi  # both times e^{-root t}
    return np.log(np.abs(np.where(push < 0, np.maximum(xi, 0), xi))), root * t


def _next_death(
    a: Float[np.ndarray, " L"], push: Float[np.ndarray, " L"]
) -> tuple[float, Float[np.ndarray, " L"]]:
    """How long until an opposite coordinate reaches 0, and ξ then."""
    reach = np.where(push < 0, a / np.where(push < 0, -push, 1), np.inf)
    chi = reach.min()
    if not np.isfinite(chi):
        return np.inf, a
    end = np.where(reach == chi, 0.0, a + push * chi)
    # √m |ξ| + <push, ξ> grows like e^{√m t̂}.
    growth = _sides(end, push)[0] / _sides(a, push)[0]
    return np.log(growth) / np.linalg.norm(push), end


def _sides(xi: Float[np.ndarray, " L"], push: Float[np.ndarray, " L"]) -> tuple[float, float]:
    """√m |ξ| ± <push, ξ>, whose product is conserved; neither is computed as a difference."""
    along = np.float64(push @ xi)
    larger = np.float64(np.linalg.norm(push) * np.linalg.norm(xi) + abs(along))
    # Lagrange's identity for m|ξ|² - <push, ξ>².
    product = np.float64(((np.outer(push, xi) - np.outer(xi, push)) ** 2).sum() / 2)
    smaller = product / larger
    return (larger, smaller) if along >= 0 else (smaller, larger)


# --- other p ------------------------------------------------------------------------------------


class _Clock(NamedTuple):
    """The time t̂(s), and the coordinates at s."""

    log_a: Float[np.ndarray, " L"]
    q: float
    """p - 2."""
    gain: Float[np.ndarray, " L"]
    """|ξ_k/a_k|^{-q} is 1 - gain_k (1 - e^{-s}), times e^s if χ does not end."""
    unit: float
    """E, or 1/pace."""
    ends: bool
    """Whether χ ends at a finite E."""
    pace: float
    """dt̂/ds >= 1/pace."""

    def logs(self, s: Float[np.ndarray, "*S"]) -> Float[np.ndarray, "*S L"]:
        """log|ξ_k| - s/q if χ ends, else + s/q."""
        s = s[..., None]
        bracket = np.log1p(np.maximum(self.gain * np.expm1(-s), -1)) + (s if self.ends else 0)
        return self.log_a - np.where(self.gain == 1, 0 if self.ends else -s, bracket) / self.q

    def rate(self, s: Float[np.ndarray, "*S"]) -> Float[np.ndarray, "*S"]:
        """dt̂/ds = |ξ|^q dχ/ds, in which e^{±s} cancels."""
        return self.unit * np.exp(self.q * log_length(self.logs(s)))

    def elapsed(
        self, start: Float[np.ndarray, " S"], stop: Float[np.ndarray, " S"]
    ) -> Float[np.ndarray, " S"]:
        """∫ dt̂ from `start` to `stop`, by Gauss nodes."""
        s = start[:, None] + (stop - start)[:, None] * _NODES
        return self.rate(s) @ _SHARES * (stop - start)

    def panels(self, latest: float) -> Float[np.ndarray, " S"]:
        """Ends of panels that together reach beyond the time `latest`."""
        # Widths grow geometrically; dt̂/ds >= 1/pace says how many panels reach `latest`.
        first = _FIRST * min(1.0, abs(self.q))
        count = np.log1p(latest * self.pace * (_GROWTH - 1) / first) / np.log(_GROWTH)
        ladder = first * np.expm1(np.log(_GROWTH) * np.arange(count + 3)) / (_GROWTH - 1)
        # Below each death the clock is rough, so panels crowd there.
        deaths = -np.log1p(-1 / self.gain[self.gain > 1])[:, None]
        near = np.concatenate([deaths, deaths * (1 - _CROWDING)], axis=1)
        return np.unique(np.concatenate([ladder, self.early(ladder), near.ravel()]))

    def early(self, ladder: Float[np.ndarray, " S"]) -> Float[np.ndarray, " R"]:
        """Where χ is (e^x - 1)/pace, x of `ladder`: what moves long before a remote E ends it."""
        share = np.expm1(ladder) / (self.unit * self.pace)
        return -np.log1p(-share[share < 1]) if self.ends else ladder[:0]

    def invert(self, t_hat: Float[np.ndarray, " T"]) -> Float[np.ndarray, " T"]:
        """s at given times, by Newton's method kept inside a shrinking bracket."""
        # Tabulate the clock at the ends of panels, and find the panel of each time.
        ends = self.panels(t_hat.max(initial=0))
        passed = np.append(0, np.cumsum(self.elapsed(ends[:-1], ends[1:])))
        i = np.searchsorted(passed, t_hat, side="right") - 1
        # Inside it take Newton's step, or halve the bracket where the step would leave it.
        start, low, high = ends[i], ends[i], ends[i + 1]
        s = low
        for _ in range(100):
            miss = passed[i] + self.elapsed(start, s) - t_hat
            low, high = np.where(miss <= 0, s, low), np.where(miss >= 0, s, high)
            newton = s - miss / self.rate(s)
            better = np.where((low <= newton) & (newton <= high), newton, (low + high) / 2)
            if np.all(np.abs(better - s) <= 1e-15 * s):
                break
            s = better
        return s


def _clock(a: Float[np.ndarray, " L"], push: Float[np.ndarray, " L"], p: float) -> _Clock:
    q, awake = p - 2, push != 0
    # |ξ_k/a_k|^{-q} = 1 - speed_k χ: a blow-up for p > 2, a death for p < 2 where it reaches 0.
    speed = q * push * np.where(awake, np.abs(a), 1.0) ** q
    pole = speed.max() if q > 0 else speed[a != 0].min()
    pace = abs(q) * np.abs(push).max() * max(1.0, awake.sum() ** (-q / 2))
    ends = bool(pole > 0)
    gain = speed / pole if ends else 1 + speed / pace
    return _Clock(
        np.log(np.abs(a)), q, gain, unit=1 / (pole if ends else pace), ends=ends, pace=pace
    )
