"""Certified radii where perturbations lie in a subspace.

One idea: a perturbation δ of the subspace acts on a neuron through P u_j alone, P its projection,
while the sample acts through u_j.  So the bounds of theory D10 hold with what neurons see of
samples as it is, and with rates of projected neurons (theory D31).
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float

from gflow.data.checks import check_samples
from gflow.network.geometry import largest_singular
from gflow.network.population import Population
from gflow.robustness.cast import FEW, Cast, casts_of
from gflow.robustness.joint_bound import joint_rate, rows_of
from gflow.robustness.leaning import DOUBT
from gflow.robustness.lengths import positive_length
from gflow.robustness.lines import Samples
from gflow.robustness.missing import Missing, lasting
from gflow.robustness.norm import Norm
from gflow.robustness.radius_bound import gated_radii
from gflow.robustness.subspace import FARTHEST, Subspace

_REACHES = np.geomspace(1, FARTHEST, 13)  # in units of ‖x‖
_MOST = 500  # neurons of which all together are affordable
_MOST_SETS = 12  # opposite neurons whose sets are enumerated at p = 1
_LEAST = 1 - 1e-9  # of a bound, for the rounding of its formula


def confined_radii(
    network: Population,
    x: Float[np.ndarray, "n D"],
    y: Float[np.ndarray, " n"],
    within: Subspace,
) -> Float[np.ndarray, " n"]:
    """A radius within which y f(x + δ) > 0 for all δ in a subspace, sample by sample.

        R = (a - ζ - κ)/Λ_P ,   Λ_P >= ‖m_j^{1/p} [-<P u_j, δ>]₊‖_p + ‖m_l^{1/p} [<P u_l, δ>]₊‖_p

    for ‖δ‖₂ <= 1; the rest is as in `certified_radii`.

    **Arguments:**

    - `network`: f, of any number of neurons.
    - `x`, `y`: samples and their labels ±1.
    - `within`: the subspace.

    **Returns:** radii, 0 where nothing is certified; at most `FARTHEST` ‖x‖₂, or inf if there is
    nothing but the origin and the sample is right.

    **Source:** theory D31.
    """
    check_samples(x, y)
    size = np.linalg.norm(x, axis=1)
    alone = Cast.alone(network)
    if not within.d:
        return np.where(_is_right(alone.whole, x, y), np.inf, 0.0)
    casts = [*casts_of(network), *([alone] if len(alone.whole.m) <= _MOST else [])]
    certified = np.zeros(len(x))
    for s in (1.0, -1.0):
        some = y * s > 0
        bounds = [_Bound.of(cast, s, x[some], within) for cast in casts if some.any()]
        for radii in (radii for bound in bounds for radii in bound.all()):
            certified[some] = np.fmax(certified[some], _LEAST * radii)
    return np.minimum(certified, FARTHEST * size)


def _is_right(
    f: Population, x: Float[np.ndarray, "n D"], y: Float[np.ndarray, " n"]
) -> Bool[np.ndarray, " n"]:
    """Whether y f > 0 however it is rounded: opposite neurons see more than they do."""
    samples = Samples.confined(f, x, y, Norm.L2)
    return samples.eye.margin(2 * samples.views - samples.z, y) > 0


@dataclass(frozen=True)
class _Bound:
    """What is known of the samples of one label from one cast."""

    cast: Cast
    projected: Population
    """The leaders, as perturbations of the subspace are seen."""
    spread: Float[np.ndarray, " q"]
    """The largest ‖P (u_j - ū)‖ in each group."""
    s: float
    x: Float[np.ndarray, "n D"]
    views: Float[np.ndarray, "n h"]
    """m_j^{1/p} <u_j, x>."""
    missing: Missing
    doubt: float
    """What rounding may change of a - ζ in units of ‖x‖, and of its rate."""
    within: Subspace

    @classmethod
    def of(cls, cast: Cast, s: float, x: Float[np.ndarray, "n D"], within: Subspace) -> "_Bound":
        """What one cast and the samples of label s give."""
        whole, p = cast.whole, cast.leader.p
        led, B = cast.group >= 0, within.basis
        chord = np.linalg.norm((whole.u[led] - cast.leader.u[cast.group[led]]) @ B, axis=1)
        spread = np.zeros(len(cast.leader.m))
        np.maximum.at(spread, cast.group[led], chord)
        gains = whole.m ** (1 / p)
        sides = (gains[whole.s == side] for side in (s, -s))
        return cls(
            cast,
            replace(cast.leader, u=cast.leader.u @ B),
            spread,
            s,
            x,
            views=gains * (x @ whole.u.T),
            missing=Missing(cast.rest, p, np.linalg.norm(x, axis=1), 1.0),
            doubt=DOUBT * sum(float(positive_length(side, p)) for side in sides),
            within=within,
        )

    def all(self) -> Iterator[Float[np.ndarray, " n"]]:
        """The radii that each set of own neurons leads to."""
        f = self.cast.leader
        own = f.s == self.s
        zeta = positive_length(self.views[:, self._members(~own)], f.p)
        yield self._of_set(own, zeta)
        if len(f.m) <= FEW:
            for k in np.flatnonzero(own):
                yield self._of_set(np.arange(len(own)) == k, zeta)
            if f.p == 1 and (~own).sum() <= _MOST_SETS:
                yield self._gated(own)

    def _members(self, groups: Bool[np.ndarray, " q"]) -> Bool[np.ndarray, " h"]:
        """Neurons of some groups; -1 is none."""
        return np.append(groups, False)[self.cast.group]

    def _of_set(
        self, mine: Bool[np.ndarray, " q"], zeta: Float[np.ndarray, " n"]
    ) -> Float[np.ndarray, " n"]:
        f, p, missing = self.projected, self.projected.p, self.missing
        theirs = f.s == -self.s
        a = positive_length(self.views[:, self._members(mine)], p)

        # How fast leaders lose, by singular values or by the size of every row, and their members.
        gain = f.m ** (1 / p)
        rows, others = (rows_of(f.take(some)) for some in (mine, theirs))
        width = gain * self.spread
        wide = [float(positive_length(width[some], p)) for some in (mine, theirs)]
        own, other = (gain[some, None] * f.u[some] for some in (mine, theirs))
        speed = float(positive_length(np.linalg.norm(own, axis=1), p)) + wide[0]
        alone = [largest_singular(some) for some in (rows, others)]
        together = joint_rate(rows, others, alone[0]) if min(alone) > 0 else sum(alone)
        rate = min(together, Norm.L2.rate(own, other, p)) + sum(wide) + self.doubt
        ahead = a - zeta - self.doubt * missing.size

        # What was left out costs the more the longer δ may be, so several lengths are tried.
        rates = [np.maximum(rate, ahead / (reach * missing.size)) for reach in _REACHES]
        return np.max([lasting(a, ahead, speed, r, missing=missing) for r in rates], axis=0)

    def _gated(self, own: Bool[np.ndarray, " q"]) -> Float[np.ndarray, " n"]:
        f, left_out = self.cast.leader, self.cast.rest + self.cast.turning_error + self.doubt
        return gated_radii(
            f.take(own), f.take(~own), self.x, left_out, norm=Norm.L2, basis=self.within.basis
        )
