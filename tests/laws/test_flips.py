"""Laws of flipped labels, against searches and an integrator of their own."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.optimize import minimize_scalar

from gflow.laws.flips import (
    RESTS,
    class_pull,
    force_lost,
    pulls,
    resting_loss,
    resting_output,
)

ETAS = (0.02, 0.2, 0.45)

VALUES = {
    "exponential": lambda margin: np.exp(-margin),
    "logistic": lambda margin: np.log1p(np.exp(-margin)),
    "half_square": lambda margin: (1 - margin) ** 2 / 2,
    "square": lambda margin: (1 - margin) ** 2,
}
"""Each loss of the margin y f."""

FORCES = {
    "exponential": lambda margin: np.exp(-margin),
    "logistic": lambda margin: 1 / (1 + np.exp(margin)),
    "half_square": lambda margin: 1 - margin,
    "square": lambda margin: 2 * (1 - margin),
}
"""Minus its derivative."""


def mean_of(function, f, eta):
    """The mean of a function of the margin over labels of which a share is flipped."""
    return (1 - eta) * function(f) + eta * function(-f)


@pytest.mark.parametrize("loss", RESTS)
@pytest.mark.parametrize("eta", ETAS)
def test_the_flow_rests_where_the_mean_loss_is_smallest(loss, eta):
    best = minimize_scalar(
        lambda f: mean_of(VALUES[loss], f, eta),
        bounds=(0, 10), method="bounded", options={"xatol": 1e-9},
    )  # fmt: skip

    # Values resolve where they are smallest to the root of their rounding, 1e-16.
    assert resting_output(np.array([eta]), loss) == pytest.approx(best.x, abs=1e-6)
    assert resting_loss(np.array([eta]), loss) == pytest.approx(best.fun, rel=1e-12)


@pytest.mark.parametrize("loss", RESTS)
def test_the_mean_force_is_lost_as_outputs_grow(loss):
    z, eta, force = np.linspace(0, 3, 31), 0.2, FORCES[loss]

    left = ((1 - eta) * force(z) - eta * force(-z)) / ((1 - 2 * eta) * force(0.0))

    assert force_lost(z, eta, loss) == pytest.approx(1 - left, abs=1e-14)


@pytest.mark.parametrize("p", [1.0, 1.5, 2.0, 3.0])
def test_no_direction_grows_faster_than_a_class_pulls(p):
    rng = np.random.default_rng(0)
    pull = pulls(np.array([0.3, 0.2, 0.1]), np.array([0.1, 0.3, 0.0]))
    u = np.abs(rng.standard_normal((200_000, 3)))
    u /= np.linalg.norm(u, axis=1, keepdims=True)
    u = np.concatenate([u, np.eye(3)])

    growth = (u**p) @ pull

    # The random points are some 0.005 apart, and the growth is flat at its largest.
    assert growth.max() == pytest.approx(class_pull(pull, p), rel=1e-4)


@pytest.mark.parametrize("loss", RESTS)
def test_escape_is_later_by_the_law_for_a_smaller_start(loss):
    # dz/dt = 2π ḡ(z) z, integrated in log z from two starts.
    eta, pi = 0.3, 0.25
    half = resting_output(np.array([eta]), loss)[0] / 2

    def speed(t, log_z):
        z, force = np.exp(log_z), FORCES[loss]
        return 2 * pi * ((1 - eta) * force(z) - eta * force(-z))

    def reached(t, log_z):
        return log_z[0] - np.log(half)

    reached.terminal = True
    times = [
        solve_ivp(speed, (0, 1e4), [2 * np.log(eps)], events=reached, rtol=1e-8, atol=1e-8).t[-1]
        for eps in (1e-10, 1e-20)
    ]

    slope = (times[1] - times[0]) / np.log(1e10)
    assert slope == pytest.approx(1 / (FORCES[loss](0.0) * (1 - 2 * eta) * pi), rel=1e-6)
