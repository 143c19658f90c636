"""The reduced flow of one neuron, integrated, for closed forms to be held against (theory D3)."""

from functools import cache

import numpy as np
from scipy.integrate import solve_ivp

EPS = np.finfo(np.float64).eps
SOLVER = 1e-11
"""Tolerance of one step of the integrations; a hundred steps are right to a hundred times that."""

POWERS = [1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 4.0]

# Four own centers, one asleep; three opposite ones, one asleep; and a part outside all of them.
U0 = np.array([0.3, 0.25, 0.1, -0.2, 0.2, 0.35, -0.15])
PERP0 = float(np.sqrt(1 - U0 @ U0))
Y = np.array([1.0, 1, 1, 1, -1, -1, -1])
EQUAL = np.ones(7)
UNEQUAL = np.array([1.0, 1.5, 0.7, 0.9, 1.2, 0.8, 1.3])
TIMES = np.array([0.0, 0.1, 0.3, 1.0, 2.0, 4.0, 7.0])


def velocity(u, y, p, pi, asleep):
    """du/dt̂ and Q of theory D3; the part outside all centers is a coordinate with y = 0."""
    s = np.where(asleep, 0, np.maximum(u, 0))
    push = pi * y * (np.where(asleep, 0, 1) if p == 1 else s ** (p - 1))
    Q = np.sum(pi * y * s**p)
    return push - Q * u, Q


@cache
def integrated(p, equal):
    """The flow itself at TIMES, as rows (u, u_perp, log ρ/ρ(0)).

    At p = 1 the field jumps where an opposite coordinate falls asleep: the integration stops
    there and goes on with that coordinate at 0 for ever.
    """
    y, pi = np.append(Y, 0), np.append(EQUAL if equal else UNEQUAL, 0)
    state, t, rows = np.array([*U0, PERP0, 0.0]), 0.0, []
    asleep = state[:-1] <= 0

    def field(t, state):
        rate, Q = velocity(state[:-1], y, p, pi, asleep)
        return np.append(rate, Q / p)

    def lowest(t, state):
        return np.min(state[:-1], where=(y < 0) & ~asleep, initial=1)

    lowest.terminal = True
    for stop in TIMES:
        while t < stop:
            solution = solve_ivp(
                field, (t, stop), state, "DOP853", events=lowest if p == 1 else None,
                rtol=SOLVER, atol=SOLVER / 100,
            )  # fmt: skip
            t, state = solution.t[-1], solution.y[:, -1].copy()
            if solution.status == 1:
                k = np.where((y < 0) & ~asleep, state[:-1], 1).argmin()
                state[k], asleep = 0, asleep | (np.arange(8) == k)
        rows.append(state)
    return np.array(rows)


# --- Alignment ----------------------------------------------------------------------------------
