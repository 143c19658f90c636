"""Certified radii: within them no perturbation flips a prediction.

One idea: ‖·‖_p turns y f > 0 into a comparison of lengths, that of what own neurons see and that of
what opposite ones see, and a perturbation changes either at a known rate at most.  So a radius
follows in closed form (theory D10), in any norm.
"""

import numpy as np
from jaxtyping import Float

from gflow.data.checks import check_not_negative, check_samples
from gflow.network.geometry import largest_singular
from gflow.network.population import Population
from gflow.network.prelu import Network
from gflow.robustness.cast import Cast
from gflow.robustness.half_spaces import Lead, Opposite, half_space_radii
from gflow.robustness.lengths import positive_length
from gflow.robustness.missing import Missing, lasting
from gflow.robustness.norm import Norm

_MOST_SETS = 12  # opposite neurons whose sets are enumerated at p = 1


def certified_radii(
    network: Network | Population | Cast,
    x: Float[np.ndarray, "n D"],
    y: Float[np.ndarray, " n"],
    rest: float = 0.0,
    *,
    norm: Norm = Norm.L2,
) -> Float[np.ndarray, " n"]:
    """A radius within which y f(x + δ) > 0, sample by sample.

        R = (a - ζ - κ)/Λ

    for a set T of own neurons: a = (Σ_T m_j σ(<u_j, x>)^p)^{1/p} and, over the opposite neurons,
    ζ = (Σ_opp m_l σ(<u_l, x>)^p)^{1/p}; κ is what the rest may cost (`Missing.cost`).  Λ is at most
    how fast a - ζ falls along a unit perturbation, that is the largest of

        ‖m_j^{1/p} [-<u_j, δ>]₊‖_p over T + ‖m_l^{1/p} [<u_l, δ>]₊‖_p over opp ,  ‖δ‖ <= 1 .

    `Norm.rate` bounds it neuron by neuron; in l2 see `_rate_by_groups`,
    `half_space_radii` and `radii_together`.  The best T and the best bound count.  At p = 1, where
    the network is linear but for gates,

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
    check_samples(x, y)
    check_not_negative(rest=rest)
    cast = network if isinstance(network, Cast) else Cast.alone(network)
    certified = np.zeros(len(x))
    for s in (1.0, -1.0):
        some = y * s > 0
        if some.any():
            certified[some] = _certified_of_class(cast, s, x[some], rest + cast.rest, norm=norm)
    return certified


def _certified_of_class(
    cast: Cast, s: float, x: Float[np.ndarray, "n D"], bound: float, *, norm: Norm
) -> Float[np.ndarray, " n"]:
    """Certified radii of samples of label s, `bound` being left out of f."""
    f, p = cast.leader, cast.leader.p
    missing = Missing(bound, p, np.linalg.norm(x, axis=1), norm.largest_l2(x.shape[1]))

    # What opposite neurons see is the same whichever own ones are counted.
    z = x @ cast.whole.u.T
    gains = cast.whole.m ** (1 / p)
    views = gains * z
    against = (cast.whole.s == -s) & (cast.group >= 0)
    zeta = positive_length(views[:, against], p)

    opposite = Opposite.of(cast, -s, z, norm) if norm.euclidean and p > 1 else None

    # T is one own group at a time, and the best of them counts.
    best = np.zeros(len(x))
    for k in np.flatnonzero(f.s == s).tolist():
        a = positive_length(views[:, cast.group == k], p)
        if norm.euclidean:
            speed = f.m[k] ** (1 / p) * (1 + cast.spread(norm)[k])
            radius = lasting(a, a - zeta, speed, _rate_by_groups(cast, k, norm), missing=missing)
            best = np.maximum(best, radius)
            if opposite is not None:
                faces = half_space_radii(cast, Lead(k, a, speed), opposite, missing)
                best = np.maximum(best, faces)
        else:
            own, other = (
                gains[some, None] * cast.whole.u[some] for some in (cast.group == k, against)
            )
            rate = norm.rate(own, other, p)
            best = np.maximum(best, lasting(a, a - zeta, rate, rate, missing=missing))

    # At p = 1 all own groups count together, set by set of opposite ones.
    theirs = f.take(f.s == -s)
    if p == 1 and len(theirs.m) <= _MOST_SETS:
        mine, left_out = f.take(f.s == s), bound + cast.turning_error
        best = np.maximum(best, gated_radii(mine, theirs, x, left_out, norm=norm))
    return best


def _rate_by_groups(cast: Cast, k: int, norm: Norm) -> float:
    """Λ in l2, at most that of the leaders and what each member may add to it.

    With A and M^{1/p} the roots of the masses of group k and of the opposite groups, and η their
    widths: A η_k + ‖M^{1/p} η‖_p, and the rate of the leaders, `_fastest_loss`.
    """
    f, p, spread = cast.leader, cast.leader.p, cast.spread(norm)
    theirs, length = f.s == -f.s[k], f.m[k] ** (1 / f.p)
    wide = float(positive_length(f.m[theirs] ** (1 / p) * spread[theirs], p))
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
        choices = [gain]
    else:
        order = 2 * p / (2 - p)
        choices = [
            gain * len(gain) ** (1 / order), np.full(len(gain), np.linalg.norm(gain, order))
        ]  # fmt: skip

    losses = []
    for gains in choices:
        rows = gains[:, None] * theirs.u
        by_both = together * np.hypot(length, gains.max())
        toward = np.linalg.norm(np.maximum(-rows @ u, 0))
        by_parts = np.sqrt(length**2 + largest_singular(rows) ** 2 + 2 * length * toward)
        losses.append(float(min(by_both, by_parts)))
    return min(losses)


def gated_radii(
    mine: Population,
    theirs: Population,
    x: Float[np.ndarray, "n D"],
    rest: float,
    *,
    norm: Norm,
    basis: Float[np.ndarray, "D d"] | None = None,
) -> Float[np.ndarray, " n"]:
    """p = 1: min over sets of opposite neurons, each own one counted as it is gated at x.

    y f(x') >= <w, x'> - rest ‖x'‖₂ for the set S awake at x', since σ(z) is at least z and 0.

    **Arguments:**

    - `mine`, `theirs`: own neurons and opposite ones.
    - `x`: samples.
    - `rest`: upper bound on what was left out of f on the unit ball.
    - `norm`: in which δ is measured.
    - `basis`: orthonormal, of the subspace that δ lies in; None for all of space.
    """
    # Σ_S M_l u_l for every set S of opposite neurons.
    own, other = (f.m[:, None] * f.u for f in (mine, theirs))
    q = len(other)
    sets = np.indices((2,) * q).reshape(q, 2**q).T @ other

    # Samples at which the same own neurons are awake share their slopes w, one for each set.
    size, awake = np.linalg.norm(x, axis=1), x @ mine.u.T > 0
    patterns, which = np.unique(awake, axis=0, return_inverse=True)
    certified = np.zeros(len(x))
    for pattern, gates in enumerate(patterns):
        some = which.ravel() == pattern
        w = gates @ own - sets
        ahead = x[some] @ w.T - rest * size[some, None]
        acting = w if basis is None else w @ basis
        rate = np.asarray(norm.dual.size(acting)) + rest * norm.largest_l2(x.shape[1])
        lasts = np.divide(ahead, rate, out=np.zeros_like(ahead), where=rate > 0)
        certified[some] = lasts.min(axis=1)
    return np.maximum(certified, 0)
