"""Directions by growth alone: the same as by the solution in time, at every power."""

import numpy as np
import pytest

from gflow.laws.growth import direction_at_growth
from gflow.laws.reduced import aligned


@pytest.mark.parametrize("p", [1.0, 1.5, 2.0, 2.05, 2.5, 3.0, 4.0])
def test_the_direction_at_a_growth_is_that_at_its_time(p):
    rng = np.random.default_rng(0)
    start = rng.uniform(-0.5, 0.5, (6, 3))
    start[:, 0] = np.abs(start[:, 0])

    for u0 in start:
        beside = float(np.sqrt(1 - (u0**2).sum()))
        law = aligned(u0, beside, np.ones(3), p, t_hat=np.linspace(0, 4, 5))
        found = direction_at_growth(np.tile(u0, (5, 1)), law.log_growth, p)
        awake = u0 > 0
        # Of quadratures to 1e-8 or so.
        np.testing.assert_allclose(found[:, awake], law.u[:, awake], atol=1e-6)


@pytest.mark.parametrize(("p", "cosines"), [(1.0, [0.5**0.5] * 2), (3.0, [1.0, 0.0])])
def test_neurons_that_grew_by_any_factor_end_at_the_average_or_the_winner(p, cosines):
    u0 = np.array([[0.02, 0.01, -0.3]])

    end = direction_at_growth(u0, np.array([690.0]), p)

    np.testing.assert_allclose(end[0], [*cosines, 0.0], atol=1e-12)


def test_a_void_neuron_points_nowhere_and_a_shrunken_one_where_it_began():
    u0 = np.array([[-0.1, -0.2], [0.3, 0.1]])

    end = direction_at_growth(u0, np.array([5.0, -1.0]), 3.0)

    np.testing.assert_allclose(end, [[0, 0], [0.3, 0.1]], atol=1e-12)
