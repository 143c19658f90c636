"""The flow of any module of the user's own."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import gflow


class Line(eqx.Module):
    """a x + b, with a function and an integer beside the arrays."""

    a: jax.Array
    b: jax.Array
    shape: object = jnp.tanh
    count: int = 3

    def __call__(self, x):
        return x[:, 0] * self.a + self.b


def test_any_module_flows_and_a_linear_one_in_closed_form():
    x, y = np.array([[1.0], [-1.0]]), np.array([3.0, -1.0])
    line = Line(jnp.zeros(()), jnp.zeros(()))

    flow = gflow.flow_of(line, lambda f, y: (f - y) ** 2 / 2, (x, y), [0.5, 1.0], tolerance=1e-9)

    # Slope and offset decay toward 2 and 1 as 1 - e^{-t}.
    for t, module in zip(flow.times, flow.modules, strict=True):
        assert float(module.a) == pytest.approx(2 * (1 - np.exp(-t)), abs=1e-7)
        assert float(module.b) == pytest.approx(1 - np.exp(-t), abs=1e-7)
        assert module.count == 3 and module.shape is jnp.tanh
    np.testing.assert_allclose(flow.times, [0, 0.5, 1])


def test_a_module_sees_no_rows_but_those_of_the_data():
    # Filling a block with zeros would divide 0 by 0 here: 1001 samples are two blocks of 501.
    class Directed(eqx.Module):
        a: jax.Array

        def __call__(self, x):
            return x @ self.a / jnp.linalg.norm(x, axis=1)

    x = np.random.default_rng(0).standard_normal((1001, 2))
    flow = gflow.flow_of(
        Directed(jnp.zeros(2)), lambda f, y: (f - y) ** 2, (x, np.ones(1001)), [0.1]
    )

    assert flow.outcome.complete and np.isfinite(flow.loss).all()


def test_labels_stay_integers_where_they_are():
    class Table(eqx.Module):
        a: jax.Array

        def __call__(self, x):
            return x @ self.a

    x, y = np.eye(3), np.array([2, 0, 1])
    loss = optax.softmax_cross_entropy_with_integer_labels

    flow = gflow.flow_of(Table(jnp.zeros((3, 3))), loss, (x, y), [100.0])

    np.testing.assert_array_equal(np.asarray(flow.modules[-1].a).argmax(axis=1), y)
