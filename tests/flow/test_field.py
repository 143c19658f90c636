"""Fields beyond the suite over charts: norms of errors, precision, scales and order."""

import jax.numpy as jnp
import numpy as np
import pytest
from systems import polar, random_problem, system

from gflow.flow.field import FlowState
from gflow.network.neurons import CartesianNeurons, outputs_by_block

EPS = np.finfo(np.float64).eps


@pytest.mark.parametrize("p", [1.0, 1.5, 3.0])
def test_without_normalization_a_neuron_is_a_power_of_its_weights(p):
    # f(x) = Σ v σ(<w, x>)^p, so a neuron contributes |v| ‖w‖^p.
    x, _, w, _, rng = random_problem()
    v = rng.standard_normal(len(w))

    network = CartesianNeurons(jnp.asarray(w), jnp.asarray(v), p).network(p)

    expected = np.maximum(x @ w.T, 0) ** p @ v
    assert np.abs(network(x) - expected).max() < 100 * EPS * np.abs(expected).max()
    assert np.allclose(network.mass, np.abs(v) * np.linalg.norm(w, axis=1) ** p, rtol=100 * EPS)


def test_without_normalization_the_worst_neuron_decides_about_a_step():
    # One neuron of four is wrong, by one tolerance in each of its D + 1 = 3 numbers.
    w, v = jnp.zeros((4, 2)).at[1].set(1.0), jnp.zeros(4).at[1].set(1.0)
    field = system(CartesianNeurons(w, v), np.eye(2), [1, -1], 3).field

    mean, largest = (
        float(field.error_norm(FlowState.begin(CartesianNeurons(w, v, q)))) for q in (1.0, 3.0)
    )

    assert mean == pytest.approx(1 / 2) and largest == pytest.approx(1)


@pytest.mark.parametrize("rows", [1, 4, 22, 23, 1000])
def test_outputs_do_not_depend_on_blocks_of_rows(rows):
    x, y, w, sign, _ = random_problem(seed=2)
    flow = system(polar(w, -0.3, sign), x, y, 3, rows=rows)
    network = flow.weights.network(3.0)

    f = network(x)

    assert (
        jnp.abs(outputs_by_block(network, flow.samples.x, flow.samples.n).unscaled - f).max()
        < 100 * EPS * jnp.abs(f).max()
    )


def test_velocity_follows_the_order_of_neurons_and_ignores_that_of_samples():
    x, y, w, sign, rng = random_problem(seed=4)
    neurons, rows = rng.permutation(len(w)), rng.permutation(len(y))

    straight = system(polar(w, -0.2, sign), x, y, 3).velocity().weights
    shuffled = (
        system(polar(w[neurons], -0.2, sign[neurons]), x[rows], y[rows], 3).velocity().weights
    )

    rounding = 100 * EPS * float(np.abs(straight.direction).max())
    assert np.abs(shuffled.direction - straight.direction[neurons]).max() < rounding


def test_scaling_the_inputs_scales_time_while_the_network_is_negligible():
    # f = 0: G is homogeneous of degree p in the inputs.
    x, y, w, sign, _ = random_problem(seed=5)

    once = system(polar(w, -400.0, sign), x, y, 3).velocity().weights
    twice = system(polar(w, -400.0, sign), 2 * x, y, 3).velocity().weights

    rounding = 100 * EPS * float(np.abs(twice.direction).max())
    assert np.abs(twice.direction - 8 * once.direction).max() < rounding


def test_float32_products_are_right_to_float32():
    x, y, w, sign, _ = random_problem(n=200, seed=6)

    exact = system(polar(w, 0.0, sign), x, y, 3).velocity().weights
    quick = system(polar(w, 0.0, sign), x, y, 3, dtype="float32").velocity().weights

    assert quick.direction.dtype == jnp.float64
    scale = float(jnp.abs(exact.direction).max())
    assert np.abs(quick.direction - exact.direction).max() < 50 * np.finfo(np.float32).eps * scale


def test_any_scale_gives_a_finite_velocity():
    x, y, w, sign, _ = random_problem(seed=7)

    speed = system(polar(w, np.log(1e-300), sign), x, y, 3).velocity()

    assert np.isfinite(speed.weights.direction).all() and np.isfinite(speed.weights.log_norm).all()
