"""How far samples are from an error along one line through them: both ends agree to rounding.

One idea: along a line what a neuron sees is linear, so what it contributes is monotone: on an
interval the least of own and the most of opposite contributions are those at its ends.  So
intervals are certified one after the other, each as long as the margin allows (theory D31).
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from gflow.data.checks import check_samples
from gflow.network.population import Population
from gflow.robustness.leaning import DOUBT
from gflow.robustness.lengths import positive_length
from gflow.robustness.lines import Lines, Samples
from gflow.robustness.norm import Norm
from gflow.robustness.subspace import FARTHEST

_FIRST, _CLOSE = 0.01, 1e-9  # steps, in units of ‖x‖ and of the distance so far
_MOST = 400  # steps
_ENTRIES = 1 << 21  # of samples times neurons held at once


def line_radii(
    f: Population,
    x: Float[np.ndarray, "n D"],
    y: Float[np.ndarray, " n"],
    direction: Float[np.ndarray, " D"],
) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    """Distances of samples along ±direction up to which all is right, and where it is not.

    **Arguments:**

    - `f`: the network; the cost is that of some hundred evaluations.
    - `x`, `y`: samples and their labels ±1.
    - `direction`: a unit vector.

    **Returns:** how far both ways are certified, `FARTHEST` ‖x‖ at most; and t of the shortest x +
    t·direction that is wrong, a little farther, 0 for a sample that is wrong as it is and inf where
    nothing up to `FARTHEST` ‖x‖ is known to be.

    **Source:** theory D31.
    """
    check_samples(x, y)
    f = f.take(f.m > 0)
    certified, place = np.empty(len(x)), np.empty(len(x))
    rows = max(_ENTRIES // max(len(f.m), 1), 1)
    for begin in range(0, len(x), rows):
        some = slice(begin, begin + rows)
        samples = Samples.confined(f, x[some], y[some], Norm.L2)
        ends = [_one_way(samples, sign * direction) for sign in (1.0, -1.0)]
        lengths = np.array([length for _, length in ends])
        certified[some] = np.minimum(*(end for end, _ in ends))
        place[some] = np.where(lengths[0] <= lengths[1], lengths[0], -lengths[1])
    return certified, np.where(np.isinf(place), np.inf, place)


def _one_way(
    samples: Samples, way: Float[np.ndarray, " D"]
) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    """How far is certified, and where something is wrong; inf where nothing is known to be."""
    lines = Lines.of(samples, np.broadcast_to(way, samples.x.shape))
    certified = _Walk.along(samples, way).certified()

    # From there on steps of growing lengths, of which one is likely to end beyond the boundary.
    high = np.where(lines.flipped(np.zeros(len(certified))), 0.0, np.inf)
    step = _CLOSE * np.maximum(certified, samples.size)
    farthest = FARTHEST * samples.size
    while True:
        live = np.flatnonzero(np.isinf(high) & (certified < farthest) & (step < 2 * farthest))
        if not len(live):
            break
        t = np.minimum(certified + step, farthest)[live]
        flipped = lines.take(live).flipped(t)
        high[live[flipped]] = t[flipped]
        step[live] *= 1.5
    return certified, lines.exact(high)


@dataclass
class _Walk:
    """Lines and how far they are certified."""

    z: Float[np.ndarray, "n h"]
    dz: Float[np.ndarray, " h"]
    own: Bool[np.ndarray, "n h"]
    lengths: Float[np.ndarray, " h"]
    """‖w_j‖, whose rounding is held against the sample."""
    size: Float[np.ndarray, " n"]
    p: float

    @classmethod
    def along(cls, samples: Samples, way: Float[np.ndarray, " D"]) -> "_Walk":
        eye = samples.eye
        own = samples.y[:, None] * eye.s > 0
        return cls(samples.views, eye.w @ way, own, eye.lengths, samples.size, eye.p)

    def right(
        self,
        rows: Int[np.ndarray, " r"],
        low: Float[np.ndarray, " r"],
        high: Float[np.ndarray, " r"],
    ) -> Bool[np.ndarray, " r"]:
        """Whether y f > 0 on all of each interval, from contributions at its ends."""
        ends = [self.z[rows] + t[:, None] * self.dz for t in (low, high)]
        doubt = np.outer(DOUBT * (self.size[rows] + high), self.lengths)
        own = self.own[rows]
        least = np.where(own, np.minimum(*ends) - doubt, 0.0)
        most = np.where(own, 0.0, np.maximum(*ends) + doubt)
        return positive_length(least, self.p) > positive_length(most, self.p)

    def certified(self) -> Float[np.ndarray, " n"]:
        """How far intervals reach that are right, laid end to end."""
        t, step, farthest = np.zeros(len(self.size)), _FIRST * self.size, FARTHEST * self.size
        for _ in range(_MOST):
            long_enough = step > _CLOSE * np.maximum(t, 1e-3 * self.size)
            live = np.flatnonzero((t < farthest) & long_enough)
            if not len(live):
                break
            high = np.minimum(t[live] + step[live], farthest[live])
            right = self.right(live, t[live], high)
            t[live] = np.where(right, high, t[live])
            step[live] *= np.where(right, 2.0, 0.5)
        return t
