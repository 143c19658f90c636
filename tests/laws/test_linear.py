"""Linear networks against closed forms, and ReLU networks at half their speed."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from gflow.laws.linear import RTOL, halved_slope, linear_network


def test_one_linear_neuron_on_one_sample_grows_like_a_logistic_curve():
    # Half square, x = e_1, y = 1, w = v e_1: f = v² obeys df/dt = 2 f (1 - f).
    times, f0 = np.linspace(0, 8, 9), 1e-4
    x = np.eye(1, 3)

    beta = linear_network(
        np.sqrt(f0) * x, np.array([np.sqrt(f0)]), x, 1.0, force=lambda f: 1 - f, times=times
    )

    odds = f0 / (1 - f0) * np.exp(2 * times)
    assert np.abs(beta[:, 0] - odds / (1 + odds)).max() < 100 * RTOL
    assert not beta[:, 1:].any()


@pytest.fixture(scope="module")
def antipodal():
    rng = np.random.default_rng(3)
    x = rng.standard_normal((9, 4))
    y = np.where(rng.random(9) < 0.5, 1.0, -1.0)
    return np.concatenate([x, -x]), np.concatenate([y, -y])


def relu_flow(w, v, x, y, times):
    """A two-layer ReLU network under the mean exponential loss, by its gradient."""
    h, D = w.shape

    def velocity(_, state):
        w, v = state[: h * D].reshape(h, D), state[h * D :]
        z = x @ w.T
        pull = y * np.exp(-y * (np.maximum(z, 0) @ v)) / len(x)
        gated = (z > 0) * pull[:, None]
        return np.concatenate([((gated * v).T @ x).ravel(), np.maximum(z, 0).T @ pull])

    start = np.concatenate([w.ravel(), v])
    solved = solve_ivp(velocity, (0, times[-1]), start, t_eval=times, rtol=1e-9, atol=1e-12)
    return solved.y[: h * D].reshape(h, D, -1), solved.y[h * D :]


def test_a_mirrored_relu_network_is_the_linear_one_at_half_the_time(antipodal):
    x, y = antipodal
    rng = np.random.default_rng(0)
    w, v = 0.1 * rng.standard_normal((3, 4)), 0.1 * rng.standard_normal(3)
    times = np.linspace(0, 30, 7)

    W, V = relu_flow(np.concatenate([w, -w]), np.concatenate([v, -v]), x, y, times)
    beta = linear_network(w, v, x, 1 / len(x), force=lambda f: y * np.exp(-y * f), times=times / 2)

    for t in range(len(times)):
        f = np.maximum(x @ W[:, :, t].T, 0) @ V[:, t]
        # The tolerance of the ReLU flow, magnified by as much as the network grows.
        assert np.abs(f - x @ beta[t]).max() < 1e-6 * max(1, np.abs(f).max())
    assert np.abs(beta[-1]).max() > 1


def test_small_networks_escape_at_the_slope_of_the_law(antipodal):
    x, y = antipodal
    beta = y @ x / len(x)
    w = np.array([beta / np.linalg.norm(beta)])

    def time_to(eps, size=1e-3):
        times = np.linspace(0, 40, 4001)
        f = linear_network(
            eps * w, np.array([eps]), x, 1 / len(x), force=lambda f: y * np.exp(-y * f), times=times
        )
        grown = np.log(np.linalg.norm(f, axis=1))
        return np.interp(np.log(size), grown, times)

    slope = (time_to(1e-9) - time_to(1e-6)) / np.log(1e3)

    # Up to outputs of the size at which times are read.
    assert 2 * slope == pytest.approx(halved_slope(beta, 1.0), rel=1e-3)
