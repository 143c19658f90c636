"""Certificates of networks of many neurons against closed forms and dense search."""

import numpy as np
import pytest
from dense_search import SIZES, example, shortest_flips

from gflow.network.population import Population
from gflow.robustness.norm import NORMS, Norm
from gflow.robustness.relaxation import relaxed_radii
from gflow.robustness.subspace import Subspace

ALL = list(NORMS.values())
DUAL = {"l1": np.inf, "l2": 2, "linf": 1}


def population(u, m, s, p):
    u = np.asarray(u, np.float64)
    u = u / np.linalg.norm(u, axis=1, keepdims=True)
    return Population(u, np.asarray(m, np.float64), np.asarray(s, np.float64), p, 0.0)


def crowd(seed, p, D=30, h=80):
    """As many neurons of each sign, of all directions; inputs with the signs they get."""
    rng = np.random.default_rng(seed)
    s = np.repeat([1.0, -1.0], h // 2)
    f = population(rng.standard_normal((h, D)), rng.lognormal(size=h), s, p)
    x = rng.standard_normal((6, D))
    return f, x, np.sign(f(x))


@pytest.mark.parametrize("norm", ALL)
def test_where_gates_stay_as_they_are_the_distance_to_a_plane_is_exact(norm):
    # Both neurons see more than any perturbation in question takes away, so f is <w, x>.
    f = population([[1.0, 0.3, 0.1], [0.2, 1.0, -0.1]], [1.0, 1.1], [1, -1], 1.0)
    x = np.array([[3.0, 2.5, 0.3], [2.2, 2.0, 0.5]])
    w = f.u[0] - 1.1 * f.u[1]
    distance = np.abs(x @ w) / np.linalg.norm(w, DUAL[norm])
    assert (x @ f.u.T > norm.dual.size(f.u) * 2 * distance[:, None]).all()

    certified = relaxed_radii(f, x, np.sign(x @ w), 1.5 * distance, norm=norm)

    # Brackets are halved fourteen times.
    assert (certified <= distance).all()
    np.testing.assert_allclose(certified, distance, rtol=2 / 2**14)


def test_within_a_subspace_the_distance_to_a_plane_is_measured_in_it():
    # <w, x> changes by <Bᵀw, c> for δ = B c: along two of three axes.
    f = population([[1.0, 0.3, 0.1], [0.2, 1.0, -0.1]], [1.0, 1.1], [1, -1], 1.0)
    x = np.array([[30.0, 28.8, 0.3], [22.0, 20.0, 0.5]])
    w = f.u[0] - 1.1 * f.u[1]
    within = Subspace(np.eye(3)[:, 1:])
    distance = np.abs(x @ w) / np.linalg.norm(w[1:])
    assert (x @ f.u.T > 1.5 * distance[:, None]).all(), "no gate is reached"

    certified = relaxed_radii(f, x, np.sign(x @ w), 1.5 * distance, within=within)

    assert (certified <= distance).all()
    np.testing.assert_allclose(certified, distance, rtol=2 / 2**14)


@pytest.mark.parametrize("p", [1.5, 2.0, 3.0])
@pytest.mark.parametrize("norm", ALL)
def test_close_to_the_boundary_nothing_is_lost(norm, p):
    # The distance of a point at height y f is y f/‖∇f‖* up to its square, as is what convexity
    # costs, so the share that is lost halves with the distance.
    f, x, _ = crowd(0, p)
    lost = []
    for height in (1e-3, 1e-4):
        for _ in range(20):  # Newton's method along the gradient
            value, slope = f.value_and_gradient(x)
            x = x - ((value - height) / (slope**2).sum(axis=1))[:, None] * slope
        value, slope = f.value_and_gradient(x)
        distance = value / np.linalg.norm(slope, DUAL[norm], axis=1)
        certified = relaxed_radii(f, x, np.ones(len(x)), 1.1 * distance, norm=norm)
        lost.append(np.abs(certified / distance - 1))

    # At p < 2 curvature itself grows toward kinks, at the rate of a square root.
    order = 1 if p >= 2 else 0.5
    assert np.median(lost[1]) < 2 * 10**-order * np.median(lost[0]) + 2 / 2**14


@pytest.mark.parametrize("seed", [1, 2, 5, 6, 7, 11])
def test_no_search_flips_within_a_certified_radius(seed):
    f = example(seed)
    net = Population(f.u, f.m, f.s, f.p, 0.0)
    known = [shortest_flips(f, i, seed) for i in range(len(f.x))]

    for norm in ALL:
        shortest = np.array([one[norm] for one in known])
        size = SIZES[norm](f.x)
        certified = relaxed_radii(net, f.x, f.y, size, norm=norm)
        assert (certified <= shortest).all()
        # What convexity costs is a factor, not all of it.
        assert (certified > 0).all()


@pytest.mark.parametrize("p", [1.0, 1.5, 2.0, 3.0, 8.0])
@pytest.mark.parametrize("norm", ALL)
def test_no_point_of_the_certified_ball_is_wrong(norm, p):
    # Steepest descent to the end of the ball, from its middle and from random points.
    f, x, y = crowd(3, p)
    certified = relaxed_radii(f, x, y, norm.size(x), norm=norm)

    assert (certified > 0).all()
    rng = np.random.default_rng(0)
    for start in (np.zeros_like(x), *rng.standard_normal((30, *x.shape))):
        delta = norm.to_size(start, certified)
        for _ in range(20):
            slope = f.value_and_gradient(x + delta)[1]
            delta = norm.to_size(-norm.steepest(y[:, None] * slope), certified)
            assert (y * f(x + delta) > 0).all()


def test_radii_scale_with_inputs():
    f, x, y = crowd(4, 3.0)

    one, other = (relaxed_radii(f, c * x, y, c * np.full(len(x), 2.0)) for c in (1.0, 8.0))

    np.testing.assert_allclose(other, 8 * one, rtol=2 / 2**14)


def test_what_rounding_decides_gets_no_radius():
    # Two neurons see the same up to 1e-12, of an input of length 1e3: its products of fifty numbers
    # are known to 1e3·50·2e-16.
    rng = np.random.default_rng(7)
    f = population(rng.standard_normal((2, 50)), [1.0, 1.0], [1, -1], 1.0)
    across = np.linalg.qr(np.concatenate([f.u, rng.standard_normal((1, 50))]).T)[0][:, 2]
    bisector = f.u.sum(axis=0) / np.linalg.norm(f.u.sum(axis=0))
    x = (1e3 * across + bisector + 1e-12 * (f.u[0] - f.u[1]))[None]

    for label in (1.0, -1.0):
        assert relaxed_radii(f, x, np.array([label]), np.full(1, 1e-12))[0] == 0


def test_what_is_wrong_or_out_of_range_gets_no_radius():
    f, x, y = crowd(5, 3.0)
    wrong = relaxed_radii(f, x, -y, np.ones(len(x)))
    huge = relaxed_radii(f, 1e150 * x, y, np.full(len(x), 1e150))

    assert (wrong == 0).all() and (huge == 0).all()


def test_a_class_without_neurons_gets_no_radius_and_its_rival_all_of_it():
    f = population([[1.0, 0.0]], [1.0], [1], 1.0)
    x = np.array([[2.0, 1.0], [2.0, 1.0]])

    certified = relaxed_radii(f, x, np.array([1.0, -1.0]), np.full(2, 4.0), norm=Norm.L2)

    # f = σ(x_1) is positive up to x_1 = 0, at distance 2.
    np.testing.assert_allclose(certified, [2.0, 0.0], rtol=2 / 2**13)
    assert certified[0] <= 2.0
