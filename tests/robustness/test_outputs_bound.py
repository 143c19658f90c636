"""Certified radii of networks with many outputs: closed forms, biases and dense search."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gflow.network.deep import DeepNetwork
from gflow.network.read_off import classifier
from gflow.network.vector import VectorNetwork
from gflow.network.vector_population import VectorPopulation
from gflow.robustness.bracket import measure_radii
from gflow.robustness.norm import NORMS, Norm
from gflow.robustness.outputs_bound import certified_of_outputs

ALL = list(NORMS.values())
DUAL = {"l1": np.inf, "l2": 2, "linf": 1}


def layers(seed, p, *, input_normalized=False, bias=False, C=3, D=3, h=7, class_of=None):
    """A random network of one hidden layer."""
    rng = np.random.default_rng(seed)
    with jax.enable_x64(True):
        w, v, b = (jnp.asarray(rng.standard_normal(size)) for size in ((h, D), (C, h), C))
        return DeepNetwork((w,), v, b if bias else None, p, input_normalized=input_normalized,
                           class_of=class_of)  # fmt: skip


def classes(f, x):
    """What a network predicts, in double precision."""
    with jax.enable_x64(True):
        out = np.asarray(f(jnp.asarray(x)))
    return np.sign(out) if out.ndim == 1 else out.argmax(axis=1).astype(float)


def in_unit_ball(norm, D, count, seed=0):
    """Points of the unit ball, half of them on its sphere."""
    rng = np.random.default_rng(seed)
    points = norm.to_size(rng.standard_normal((count, D)), np.ones(count))
    points[::2] *= rng.random((len(points[::2]), 1)) ** (1 / D)
    return points


@pytest.mark.parametrize("norm", ALL)
def test_linear_outputs_keep_their_distance_to_the_closest_rival(norm):
    # Two neurons that see all of what is in question: outputs are linear, with a bias.
    u = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    a, b = np.array([[1.0, 0.5, -1.0], [0.2, 1.0, 0.7]]), np.array([0.1, -0.2, 0.3])
    f = VectorPopulation(u, a, b, 1.0, False)
    x = np.array([[5.0, 6.0, 0.4], [6.0, 5.0, -0.1]])
    z = x[:, :2] @ a + b
    y = z.argmax(axis=1)
    gaps = [[(z[i, k] - z[i, j]) / np.linalg.norm(a[:, k] - a[:, j], DUAL[norm])
             for j in range(3) if j != k] for i, k in enumerate(y)]  # fmt: skip
    distance = np.min(gaps, axis=1)
    assert (1.5 * distance < x[:, :2].min(axis=1)).all(), "no neuron falls asleep"

    certified = certified_of_outputs(f, x, y, 1.5 * distance, norm=norm)

    assert (certified <= distance).all()
    np.testing.assert_allclose(certified, distance, rtol=2 / 2**14)


@pytest.mark.parametrize("p", [1.0, 2.0, 3.0])
@pytest.mark.parametrize(("input_normalized", "bias"), [(0, 0), (0, 1), (1, 0), (1, 1)])
@pytest.mark.parametrize("class_of", [None, (0, 1, 1)])
def test_no_point_of_a_certified_ball_is_of_another_class(p, input_normalized, bias, class_of):
    f = layers(1, p, input_normalized=bool(input_normalized), bias=bool(bias), class_of=class_of)
    model = classifier(f, class_of)
    x = np.random.default_rng(2).standard_normal((12, 3))
    y = classes(model, x)

    for norm in ALL:
        certified = certified_of_outputs(model.on_host.top, x, y, norm.size(x), norm=norm)
        assert (certified > 0).all()
        points = x[:, None] + certified[:, None, None] * in_unit_ball(norm, 3, 4000)
        labels = classes(model, points.reshape(-1, 3)).reshape(12, -1)
        assert (labels == y[:, None]).all()


@pytest.mark.parametrize("bias", [False, True])
def test_one_output_is_certified_by_its_sign(bias):
    f = layers(3, 2.0, bias=bias, C=1)
    x = np.random.default_rng(4).standard_normal((12, 3))
    y = classes(f, x)

    certified = certified_of_outputs(f.on_host.top, x, y, np.linalg.norm(x, axis=1), norm=Norm.L2)

    assert (certified > 0).all()
    points = x[:, None] + certified[:, None, None] * in_unit_ball(Norm.L2, 3, 4000)
    assert (classes(f, points.reshape(-1, 3)).reshape(12, -1) == y[:, None]).all()


@pytest.mark.slow
@pytest.mark.parametrize("p", [1.0, 3.0])
def test_radii_of_many_outputs_have_two_ends(p):
    f = layers(1, p, bias=True)
    x = np.random.default_rng(2).standard_normal((12, 3))

    radii = measure_radii(f, x, classes(f, x), ALL, seed=0).radii

    for one in radii.values():
        certified, attacked = one.certified, one.attacked
        assert one.neurons == 7
        assert (certified > 0).all() and (certified <= attacked).all()


def test_neurons_of_vector_outputs_are_those_of_layers():
    # w_j = e^{r_j} u_j and v_j = e^{r_j} a_j, at a scale whose square underflows.
    rng = np.random.default_rng(5)
    u, a = (v / np.linalg.norm(v, axis=1, keepdims=True) for v in rng.standard_normal((2, 6, 4)))
    r = rng.standard_normal(6) - 400
    with jax.enable_x64(True):
        f = VectorNetwork(*map(jnp.asarray, (u, a, r)), bias=None, p=3.0, input_normalized=False)
    x = rng.standard_normal((9, 4))

    outputs = f.on_host.top(x)

    expected = np.maximum(x @ u.T, 0) ** 3 @ (np.exp(2 * (r - r.max()))[:, None] * a)
    np.testing.assert_allclose(outputs, expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("input_normalized", [False, True])
def test_the_host_evaluates_layers_as_they_are(input_normalized):
    f = layers(6, 3.0, input_normalized=input_normalized, bias=True)
    x = np.random.default_rng(7).standard_normal((9, 3))
    with jax.enable_x64(True):
        expected = np.asarray(f(jnp.asarray(x)))

    outputs = f.on_host.top(x)

    size = np.linalg.norm(x, axis=1, keepdims=True) ** (2 if input_normalized else 0)
    np.testing.assert_allclose(outputs, expected * size, rtol=1e-12)
