"""The mean force of noisy samples, against closed forms, an integrator and draws of samples."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.special import gamma

from gflow.flow.losses import LOSSES
from gflow.laws.spread import Spread, half_moment, mean_force, rise
from gflow.laws.timescales import SOLVED, potential

EXPONENTIAL = LOSSES["exponential"]


@pytest.mark.parametrize("loss", SOLVED)
def test_without_spread_the_potential_is_the_closed_one(loss):
    top = 0.99 if LOSSES[loss].saturates else 12.0
    z = np.geomspace(0.1, top, 9)

    found = rise(z, LOSSES[loss], Spread(0.0, 3.0))

    # ψ up to 1e4, by 24 nodes over half a unit of log z.
    expected = potential(z, loss) - potential(z[0], loss)
    assert np.allclose(found.potential, expected, rtol=1e-12, atol=1e-12)
    assert not found.deviation.any()


def test_moments_of_the_exponential_force_are_those_of_a_normal_law():
    # p = 1, S = 1 + aξ: E e^{-zS} S = e^{-z + (az)²/2} (1 - a²z), and E (e^{-zS} S)² =
    # e^{-2z + 2(az)²} ((1 - 2a²z)² + a²); σ cuts at ten standard deviations.
    z, a = np.array([0.1, 2.0, 8.0]), 0.1

    found = mean_force(z, EXPONENTIAL, Spread(a, 1.0))

    mean = np.exp(-z + (a * z) ** 2 / 2) * (1 - a**2 * z)
    square = np.exp(-2 * z + 2 * (a * z) ** 2) * ((1 - 2 * a**2 * z) ** 2 + a**2)
    assert np.allclose(found.force, mean, rtol=1e-10)
    deviation = np.sqrt(square / mean**2 - 1)
    assert np.allclose(found.deviation, deviation, rtol=1e-7)
    assert np.allclose(found.loss, np.exp(-z + (a * z) ** 2 / 2), rtol=1e-10)


def test_the_mean_force_has_the_factor_of_small_noise():
    # e^{-z} e^{(pzτ)²/2} and the deviation pzτ, up to relative order pτ² z and (pzτ)².
    z, tau = np.array([4.0, 8.0]), 0.002

    found = mean_force(z, EXPONENTIAL, Spread(tau, 3.0))

    assert np.allclose(found.force, np.exp(-z + (3 * z * tau) ** 2 / 2), rtol=20 * 3 * tau**2 * 8)
    assert np.allclose(found.deviation, 3 * tau * (z - 1), rtol=0.01)


@pytest.mark.parametrize("loss", ["exponential", "logistic", "half_square"])
def test_the_growth_of_samples_is_the_law_up_to_its_stated_error(loss):
    # Outputs of one neuron on N samples, integrated: the rise over 2πt is 1 with the deviation
    # that the law states, within 4 deviations of a standard deviation of 200 draws, 1/√400 each.
    N, tau, p, end = 50, 0.02, 3.0, 30.0 if loss != "half_square" else 2.0
    rng, kind = np.random.default_rng(0), LOSSES[loss]
    S = (1 + tau * rng.standard_normal((200, N))) ** p
    force = {
        "exponential": lambda f: np.exp(-f),
        "logistic": lambda f: 1 / (1 + np.exp(f)),
        "half_square": lambda f: 1 - f,
    }[loss]

    def velocity(t, log_z):
        return 2 * (force(np.exp(log_z)[:, None] * S) * S).mean(axis=1)

    start = np.full(200, np.log(0.1))
    times = np.geomspace(0.01, end, 12)
    path = solve_ivp(velocity, (0, end), start, t_eval=times, rtol=1e-8, atol=1e-10).y
    lines = [rise(np.exp(np.append(start[0], row)), kind, Spread(tau, p)) for row in path]
    miss = np.array([line.potential[-1] / (2 * end) - 1 for line in lines])
    stated = np.array([line.deviation[-1] for line in lines]) / np.sqrt(N)

    assert abs(np.std(miss / stated) - 1) < 4 / np.sqrt(400)
    assert abs(np.mean(miss / stated)) < 4 / np.sqrt(200)


def test_half_moments_are_those_of_a_normal_law():
    # E σ(τξ)^p = τ^p 2^{p/2-1} Γ((p+1)/2)/√π; far from 0 it is the power.
    tau, p = 0.3, 3.0

    assert half_moment(np.zeros(1), tau, p)[0] == pytest.approx(
        tau**p * 2 ** (p / 2 - 1) * gamma((p + 1) / 2) / np.sqrt(np.pi), rel=1e-3
    )
    assert half_moment(np.array([2.0]), 0.0, p)[0] == pytest.approx(8.0)
