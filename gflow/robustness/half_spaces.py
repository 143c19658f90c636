"""Certified l2 radii for p > 1 by the half-spaces that one group of own neurons leaves.

One idea: with one own group only, y f > 0 is an intersection of half-spaces, and the radius is the
smallest distance to a face (theory D10).
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from gflow.network.geometry import largest_singular
from gflow.robustness.cast import Cast
from gflow.robustness.missing import Missing, lasting
from gflow.robustness.norm import Norm

_SHARES = np.geomspace(1e-9, 1, 80)  # ends of intervals of t


@dataclass(frozen=True)
class Lead:
    """What one group of own neurons sees of samples."""

    k: int
    """Its index among the leaders."""
    a: Float[np.ndarray, " n"]
    """(Σ m_j σ(<u_j, x>)^p)^{1/p} over the group."""
    speed: float
    """How fast `a` falls along a unit δ, at most."""
    z: Float[np.ndarray, "n h"]
    """<u_j, x> of all neurons of the cast."""


@dataclass(frozen=True)
class _Opposite:
    """The opposite groups, and the own one, as rows M^{1/p} u."""

    p: float
    own: Float[np.ndarray, " D"]
    rows: Float[np.ndarray, "q D"]
    views: Float[np.ndarray, "n q"]
    """g_l z_l, of the member of each group that sees most."""


def half_space_radii(
    cast: Cast, lead: Lead, missing: Missing, norm: Norm
) -> Float[np.ndarray, " n"]:
    """Certified l2 radii for one own group: the closest of the half-spaces y f > 0 contains.

    Without the other own neurons y f > 0 is an intersection of half-spaces, one for each β >= 0
    over the opposite groups with ‖β‖_{p*} <= 1, and the radius is the smallest distance to one,

        R = min_β (a - Σ_l β_l g_l z_l)/‖A u_k - Σ_l β_l g_l u_l‖ ,   g = M^{1/p} .

    That ratio is quasi-concave along rays, so only β = 0, which gives a/A, and ‖β‖_{p*} = 1 count.
    Let l have the largest β_l, and the others hold t = 1 - β_l^{p*} <= 1 - 1/q of it.  Their part
    of the numerator is at most t^{1/p*} ‖g z₊‖_p.  Their ‖·‖₂ is at most t^{1/p*} and, as none is
    above β_l, √(t (1-t)^{2/p*-1}); for p < 2 it is at most q^{1/p-1/2} t^{1/p*}.  What is left is a
    minimum over l and t, bounded interval by interval.
    """
    f, p, k, a = cast.leader, cast.leader.p, lead.k, lead.a

    # β = 0: the boundary of the half-space in which the own group is awake.
    theirs = np.flatnonzero(f.s == -f.s[k]).tolist()
    alone = lasting(a, a, lead.speed, lead.speed, missing=missing)
    if not theirs:
        return alone

    # ‖β‖_{p*} = 1: one face for each group that may have the largest β, and each interval of t.
    # Groups are not points: `wide` is how much more a δ may do to members than to leaders.
    gain = f.m[theirs] ** (1 / p)
    wide = lead.speed - f.m[k] ** (1 / p)
    wide = wide + np.linalg.norm(gain * cast.spread(norm)[theirs], ord=p)
    views = np.stack([lead.z[:, cast.group == i].max(axis=1) for i in theirs], axis=1)
    opposite = _Opposite(p, f.m[k] ** (1 / p) * f.u[k], gain[:, None] * f.u[theirs], gain * views)
    faces = [_face(opposite, i) for i in range(len(theirs))]
    ahead = [a[:, None] - part for part, _ in faces]
    rates = [rate + wide for _, rate in faces]

    # The cost of what was left out is taken at the closest face, beyond which no radius reaches.
    nearest = np.min([(x / rate).min(axis=1) for x, rate in zip(ahead, rates, strict=True)], axis=0)
    cost = missing.cost(a, lead.speed, np.maximum(nearest, 0))[:, None]
    radii = [((x - cost) / rate).min(axis=1) for x, rate in zip(ahead, rates, strict=True)]
    return np.maximum(np.minimum(np.min(radii, axis=0), alone), 0)


def _face(opposite: _Opposite, i: int) -> tuple[Float[np.ndarray, "n t"], Float[np.ndarray, " t"]]:
    """For group i at most, interval by interval of t: Σ_l β_l g_l z_l, and the rate."""
    # Intervals [t0, t1] of t, and at their ends β_i and the ‖·‖_{p*} of the other β.
    p, q = opposite.p, len(opposite.rows)
    dual, most = p / (p - 1), 1 - 1 / q
    t0 = np.append(0.0, _SHARES[most > _SHARES])
    t1 = np.append(t0[1:], most)
    low, high, others = (share ** (1 / dual) for share in (1 - t1, 1 - t0, t1))

    # The numerator: group i with the end of the interval that makes more of it, and the others.
    mine = opposite.views[:, i, None]
    beside = np.delete(np.maximum(opposite.views, 0), i, axis=1)
    part = np.where(mine > 0, high, low) * mine
    part = part + np.linalg.norm(beside, ord=p, axis=1)[:, None] * others

    # The denominator, from the ‖·‖₂ of the other β.
    if p >= 2:
        spread = np.minimum(others, np.sqrt(t1 * (1 - t0) ** (2 / dual - 1)))
    else:
        spread = others * max(q - 1, 1) ** (1 / p - 1 / 2)
    return part, _face_rate(opposite, i, high, spread)


def _face_rate(
    opposite: _Opposite, i: int, lead: Float[np.ndarray, " t"], others: Float[np.ndarray, " t"]
) -> Float[np.ndarray, " t"]:
    """‖A u_k - Σ_l β_l g_l u_l‖ at most, for β_i <= lead and the other β of ‖·‖₂ <= others."""
    own, row, rows = opposite.own, opposite.rows[i], np.delete(opposite.rows, i, axis=0)
    toward, between = (np.linalg.norm(np.maximum(c, 0)) for c in (-rows @ own, rows @ row))
    # Convex in β_i, so at most the larger of the ends 0 and `lead`.
    pair = np.maximum(own @ own, own @ own - 2 * lead * (own @ row) + lead**2 * (row @ row))
    more = (largest_singular(rows) * others) ** 2
    return np.sqrt(pair + more + 2 * others * (toward + lead * between))
