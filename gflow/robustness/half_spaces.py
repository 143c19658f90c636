"""Certified l2 radii for p > 1 by the half-spaces that one group of own neurons leaves.

One idea: with one own group only, y f > 0 is an intersection of half-spaces, and the radius is the
smallest distance to a face (theory D10).
"""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from gflow.network.geometry import largest_singular
from gflow.robustness.cast import Cast
from gflow.robustness.lengths import positive_length
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


@dataclass(frozen=True)
class Opposite:
    """The groups of one sign, the opposite ones of samples of the other, as rows M^{1/p} u."""

    p: float
    rows: Float[np.ndarray, "q D"]
    views: Float[np.ndarray, "n q"]
    """g_l z_l, of the member of each group that sees most."""
    wide: float
    """How much more a δ may do to members than to leaders."""

    @classmethod
    def of(cls, cast: Cast, sign: float, z: Float[np.ndarray, "n h"], norm: Norm) -> "Opposite":
        """The groups of a sign, which see <u_j, x> = `z` of samples."""
        f = cast.leader
        groups = np.flatnonzero(f.s == sign)
        gain = f.m[groups] ** (1 / f.p)
        views = [z[:, cast.group == i].max(axis=1) for i in groups.tolist()]
        return cls(
            f.p,
            gain[:, None] * f.u[groups],
            gain * np.stack(views, axis=1) if views else np.zeros((len(z), 0)),
            float(positive_length(gain * cast.spread(norm)[groups], f.p)),
        )

    @cached_property
    def faces(self) -> "list[_Face]":
        """One face for each group that may have the largest β."""
        return [_face(self, i) for i in range(len(self.rows))]


class _Face(NamedTuple):
    """One group has the largest β, interval by interval of t; the own group plays no part."""

    part: Float[np.ndarray, "n t"]
    """Σ_l β_l g_l z_l, at most."""
    lead: Float[np.ndarray, " t"]
    """β_i, at most."""
    others: Float[np.ndarray, " t"]
    """‖·‖₂ of the other β, at most."""
    spectral: float
    """Largest singular value of the other rows."""
    between: float
    """‖[<g_l u_l, g_i u_i>]₊‖₂ over the other l."""


def half_space_radii(
    cast: Cast, lead: Lead, opposite: Opposite, missing: Missing
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
    alone = lasting(a, a, lead.speed, lead.speed, missing=missing)
    if not len(opposite.rows):
        return alone

    # ‖β‖_{p*} = 1: one face for each group that may have the largest β, and each interval of t.
    # Groups are not points: `wide` is how much more a δ may do to members than to leaders.
    length = f.m[k] ** (1 / p)
    wide = lead.speed - length + opposite.wide
    ahead = [a[:, None] - face.part for face in opposite.faces]
    rates = [rate + wide for rate in _rates(opposite, length * f.u[k])]

    # The cost of what was left out is taken at the closest face, beyond which no radius reaches.
    nearest = np.min([(x / rate).min(axis=1) for x, rate in zip(ahead, rates, strict=True)], axis=0)
    cost = missing.cost(a, lead.speed, np.maximum(nearest, 0))[:, None]
    radii = [((x - cost) / rate).min(axis=1) for x, rate in zip(ahead, rates, strict=True)]
    return np.maximum(np.minimum(np.min(radii, axis=0), alone), 0)


def _face(opposite: Opposite, i: int) -> _Face:
    # Intervals [t0, t1] of t, and at their ends β_i and the ‖·‖_{p*} of the other β.
    p, q = opposite.p, len(opposite.rows)
    dual, most = p / (p - 1), 1 - 1 / q
    t0 = np.append(0.0, _SHARES[most > _SHARES])
    t1 = np.append(t0[1:], most)
    low, high, others = (share ** (1 / dual) for share in (1 - t1, 1 - t0, t1))

    # The numerator: group i with the end of the interval that makes more of it, and the others.
    mine = opposite.views[:, i, None]
    beside = np.delete(opposite.views, i, axis=1)
    part = np.where(mine > 0, high, low) * mine
    part = part + positive_length(beside, p)[:, None] * others

    # The denominator, from the ‖·‖₂ of the other β.
    if p >= 2:
        spread = np.minimum(others, np.sqrt(t1 * (1 - t0) ** (2 / dual - 1)))
    else:
        spread = others * max(q - 1, 1) ** (1 / p - 1 / 2)
    row, rows = opposite.rows[i], np.delete(opposite.rows, i, axis=0)
    between = float(np.linalg.norm(np.maximum(rows @ row, 0)))
    return _Face(part, high, spread, largest_singular(rows), between)


def _rates(opposite: Opposite, own: Float[np.ndarray, " D"]) -> list[Float[np.ndarray, " t"]]:
    """‖A u_k - Σ_l β_l g_l u_l‖ at most, face by face, for β_i <= lead and others as they are."""
    inner = opposite.rows @ own
    rates = []
    for i, face in enumerate(opposite.faces):
        toward = np.linalg.norm(np.maximum(-np.delete(inner, i), 0))
        square = own @ own
        # Convex in β_i, so at most the larger of the ends 0 and `lead`.
        row = opposite.rows[i]
        end = square - 2 * face.lead * inner[i] + face.lead**2 * (row @ row)
        more = (face.spectral * face.others) ** 2
        cross = 2 * face.others * (toward + face.lead * face.between)
        rates.append(np.sqrt(np.maximum(square, end) + more + cross))
    return rates
