"""Perturbations of trained networks are errors, whoever evaluates them, and bound each other."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gflow
from gflow.measure.margin import margins
from gflow.robustness.norm import NORMS

DATA = """
question = "Are stored perturbations errors, whoever evaluates them?"
seed = 0
[data]
dimension = 30
subclasses = 6
positive_subclasses = 4
noise = 0.4
samples = 240
test_samples = 40
"""
NEURONS = (
    DATA
    + """
[network]
width = 40
power = {power}
init_scale = 1e-4
[flow]
end_time = 1500
"""
)
LAYERS = (
    DATA
    + """
[network]
kind = "layers"
width = 30
power = 2
init_scale = 1.0
hidden_layers = 2
outputs = "{outputs}"
[flow]
end_time = 1e4
end_loss = 1e-2
"""
)


def assert_all_flip(toml):
    run = gflow.simulate(gflow.parse_scenario(toml))
    robustness = gflow.attack(
        run, gflow.RobustnessTable(norms=("l2", "linf", "l1"))
    ).evidence.robustness
    test = run.scenario.data.read_test(run.scenario.seed)
    y = jnp.asarray(robustness.y)

    def margin(x, rows):
        with jax.enable_x64(True):
            return np.asarray(margins(y[rows], run.network(jnp.asarray(x))))

    for norm in NORMS.values():
        found = robustness.radii[norm]
        assert np.isfinite(found.attacked).all()
        at = test.x + found.witness.perturbation
        assert (margin(at, slice(None)) <= 0).all()
        assert all(margin(at[i : i + 1], slice(i, i + 1))[0] <= 0 for i in range(len(at)))
        for other in NORMS.values():
            size = norm.size(robustness.radii[other].witness.perturbation)
            assert (found.attacked <= size * (1 + 1e-12)).all()


@pytest.mark.slow
@pytest.mark.parametrize("power", [1, 1.5, 3])
def test_perturbations_of_trained_neurons_flip(power):
    assert_all_flip(NEURONS.format(power=power))


@pytest.mark.slow
@pytest.mark.parametrize("outputs", ["sign", "classes", "subclasses"])
def test_perturbations_of_trained_layers_flip(outputs):
    assert_all_flip(LAYERS.format(outputs=outputs))
