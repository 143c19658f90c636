"""What neurons keep off the samples' span, against an integration in logarithms of its own."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from gflow.laws.off_manifold import (
    distance_exponent,
    exponent,
    lags,
    log_slopes,
    scale_of_arrival,
)

LABEL = np.array([1.0, 1.0, -1.0])
SIGN = np.array([1.0, 1.0, 1.0, -1.0])
START = np.array([
    [0.3, 0.25, -0.1],  # awake to all of its class
    [0.3, -0.2, -0.1],  # to half of it
    [-0.2, -0.1, -0.2],  # void
    [-0.1, -0.2, 0.4],
])  # fmt: skip
BESIDE = np.log(np.sqrt(1 - (START**2).sum(axis=1)))
AWAKE = (START > 0) & (SIGN[:, None] == LABEL)


def flow(eps, p):
    """log ρ_j and log ‖P u_j‖ at the end of the flow of the half square loss, π_k = 1.

    Opposite coordinates sleep, so that u_k moves in d log|u_k|/dt = s p (g_k u_k^{p-2} - Φ) if it
    is awake and -s p Φ if not, like ‖P u‖; ρ grows at s Φ.
    """
    h, K = START.shape

    def rates(_, state):
        log_u, log_norm = state[: h * K].reshape(h, K), state[h * K : h * K + h]
        u = np.where(AWAKE, np.exp(log_u), 0.0)
        force = LABEL - (SIGN * np.exp(2 * log_norm)) @ u**p
        phi = SIGN * (u**p @ force)
        pull = np.where(AWAKE, np.exp((p - 2) * log_u), 0.0) * SIGN[:, None] * force
        return np.concatenate([(p * (pull - phi[:, None])).ravel(), phi, -p * phi])

    state = np.concatenate([np.log(np.abs(START)).ravel(), np.full(h, np.log(eps)), BESIDE])
    end = 1.3 * np.log(1 / eps) + 20
    solution = solve_ivp(rates, (0, end), state, method="LSODA", rtol=1e-9, atol=1e-9, max_step=0.5)
    assert solution.success
    return np.split(solution.y[h * K :, -1], 2)


@pytest.mark.parametrize("p", [1.0, 1.5, 2.0, 3.0])
def test_slopes_and_exponents_are_those_of_a_flow(p):
    scales = np.array([1e-10, 1e-20])
    ends = [flow(eps, p) for eps in scales]

    slopes = [
        log_slopes(BESIDE, np.full(4, np.log(eps)), log_norm, 2 * log_norm, p=p)
        for eps, (log_norm, _) in zip(scales, ends, strict=True)
    ]

    for slope, (log_norm, log_beside) in zip(slopes, ends, strict=True):
        np.testing.assert_allclose(slope, 2 / p * log_norm + log_beside, atol=1e-6)
    # Between 1e-10 and 1e-20 what is O(1) has gone.
    plus = lags(AWAKE[:3], np.ones(3), p)
    measured = (slopes[0] - slopes[1])[:3] / np.log(scales[0] / scales[1])
    np.testing.assert_allclose(measured, exponent(plus, p), atol=2e-3)


def test_void_neurons_are_closer_than_grown_ones_above_the_square_root_of_two():
    grown, void = np.array([0.0, 0.0]), np.array([0.0, 1.0])
    cases = [1.0, 1.25, 2**0.5, 1.5, 2.0, 3.0]

    assert [distance_exponent(grown, p) for p in cases] == pytest.approx(cases)
    assert [distance_exponent(void, p) for p in cases] == pytest.approx(
        [1.0, 1.25, 2**0.5, 4 / 3, 1.0, 2 / 3]
    )


def test_neurons_lag_behind_the_leader_of_their_class_below_power_2_only():
    assert lags(AWAKE[:3], np.ones(3), 1.0) == pytest.approx([0, 1 - 0.5**0.5, 1])
    assert lags(AWAKE[:3], np.ones(3), 1.5) == pytest.approx([0, 1 - 0.5**0.25, 1])
    assert lags(AWAKE[:3], np.ones(3), 3.0) == pytest.approx([0, 0, 1])
    assert lags(np.zeros((2, 3), bool), np.ones(3), 3.0) == pytest.approx([1, 1])


@pytest.mark.parametrize("p", [1.0, 1.5, 2.0, 3.0])
def test_neurons_arrive_where_the_scale_says(p):
    # u' = p (u^{p-1} - u^{p+1}) alone at its center, which escapes at log(1/ε): at p > 2 cos 10°
    # is reached, at p = 2 the half of the square, and below more than that.
    u0, own = np.array([[0.01]]), np.array([[True]])
    (needed,) = scale_of_arrival(u0, own, p)

    end = solve_ivp(
        lambda _, u: p * (u ** (p - 1) - u ** (p + 1)), (0, needed), u0[0], rtol=1e-10, atol=1e-12
    ).y[0, -1]

    reached = np.cos(np.radians(10)) if p > 2 else 0.5**0.5
    assert end == pytest.approx(reached, abs=1e-3) if p >= 2 else end > reached
    assert scale_of_arrival(-u0, own, p)[0] == np.inf
