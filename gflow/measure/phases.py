"""When the phases of a flow end: alignment, escape, fitting.

Fixed thresholds read phases off the record; none is set by hand.  Aligned: 95 % of the final
contributing mass is within 10 degrees of its target.  Escape: first |f(μ_k)| = 1/2.  Fitted: first
min_i y_i f_i > 0 once every subclass has escaped.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float
from scipy.integrate import fixed_quad

Slowing = Callable[[Float[np.ndarray, "*q"]], Float[np.ndarray, "*q"]]
"""From outputs z >= 0 of the right sign to 1 - |g(z)|/κ, by how much the force has fallen."""

ALIGNED_SHARE = 0.95
ESCAPE_LEVEL = 0.5

_NODES = 64
_LEAST_FORCE = 0.01  # in units of κ; beyond it a square loss has all but reached its pole


class Phases(NamedTuple):
    """Flow times at which phases end; nan where the record ends before."""

    aligned: float
    escape: float
    fitted: float

    def __str__(self) -> str:
        aligned, escape, fitted = ("not reached" if t != t else f"{t:.4g}" for t in self)
        return f"aligned t = {aligned}, escape {escape}, fitted {fitted}"

    def name(self, t: float) -> str:
        """The phase that flow time `t` lies in."""
        if not t >= self.escape:
            return "alignment" if not t >= self.aligned else "quiet growth"
        return "fitting" if not t >= self.fitted else "margin growth"


def find_phases(
    times: Float[np.ndarray, " T"],
    aligned_share: Float[np.ndarray, " T"],
    center_output: Float[np.ndarray, "T K"],
    margin_min: Float[np.ndarray, " T"],
    *,
    slowing: Slowing,
) -> Phases:
    """Phases of a recorded flow.

    **Arguments:**

    - `times`: recorded flow times, increasing.
    - `aligned_share`: share of the final contributing mass within 10 degrees of its target.
    - `center_output`: f(μ_k).
    - `margin_min`: min_i y_i f_i.
    - `slowing`: of the loss, such as `Exponential().slowing`.

    **Returns:** `Phases`. Escape is that of `escape_times`; the other two are the first recorded
    time at which the condition holds, for fitting once every subclass has escaped: signs may be
    right while outputs are still ε². A nan meets no condition.
    """
    escapes = escape_times(times, center_output, slowing)
    return Phases(
        _first(times, aligned_share >= ALIGNED_SHARE),
        float(min(escapes[np.isfinite(escapes)], default=np.nan)),
        _first(times, (margin_min > 0) & (times >= escapes.max(initial=-np.inf))),
    )


def escape_times(
    times: Float[np.ndarray, " T"],
    center_output: Float[np.ndarray, "T K"],
    slowing: Slowing,
    level: float = ESCAPE_LEVEL,
) -> Float[np.ndarray, " K"]:
    """First time at which |f(μ_k)| is 1/2, or another level, for every subclass (theory D7).

    Between two records it is read along dz/dt ∝ |g(z)| z, z = |f(μ_k)|, by which outputs grow once
    neurons are aligned (theory D8), so nothing is lost however far apart the records are: without
    noise a crossing is as exact as they are.  With noise, or while directions still turn, it is off
    by the share of the interval by which the logarithmic speed of z departs from that law.

    **Arguments:**

    - `times`, `center_output`: as for `find_phases`.
    - `slowing`: of the loss, such as `Exponential().slowing`.
    - `level`: 1/2, or less where outputs rest below it.

    **Returns:** flow times; the first recorded one for an output that starts above the level; nan
    for one that never escapes, or is not a number before it does.

    **Source:** theory D7, D8.
    """
    return np.array([_crossing(times, np.abs(z), slowing, level) for z in center_output.T])


def _crossing(
    times: Float[np.ndarray, " T"], z: Float[np.ndarray, " T"], slowing: Slowing, level: float
) -> float:
    """First time at which z is `level`; nan if never."""
    above = np.flatnonzero(z >= level)
    if above.size == 0:
        return float("nan")
    i = int(above[0])
    if i == 0 or z[i - 1] == 0:
        return float(times[i])
    share = _potential(z[i - 1], level, slowing) / _potential(z[i - 1], z[i], slowing)
    return float(times[i - 1] + share * (times[i] - times[i - 1]))


class Departure(NamedTuple):
    """When a loss leaves its start."""

    time: float
    """Flow time; nan if the record ends before."""
    error: float
    """How far off it may be because the records around it are apart, in flow time."""


def departure(
    times: Float[np.ndarray, " T"], loss: Float[np.ndarray, " T"], share: float, degree: float
) -> Departure:
    """First time at which the loss has fallen to a share of L(0), of weights that start small.

    Between two records it is read along dρ/dt ∝ ρ^{Q-1}, ρ the size of the weights in which
    outputs have degree Q: L(0) - L ∝ ρ^Q, so that its power (2 - Q)/Q is linear in t, and its
    logarithm at Q = 2.  The error is the distance to the readings along a straight line and along
    an exponential, or the whole interval where the loss had not fallen at all before it.

    **Arguments:**

    - `times`: recorded flow times, increasing.
    - `loss`: L at these times.
    - `share`: of L(0), in (0, 1).
    - `degree`: Q > 0.

    **Source:** theory D28.
    """
    below = np.flatnonzero(loss <= share * loss[0])
    if below.size == 0 or np.isnan(loss[: below[0]]).any():
        return Departure(np.nan, np.nan)
    i = int(below[0])
    span = float(times[i] - times[i - 1])
    fall = loss[0] - np.array([loss[i - 1], share * loss[0], loss[i]])
    if not fall[0] > 0:
        return Departure(float(times[i]), span)
    passed, *others = (_passed(fall, power) for power in ((2 - degree) / degree, 0.0, 1.0))
    error = max(abs(other - passed) for other in others)
    return Departure(float(times[i - 1] + passed * span), error * span)


def _passed(fall: Float[np.ndarray, "3"], power: float) -> float:
    """Share of an interval after which the second value is reached, if this power is linear."""
    before, at, after = np.log(fall) if power == 0 else fall**power
    return float((at - before) / (after - before))


def _potential(a: float, b: float, slowing: Slowing) -> float:
    """κ ∫_a^b dz/(z |g(z)|), or log b/a where the force at the last output is all but 0.

    The integral is log b/a and that of (κ/g - 1)/z, which is regular at 0.
    """
    growth = float(np.log(b / a))
    if not 1 - slowing(np.array([b], np.float64))[0] >= _LEAST_FORCE:
        return growth

    def delay(z: Float[np.ndarray, " q"]) -> Float[np.ndarray, " q"]:
        slow = slowing(z)
        return slow / (z * (1 - slow))

    return growth + float(fixed_quad(delay, a, b, n=_NODES)[0])


def _first(times: Float[np.ndarray, " T"], holds: Bool[np.ndarray, " T"]) -> float:
    return float(times[holds.argmax()]) if holds.any() else float("nan")
