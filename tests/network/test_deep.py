"""Networks of any depth: their formula by hand, and what homogeneity says of them."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gflow.network.deep import deep_network
from gflow.network.weights import Task
from gflow.scenario import LayersTable
from gflow.scenario.rules import SMALLEST_OUTPUT

EPS = np.finfo(np.float64).eps


def random_network(p, widths=(6, 5, 5), C=3, seed=0, scale=1.0, class_of=None, **rest):
    D, width, *others = widths
    options = dict(hidden_layers=1 + len(others), input_normalized=True) | rest
    table = LayersTable(width=width, power=p, init_scale=scale, **options)
    return deep_network(table, Task(np.eye(2, D), np.eye(2, D), C, class_of, seed))


def by_hand(network, x):
    """σ(<w, z>)^p / (‖w‖‖z‖)^{p-1} sample by sample and neuron by neuron."""
    outputs = []
    for z in x:
        for layer, w in enumerate(map(np.asarray, network.hidden)):
            if layer and network.layer_norm:
                z = (z - z.mean()) / z.std()
            size = np.linalg.norm(w, axis=1) * (
                np.linalg.norm(z) if network.input_normalized else 1
            )
            new = np.maximum(w @ z, 0) ** network.p / size ** (network.p - 1)
            z = z + new if layer and network.skip else new
        bias = 0 if network.bias is None else np.asarray(network.bias)
        outputs.append(np.asarray(network.output) @ z + bias)
    return np.array(outputs)


@pytest.mark.parametrize("p", [1.0, 1.5, 3.0])
@pytest.mark.parametrize(
    "options",
    [{}, dict(input_normalized=False), dict(skip=True), dict(layer_norm=True), dict(bias=True)],
)
def test_outputs_are_the_formula(p, options):
    network = random_network(p, **options)
    if network.bias is not None:
        network = eqx.tree_at(lambda n: n.bias, network, jnp.array([0.3, -0.2, 0.1]))
    x = np.random.default_rng(1).standard_normal((7, 6))

    np.testing.assert_allclose(network(x), by_hand(network, x), rtol=1e-10, atol=1e-12)


def test_one_output_is_a_number_a_sample():
    network = random_network(3.0, C=1)
    x = np.random.default_rng(1).standard_normal((7, 6))

    np.testing.assert_allclose(network(x), by_hand(network, x)[:, 0], rtol=1e-10)


def test_normalized_by_its_inputs_it_is_homogeneous_in_inputs_and_in_every_layer():
    network = random_network(3.0, widths=(6, 5, 5, 5))
    x = np.random.default_rng(1).standard_normal((7, 6))

    np.testing.assert_allclose(network(2.5 * x), 2.5 * np.asarray(network(x)), rtol=1e-10)
    for i in range(3):
        scaled = eqx.tree_at(lambda n, i=i: n.hidden[i], network, 3 * network.hidden[i])
        np.testing.assert_allclose(scaled(x), 3 * np.asarray(network(x)), rtol=1e-10)


def test_kaiming_starts_keep_the_size_of_relu_features():
    # E z² is kept by every ReLU layer with entries N(0, 2/fan-in).
    network = random_network(1.0, widths=(400, 2000, 2000), C=1)
    x = np.random.default_rng(1).standard_normal((40, 400))

    z = np.asarray(network.features(x))

    # A mean over 80,000 dependent entries: some 1/√2000 twice.
    assert (z**2).mean() == pytest.approx((x**2).mean(), rel=0.1)


@pytest.mark.parametrize(
    ("init", "hidden", "output"),
    [
        ("gaussian", 2 / 300, 2 / 400),
        ("kaiming_uniform", 2 / 300, 2 / 400),
        ("glorot", 2 / 700, 2 / 420),
        ("published", 6 / 400 / 3, 1 / 400 / 3),  # a²/3 of a uniform number in ±a
    ],
)
def test_every_initialization_has_its_variance(init, hidden, output):
    network = random_network(3.0, widths=(300, 400), C=20, scale=0.5, init=init)

    for w, variance in ((network.hidden[0], hidden), (network.output, output)):
        entries = np.asarray(w).ravel() / 0.5
        # Mean squares of N entries scatter by at most √(2/N); five of that.
        assert (entries**2).mean() == pytest.approx(variance, rel=5 * np.sqrt(2 / entries.size))
        assert abs(entries.mean()) < 5 * np.sqrt(variance / entries.size)
        if init in ("kaiming_uniform", "published"):
            assert np.sqrt(3 * variance) * 0.99 < np.abs(entries).max() <= np.sqrt(3 * variance)


def test_the_class_that_is_read_off_is_that_of_the_largest_output():
    class_of = (0, 1, 1, 0, 2)
    network = random_network(3.0, C=5, class_of=class_of)
    x = np.random.default_rng(1).standard_normal((50, 6))

    outputs = np.asarray(network.function(3.0)(x))

    f = np.asarray(network(x))
    assert outputs.shape == (50, 3) and set(outputs.argmax(axis=1)) == {0, 1}
    np.testing.assert_array_equal(outputs.argmax(axis=1), np.take(class_of, f.argmax(axis=1)))
    np.testing.assert_array_equal(outputs[:, 0], np.maximum(f[:, 0], f[:, 3]))


@pytest.mark.parametrize(
    ("p", "hidden", "options", "degree"),
    [
        (2.5, 1, dict(input_normalized=False), 2),
        (3.0, 3, {}, 4),
        (4.0, 2, dict(layer_norm=True), 2),
        (4.0, 2, dict(input_normalized=False), 1 + (1 + 4)),
        (3.0, 3, dict(input_normalized=False), 1 + (1 + 3 * (1 + 3))),
    ],
)
def test_slopes_survive_small_scales_in_single_precision(p, hidden, options, degree):
    # The smallest scale that a scenario takes: outputs, of degree 1 in each layer, are of 1e-30.
    scale = SMALLEST_OUTPUT["float32"] ** (1 / degree)
    network = random_network(p, widths=(6, *[5] * hidden), scale=scale, **options)
    x = np.random.default_rng(1).standard_normal((7, 6)) + 0.5

    def slopes(dtype):
        one = jax.tree.map(lambda w: w.astype(dtype), network)
        return jax.tree.leaves(jax.grad(lambda n: n(x.astype(dtype)).sum())(one))

    # Sums of some forty products of single precision, through powers of p in every layer.
    for single, double in zip(slopes(jnp.float32), slopes(jnp.float64), strict=True):
        assert (double != 0).any()
        allowed = 40 * (1 + hidden) * p * np.finfo(np.float32).eps * np.abs(double).max()
        np.testing.assert_allclose(single, double, atol=allowed)


def test_slopes_scale_with_the_weights_as_homogeneity_says():
    # By p-homogeneity of a layer in nothing but its weights, of degree 1: slopes in ε² here.
    network = random_network(3.0, widths=(6, 5, 5))
    x = np.random.default_rng(1).standard_normal((7, 6))
    at = [jax.tree.map(lambda w, s=s: s * w, network) for s in (1.0, 1e-60)]

    whole, small = (jax.tree.leaves(jax.grad(lambda n: n(x).sum())(n)) for n in at)

    for a, b in zip(whole, small, strict=True):
        np.testing.assert_allclose(1e120 * b, a, rtol=1e-9, atol=1e-12)


def test_each_layer_has_its_scale():
    even = random_network(2.0, widths=(6, 5, 5), scale=0.5)

    uneven = random_network(2.0, widths=(6, 5, 5), scale=0.5, layer_scales=(0.01, 1.0, 0.2))

    for w, same, factor in zip(uneven.layers, even.layers, (0.01, 1.0, 0.2), strict=True):
        # One product more: two roundings.
        np.testing.assert_allclose(w, factor * same, rtol=2 * EPS)


@pytest.mark.parametrize("input_normalized", [False, True])
@pytest.mark.parametrize("layer_norm", [False, True])
@pytest.mark.parametrize("p", [1.0, 3.0])
def test_outputs_have_the_size_that_scales_of_layers_give_them(p, input_normalized, layer_norm):
    options = dict(input_normalized=input_normalized, layer_norm=layer_norm, C=1)
    scales = (1e-2, 1.0, 1e-3, 0.1)
    table = LayersTable(
        width=5, power=p, init_scale=1.0, hidden_layers=3, layer_scales=scales,
        input_normalized=input_normalized, layer_norm=layer_norm,
    )  # fmt: skip
    x = np.random.default_rng(1).standard_normal((7, 6))

    even, uneven = (
        np.asarray(random_network(p, widths=(6, 5, 5, 5), layer_scales=one, **options)(x))
        for one in (None, scales)
    )

    np.testing.assert_allclose(uneven, table.output_size * even, rtol=1e-9)
