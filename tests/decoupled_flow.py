"""The whole noise-free flow in its decoupled coordinates, by scipy: shares nothing with gflow.

Without noise, at orthonormal centers and from a balanced start, ξ_j = (ρ_j/ρ_j(0))^p u_j obeys

    d log ξ_jk/dt = s_j p π_k g_k u_jk^{p-2} ,     |ξ_j| = (ρ_j/ρ_j(0))^p ,

while ξ_jk > 0, and coordinates that are not positive never move (theory D2c, D3).  So the state is
log ξ_jk of the coordinates that start awake, which no ε makes too small.  For p < 2, where opposite
coordinates die in finite time, it is ξ_jk^{2-p}, of the speed (2-p) s_j p π_k g_k |ξ_j|^{2-p}.
"""

import numpy as np
from scipy.integrate import solve_ivp
from scipy.optimize import brentq


def escapes(u, log_norm, sign, y, pi, p, end, tolerance=1e-8):
    """First time with |f(μ_k)| = 1/2 of each subclass, nan if it is after `end`: half square loss.

    `u` (h, K) are coordinates of unit directions, whose rest is orthogonal to all centers.
    """
    awake = u > 0
    with np.errstate(divide="ignore"):
        still = np.log(1 - np.sum(np.where(awake, u, 0) ** 2, axis=1)) / 2
    a = np.where(awake, u, 1.0)
    start = np.log(a) if p >= 2 else np.where(awake, a ** (2 - p), 0.0)

    def read(x):
        """log u_jk, log|ξ_j|, f(μ_k)."""
        x = x.reshape(u.shape)
        with np.errstate(divide="ignore"):  # log 0 is -inf
            logs = np.where(awake, x if p >= 2 else np.log(np.maximum(x, 0)) / (2 - p), -np.inf)
        length = np.logaddexp(np.logaddexp.reduce(2 * logs, axis=1), 2 * still) / 2
        log_u = logs - length[:, None]
        log_mass = 2 * log_norm + 2 / p * length
        return log_u, length, sign @ np.exp(np.minimum(log_mass[:, None] + p * log_u, 50))

    def velocity(_, x):
        log_u, length, f = read(x)
        push = p * sign[:, None] * (pi * (y - f))[None]
        if p >= 2:
            speed = push * np.exp((p - 2) * np.where(awake, log_u, 0))
        else:
            speed = (2 - p) * push * np.exp((2 - p) * length)[:, None]
        return np.where(awake & (log_u > -np.inf), speed, 0.0).ravel()

    # While logarithms grow linearly no error says how long a step may be before outputs escape.
    solution = solve_ivp(
        velocity,
        (0, end),
        start.ravel(),
        method="DOP853",
        rtol=tolerance,
        atol=tolerance,
        max_step=0.5 / pi.max(),
        dense_output=True,
    )
    assert solution.success, solution.message
    f = np.array([y * read(x)[2] for x in solution.y.T])

    def crossing(k):
        i = int(np.argmax(f[:, k] >= 0.5))
        if i == 0:
            return np.nan
        below = lambda t: y[k] * read(solution.sol(t))[2][k] - 0.5  # noqa: E731
        return brentq(below, solution.t[i - 1], solution.t[i])

    return np.array([crossing(k) for k in range(len(y))])
