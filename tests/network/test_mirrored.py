"""A mirrored start: pairs of neurons whose sum is odd, and linear at power 1."""

import jax
import numpy as np
import pytest

from gflow.network.initial import start_neurons
from gflow.network.weights import Task
from gflow.scenario.networks import NeuronsTable


@pytest.mark.parametrize(
    ("chart", "balanced"), [("polar", True), ("lightcone", False), ("cartesian", False)]
)
@pytest.mark.parametrize("power", [1.0, 3.0])
def test_a_mirrored_network_is_odd_and_at_power_1_linear(chart, balanced, power):
    table = NeuronsTable(
        width=10, power=power, init_scale=0.1, mirrored=True, balanced=balanced, init="sphere"
    )
    x = np.random.default_rng(0).standard_normal((20, 4))

    with jax.enable_x64(True):
        task = Task(centers=np.eye(2, 4), averages=np.eye(2, 4), outputs=1, class_of=None, seed=1)
        network = start_neurons(chart, table, task).network(power)
        f, opposite, double = (np.asarray(network(scale * x)) for scale in (1, -1, 2))

    # To rounding, each output being a sum of ten terms of size 0.01 at most.
    assert np.abs(f).max() > 1e-4 and np.abs(f + opposite).max() < 1e-16
    assert np.abs(double - 2**power * f).max() < 1e-15
    if power == 1:
        beta = np.linalg.lstsq(x, f, rcond=None)[0]
        assert np.abs(x @ beta - f).max() < 1e-15
