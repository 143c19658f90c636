"""Hard margins against brute force, and the rate at which a flow approaches them."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.optimize import minimize

from gflow.laws.hard_margin import hard_margin, one_direction
from gflow.laws.linear import linear_network


def cone(D, n, seed):
    """Samples around the first axis, of several lengths."""
    rng = np.random.default_rng(seed)
    x = 0.5 * rng.standard_normal((n, D))
    x[:, 0] = 1 + rng.random(n)
    return x


@pytest.mark.parametrize("seed", range(5))
def test_no_direction_of_the_plane_has_a_larger_margin(seed):
    x = cone(2, 6, seed)
    angle = np.linspace(-np.pi, np.pi, 400_001)
    directions = np.stack([np.cos(angle), np.sin(angle)], axis=1)

    margins = (directions @ x.T).min(axis=1)
    u, margin = hard_margin(x)

    # Neighboring directions differ by 1.6e-5, margins by at most that times max ‖x‖ < 4.
    assert margin == pytest.approx((u @ x.T).min(), abs=1e-12)
    assert 0 <= margin - margins.max() + 1e-12 < 1e-4


@pytest.mark.parametrize(("D", "n"), [(3, 10), (8, 7), (30, 12)])
def test_a_general_optimizer_finds_the_same_direction(D, n):
    x = cone(D, n, 1)

    best = minimize(
        lambda w: w @ w / 2, x.mean(axis=0), jac=lambda w: w, method="SLSQP",
        constraints={"type": "ineq", "fun": lambda w: x @ w - 1, "jac": lambda w: x},
        options={"ftol": 1e-14, "maxiter": 1000},
    )  # fmt: skip
    u, margin = hard_margin(x)

    assert u == pytest.approx(best.x / np.linalg.norm(best.x), abs=1e-5)
    assert margin == pytest.approx(1 / np.linalg.norm(best.x), rel=1e-6)


def test_two_samples_have_the_nearest_point_of_their_segment():
    # The line through (1, 1) and (1, -3) is nearest to the origin at (1, 0).
    u, margin = hard_margin(np.array([[1.0, 1.0], [1.0, -3.0]]))

    assert u == pytest.approx([1, 0]) and margin == pytest.approx(1)


def test_samples_around_the_origin_have_no_margin():
    with pytest.raises(ValueError, match="one side of a hyperplane"):
        hard_margin(np.array([[1.0, 0.1], [-1.0, 0.1], [0.0, -1.0]]))


def test_a_class_of_one_direction_is_a_balanced_linear_neuron():
    # w = ρ u, v = ρ, W = v w: the two are integrated in other coordinates, times and methods.
    x, rho = cone(5, 6, 0), 1e-2
    times = np.geomspace(1e-3, 200, 8)
    u = np.eye(5)[0]

    def force(z):
        return 1 / (1 + np.exp(z))

    direct = linear_network(
        rho * u[None], np.array([rho]), x, 1 / 6, force=force, times=np.append(0.0, times)
    )[1:]
    W = one_direction(direct[0], x, 1 / 6, force=force, times=times)

    assert np.linalg.norm(W[-1]) > 1
    assert np.abs(W / direct - 1).max() < 1e-5


@pytest.mark.parametrize("seed", range(3))
def test_one_neuron_approaches_the_hard_margin_like_one_over_log_of_the_loss(seed):
    # dw/ds = ‖w‖ Σ_i p_i x_i with p the softmax of -‖w‖ <w, x_i>, in the time ds = L dt: a balanced
    # neuron that is awake to all samples.  Its length grows like e^{γ s}, log 1/L like e^{2 γ s}.
    x = cone(6, 5, seed)
    direction, margin = hard_margin(x)

    def shares(w):
        margins = np.linalg.norm(w) * (x @ w)
        weight = np.exp(margins.min() - margins)
        return weight / weight.sum(), margins.min()

    def velocity(_, w):
        return np.linalg.norm(w) * (shares(w)[0] @ x)

    times = np.log([300 / 0.3, 1000 / 0.3]) / margin
    start = 0.3 * x.mean(axis=0) / np.linalg.norm(x.mean(axis=0))
    solved = solve_ivp(velocity, (0, times[-1]), start, "LSODA", t_eval=times, rtol=1e-9, atol=1e-9)
    gap, log_loss = np.array(
        [(1 - w @ direction / np.linalg.norm(w), shares(w)[1]) for w in solved.y.T]
    ).T

    assert solved.success and log_loss[-1] > 1e4 and log_loss[-1] > 5 * log_loss[0]
    # (1 - cos) log 1/L is constant up to terms that are smaller by 1/log 1/L.
    constant = gap * log_loss
    assert constant[0] == pytest.approx(constant[-1], rel=0.05)
