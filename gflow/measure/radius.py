"""The l2 radius at which a prediction falls, sample by sample, as [certified, attacked].

One idea: with x's own neuron k, ‖·‖_p turns y f > 0 into a comparison of lengths that a
perturbation changes at a known rate at most, so a certified radius follows in closed form (theory
D10).  Certificate and attack both work on the condensed network; what condensing left out is
inside the first, and the second is verified on the whole network.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from gflow.measure.attack import attack, share_beyond
from gflow.network.condense import Population, condense, largest_singular
from gflow.network.prelu import Network

FEW = 40
"""Neurons that an attack can afford."""

_COARSER = (
    *((angle, 1e-12) for angle in (1e-6, 1e-4, 1e-3, 1e-2, 0.03, 0.1)),
    *((0.1, share) for share in (1e-9, 1e-6, 1e-4, 1e-2)),
)
_LONGER = 1 + np.concatenate([[0], 10.0 ** np.arange(-9, -0.5)])
_MOST_SETS = 12  # opposite neurons whose sets are enumerated at p = 1
_ENTRIES = 1 << 25  # of samples times neurons held at once


class Radii(NamedTuple):
    """Between what no perturbation does and what one was found to do."""

    certified: Float[np.ndarray, " n"]
    """No perturbation of this norm or less flips the sample; 0 where nothing is certified."""
    attacked: Float[np.ndarray, " n"]
    """A perturbation of this norm flips it; inf where none was found, 0 where it is wrong."""
    neurons: int
    """Neurons of the condensed network."""

    def accuracy(
        self, R: Float[np.ndarray, " B"]
    ) -> tuple[Float[np.ndarray, " B"], Float[np.ndarray, " B"]]:
        """Robust accuracy at radii R, between certified and attacked."""
        return share_beyond(self.certified, R), share_beyond(self.attacked, R)


def radii(
    network: Network | Population,
    x: Float[np.ndarray, "n D"],
    y: Float[np.ndarray, " n"],
    seed: int,
    left_out: float = 0.0,
) -> Radii:
    """Bracket the distance of every sample to the nearest input of the wrong sign.

    **Arguments:**

    - `network`: f, of any power and number of neurons.
    - `x`, `y`: samples and their labels ±1.
    - `seed`: of the attack.
    - `left_out`: bound on what is missing from f on the unit ball already, as a share of Σ_j m_j.

    **Returns:** `Radii`; certified <= attacked up to rounding.

    **Source:** theory D10.
    """
    whole = (network if isinstance(network, Population) else Population.of(network)).distinct
    casts = _casts(whole)
    missing = left_out * float(whole.m.sum())
    certified = np.max([certified_radii(cast, x, y, missing) for cast in casts], axis=0)
    found = attack(casts[-1].leader, x, y, seed)
    attacked = found.radius * _stretch(whole, x, y, found.coordinates @ found.basis.T)
    return Radii(certified, attacked, len(casts[-1].leader.m))


@dataclass(frozen=True)
class Cast:
    """A network, the few neurons that stand for it, and how far each neuron is from its leader."""

    whole: Population
    """All neurons, without those of no contribution."""
    leader: Population
    """The condensed network."""
    group: Int[np.ndarray, " h"]
    """The leader of each neuron; -1 for the rest."""
    rest: float
    """Σ m_j over the rest, in units of e^{log_scale}."""
    merged: float
    """Upper bound on what turning neurons to their leaders changes of f on the unit ball."""

    @classmethod
    def alone(cls, network: Network | Population) -> "Cast":
        """Every neuron stands for itself."""
        f = network if isinstance(network, Population) else Population.of(network)
        f = f.distinct.take(f.distinct.m > 0)
        return cls(f, f, np.arange(len(f.m)), 0.0, 0.0)

    @property
    def spread(self) -> Float[np.ndarray, " q"]:
        """η: the largest ‖u_j - ū‖ in each group."""
        free = self.group >= 0
        chord = np.linalg.norm(self.whole.u[free] - self.leader.u[self.group[free]], axis=1)
        widest = np.zeros(len(self.leader.m))
        np.maximum.at(widest, self.group[free], chord)
        return widest


def _casts(f: Population) -> list[Cast]:
    """Ever fewer neurons, `FEW` at most, that stand for the network; the coarsest if there is none.

    Each gives a certificate: fewer neurons have less to lose, wider groups lose it faster.
    """
    alone = Cast.alone(f)
    casts = [alone]
    for angle, rest_share in _COARSER:
        found = condense(alone.whole, angle, rest_share)
        cast = Cast(alone.whole, found.population, found.membership, found.rest, found.merge_error)
        if len(cast.leader.m) < len(casts[-1].leader.m):
            casts.append(cast)
    return [cast for cast in casts if len(cast.leader.m) <= FEW] or casts[-1:]


def _stretch(f, x, y, delta):
    """The least factor tried by which δ flips the whole network; inf where none does."""
    found = np.full(len(x), np.inf)
    rows = max(_ENTRIES // max(len(f.m), 1), 1)
    for begin in range(0, len(x), rows):
        some = slice(begin, begin + rows)
        z, dz = x[some] @ f.u.T, delta[some] @ f.u.T
        for factor in _LONGER[::-1]:
            value = y[some] * (np.maximum(z + factor * dz, 0) ** f.p @ (f.s * f.m))
            found[some] = np.where(value <= 0, factor, found[some])
    return found


def certified_radii(
    network: Network | Population | Cast,
    x: Float[np.ndarray, "n D"],
    y: Float[np.ndarray, " n"],
    rest: float = 0.0,
) -> Float[np.ndarray, " n"]:
    """A radius within which y f(x + δ) > 0, sample by sample.

        R = (a - ζ - rest^{1/p} ‖x‖)/(Λ + A η_k + ‖M^{1/p} η‖_p + rest^{1/p})

    for a group k of own neurons about u_k: a = (Σ_{N_k} m_j σ(<u_j, x>)^p)^{1/p}, A the root of its
    mass, η_k its largest ‖u_j - u_k‖; ζ = (Σ_opp m_l σ(<u_l, x>)^p)^{1/p}, M and η the masses and
    widths of the opposite groups.  Λ is at most how fast A <u_k, x> - ‖M^{1/p} σ(<u_l, x>)‖_p
    falls: the smaller of s √(A² + B²), s the largest singular value of u_k and the opposite u_l, B
    the largest M^{1/p}, and of √(A² + s_V² + 2A ‖[-V u_k]₊‖), V the rows M_l^{1/p} u_l; for p < 2,
    B and V are larger by q^{1/p-1/2}, q the number of opposite groups.  The best group counts.
    At p = 1, where the network is linear but for gates,

        R = min_S (<w, x> - rest ‖x‖)/(‖w‖ + rest) ,   w = Σ_T M_k u_k - Σ_S M_l u_l

    over all sets S of opposite groups, T the own ones awake at x, is often exact.

    **Arguments:**

    - `network`: f, of few neurons or groups: the cost grows with their number.
    - `x`, `y`: samples and their labels ±1.
    - `rest`: upper bound on what was left out of f on the unit ball, homogeneous of degree p, in
        units of e^{log_scale}.

    **Returns:** radii, 0 where nothing is certified.

    **Source:** theory D10.
    """
    cast = network if isinstance(network, Cast) else Cast.alone(network)
    found = np.zeros(len(x))
    for s in (1.0, -1.0):
        some = y * s > 0
        if some.any():
            found[some] = _certified_of_class(cast, s, x[some], rest + cast.rest)
    return found


def _certified_of_class(cast, s, x, rest):
    """Certified radii of samples of one label."""
    f, p, spread = cast.leader, cast.leader.p, cast.spread
    size = np.linalg.norm(x, axis=1)
    powers = cast.whole.m * np.maximum(x @ cast.whole.u.T, 0) ** p
    against = (cast.whole.s == -s) & (cast.group >= 0)
    zeta = powers[:, against].sum(axis=1) ** (1 / p)
    theirs, left = f.take(f.s == -s), rest ** (1 / p)
    wide = float((theirs.m @ spread[f.s == -s] ** p) ** (1 / p)) + left
    found = np.zeros(len(x))
    for k in np.flatnonzero(f.s == s):
        length = f.m[k] ** (1 / p)
        ahead = powers[:, cast.group == k].sum(axis=1) ** (1 / p) - zeta - left * size
        rate = _fastest_loss(f.u[k], length, theirs) + length * spread[k] + wide
        found = np.maximum(found, ahead / rate)
    if p == 1 and len(theirs.m) <= _MOST_SETS:
        gated = _gated_radii(f.take(f.s == s), theirs, x, rest + cast.merged)
        found = np.maximum(found, gated)
    return found


def _gated_radii(mine, theirs, x, rest):
    """p = 1: min over sets of opposite neurons, each own one counted as it is gated at x (n,).

    y f(x') >= <w, x'> - rest ‖x'‖ for the set S awake at x', since σ(z) is at least z and 0.
    """
    basis = np.linalg.svd(np.concatenate([mine.u, theirs.u]).T, full_matrices=False)[0]
    own, other = (f.m[:, None] * f.u @ basis for f in (mine, theirs))
    sets = np.indices((2,) * len(other)).reshape(len(other), -1).T @ other
    place, size = x @ basis, np.linalg.norm(x, axis=1)
    awake, which = np.unique(x @ mine.u.T > 0, axis=0, return_inverse=True)
    found = np.zeros(len(x))
    for pattern, gates in enumerate(awake):
        some = which.ravel() == pattern
        w = gates @ own - sets
        ahead = place[some] @ w.T - rest * size[some, None]
        rate = np.linalg.norm(w, axis=1) + rest
        lasts = np.divide(ahead, rate, out=np.zeros_like(ahead), where=rate > 0)
        found[some] = lasts.min(axis=1)
    return np.maximum(found, 0)


def _fastest_loss(u: Float[np.ndarray, " D"], length: float, theirs: Population) -> float:
    """Λ: at most how fast A z_k - ζ falls along a unit perturbation."""
    if not len(theirs.m):
        return length
    p, gain = theirs.p, theirs.m ** (1 / theirs.p)
    gain = gain * len(gain) ** max(1 / p - 1 / 2, 0)
    rows = gain[:, None] * theirs.u
    together = largest_singular(np.concatenate([u[None], theirs.u]))
    first = together * np.hypot(length, gain.max())
    toward = np.linalg.norm(np.maximum(-rows @ u, 0))
    second = np.sqrt(length**2 + largest_singular(rows) ** 2 + 2 * length * toward)
    return float(min(first, second))
