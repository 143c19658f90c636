"""In plain coordinates a requested accuracy is given, and absolute tolerances can be set."""

import pytest

import gflow
from gflow.errors import PrecisionError, ScenarioError

LAYERS = """
seed = 1
data = {dimension = 10, subclasses = 4, positive_subclasses = 2, noise = 0.05, samples = 40, test_samples = 0}
network = {kind = "layers", width = 10, power = 3, init_scale = 1.0, hidden_layers = 2, input_normalized = true}
flow = {end_time = 40, precision = "float64", loss = "logistic"}
record = {groups = [], linear = 2, geometric = 2}
"""  # noqa: E501


def layers(**flow):
    return gflow.parse_scenario(LAYERS, overrides=[f"flow.{key}={v!r}" for key, v in flow.items()])


@pytest.mark.slow
def test_a_deep_flow_gains_from_a_smaller_tolerance():
    def imbalance(tolerance):
        """|L(0) - L(t) - ∫‖dθ/dt‖²|, which is 0 along an exact flow (theory D2d)."""
        record = gflow.simulate(layers(tolerance=tolerance)).record
        fall = record["loss"][0] - record["loss"][-1]
        return abs(float(fall - record["dissipated"][-1]))

    # Errors are proportional to the tolerance: 1000 times, less what two step sizes have by chance.
    assert imbalance(1e-9) < imbalance(1e-6) / 30


def test_an_absolute_tolerance_of_layers_can_be_set_and_is_refused_in_their_own_words():
    assert layers(absolute_tolerance=1e-9).flow.absolute_tolerance == 1e-9

    with pytest.raises(ScenarioError) as caught:
        layers(absolute_tolerance=1e-3)
    assert "`flow.absolute_tolerance` must be far below `network.init_scale` in plain" in str(
        caught.value
    )
    assert "polar" not in str(caught.value)


def test_an_absolute_tolerance_above_the_smallest_layer_names_one_that_is_accepted():
    # Weights of the hidden layers have deviations of √(2/10) and less.
    with pytest.raises(PrecisionError, match="smallest layer has weights of") as caught:
        gflow.simulate(layers(absolute_tolerance=1e-6))
    words = str(caught.value)
    allowed = float(words.partition("of at most ")[2].rstrip("."))

    assert "polar" not in words and "chart" not in words
    assert gflow.simulate(layers(absolute_tolerance=allowed, end_time=1.0)).outcome.complete


def test_an_absolute_tolerance_of_vectors_must_be_left_out():
    text = LAYERS.replace('"layers"', '"vector"').replace("hidden_layers = 2, ", "")

    with pytest.raises(ScenarioError, match=r"`flow\.absolute_tolerance` must be left out for net"):
        gflow.parse_scenario(text, overrides=["flow.absolute_tolerance=1e-9"])
