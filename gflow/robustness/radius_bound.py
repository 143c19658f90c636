"""Certified radii: within them no perturbation flips a prediction.

One idea: ‖·‖_p turns y f > 0 into a comparison of lengths, that of what own neurons see and that of
what opposite ones see, and a perturbation changes either at a known rate at most.  So a radius
follows in closed form (theory D10), in any norm.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from gflow.network.condense import Population, largest_singular
from gflow.network.prelu import Network
from gflow.robustness.cast import Cast
from gflow.robustness.norm import Norm

_MOST_SETS = 12  # opposite neurons whose sets are enumerated at p = 1
_MOST_TOGETHER = 500  # neurons whose largest singular values are affordable
_SHARES = np.geomspace(1e-9, 1, 80)  # ends of intervals of t


class _Rest(NamedTuple):
    """What was left out of f, at most `bound` ‖x‖₂^p, seen from samples."""

    bound: float
    p: float
    size: Float[np.ndarray, " n"]
    """‖x‖₂."""
    stretch: float
    """max ‖δ‖₂/‖δ‖."""

    def cost(self, own, own_rate, R):
        """By how much a - ζ must exceed Λ R so that the rest changes nothing within R.

        What own neurons see is a - own_rate R at least, T, so (T^p - rest)^{1/p} misses T by at
        most what is returned; or, by the triangle inequality, by rest^{1/p}.
        """
        missing = self.bound * (self.size + self.stretch * R) ** self.p
        least = np.maximum(own - own_rate * R, 0)
        left = least**self.p - missing
        exact = least - np.maximum(left, 0) ** (1 / self.p)
        return np.where(left > 0, exact, missing ** (1 / self.p))


def certified_radii(
    network: Network | Population | Cast,
    x: Float[np.ndarray, "n D"],
    y: Float[np.ndarray, " n"],
    rest: float = 0.0,
    norm: Norm = Norm.L2,
) -> Float[np.ndarray, " n"]:
    """A radius within which y f(x + δ) > 0, sample by sample.

        R = (a - ζ - κ)/Λ

    for a set T of own neurons: a = (Σ_T m_j σ(<u_j, x>)^p)^{1/p} and, over the opposite neurons,
    ζ = (Σ_opp m_l σ(<u_l, x>)^p)^{1/p}; κ is what the rest may cost (`_Rest.cost`).  Λ is at most
    how fast a - ζ falls along a unit perturbation, that is the largest of

        ‖m_j^{1/p} [-<u_j, δ>]₊‖_p over T + ‖m_l^{1/p} [<u_l, δ>]₊‖_p over opp ,  ‖δ‖ <= 1 .

    It is convex in δ, so in l1 it is the largest over the axes, exactly; in l∞ it is at most the
    sum of ‖m^{1/p} ‖u‖₁‖_p over either; in l2 see `_rate_by_groups`, `_by_faces` and
    `_together`.  The best T and the best bound count.  At p = 1, where the network is linear but
    for gates,

        R = min_S (<w, x> - rest ‖x‖₂)/(‖w‖* + rest max ‖δ‖₂/‖δ‖) ,   w = Σ_T M_k u_k - Σ_S M_l u_l

    over all sets S of opposite groups, T the own ones awake at x, is often exact.

    **Arguments:**

    - `network`: f, of few neurons or groups: the cost grows with their number.
    - `x`, `y`: samples and their labels ±1.
    - `rest`: upper bound on what was left out of f on the unit ball, homogeneous of degree p, in
        units of e^{log_scale}.
    - `norm`: in which δ is measured.

    **Returns:** radii, 0 where nothing is certified.

    **Source:** theory D10.
    """
    cast = network if isinstance(network, Cast) else Cast.alone(network)
    found = np.zeros(len(x))
    for s in (1.0, -1.0):
        some = y * s > 0
        if some.any():
            found[some] = _certified_of_class(cast, s, x[some], rest + cast.rest, norm)
    return found


def _certified_of_class(cast, s, x, bound, norm):
    """Certified radii of samples of one label."""
    f, p = cast.leader, cast.leader.p
    rest = _Rest(bound, p, np.linalg.norm(x, axis=1), norm.of_l2(x.shape[1]))
    z = x @ cast.whole.u.T
    powers = cast.whole.m * np.maximum(z, 0) ** p
    against = (cast.whole.s == -s) & (cast.group >= 0)
    zeta = powers[:, against].sum(axis=1) ** (1 / p)
    found = np.zeros(len(x))
    for k in np.flatnonzero(f.s == s).tolist():
        a = powers[:, cast.group == k].sum(axis=1) ** (1 / p)
        if norm is Norm.L2:
            speed = f.m[k] ** (1 / p) * (1 + cast.spread(norm)[k])
            radius = _lasting(a, a - zeta, speed, _rate_by_groups(cast, k), rest)
            found = np.maximum(found, radius)
            if p > 1:
                found = np.maximum(found, _by_faces(cast, k, z, a, speed, rest))
        else:
            rate = _rate(cast, k, against, norm)
            found = np.maximum(found, _lasting(a, a - zeta, rate, rate, rest))
    theirs = f.take(f.s == -s)
    if p == 1 and len(theirs.m) <= _MOST_SETS:
        gated = _gated_radii(f.take(f.s == s), theirs, x, bound + cast.merged, norm)
        found = np.maximum(found, gated)
    return found


def _lasting(own, ahead, own_rate, rate, rest):
    """(a - ζ - κ)/Λ: κ grows with R, so it is taken at the radius that there is without it."""
    longest = np.maximum(ahead / rate, 0)
    return np.maximum((ahead - rest.cost(own, own_rate, longest)) / rate, 0)


def _rate(cast, k, against, norm):
    """Λ in l1 and l∞, neuron by neuron."""
    p = cast.whole.p
    own, other = (
        cast.whole.m[some, None] ** (1 / p) * cast.whole.u[some]
        for some in (cast.group == k, against)
    )
    if norm is Norm.LINF:
        return sum(np.linalg.norm(np.abs(rows).sum(axis=1), ord=p) for rows in (own, other))
    up = _length(-own, p) + _length(other, p)
    down = _length(own, p) + _length(-other, p)
    return float(max(up.max(), down.max()))


def _length(rows, p):
    """‖[·]₊‖_p of each column."""
    return (np.maximum(rows, 0) ** p).sum(axis=0) ** (1 / p)


def _rate_by_groups(cast: Cast, k: int) -> float:
    """Λ in l2, at most that of the leaders and what each member may add to it.

    With A and M^{1/p} the roots of the masses of group k and of the opposite groups, and η their
    widths: A η_k + ‖M^{1/p} η‖_p, and the rate of the leaders, `_fastest_loss`.
    """
    f, p, spread = cast.leader, cast.leader.p, cast.spread(Norm.L2)
    theirs, length = f.s == -f.s[k], f.m[k] ** (1 / f.p)
    wide = float((f.m[theirs] @ spread[theirs] ** p) ** (1 / p))
    return _fastest_loss(f.u[k], length, f.take(theirs)) + float(length * spread[k]) + wide


def _fastest_loss(u: Float[np.ndarray, " D"], length: float, theirs: Population) -> float:
    """How fast A <u, x> - ‖M^{1/p} σ(<u_l, x>)‖_p falls along a unit δ of l2, at most.

    It is the largest ‖-A u + Σ_l β_l M_l^{1/p} u_l‖ over β >= 0 with ‖β‖_{p*} <= 1, and for
    β_l = γ_l/c_l with ‖γ‖₂ <= 1 that is at most the smaller of

        s √(A² + C²) ,   √(A² + s_V² + 2A ‖[-V u]₊‖)

    s the largest singular value of u and the u_l, C the largest M_l^{1/p}/c_l, V the rows
    (M_l^{1/p}/c_l) u_l and s_V theirs.  Such γ exist for c = 1 if p >= 2, and by Hölder's
    inequality for every c with ‖c²‖_{p/(2-p)} = 1 if p < 2, where c ∝ 1 and c ∝ M^{1/p} are tried.
    """
    if not len(theirs.m):
        return float(length)
    p, gain = theirs.p, theirs.m ** (1 / theirs.p)
    together = largest_singular(np.concatenate([u[None], theirs.u]))
    if p >= 2:
        tried = [gain]
    else:
        order = 2 * p / (2 - p)
        tried = [gain * len(gain) ** (1 / order), np.full(len(gain), np.linalg.norm(gain, order))]
    return min(_loss_bound(u, length, theirs.u, gains, together) for gains in tried)


def _loss_bound(u, length, directions, gains, together):
    """The smaller of the two bounds of `_fastest_loss` for gains M^{1/p}/c."""
    rows = gains[:, None] * directions
    first = together * np.hypot(length, gains.max())
    toward = np.linalg.norm(np.maximum(-rows @ u, 0))
    second = np.sqrt(length**2 + largest_singular(rows) ** 2 + 2 * length * toward)
    return float(min(first, second))


def _by_faces(cast: Cast, k: int, z, a, speed: float, rest: _Rest):
    """Certified l2 radii for one own group (n,): the closest of the half-spaces y f > 0 contains.

    Without the other own neurons y f > 0 is an intersection of half-spaces, one for each β >= 0
    over the opposite groups with ‖β‖_{p*} <= 1, and the radius is the smallest distance to one,

        R = min_β (a - Σ_l β_l g_l z_l)/‖A u_k - Σ_l β_l g_l u_l‖ ,   g = M^{1/p} .

    That ratio is quasi-concave along rays, so only β = 0, which gives a/A, and ‖β‖_{p*} = 1 count.
    Let l have the largest β_l, and the others hold t = 1 - β_l^{p*} <= 1 - 1/q of it.  Their part
    of the numerator is at most t^{1/p*} ‖g z₊‖_p.  Their ‖·‖₂ is at most t^{1/p*} and, as none is
    above β_l, √(t (1-t)^{2/p*-1}); for p < 2 it is at most q^{1/p-1/2} t^{1/p*}.  What is left is a
    minimum over l and t, bounded interval by interval.
    """
    f, p = cast.leader, cast.leader.p
    theirs = np.flatnonzero(f.s == -f.s[k]).tolist()
    alone = _lasting(a, a, speed, speed, rest)
    if not theirs:
        return alone
    u, gain = f.u[theirs], f.m[theirs] ** (1 / p)
    wide = speed - f.m[k] ** (1 / p) + np.linalg.norm(gain * cast.spread(Norm.L2)[theirs], ord=p)
    # What each group sees, at most: its member that sees most.
    seen = gain * np.stack([z[:, cast.group == i].max(axis=1) for i in theirs], axis=1)
    own, rows = f.m[k] ** (1 / p) * f.u[k], gain[:, None] * u
    faces = [_face(own, rows, seen, i, p) for i in range(len(theirs))]
    ahead = [a[:, None] - part for part, _ in faces]
    rates = [rate + wide for _, rate in faces]
    nearest = np.min([(x / rate).min(axis=1) for x, rate in zip(ahead, rates, strict=True)], axis=0)
    cost = rest.cost(a, speed, np.maximum(nearest, 0))[:, None]
    found = [((x - cost) / rate).min(axis=1) for x, rate in zip(ahead, rates, strict=True)]
    return np.maximum(np.minimum(np.min(found, axis=0), alone), 0)


def _face(own, rows, seen, i, p):
    """For group i at most, interval by interval of t: Σ_l β_l g_l z_l (n, q), the rate (q,)."""
    dual, q = p / (p - 1), len(rows)
    most = 1 - 1 / q
    t0 = np.append(0.0, _SHARES[most > _SHARES])
    t1 = np.append(t0[1:], most)
    low, high, others = (share ** (1 / dual) for share in (1 - t1, 1 - t0, t1))
    mine = seen[:, i, None]
    part = np.where(mine > 0, high, low) * mine + _without(seen, i, p)[:, None] * others
    if p >= 2:
        spread = np.minimum(others, np.sqrt(t1 * (1 - t0) ** (2 / dual - 1)))
    else:
        spread = others * max(q - 1, 1) ** (1 / p - 1 / 2)
    return part, _face_rate(own, rows, i, high, spread)


def _without(seen, i, p):
    """‖[·]₊‖_p of all columns but one."""
    return np.linalg.norm(np.delete(np.maximum(seen, 0), i, axis=1), ord=p, axis=1)


def _face_rate(own, rows, i, lead, others):
    """‖A u_k - Σ_l β_l g_l u_l‖ at most, for β_i <= lead and the other β of ‖·‖₂ <= others."""
    row, rows = rows[i], np.delete(rows, i, axis=0)
    toward, between = (np.linalg.norm(np.maximum(c, 0)) for c in (-rows @ own, rows @ row))
    # Convex in β_i, so at most the larger of the ends 0 and `lead`.
    pair = np.maximum(own @ own, own @ own - 2 * lead * (own @ row) + lead**2 * (row @ row))
    more = (largest_singular(rows) * others) ** 2
    return np.sqrt(pair + more + 2 * others * (toward + lead * between))


def radii_together(
    network: Network | Population,
    x: Float[np.ndarray, "n D"],
    y: Float[np.ndarray, " n"],
    rest: float = 0.0,
) -> Float[np.ndarray, " n"]:
    """Certified l2 radii with all own neurons together, whatever their directions.

    For any weights with ‖m^{1/p} z‖_p <= ‖W z‖₂, rows W_+ of own and W_- of opposite neurons,

        Λ <= min_c √λ_max((1 + c) W₊ᵀW₊ + (1 + 1/c) W₋ᵀW₋) ;

    rows m^{1/p} u for p >= 2, M^{1/p-1/2} √m u for p < 2, M the mass of the class.  It is for
    networks that are not a few groups (p = 2), and for p < 2, where it sees tilts squared.

    **Arguments:** as for `certified_radii`; at most 500 neurons, or nothing is certified.
    """
    f = (network if isinstance(network, Population) else Population.of(network)).distinct
    f = f.take(f.m > 0)
    found = np.zeros(len(x))
    if len(f.m) > _MOST_TOGETHER:
        return found
    for s in (1.0, -1.0):
        some = y * s > 0
        if some.any() and (f.s == s).any():
            found[some] = _together(f, s, x[some], rest)
    return found


def _together(f, s, x, bound):
    p, own = f.p, f.s == s
    rest = _Rest(bound, p, np.linalg.norm(x, axis=1), 1.0)
    powers = f.m * np.maximum(x @ f.u.T, 0) ** p
    a, zeta = (powers[:, side].sum(axis=1) ** (1 / p) for side in (own, ~own))
    mine, theirs = (_weighted(f.take(side)) for side in (own, ~own))
    speed, against = largest_singular(mine), largest_singular(theirs)
    return _lasting(a, a - zeta, speed, _joint_rate(mine, theirs, speed, against), rest)


def _joint_rate(mine, theirs, speed, against):
    """min_c √λ_max((1 + c) W₊ᵀW₊ + (1 + 1/c) W₋ᵀW₋), convex in c, near (s₋/s₊)²."""
    if not len(theirs):
        return speed

    def rate(log_c):
        c = float(np.exp(log_c))
        return largest_singular(
            np.concatenate([(1 + c) ** 0.5 * mine, (1 + 1 / c) ** 0.5 * theirs])
        )

    best = 2 * np.log(against / speed)
    for width in (1.0, 0.25, 0.06):
        best = min(best + width * np.linspace(-1, 1, 5), key=rate)
    return rate(best)


def _weighted(f):
    if f.p >= 2:
        return f.m[:, None] ** (1 / f.p) * f.u
    return f.m.sum() ** (1 / f.p - 1 / 2) * np.sqrt(f.m)[:, None] * f.u


def _gated_radii(mine, theirs, x, rest, norm):
    """p = 1: min over sets of opposite neurons, each own one counted as it is gated at x (n,).

    y f(x') >= <w, x'> - rest ‖x'‖₂ for the set S awake at x', since σ(z) is at least z and 0.
    """
    own, other = (f.m[:, None] * f.u for f in (mine, theirs))
    q = len(other)
    sets = np.indices((2,) * q).reshape(q, 2**q).T @ other
    size, awake = np.linalg.norm(x, axis=1), x @ mine.u.T > 0
    patterns, which = np.unique(awake, axis=0, return_inverse=True)
    found = np.zeros(len(x))
    for pattern, gates in enumerate(patterns):
        some = which.ravel() == pattern
        w = gates @ own - sets
        ahead = x[some] @ w.T - rest * size[some, None]
        rate = np.asarray(norm.dual.size(w)) + rest * norm.of_l2(x.shape[1])
        lasts = np.divide(ahead, rate, out=np.zeros_like(ahead), where=rate > 0)
        found[some] = lasts.min(axis=1)
    return np.maximum(found, 0)
