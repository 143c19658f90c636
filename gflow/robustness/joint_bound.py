"""Certified l2 radii of networks that are not a few groups: all own neurons together.

One idea: what both classes see is bounded by ‖W₊ z‖₂ and ‖W₋ z‖₂, and how fast their difference
falls by the largest singular value of both stacked (theory D10).
"""

import numpy as np
from jaxtyping import Float

from gflow.data.checks import check_not_negative, check_samples
from gflow.network.geometry import largest_singular
from gflow.network.population import Population, population_of
from gflow.network.prelu import Network
from gflow.robustness.lengths import positive_length
from gflow.robustness.missing import Missing, lasting

_MOST = 500  # neurons whose largest singular values are affordable


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
    check_samples(x, y)
    check_not_negative(rest=rest)
    f = population_of(network).distinct
    f = f.take(f.m > 0)
    certified = np.zeros(len(x))
    if len(f.m) > _MOST:
        return certified
    for s in (1.0, -1.0):
        some = y * s > 0
        if some.any() and (f.s == s).any():
            certified[some] = _together(f, s, x[some], rest)
    return certified


def _together(
    f: Population, s: float, x: Float[np.ndarray, "n D"], bound: float
) -> Float[np.ndarray, " n"]:
    """Certified radii of samples of label s, `bound` being left out of f."""
    p, own = f.p, f.s == s
    missing = Missing(bound, p, np.linalg.norm(x, axis=1), 1.0)

    # What either class sees of the samples.
    views = f.m ** (1 / p) * (x @ f.u.T)
    a, zeta = (positive_length(views[:, side], p) for side in (own, ~own))

    # How fast that of own neurons falls, and the difference.
    mine, theirs = (rows_of(f.take(side)) for side in (own, ~own))
    speed = largest_singular(mine)
    return lasting(a, a - zeta, speed, joint_rate(mine, theirs, speed), missing=missing)


def joint_rate(
    mine: Float[np.ndarray, "a D"], theirs: Float[np.ndarray, "b D"], speed: float
) -> float:
    """min_c √λ_max((1 + c) W₊ᵀW₊ + (1 + 1/c) W₋ᵀW₋), convex in c, near (s₋/s₊)²."""
    if not len(theirs):
        return speed

    def rate(log_c: float) -> float:
        c = float(np.exp(log_c))
        return largest_singular(
            np.concatenate([(1 + c) ** 0.5 * mine, (1 + 1 / c) ** 0.5 * theirs])
        )

    # Any c gives a bound; three ever finer grids come close to the least.
    best = 2 * np.log(largest_singular(theirs) / speed)
    for width in (1.0, 0.25, 0.06):
        best = min(best + width * np.linspace(-1, 1, 5), key=rate)
    return rate(best)


def rows_of(f: Population) -> Float[np.ndarray, "h D"]:
    """Rows W with ‖m^{1/p} z‖_p <= ‖W z‖₂."""
    if f.p >= 2:
        return f.m[:, None] ** (1 / f.p) * f.u
    return f.m.sum() ** (1 / f.p - 1 / 2) * np.sqrt(f.m)[:, None] * f.u
