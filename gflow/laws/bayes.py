"""The Bayes classifier of the mixture, and how robust it is (theory D6, G2).

One idea: with Gaussian subclasses of equal weight it compares two soft maxima of <x, μ_k>/τ², so up
to τ² log K its sign is that of a difference of maxima, and to the same accuracy its radii have a
closed form.
"""

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.special import logsumexp

from gflow.data.centers import Centers
from gflow.data.checks import check_numbers, check_samples
from gflow.robustness.bisection import bisected
from gflow.robustness.radius import Radii

_HALVINGS = 50


def bayes_margin(
    x: Float[np.ndarray, "n D"], y: Float[np.ndarray, " n"], centers: Centers, tau: float
) -> Float[np.ndarray, " n"]:
    """τ² times the log-odds of the true class: > 0 where the Bayes classifier is right.

        f*(x) = Σ_{k<=K1} exp(<x, μ_k>/τ²) - Σ_{k>K1} exp(<x, μ_k>/τ²)

    **Arguments:**

    - `x`, `y`: inputs and their labels ±1.
    - `centers`: orthonormal.
    - `tau`: noise τ = α/√D > 0 per coordinate.

    **Returns:** y τ² (log Σ_{k<=K1} exp(<x, μ_k>/τ²) - log Σ_{k>K1} exp(<x, μ_k>/τ²)), which
    neither over- nor underflows.

    **Source:** Min and Vidal, ICML 2025, Proposition 2; theory section 3.
    """
    check_samples(x, y)
    return _log_odds(x @ centers.mu.T, y, centers, tau)


def _log_odds(
    z: Float[np.ndarray, "n K"], y: Float[np.ndarray, " n"], centers: Centers, tau: float
) -> Float[np.ndarray, " n"]:
    """`bayes_margin` of samples given by their coordinates <x, μ_k>."""
    plus, minus = (
        tau**2 * np.asarray(logsumexp(z[:, centers.label == s] / tau**2, axis=1)) for s in (1, -1)
    )
    return y * (plus - minus)


def bayes_radii(
    x: Float[np.ndarray, "n D"], y: Float[np.ndarray, " n"], centers: Centers, tau: float
) -> Radii:
    """The l2 radius at which the Bayes classifier errs, as [certified, attacked].

    Certified (x_k - x_l - τ² log K_o)/√2, k the largest own and l the largest opposite coordinate,
    since a soft maximum of K_o numbers is at most τ² log K_o above the largest.  Attacked along
    (μ_l - μ_k)/√2 for every opposite l, to the change of sign.

    **Arguments:** as for `bayes_margin`.

    **Source:** theory D6.
    """
    check_samples(x, y)
    check_numbers(tau=tau)
    z = x @ centers.mu.T
    own = np.equal.outer(y > 0, centers.label > 0)
    mine = np.where(own, z, -np.inf)
    others = np.where(own, -np.inf, z)
    count = np.where(y > 0, (centers.label < 0).sum(), (centers.label > 0).sum())
    lead = mine.max(axis=1) - others.max(axis=1) - tau**2 * np.log(count)
    wrong = _log_odds(z, y, centers, tau) <= 0
    attacked = np.where(wrong, 0.0, _first_error(z, own, mine.argmax(axis=1), tau))
    return Radii(np.maximum(lead / np.sqrt(2), 0), attacked, centers.K)


def _first_error(
    z: Float[np.ndarray, "n K"], own: Bool[np.ndarray, "n K"], k: Int[np.ndarray, " n"], tau: float
) -> Float[np.ndarray, " n"]:
    """Distance to the first error along (μ_l - μ_k)/√2, the least over opposite l; inf if none."""
    # Only two coordinates change along a way: the soft maxima of the others are computed once.
    x, K = z / tau**2, z.shape[1]
    columns = np.arange(K)
    mine = _soft_maximum(x, own & (columns != k[:, None]))
    others = np.stack([_soft_maximum(x, ~own & (columns != j)) for j in columns], axis=1)

    # Where the classifier errs at the far end, halve the interval that has the change of sign.
    i, other = np.nonzero(~own)
    mine, others, falling, rising = mine[i], others[i, other], x[i, k[i]], x[i, other]

    def errs(t: Float[np.ndarray, " m"]) -> Bool[np.ndarray, " m"]:
        step = t / (np.sqrt(2) * tau**2)
        return np.logaddexp(mine, falling - step) <= np.logaddexp(others, rising + step)

    low, high = np.zeros(len(i)), np.full(len(i), 2.0)
    flips = np.where(errs(high), bisected(errs, low, high, _HALVINGS)[1], np.inf)
    nearest = np.full(len(z), np.inf)
    np.minimum.at(nearest, i, flips)
    return nearest


def _soft_maximum(
    x: Float[np.ndarray, "n K"], among: Bool[np.ndarray, "n K"]
) -> Float[np.ndarray, " n"]:
    """log Σ exp of some entries of each row; -inf of none."""
    return np.asarray(logsumexp(np.where(among, x, -np.inf), axis=1))
