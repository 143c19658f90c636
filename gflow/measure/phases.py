"""When the phases of a flow end: alignment, escape, fitting.

Fixed thresholds read phases off the record; none is set by hand.  Aligned: 95 % of the final
contributing mass is within 10 degrees of its target.  Escape: first |f(μ_k)| = 1/2.  Fitted: first
min_i y_i f_i > 0 once every subclass has escaped.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

ALIGNED_SHARE = 0.95
ESCAPE_LEVEL = 0.5


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
) -> Phases:
    """Phases of a recorded flow.

    **Arguments:**

    - `times`: recorded flow times, increasing.
    - `aligned_share`: share of the final contributing mass within 10 degrees of its target.
    - `center_output`: f(μ_k).
    - `margin_min`: min_i y_i f_i.

    **Returns:** `Phases`. Escape is interpolated (log-linearly in the output, which grows
    exponentially then); the other two are the first recorded time at which the condition holds,
    for fitting once every subclass has escaped: signs may be right while outputs are still ε².
    """
    escapes = escape_times(times, center_output)
    return Phases(
        _first(times, aligned_share >= ALIGNED_SHARE),
        float(min(escapes[np.isfinite(escapes)], default=np.nan)),
        _first(times, (margin_min > 0) & (times >= escapes.max(initial=-np.inf))),
    )


def escape_times(
    times: Float[np.ndarray, " T"], center_output: Float[np.ndarray, "T K"]
) -> Float[np.ndarray, " K"]:
    """First time at which |f(μ_k)| = 1/2, for every subclass; nan where never (theory D7)."""
    return np.array([_crossing(times, np.abs(z)) for z in center_output.T])


def _crossing(times: Float[np.ndarray, " T"], z: Float[np.ndarray, " T"]) -> float:
    """First time at which z = 1/2, interpolated along exponential growth; nan if never."""
    above = np.flatnonzero(z >= ESCAPE_LEVEL)
    if above.size == 0:
        return float("nan")
    i = int(above[0])
    if i == 0 or z[i - 1] <= 0:
        return float(times[i])
    fraction = np.log(ESCAPE_LEVEL / z[i - 1]) / np.log(z[i] / z[i - 1])
    return float(times[i - 1] + fraction * (times[i] - times[i - 1]))


def _first(times: Float[np.ndarray, " T"], holds: Bool[np.ndarray, " T"]) -> float:
    return float(times[holds.argmax()]) if holds.any() else float("nan")
