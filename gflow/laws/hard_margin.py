"""Hard margins, and the flow of a class that has one direction (theory D22)."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float
from scipy.integrate import solve_ivp
from scipy.optimize import nnls

RTOL = 1e-9
"""Relative tolerance of the integrator."""


def hard_margin(x: Float[np.ndarray, "n D"]) -> tuple[Float[np.ndarray, " D"], float]:
    """The unit vector u with the largest min_i <u, x_i>, and that margin γ.

    w = u/γ is the shortest vector with <w, x_i> >= 1 for all i.  It is read off a problem of
    nonnegative least squares: with λ >= 0 minimizing ‖Xᵀλ‖² + (Σ λ_i - 1)², w = Xᵀλ/(1 - Σ λ_i).

    **Arguments:**

    - `x`: samples of one class, all on one side of a hyperplane through the origin.

    **Returns:** u, and γ > 0.

    **Raises:** `ValueError` for samples on no side of any hyperplane.

    **Source:** theory D22; Lawson and Hanson, Solving Least Squares Problems, chapter 23.
    """
    weights, residual = nnls(np.vstack([x.T, np.ones(len(x))]), np.append(np.zeros(x.shape[1]), 1))
    # The squared residual is 1 - Σ λ, which is 0 where the hull of the samples has the origin.
    if residual**2 < 1e-12:
        raise ValueError(
            "`x` must lie on one side of a hyperplane through the origin, but does not; give the "
            "samples of one class of separable data."
        )
    w = x.T @ weights / residual**2
    length = float(np.linalg.norm(w))
    return w / length, 1 / length


def one_direction(
    start: Float[np.ndarray, " D"],
    x: Float[np.ndarray, "n D"],
    omega: float,
    *,
    force: Callable[[Float[np.ndarray, " n"]], Float[np.ndarray, " n"]],
    times: Float[np.ndarray, " T"],
) -> Float[np.ndarray, "T D"]:
    """W = Σ m_j u_j of a class whose balanced neurons have one direction, awake to all its samples.

    With u = W/‖W‖ and r = ω Σ_i |g_i| x_i the flow is dW/dt = ‖W‖ (r + <u, r> u), integrated here
    in log t by a method for stiff problems, since it slows down like 1/t.

    **Arguments:**

    - `start`: W at the first time.
    - `x`: samples of the class, each of weight `omega` in the loss.
    - `force`: |g_i| as a function of <W, x_i>.
    - `times`: increasing and positive, from the start on.

    **Returns:** W at these times; nan from where the integrator gives up.

    **Source:** theory D22.
    """

    def velocity(log_t: float, W: Float[np.ndarray, " D"]) -> Float[np.ndarray, " D"]:
        length = np.linalg.norm(W)
        r = np.exp(log_t) * omega * (force(x @ W) @ x)
        return length * r + (W @ r) * W / length

    log_t = np.log(times)
    atol = RTOL * float(np.linalg.norm(start))
    solved = solve_ivp(
        velocity, (log_t[0], log_t[-1]), start, "LSODA", t_eval=log_t, rtol=RTOL, atol=atol
    )
    W = np.full((len(times), len(start)), np.nan)
    W[: solved.y.shape[1]] = solved.y.T
    return W
