"""The shortest error among departures from a sample in directions that no sample has a part in.

One idea: neurons see such a departure through one vector each, whose length is known as a
logarithm, so that errors at any distance are found by one search in units of a certified one.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from gflow.data.checks import check_numbers, check_signs
from gflow.errors import DataError
from gflow.measure.ascent import ascend
from gflow.network.prelu import host_power
from gflow.robustness.bisection import bisected, crossed

LEANS = (1e-3, 0.05, 1.0)
"""By how much starts of the search lean away from neurons of the sample's own class."""

_HALVINGS, _SPARE = 60, 40.0  # of an interval of logarithms, and what it has beside all scales
_FARTHEST, _PLACES = 1e6, 21  # of a line, in units of the certified distance
_EVALUATIONS, _CLOSE, _ITERATIONS = 12, 1e-6, 40
_LARGEST_LOG = 600.0  # of numbers that are formed


@dataclass(frozen=True)
class Departure:
    """A sample as neurons see it from nearby: y f(x + d) = Σ_j s_j σ(b_j + e^{l_j} ⟨e_j, d⟩)^p."""

    side: Float[np.ndarray, " h"]
    """s_j: +1 for neurons of the sample's class, -1 for others."""
    at: Float[np.ndarray, " h"]
    """b_j = m_j^{1/p} ⟨u_j, x⟩."""
    way: Float[np.ndarray, "h D"]
    """Unit vectors e_j, orthogonal to all samples."""
    log_slope: Float[np.ndarray, " h"]
    """l_j, how much of a departure each neuron sees; -inf for nothing."""
    p: float

    def __post_init__(self):
        check_signs(side=self.side)
        check_numbers(at=self.at, way=self.way)
        if not (self.log_slope < np.inf).all():
            raise DataError(
                f"`log_slope` must be numbers or -inf, but is {self.log_slope.tolist()}; "
                "leave out neurons that are not known."
            )

    @property
    def margin(self) -> float:
        """y f(x)."""
        return float(self.side @ _power(self.at, self.p))

    def certified(self) -> float:
        """log of a distance up to which every departure is classified right.

        No neuron sees more of d than e^{l_j} ‖d‖, so that y f(x + d) is at least

            Σ_own σ(b_j - e^{l_j} ‖d‖)^p - Σ_other σ(b_j + e^{l_j} ‖d‖)^p ,

        which falls with ‖d‖.

        **Returns:** -inf if x itself is wrong, inf if no neuron of the other class sees d.

        **Source:** theory D25.
        """
        sees = np.isfinite(self.log_slope)
        if not self.margin > 0:
            return -np.inf
        if not (sees & (self.side < 0)).any():
            return np.inf

        def wrong(log_c: Float[np.ndarray, " 1"]) -> np.ndarray:
            seen = np.exp(np.minimum(self.log_slope + log_c, _LARGEST_LOG))
            return np.array([not self.side @ _power(self.at - self.side * seen, self.p) > 0])

        scale = self.log_slope[sees]
        low, high = np.array([-scale.max() - _SPARE]), np.array([-scale.min() + _SPARE])
        if wrong(low).all():
            return -np.inf
        return float(bisected(wrong, low, high, _HALVINGS)[0][0])

    def searched(self) -> float:
        """log of the distance of the closest error that a search in all directions finds.

        The distance at which a line first meets an error is brought down by ascent on the sphere of
        its directions, from starts toward each neuron of the other class that lean away from those
        of the sample's own class.

        **Returns:** an upper bound; inf if no line meets an error, -inf if x itself is wrong.
        """
        unit = self.certified()
        if not np.isfinite(unit):
            return unit
        lines = _Lines(self, unit)
        starts = self._starts()
        starts = starts[np.isfinite(lines.lengths(starts))]
        if not len(starts):
            return np.inf
        return unit - float(ascend(lines.closeness, starts, _ITERATIONS)[1].max())

    def _starts(self) -> Float[np.ndarray, "n D"]:
        sees = np.isfinite(self.log_slope)
        own, way = np.where(self.side[sees] > 0, 1.0, 0.0), self.way[sees]
        toward = np.vstack([np.eye(len(own))[own == 0], 1 - own])
        views = np.concatenate([toward - lean * own for lean in LEANS])
        # Directions that neurons see in these proportions, where there are enough dimensions.
        starts = np.concatenate([views @ np.linalg.pinv(way).T, views @ way])
        return starts / np.linalg.norm(starts, axis=1, keepdims=True)


class _Lines:
    """Lines from a sample, with lengths in units of a distance that is certified."""

    def __init__(self, departure: Departure, unit: float):
        self.departure = departure
        self.slope = np.exp(np.minimum(departure.log_slope + unit, _LARGEST_LOG))

    def lengths(self, e: Float[np.ndarray, "n D"]) -> Float[np.ndarray, " n"]:
        """Where each line first meets an error, up to `_FARTHEST`; inf for one that does not."""
        seen = self._seen(e)
        places = np.geomspace(1.0, _FARTHEST, _PLACES)
        wrong = ~(self._margin(seen, np.tile(places, (len(e), 1))) > 0)
        some, first = np.flatnonzero(wrong.any(axis=1)), wrong.argmax(axis=1)
        low, high = places[np.maximum(first[some] - 1, 0)], places[first[some]]

        def margin(t: Float[np.ndarray, " q"]) -> Float[np.ndarray, " q"]:
            return self._margin(seen[some], t[:, None])[:, 0]

        length = np.full(len(e), np.inf)
        ends = {"before": margin(low), "after": margin(high)}
        length[some] = crossed(
            margin, low, high, **ends, evaluations=_EVALUATIONS, tolerance=_CLOSE
        )[1]
        return length

    def closeness(
        self, e: Float[np.ndarray, "n D"]
    ) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, "n D"]]:
        """-log of the length of each line, and its gradient in the direction.

        For a line that meets no error it leads away from the neuron that prevents it most.
        """
        f, length, seen = self.departure, self.lengths(e), self._seen(e)
        meets = np.isfinite(length)
        z = f.at + np.where(meets, length, _FARTHEST)[:, None] * seen
        pull = -f.side * host_power(np.where(meets[:, None], z, 0.0), f.p - 1)
        rate = (pull * seen).sum(axis=1)
        gradient = (pull * self.slope) @ f.way / np.where(rate > 0, rate, 1.0)[:, None]
        gradient[~meets] = -f.way[np.where(f.side > 0, z, -np.inf).argmax(axis=1)[~meets]]
        return -np.log(length), gradient

    def _seen(self, e: Float[np.ndarray, "n D"]) -> Float[np.ndarray, "n h"]:
        """How fast the view of each neuron changes along each line."""
        return e @ self.departure.way.T * self.slope

    def _margin(
        self, seen: Float[np.ndarray, "n h"], t: Float[np.ndarray, "n m"]
    ) -> Float[np.ndarray, "n m"]:
        """y f at m places of each line."""
        f = self.departure
        return _power(f.at + t[:, :, None] * seen[:, None], f.p) @ f.side


def _power(z: Float[np.ndarray, "*s"], p: float) -> Float[np.ndarray, "*s"]:
    """σ(z)^p, up to the largest number."""
    return host_power(np.minimum(z, np.exp(_LARGEST_LOG / p)), p)
