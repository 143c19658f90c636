"""Departures from a sample against closed forms, and against all directions of a plane."""

import numpy as np
import pytest

from gflow.errors import DataError
from gflow.robustness.departure import Departure


def departure(at, slope, p, *, way=None, scale=0.0):
    """The first neuron is the sample's own and the others are not, unless `at` has more own."""
    h = len(at)
    side = np.where(np.array(at) > 0, 1.0, -1.0)
    ways = np.eye(h) if way is None else way
    with np.errstate(divide="ignore"):
        return Departure(side, np.array(at), ways, np.log(slope) - scale, p)


@pytest.mark.parametrize("scale", [0.0, 300.0, -300.0])
def test_one_neuron_of_each_class_meets_a_line(scale):
    # 2 - 3 x = 4 y is 2/5 away, and no departure sees both neurons at once: 2/(3 + 4) is certain.
    one = departure([2.0, -0.0], [3.0, 4.0], 1.0, scale=scale)

    assert one.searched() - scale == pytest.approx(np.log(2 / 5), abs=1e-6)
    assert one.certified() - scale == pytest.approx(np.log(2 / 7), abs=1e-12)


@pytest.mark.parametrize("p", [1.0, 1.5, 2.0, 3.0])
def test_a_bracket_closes_where_one_neuron_sees_all(p):
    # 2^p = (4 c - 1)^p, where the sample's own neuron sees nothing.
    one = departure([2.0, -1.0], [0.0, 4.0], p)

    assert one.certified() == pytest.approx(np.log(3 / 4), abs=1e-12)
    assert one.searched() == pytest.approx(np.log(3 / 4), abs=1e-6)


@pytest.mark.parametrize("p", [1.0, 3.0])
def test_own_neurons_that_would_grow_are_avoided(p):
    # The second own neuron sees 1e200 times as much, at 60 degrees from the one of the other class:
    # off it that one sees a share sin 60° of the departure.
    way = np.array([[0.0, 1.0], [np.cos(np.pi / 3), np.sin(np.pi / 3)], [1.0, 0.0]])
    one = departure([1.0, 1e-250, -0.0], [0.0, 1e200, 1.0], p, way=way)

    assert one.certified() == pytest.approx(0.0, abs=1e-12)
    # The closest error lies on the edge of where that own neuron grows.
    closest = -np.log(np.sin(np.pi / 3))
    assert closest - 1e-12 <= one.searched() <= closest + 2e-3


def closest(one, low):
    """log of the distance at which some direction of a fine grid of the plane is wrong."""
    angle = np.linspace(0, 2 * np.pi, 2001)
    seen = np.stack([np.cos(angle), np.sin(angle)], axis=1) @ one.way.T * np.exp(one.log_slope)
    for log_c in np.arange(low, low + 10, 5e-3):
        z = np.maximum(one.at + np.exp(log_c) * seen, 0) ** one.p
        if (z @ one.side <= 0).any():
            return log_c
    return np.inf


@pytest.mark.parametrize("p", [1.0, 1.5, 3.0])
@pytest.mark.parametrize("seed", range(3))
def test_no_direction_of_a_plane_is_closer_than_certified_or_missed(p, seed):
    rng = np.random.default_rng(seed)
    at = np.array([1.0, 0.5, -0.1, -0.2, -0.05])
    way = rng.standard_normal((5, 2))
    way /= np.linalg.norm(way, axis=1, keepdims=True)
    one = departure(at, np.exp(rng.standard_normal(5)), p, way=way)

    low, high = one.certified(), one.searched()

    assert low <= high
    # The grid is 5e-3 wide in both, and edges count by their slope.
    assert closest(one, low) == pytest.approx(high, abs=0.015)


def test_what_is_wrong_already_and_what_never_is():
    assert departure([0.5, -0.0], [1.0, 1.0], 1.0).margin == pytest.approx(0.5)
    wrong = Departure(np.array([-1.0]), np.array([1.0]), np.eye(1), np.zeros(1), 2.0)
    alone = departure([1.0, 0.5], [1.0, 1.0], 2.0)

    assert wrong.certified() == wrong.searched() == -np.inf
    assert alone.certified() == alone.searched() == np.inf


def test_numbers_that_are_none_are_refused():
    with pytest.raises(DataError, match="log_slope"):
        departure([1.0, -0.0], [np.nan, 1.0], 1.0)
    with pytest.raises(DataError, match="at"):
        departure([np.nan, -0.0], [1.0, 1.0], 1.0)
