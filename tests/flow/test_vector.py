"""Balanced populations with many outputs: outputs, precision, and any small scale."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gflow
from gflow.judges.conservation import ENERGY
from gflow.network.deep import DeepNetwork
from gflow.network.vector import VectorNeurons, vector_neurons
from gflow.network.weights import Task
from gflow.runs import store
from gflow.scenario import VectorTable

EPS, C, H, D = 0.4, 3, 7, 5


def drawn(normalized=False):
    rng = np.random.default_rng(0)
    table = VectorTable(width=H, power=3, init_scale=EPS, bias=True, input_normalized=normalized)
    neurons = vector_neurons(table, Task(np.eye(2, D), np.eye(2, D), C, None, 0))
    norms = jnp.asarray(np.log(EPS) + rng.standard_normal(H) / 2)
    bias = jnp.asarray(rng.standard_normal(C))
    return VectorNeurons(
        neurons.direction, neurons.output, norms, bias, input_normalized=normalized
    )


def plain(neurons, p):
    """The same as weights."""
    size = jnp.exp(neurons.log_norm)[:, None]
    return DeepNetwork(
        (size * neurons.direction,), (size * neurons.output).T, neurons.bias, p,
        input_normalized=neurons.input_normalized,
    )  # fmt: skip


@pytest.mark.parametrize("p", [1.0, 1.5, 3.0])
@pytest.mark.parametrize("normalized", [False, True])
def test_outputs_are_those_of_the_plain_network(p, normalized):
    neurons = drawn(normalized=normalized)
    x = np.random.default_rng(1).standard_normal((40, D))

    network = neurons.network(p)

    np.testing.assert_allclose(network(x), plain(neurons, p)(x), rtol=1e-10, atol=1e-12)
    top = float(jnp.exp(neurons.log_norm.max()))
    np.testing.assert_allclose(
        top * np.asarray(network.features(x)), plain(neurons, p).features(x), rtol=1e-10, atol=1e-12
    )
    np.testing.assert_allclose(network.sizes, plain(neurons, p).sizes)


@pytest.mark.filterwarnings("error")
def test_in_single_precision_it_answers_in_silence():
    neurons, x = drawn(), np.random.default_rng(1).standard_normal((40, D))
    expected = np.asarray(neurons.network(3.0)(x))

    with jax.enable_x64(False):
        outputs = np.asarray(neurons.network(3.0)(x.astype(np.float32)))

    assert outputs.dtype == np.float32
    np.testing.assert_allclose(outputs, expected, atol=1e-5 * np.abs(expected).max())


MANY = """
name = "many"
data = {dimension = 30, subclasses = 6, positive_subclasses = 3, noise = 0.1, samples = 300, test_samples = 60}
network = {kind = "vector", width = 60, power = 3, init_scale = 1e-300, outputs = "classes", bias = true}
flow = {end_time = 60000.0, end_loss = 1e-2, precision = "float64"}
"""  # noqa: E501


@pytest.mark.slow
@pytest.mark.parametrize(("power", "averaged"), [(1, True), (3, False)])
def test_with_two_outputs_neurons_choose_as_with_one(power, averaged, tmp_path):
    text = MANY.replace("power = 3", f"power = {power}").replace("1e-300", "1e-8")
    run = store.save(gflow.simulate(gflow.parse_scenario(text)), tmp_path / "run")

    again = store.load(run.folder)
    assert again.outcome.reason == "end_loss" and again.record["accuracy"].values[-1] == 1
    cosine = again.record["cosine"].values[-1]
    mass = np.exp(2 * again.record["log_norm"].values[-1])
    heavy = mass > 1e-3 * mass.max()
    nearest = cosine[:, 6:] if averaged else cosine[:, :6]
    assert (nearest[heavy].max(axis=1) > np.cos(np.radians(10))).all()
    np.testing.assert_array_equal(again.network(run.centers.mu), run.network(run.centers.mu))


@pytest.mark.slow
def test_at_any_scale_directions_move_alike_and_energy_is_kept():
    text = MANY.replace("end_loss = 1e-2", "tolerance = 1e-6").replace(
        "bias = true", "bias = false"
    )
    short = text.replace("60000.0", "20.0")

    large, small = (
        gflow.simulate(gflow.parse_scenario(short.replace("1e-300", eps)))
        for eps in ("1e-6", "1e-300")
    )
    # A neuron grows by dr/dt <= |g|/6 = 0.12 with |g| = 1/√2, so until t = 20 f is at most
    # 60 · (1e-6)² · e^4.8 = 7e-9.  Forces are off by as much, directions by p · 20 times that.
    gap = np.abs(
        np.asarray(large.state.weights.direction) - np.asarray(small.state.weights.direction)
    ).max()
    assert gap < 60 * 7e-9
    assert float(small.state.weights.log_norm.max()) < -600

    whole = gflow.simulate(gflow.parse_scenario(text.replace("60000.0", "9000.0")))
    loss, spent = whole.record["loss"].values, whole.record["dissipated"].values
    assert loss[-1] < 0.1 * loss[0]
    np.testing.assert_allclose(loss[0] - loss, spent, atol=ENERGY * 1e-6 * loss[0])


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('outputs = "classes"', 'outputs = "classes", hidden_layers = 2', 'kind = "layers", but'),
        ("bias = true", 'init = "gaussian"', 'unless network.kind = "neurons" or "layers", but'),
        ('"vector"', '"layers"', "`network.init_scale` must be >= 1e-125 in plain coordinates"),
    ],
)  # fmt: skip
def test_what_balanced_many_outputs_are_not_is_told(old, new, words):
    with pytest.raises(gflow.errors.ScenarioError) as caught:
        gflow.parse_scenario(MANY.replace(old, new))

    assert words in str(caught.value)
