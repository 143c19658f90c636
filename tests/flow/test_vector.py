"""Balanced populations with many outputs: gradients of plain weights, and any small scale."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from systems import system

import gflow
from gflow.flow.field import FlowState, Samples
from gflow.flow.losses import LOSSES, CrossEntropy
from gflow.flow.module_field import ModuleField
from gflow.flow.vector_field import VectorField
from gflow.judges.conservation import ENERGY
from gflow.network.deep import DeepNetwork
from gflow.network.neurons import PolarNeurons
from gflow.network.vector import VectorNeurons, vector_neurons
from gflow.network.weights import Task
from gflow.runs import store
from gflow.scenario import VectorTable

EPS = np.finfo(np.float64).eps


def drawn(C=3, h=7, D=5, eps=0.4, bias=True, normalized=False, seed=0):
    rng = np.random.default_rng(seed)
    table = VectorTable(width=h, power=3, init_scale=eps, bias=bias, input_normalized=normalized)
    neurons = vector_neurons(table, Task(np.eye(2, D), np.eye(2, D), C, None, seed))
    norms = jnp.asarray(np.log(eps) + rng.standard_normal(h) / 2)
    b = jnp.asarray(rng.standard_normal(C)) if bias else None
    return VectorNeurons(neurons.direction, neurons.output, norms, b, input_normalized=normalized)


def plain(neurons, p):
    """The same as weights."""
    size = jnp.exp(neurons.log_norm)[:, None]
    return DeepNetwork(
        (size * neurons.direction,), (size * neurons.output).T, neurons.bias, p,
        input_normalized=neurons.input_normalized,
    )  # fmt: skip


def labeled(C=3, n=40, D=5, seed=1):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, D)), rng.integers(C, size=n).astype(float)


@pytest.mark.parametrize("p", [1.0, 1.5, 3.0])
@pytest.mark.parametrize("normalized", [False, True])
def test_outputs_are_those_of_the_plain_network(p, normalized):
    neurons = drawn(normalized=normalized)
    x, _ = labeled()

    network = neurons.network(p)

    np.testing.assert_allclose(network(x), plain(neurons, p)(x), rtol=1e-10, atol=1e-12)
    top = float(jnp.exp(neurons.log_norm.max()))
    np.testing.assert_allclose(
        top * np.asarray(network.features(x)), plain(neurons, p).features(x), rtol=1e-10, atol=1e-12
    )
    np.testing.assert_allclose(network.sizes, plain(neurons, p).sizes)


@pytest.mark.parametrize("p", [1.0, 1.5, 3.0])
@pytest.mark.parametrize(("bias", "normalized"), [(True, False), (False, True)])
def test_the_velocity_is_that_of_the_plain_weights(p, bias, normalized):
    # w = ρu and v = ρa: dw = dρ u + ρ du, so du = (dw - <dw, u> u)/ρ and dr = <dw, u>/ρ.
    neurons, (x, y) = drawn(bias=bias, normalized=normalized), labeled()
    samples = Samples.blocked(x, y, np.full(40, 1 / 40), 16, "float64")
    u, a, rho = (np.asarray(z) for z in (neurons.direction, neurons.output, neurons.log_norm))
    rho = np.exp(rho)[:, None]

    found = VectorField(CrossEntropy(), p)(jnp.zeros(()), FlowState.begin(neurons), samples)

    one = FlowState.begin(plain(neurons, p))
    theirs = ModuleField(CrossEntropy(), p)(jnp.zeros(()), one, samples)
    dw, dv = np.asarray(theirs.weights.hidden[0]) / rho, np.asarray(theirs.weights.output).T / rho
    along_w, along_v = ((dw * u).sum(axis=1), (dv * a).sum(axis=1))
    np.testing.assert_allclose(along_w, along_v, atol=1e-12)  # balanced stays balanced
    close = dict(rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(found.weights.log_norm, along_w, **close)
    np.testing.assert_allclose(found.weights.direction, dw - along_w[:, None] * u, **close)
    np.testing.assert_allclose(found.weights.output, dv - along_v[:, None] * a, **close)
    if bias:
        np.testing.assert_allclose(found.weights.bias, theirs.weights.bias, **close)
    assert float(found.dissipated) == pytest.approx(float(theirs.dissipated), rel=1e-9)


@pytest.mark.parametrize("p", [1.0, 3.0])
def test_with_one_output_it_is_the_polar_chart(p):
    rng = np.random.default_rng(3)
    many = drawn(C=1, bias=False)
    sign = many.output[:, 0]
    x, y = rng.standard_normal((40, 5)), np.sign(rng.standard_normal(40))
    polar = system(PolarNeurons(many.direction, many.log_norm, sign), x, y, p)

    found = VectorField(LOSSES["exponential"], p)(
        jnp.zeros(()), FlowState.begin(many), polar.samples
    )

    theirs = polar.field(jnp.zeros(()), FlowState.begin(polar.weights), polar.samples)
    np.testing.assert_allclose(
        found.weights.direction, theirs.weights.direction, atol=100 * EPS, rtol=1e-12
    )
    np.testing.assert_allclose(found.weights.log_norm, theirs.weights.log_norm, rtol=1e-12)
    assert (np.asarray(found.weights.output) == 0).all()
    assert float(found.dissipated) == pytest.approx(float(theirs.dissipated))


@pytest.mark.filterwarnings("error")
def test_in_single_precision_it_answers_in_silence():
    neurons, (x, _) = drawn(), labeled()
    expected = np.asarray(neurons.network(3.0)(x))

    with jax.enable_x64(False):
        found = np.asarray(neurons.network(3.0)(x.astype(np.float32)))

    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())


def test_a_filling_row_weighs_nothing():
    neurons, (x, y) = drawn(), labeled(n=7)
    velocities = [
        VectorField(CrossEntropy(), 3.0)(
            jnp.zeros(()), FlowState.begin(neurons),
            Samples.blocked(x, y, np.full(7, 1 / 7), rows, "float64"),
        ).weights
        for rows in (7, 4)
    ]  # fmt: skip

    for one, other in zip(*map(jax.tree.leaves, velocities), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-14)


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
