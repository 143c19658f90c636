"""One neuron while the network is negligible, reduced to its coordinates along the K centers.

One idea: without noise the coordinates of ξ = (ρ/ρ(0))^p u decouple if time runs as dχ = |ξ|^{2-p}
dt̂ (theory D3).  So a whole alignment is K explicit functions and one scalar clock t̂(χ), which is
integrated where it is smooth: it shares no step with a solver of the flow.  The rest are limits and
rates of the same motion, and what noise and imbalance change to leading order.

Everything is stated for a neuron of class +1; for one of class -1 flip all labels.  Times are
alignment times t̂ = p·κ·π·t, dimensionless.  Neither samples nor fitting enter.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int, Real
from scipy.integrate import quad
from scipy.optimize import root_scalar
from scipy.special import exprel, gamma, ndtr

from gflow.data.checks import check_numbers, check_signs
from gflow.laws.decoupled import log_coordinates, log_length


class Aligned(NamedTuple):
    """One neuron at T alignment times."""

    u: Float[np.ndarray, "T K"]
    """Coordinates <u, μ_k> of its direction."""
    perp: Float[np.ndarray, " T"]
    """Length of the part of the direction orthogonal to all centers."""
    log_growth: Float[np.ndarray, " T"]
    """log ρ/ρ(0), which is log|ξ|/p."""


class Rates(NamedTuple):
    """Rates of a small perturbation at the average of m own centers, per alignment time."""

    inside: float
    """In the span of these centers; no direction has it at m = 1."""
    outside: float
    """Orthogonal to all centers, or asleep; for p > 2 along all other centers too."""


def aligned(
    u0: Float[np.ndarray, " K"],
    perp0: float,
    y: Real[np.ndarray, " K"],
    p: float,
    *,
    t_hat: Float[np.ndarray, " T"],
    weights: Float[np.ndarray, " K"] | None = None,
) -> Aligned:
    """The noise-free flow of a neuron while the network is negligible, at any alignment time.

        du_k/dt̂ = π_k y_k σ(u_k)^{p-1} - Q u_k ,  Q = Σ_l π_l y_l σ(u_l)^p ,  d log ρ/dt̂ = Q/p

    from u = ξ/|ξ| and ξ_k(χ).  The time χ(t̂) is explicit at p = 1, up to each time an opposite
    coordinate falls asleep, and at p = 2; otherwise t̂ = ∫|ξ|^{p-2} dχ is inverted.

    **Arguments:**

    - `u0`, `perp0`: start; a unit vector together.  Coordinates <= 0 are asleep.
    - `y`: label of each center, ±1, times the class of the neuron.
    - `p`: power, real, >= 1.
    - `t_hat`: times >= 0, in any order.
    - `weights`: π_k > 0 in units of the π that is in t̂; 1 unless given.

    **Returns:** an `Aligned`, at times of any size, up to rounding divided by the least |ξ| passed:
    digits are lost only on the way from a start close to an opposite center.

    **Raises:** `ValueError` for a start off the unit sphere, for p < 1, and for negative times.

    **Source:** theory D3.
    """
    # ξ(0) with the part orthogonal to all centers last, and π_k y_k where it is awake.
    a = np.append(u0, perp0)
    if not abs(a @ a - 1) < 1e-6:
        raise ValueError(
            f"`u0` and `perp0` must make a unit vector, but |u0|² + perp0² = {a @ a:g}; "
            "divide both by its root."
        )
    push = np.where(a > 0, np.append(_given(weights, u0) * y, 0.0), 0.0)
    a = a / np.linalg.norm(a)
    logs, common = log_coordinates(a, push, p, t_hat)
    size = log_length(logs)
    u = np.sign(a) * np.exp(logs - size[:, None])
    return Aligned(u[:, :-1], u[:, -1], (size + common) / p)


def blow_up(
    u0: Float[np.ndarray, " K"],
    y: Real[np.ndarray, " K"],
    p: float,
    weights: Float[np.ndarray, " K"] | None = None,
) -> float:
    """Time χ* = 1/((p-2) max π_k u_k^{p-2}) over awake own k, at which ξ is infinite and so is t̂.

    Arguments as `aligned`.  Infinite for p <= 2 and for a void neuron.

    **Source:** theory D3.
    """
    check_signs(y=y)
    if p <= 2:
        return np.inf
    return float(np.exp(-_score(u0, y > 0, _given(weights, u0), p).max()) / (p - 2))


def winner(
    u0: Float[np.ndarray, "h K"],
    sign: Real[np.ndarray, " h"],
    label: Real[np.ndarray, " K"],
    pi: Float[np.ndarray, " K"],
    *,
    p: float,
) -> Int[np.ndarray, " h"]:
    """Center that each neuron ends at for p > 2, the Voronoi rule: argmax π_k u_k^{p-2}.

    **Arguments:**

    - `u0`: initial coordinates; only their ratios matter.
    - `sign`: class of each neuron, ±1.
    - `label`, `pi`: class and weight of each center; any positive scale of `pi`.
    - `p`: power, > 2.

    **Returns:** index of an awake own center, the first of several equals; -1 for a void neuron.

    **Raises:** `ValueError` for p <= 2, where a neuron ends at no single center.

    **Source:** theory D3, prediction P6.
    """
    if p <= 2:
        raise ValueError(f"`p` must exceed 2 for one center to win, but p = {p:g}; try `limit`.")
    check_signs(sign=sign, label=label)
    score = _score(u0, sign[:, None] == label, pi, p)
    return np.where(np.isfinite(score).any(axis=1), score.argmax(axis=1), -1)


def limit(
    u0: Float[np.ndarray, " K"],
    y: Real[np.ndarray, " K"],
    p: float,
    weights: Float[np.ndarray, " K"] | None = None,
) -> Float[np.ndarray, " K"]:
    """Direction that a neuron tends to.

    With A the awake own centers: Σ_A π_k^{1/(2-p)} μ_k for p < 2, else Σ u_k μ_k over the k in A
    with the largest π_k u_k^{p-2}, normalized.  At equal weights: the average of A, the normalized
    σ(u_k) of the class at p = 2, the winner for p > 2.

    Arguments as `aligned`.

    **Returns:** a unit vector, or 0 for a void neuron, which goes to no center.

    **Source:** theory D3.
    """
    pi, awake = _given(weights, u0), (u0 > 0) & (y > 0)
    check_signs(y=y)
    check_numbers(u0=u0, pi=pi)
    if not awake.any():
        return np.zeros_like(u0)
    if p < 2:
        tends = np.where(awake, pi / pi[awake].max(), 0) ** (1 / (2 - p))
    else:
        score = _score(u0, y > 0, pi, p)
        tends = np.where(score == score.max(), u0, 0)
    return tends / np.linalg.norm(tends)


def void_share(K_own: int) -> float:
    """Share 2^{-K_own} of void neurons if the signs of coordinates are symmetric (theory D3)."""
    return 2.0**-K_own


def conserved(
    xi_k: Float[np.ndarray, "*T"], xi_l: Float[np.ndarray, "*T"], p: float, same_class: bool
) -> Float[np.ndarray, "*T"]:
    """What two coordinates of equal weight keep while both are awake.

    ξ_k^{2-p} ∓ ξ_l^{2-p}, and ξ_k ξ_l^{∓1} at p = 2; upper sign for one class.

    **Arguments:**

    - `xi_k`, `xi_l`: coordinates of ξ = (ρ/ρ(0))^p u, positive.
    - `p`, `same_class`: power; whether both centers are of one class.

    **Source:** theory D3.
    """
    side = -1 if same_class else 1
    return xi_k * xi_l**side if p == 2 else xi_k ** (2 - p) + side * xi_l ** (2 - p)


def alignment_time(u0: float, c: float, p: float) -> float:
    """Alignment time from coordinate `u0` to `c`, 0 < u0 <= c < 1, when one center dominates.

        t̂ = ∫ du/(u^{p-1} (1 - u²)) = J_p(c) - J_p(u0) ,   J_p = -u^{2-p}/(p-2) + J_{p-2}

    The recurrence leads to J_0 = -½ log(1 - u²) or J_{-1} = artanh u - u for whole p, and to an
    integral without a singularity for others.

    **Source:** theory D3.
    """
    reach, total, q = np.log(c / u0), 0.0, p
    while q > 0:
        total += u0 ** (2 - q) * reach * exprel((2 - q) * reach)
        q -= 2
    return float(total + _regular_time(u0, c, q))


def stability_rates(p: float, m: int) -> Rates:
    """Rates (p-2) m^{1-p/2} and -m^{1-p/2} at the average of m own centers (theory D5)."""
    growth = growth_rate(p, m)
    return Rates((p - 2) * growth, -growth)


def growth_rate(p: float, m: int) -> float:
    """λ = m^{1-p/2}: growth of log ‖w_j‖ at the average of m own centers, in units of κπ.

    **Source:** theory D5, D7.
    """
    return float(m) ** (1 - p / 2)


def capture_time(
    u_k: Float[np.ndarray, " h"], alpha: float, D: int, m: int
) -> Float[np.ndarray, " h"]:
    """When noise wakes a sleeping own coordinate at p = 1: a scale law, not an identity.

        t̂ ≈ (1/√m) log(√D |u_k(0)| √m/α) ,  at least 0

    √m stands for a factor of order 1, which in the flow falls slowly as α does.

    **Arguments:**

    - `u_k`: initial coordinates, asleep.
    - `alpha`, `D`: noise and input dimension; infinite time at α = 0.
    - `m`: own centers the neuron is awake to.

    **Source:** theory D4.
    """
    scale = np.sqrt(D * m) * np.abs(u_k)
    reach = np.full_like(scale, np.inf) if alpha == 0 else np.log(np.maximum(scale / alpha, 1))
    return reach / np.sqrt(m)


def tilt(alpha: float, N: int | float) -> float:
    """Angle α/√N by which the mean of N samples is off its center, for small noise (theory D4)."""
    return float(alpha / np.sqrt(N))


def angle_at_average(alpha: float, N: int | float, D: int, K1: int, *, K2: int) -> float:
    """Angle between a ReLU neuron and its class average at the end of alignment.

    √(α²/N + K2 (bτ)²) for balanced counts: its tilt, and the K2 opposite coordinates that rest at
    -bτ, where cdf(-b) = √K1 τ b.  The second part does not shrink with N.

    **Arguments:**

    - `alpha`, `N`, `D`: noise, samples of a subclass (inf: population), input dimension.
    - `K1`, `K2`: number of own and of opposite centers.

    **Source:** theory D4.
    """
    # b = 40, where the cdf underflows, if nothing pulls.
    pull = np.sqrt(K1) * alpha / np.sqrt(D)
    b = root_scalar(lambda b: ndtr(-b) - pull * b, bracket=(0, 40)).root
    rest = b * alpha / np.sqrt(D)
    return float(np.hypot(tilt(alpha, N), np.sqrt(K2) * rest))


def unbalanced_time(u0: float, p: float) -> float:
    """Alignment time of one small coordinate if the neuron starts with v = 0, for p > 1.

        t̂ ≈ √p (√π/2) Γ((p-1)/2)/Γ(p/2) u0^{1-p} ,   π = 3.14…

    to leading order in u0, where a balanced start needs u0^{2-p}/(p-2).

    **Raises:** `ValueError` for p <= 1.

    **Source:** theory T8.
    """
    if p <= 1:
        raise ValueError(f"`p` must exceed 1, but p = {p:g}; at p = 1 use the flow itself.")
    return float(np.sqrt(p * np.pi) / 2 * gamma((p - 1) / 2) / gamma(p / 2) * u0 ** (1 - p))


def _given(
    weights: Float[np.ndarray, " K"] | None, u0: Float[np.ndarray, " K"]
) -> Float[np.ndarray, " K"]:
    """Weights, 1 unless given."""
    return np.ones_like(u0) if weights is None else weights


def _score(
    u0: Float[np.ndarray, "*h K"],
    own: Bool[np.ndarray, "*h K"],
    pi: Float[np.ndarray, " K"],
    p: float,
) -> Float[np.ndarray, "*h K"]:
    """log(π_k u_k^{p-2}) of awake own centers, -inf of all others."""
    check_numbers(u0=u0, pi=pi)
    awake = own & (u0 > 0)
    return np.where(awake, np.log(pi) + (p - 2) * np.log(np.where(awake, u0, 1)), -np.inf)


def _regular_time(u0: float, c: float, q: float) -> float:
    """∫ u^{1-q}/(1 - u²) du for -2 < q <= 0."""
    if q == 0:
        return (np.log1p(-(u0**2)) - np.log1p(-(c**2))) / 2
    if q == -1:
        return np.arctanh(c) - np.arctanh(u0) - (c - u0)
    ends = np.arctanh([u0, c])
    return quad(lambda a: np.tanh(a) ** (1 - q), *ends, epsabs=0, epsrel=1e-13)[0]
