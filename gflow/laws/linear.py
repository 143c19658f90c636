"""Linear networks f(x) = Σ_j v_j <w_j, x>, and ReLU networks on antipodal data (theory D22).

They are integrated here by a method and a program of their own, so that a flow can be held against
them.
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float, Real
from scipy.integrate import solve_ivp

Force = Callable[[Float[np.ndarray, " n"]], Float[np.ndarray, " n"]]
"""From the outputs of all samples to the force g_i on each."""

RTOL = 1e-10
"""Relative tolerance of the integrator; the absolute one follows the size of the start."""


def halved_slope(beta: Float[np.ndarray, " D"], kappa: float) -> float:
    """2/(κ‖β‖): flow time per factor e of ε by which a ReLU network escapes on antipodal data.

    A linear network on the same data takes half of it.

    **Arguments:**

    - `beta`: Σ ω_i y_i x_i over all samples.
    - `kappa`: size of the force at f = 0.

    **Source:** theory D22.
    """
    return 2 / (kappa * float(np.linalg.norm(beta)))


def linear_network(
    w: Float[np.ndarray, "h D"],
    v: Float[np.ndarray, " h"],
    x: Float[np.ndarray, "n D"],
    omega: float,
    *,
    force: Force,
    times: Real[np.ndarray, " T"],
) -> Float[np.ndarray, "T D"]:
    """Σ_j v_j w_j at the given times under gradient flow from w, v.

    dw_j/dt = v_j r and dv_j/dt = <w_j, r> with r = ω Σ_i g_i x_i.

    **Arguments:**

    - `w`, `v`: weights at time 0.
    - `x`: samples, each of weight `omega` in the loss.
    - `force`: g_i = -∂ℓ(y_i, f_i)/∂f_i as a function of all outputs.
    - `times`: increasing, from 0 on.

    **Returns:** the vector of the linear function; nan from where the integrator gives up.

    **Source:** theory D22.
    """
    h, D = w.shape

    def velocity(_: float, state: Float[np.ndarray, " s"]) -> Float[np.ndarray, " s"]:
        w, v = state[: h * D].reshape(h, D), state[h * D :]
        r = omega * force(x @ (v @ w)) @ x
        return np.concatenate([np.outer(v, r).ravel(), w @ r])

    start = np.concatenate([w.ravel(), v])
    atol = 1e-4 * RTOL * float(np.abs(start).max())
    solved = solve_ivp(
        velocity, (0, float(times[-1])), start, "DOP853", t_eval=times, rtol=RTOL, atol=atol
    )
    done = solved.y.shape[1]
    weights = solved.y[: h * D].reshape(h, D, done)
    beta = np.full((len(times), D), np.nan)
    beta[:done] = np.einsum("hT,hDT->TD", solved.y[h * D :], weights)
    return beta
