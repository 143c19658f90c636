"""Laws of the skew XOR against many samples, whose field is searched for where it is radial."""

import numpy as np
import pytest
from scipy.optimize import brentq

from gflow.laws.xor import resting_angle, sliding_rate


def field(theta, x, y):
    """Mean of y x over the samples that a neuron at the angle θ from μ_1 is awake to."""
    u = np.array([np.cos(theta), -np.sin(theta)])
    awake = x @ u > 0
    pull = (y * awake) @ x / len(x)
    return u, pull


@pytest.mark.parametrize("tau", [0.01, 0.003])
@pytest.mark.parametrize("angle", [35.0, 60.0, 90.0])
def test_a_neuron_rests_where_the_pulls_of_the_other_class_balance(angle, tau):
    # μ_2 lies at the angle a on the other side of μ_1 than the neuron.
    a, n = np.radians(angle), 200_000
    axes = np.array([[1, 0], [-1, 0], [np.cos(a), np.sin(a)], [-np.cos(a), -np.sin(a)]])
    rng = np.random.default_rng(0)
    x = np.repeat(axes, n, axis=0) + tau * rng.standard_normal((4 * n, 2))
    y = np.repeat([1.0, 1.0, -1.0, -1.0], n)

    def sideways(theta):
        u, pull = field(theta, x, y)
        return pull @ np.array([u[1], -u[0]])

    rest = brentq(sideways, np.pi / 2 - a - 10 * tau, np.pi / 2 - a + 10 * tau, xtol=1e-7)
    u, pull = field(rest, x, y)

    # Second order in τ, and the sampling error of quantiles: τ/√n, over the density near z.
    slack = 5 * tau**2 + 20 * tau / np.sqrt(n)
    assert np.degrees(rest) == pytest.approx(resting_angle(angle, tau), abs=np.degrees(slack))
    assert 4 * (u @ pull) == pytest.approx(sliding_rate(angle, tau), abs=slack)


def test_points_are_slid_along_at_the_sine_of_the_angle():
    assert resting_angle(60.0) == 30 and sliding_rate(30.0) == pytest.approx(0.5)
    assert resting_angle(90.0) == 0 and sliding_rate(90.0) == pytest.approx(1)
