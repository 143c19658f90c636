"""Neurons of a symmetric start in the cells of their class, p > 2 and no noise (theory D19).

One idea: what one neuron does is known in closed form (theory D3), so what many do from random
directions is a distribution: how long they take to align, and how many of them choose each center.
Times are alignment times t̂ = p·κ·π·t, dimensionless.
"""

import numpy as np
from jaxtyping import Bool, Float
from scipy.integrate import quad
from scipy.optimize import root_scalar
from scipy.special import ndtr, stdtr

from gflow.data.checks import check_numbers
from gflow.laws.reduced import alignment_time, void_share
from gflow.random import stream

NODES = 64
"""Nodes of the quadrature over one alignment; the integrand is a sum of exponentials."""

BISECTIONS = 60
"""Halvings of the interval in which a neuron reaches a cosine, down to rounding."""

LARGEST_LOG = 600.0
"""Size of the logarithms up to which numbers are formed."""


def alignment_times(
    u0: Float[np.ndarray, "h K"], own: Bool[np.ndarray, "h K"], p: float, c: float
) -> Float[np.ndarray, " h"]:
    """When neurons reach the cosine `c` to the center of their cell, rivals and all.

    With q = p - 2, a the largest awake own coordinate and χ = a^{-q}(1 - e^{-s})/q, every
    coordinate of ξ is explicit in s, that one is a e^{s/q}, and

        t̂ = ∫₀^{s_c} |ξ|^q a^{-q}/q e^{-s} ds ,    s_c where a e^{s/q} = c |ξ| .

    **Arguments:**

    - `u0`: coordinates of unit directions at the start, subclasses of equal weight.
    - `own`: which centers are of the neuron's class.
    - `p`: power, > 2.
    - `c`: a cosine above every ⟨u, μ_k⟩ at the start.

    **Returns:** alignment times; infinite for a void neuron.

    **Source:** theory D3, D19.
    """
    check_numbers(u0=u0, c=np.asarray(c))
    q, times = p - 2, np.full(len(u0), np.inf)
    some = np.flatnonzero((own & (u0 > 0)).any(axis=1))
    awake, side = np.maximum(u0[some], 0.0), np.where(own[some], 1.0, -1.0)
    top = np.where(own[some], awake, 0.0).max(axis=1)
    rest = np.sqrt(np.clip(1 - (awake**2).sum(axis=1), 0, None))
    # Over a^{-q} the bracket of every coordinate of ξ is `gap` + y e^{-s}; that of the largest own
    # one is e^{-s}, without cancellation.
    with np.errstate(divide="ignore"):
        gap = np.where(awake > 0, (awake / top[:, None]) ** -q - side, np.inf)

    def length(s: Float[np.ndarray, " m"]) -> Float[np.ndarray, " m"]:
        bracket = gap + side * np.exp(-s)[:, None]
        return np.hypot(top * np.sqrt((bracket ** (-2 / q)).sum(axis=1)), rest)

    low, high = np.zeros(len(some)), np.full(len(some), min(q, 1.0) * LARGEST_LOG)
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        short = np.log(top) + middle / q < np.log(c * length(middle))
        low, high = np.where(short, middle, low), np.where(short, high, middle)
    aligned = np.zeros(len(some))
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    for node, weight in zip(nodes, weights, strict=True):
        s = high * (node + 1) / 2
        aligned += weight * high / 2 * (length(s) / top) ** q * np.exp(-s) / q
    times[some] = aligned
    return times


def symmetric_starts(D: int, K: int, count: int, seed: int) -> Float[np.ndarray, "count K"]:
    """Coordinates along K orthonormal centers of directions that are uniform in D dimensions.

    **Arguments:**

    - `D`, `K`: dimension and number of centers, K <= D.
    - `count`, `seed`: number of directions, and seed of their random stream.
    """
    rng = stream(seed, "starts")
    along = rng.standard_normal((count, K))
    beside = rng.chisquare(D - K, count) if D > K else np.zeros(count)
    return along / np.sqrt((along**2).sum(axis=1) + beside)[:, None]


def start_for(t_hat: float, p: float, c: float) -> float:
    """The single coordinate u(t̂) that reaches `c` after the time t̂: J_p(u) = J_p(c) - t̂.

    **Arguments:**

    - `t_hat`: an alignment time >= 0.
    - `p`, `c`: power > 2 and cosine, 0 < c < 1.

    **Source:** theory D3.
    """
    if t_hat == 0:
        return c
    log_u = root_scalar(
        lambda log_u: alignment_time(np.exp(log_u), c, p) - t_hat,
        bracket=(-LARGEST_LOG / max(p - 1, 2), np.log(c)),
    ).root
    return float(np.exp(log_u))


def late_share(t_hat: float, p: float, c: float, *, D: int, K_own: int) -> float:
    """Share of neurons that are neither void nor aligned at t̂, if one coordinate dominates.

        P(t̂_j > t̂) - 2^{-K_own} = P(<u, μ> <= u(t̂))^{K_own} - 2^{-K_own}

    Late it falls like t̂^{-1/(p-2)}, and then it is exact, since neurons with two small coordinates
    are rare; early it leaves out rivals, which make neurons later (`alignment_times` has them).

    **Arguments:**

    - `t_hat`, `p`, `c`: as for `start_for`.
    - `D`, `K_own`: dimension and number of own centers.

    **Source:** theory D19.
    """
    u = start_for(t_hat, p, c)
    # One coordinate of a uniform direction has the law of Student's t.
    below = stdtr(D - 1, u * np.sqrt((D - 1) / (1 - u**2)))
    return float(below**K_own - void_share(K_own))


def cell_shares(pi: Float[np.ndarray, " m"], p: float) -> Float[np.ndarray, " m"]:
    """Probability that a neuron of a symmetric start falls into each cell of its class.

        P_k = ∫₀^∞ pdf(x) Π_{l≠k} cdf(x (π_k/π_l)^{1/(p-2)}) dx ;   (1 - 2^{-m})/m at equal weights

    What they lack of 1 is the share 2^{-m} of void neurons.

    **Arguments:**

    - `pi`: weights of the m subclasses of the class, > 0, in any unit.
    - `p`: power, > 2.

    **Source:** theory D19.
    """
    log_pi = np.log(pi)

    def density(x: float, k: int) -> float:
        with np.errstate(over="ignore"):
            reach = x * np.exp((log_pi[k] - np.delete(log_pi, k)) / (p - 2))
        return np.exp(-x * x / 2) / np.sqrt(2 * np.pi) * ndtr(reach).prod()

    return np.array([quad(density, 0, np.inf, args=(k,))[0] for k in range(len(pi))])


def empty_share(share: float, h_own: int) -> float:
    """Probability (1 - P_k)^h that no neuron of the class starts in a cell (theory D19)."""
    return float((1 - share) ** h_own)


def safe_cosines(pi: Float[np.ndarray, " m"], p: float) -> Float[np.ndarray, " m"]:
    """Cosines to the centers of a class from which a neuron cannot turn to a heavier center.

        1/√(1 + β²) ,   β = (π_k/max π)^{1/(p-2)} ;   1/√2 at equal weights

    Where u_k is larger, every other coordinate is at most √(1 - u_k²) < β u_k, so that the score
    π_k u_k^{p-2} is the largest.

    **Arguments:** as for `cell_shares`; a weight may be 0, and then no cosine is safe;
    all of them may, and then the cosines are nan.

    **Source:** theory D19.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        beta = np.exp((np.log(pi) - np.log(pi.max())) / (p - 2))
    return 1 / np.hypot(1, beta)
