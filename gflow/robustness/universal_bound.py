"""How long one perturbation must be at least that misclassifies many samples of a class at once.

One idea: every sample that it flips asks something of it along the own neurons of that sample, and
what opposite neurons give is one number for all of them.  So directions that are nearly orthogonal
add up (theory D31).
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from gflow.data.checks import check_not_negative, check_samples
from gflow.network.geometry import largest_singular
from gflow.network.population import Population
from gflow.robustness.cast import Cast, casts_of
from gflow.robustness.joint_bound import rows_of
from gflow.robustness.leaning import DOUBT
from gflow.robustness.lengths import positive_length
from gflow.robustness.norm import Norm

_HALVINGS = 60
_LEAST = 1 - 1e-9  # of a bound, for the rounding of its formula


def least_flips(n: int, share: float) -> int:
    """How many of `n` samples are a share of them."""
    return max(int(np.ceil(share * n - 1e-9)), 1)


def universal_bound(
    network: Population,
    x: Float[np.ndarray, "n D"],
    y: Float[np.ndarray, " n"],
    share: float,
    *,
    certified: Float[np.ndarray, " n"],
) -> float:
    """A length that no l2 vector δ is below which flips a share of samples of one label at once.

    The larger of two.  A share of all samples is flipped, hence as many have a radius below ‖δ‖:
    the quantile of the certified ones.  And for own groups k of neurons of directions u_k and
    masses A_k^p, Z what δ adds to opposite contributions, in p-length, and S the largest singular
    value of all u_k and of opposite rows over g,

        S² ‖δ‖² >= min_Z Σ_k [(E_k - Z)/A_k]₊² + Z²/g² ,

    E_k the lead a - ζ of group k that so many samples have that one of them is flipped.

    **Arguments:**

    - `network`: f, of any number of neurons.
    - `x`, `y`: samples of one class, and their labels, all +1 or all -1.
    - `share`: of the samples, in (0, 1].
    - `certified`: radii within which no perturbation flips a sample.

    **Source:** theory D31.
    """
    check_samples(x, y)
    check_not_negative(certified=certified)
    count = least_flips(len(x), share)
    quantile = float(np.sort(certified)[count - 1])
    casts = [cast for cast in casts_of(network) if len(cast.leader.m)]
    bounds = [_Lead.of(cast, float(y[0]), x, len(x) - count).shortest() for cast in casts]
    return max([quantile, *(_LEAST * bound for bound in bounds)])


@dataclass(frozen=True)
class _Lead:
    """What the samples of a class ask of a vector that flips all of them but a few."""

    lead: Float[np.ndarray, " q"]
    """E_k."""
    gain: Float[np.ndarray, " q"]
    """A_k."""
    spread: Float[np.ndarray, " q"]
    """Width of each own group."""
    opposite: float
    """g."""
    stretch: float
    """S."""
    wide: float
    """What opposite groups may add by their widths, per unit of ‖δ‖, with what was left out."""
    left_out: float
    """What was left out may add at the samples themselves."""

    @classmethod
    def of(cls, cast: Cast, s: float, x: Float[np.ndarray, "n D"], spared: int) -> "_Lead":
        """What samples of label s ask, all but `spared` of them."""
        f, p = cast.leader, cast.leader.p
        own = f.s == s
        theirs = f.take(~own)
        gains = cast.whole.m ** (1 / p)
        views, size = gains * (x @ cast.whole.u.T), np.linalg.norm(x, axis=1)
        doubt = DOUBT * sum(
            float(positive_length(gains[cast.whole.s == side], p)) for side in (s, -s)
        )

        # The lead of each group, where the samples that may be spared are those it is largest at.
        against = (cast.whole.s == -s) & (cast.group >= 0)
        zeta = positive_length(views[:, against], p) + doubt * size
        groups = np.flatnonzero(own)
        leads = [positive_length(views[:, cast.group == k], p) - zeta for k in groups]
        lead = np.array([np.sort(one)[len(x) - 1 - spared] for one in leads])

        rows, spread = rows_of(theirs), cast.spread(Norm.L2)
        opposite = largest_singular(rows) if len(rows) else 1.0
        stacked = np.concatenate([f.u[own], rows / opposite])
        wide = float(positive_length(theirs.m ** (1 / p) * spread[~own], p))
        rest = cast.rest ** (1 / p)
        return cls(
            lead=lead,
            gain=f.m[own] ** (1 / p),
            spread=spread[own],
            opposite=opposite if len(rows) else 0.0,
            stretch=largest_singular(stacked) if len(stacked) else 1.0,
            wide=wide + rest + doubt,
            left_out=rest * float(size.max(initial=0)),
        )

    def shortest(self) -> float:
        """The length below which nothing meets what is asked."""
        if not (len(self.lead) and (self.lead > 0).any()):
            return 0.0
        low, high = 0.0, 2 * float(np.sum(np.maximum(self.lead, 0) / self.gain))
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            low, high = (middle, high) if self._too_short(middle) else (low, middle)
        return low

    def _too_short(self, length: float) -> bool:
        """Whether min_Z Σ_k [(E_k - Z)/A_k]₊² + Z²/g² is above S² ‖δ‖²."""
        ahead = self.lead - self.left_out - self.wide * length

        def falls(Z: float) -> Float[np.ndarray, " q"]:
            return np.maximum((ahead - Z) / self.gain - self.spread * length, 0)

        # Convex in Z: halve by the sign of its derivative.
        low, high = 0.0, max(float(ahead.max()), 0.0) if self.opposite else 0.0
        for _ in range(_HALVINGS):
            Z = (low + high) / 2
            rising = Z / max(self.opposite, 1e-300) ** 2 > (falls(Z) / self.gain).sum()
            low, high = (low, Z) if rising else (Z, high)
        rise = low / self.opposite if self.opposite else 0.0
        return float((falls(high) ** 2).sum() + rise**2) > (self.stretch * length) ** 2
