"""The distance to a reference classifier: reference values, closed forms, invariances."""

import jax.numpy as jnp
import numpy as np
import pytest
from networks import axes, network
from scipy.optimize import linprog

from gflow.data.centers import Centers
from gflow.errors import DataError
from gflow.measure.distance import contrast, distance
from gflow.measure.exchange import least_maximum
from gflow.network.prelu import Network, lipschitz
from gflow.network.reference import average_target, subclass_target

POWERS = [1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 4.0]
SEARCH = 1e-3
"""Relative accuracy to which the exchange is driven."""


def tilted(rng, centers, p, tilt, spread, copies=1):
    """Neurons about the centers, tilted at random, with uneven contributions."""
    u = np.repeat(centers.mu, copies, axis=0)
    aside = rng.standard_normal(u.shape)
    u = u + tilt * aside / np.linalg.norm(aside, axis=1, keepdims=True)
    m = np.exp(spread * rng.standard_normal(len(u))) / copies
    return network(u, m, np.repeat(centers.label, copies), p)


def moved(network, turn, order, log_factor):
    """The same network in turned coordinates, its neurons in another order, and scaled."""
    return Network(
        jnp.asarray(np.asarray(network.direction)[order] @ turn),
        network.log_mass[order] + log_factor,
        network.sign[order],
        network.p,
    )


@pytest.mark.parametrize(
    ("own", "cross", "expected"),
    [
        (lambda c: subclass_target(c, 3.0), average_target, 0.759),
        (average_target, lambda c: subclass_target(c, 3.0), 0.849),
        (lambda c: subclass_target(c, 1.0), average_target, 0.426),
        (average_target, lambda c: subclass_target(c, 1.0), 0.500),
    ],
)
def test_classifiers_are_as_far_apart_as_theory_says(own, cross, expected):
    # Theory section 7.5, K = 10 and K1 = 6, given to three digits.
    centers = axes(10, 6, 10)
    bracket = contrast(own(centers), cross(centers), 0)

    assert bracket.lower == pytest.approx(expected, abs=5e-4 + SEARCH * expected)
    assert bracket.lower <= bracket.upper
    # At p = 1 the certificate is exact (B5), up to what the search leaves.
    if own(centers).p == cross(centers).p == 1:
        assert bracket.bound == "B5"
        assert bracket.upper <= bracket.lower * (1 + SEARCH)


@pytest.mark.parametrize("p", POWERS)
def test_a_network_that_is_the_target_is_at_distance_zero(p):
    centers = axes(5, 3, 12)
    bracket = distance(subclass_target(centers, p).network, subclass_target(centers, p), 0)

    assert bracket.lower < 1e-14
    assert bracket.upper < 1e-11
    assert bracket.c == pytest.approx(1, rel=1e-9)


def test_the_two_targets_of_two_subclasses_coincide():
    centers = axes(2, 1, 4)

    assert contrast(average_target(centers), subclass_target(centers, 1.0), 0).upper < 1e-11


@pytest.mark.parametrize("p", [1.0, 1.5, 3.0])
def test_a_network_that_is_zero_is_at_distance_one(p):
    centers = axes(5, 3, 6)
    zero = Network(jnp.eye(4, 6), jnp.full(4, -jnp.inf), jnp.ones(4), p)
    for target in (average_target(centers), subclass_target(centers, p)):
        bracket = distance(zero, target, 0)
        assert bracket.lower == pytest.approx(1, rel=1e-14)
        assert bracket.upper == 1
        assert bracket.c == 0


@pytest.mark.parametrize("p", POWERS)
@pytest.mark.parametrize("tilt", [0.01, 0.5])
def test_the_search_never_exceeds_the_certificate(p, tilt):
    rng = np.random.default_rng(int(10 * p))
    centers = axes(4, 3, 9)
    net = tilted(rng, centers, p, tilt, 0.1, copies=2)
    for target in (subclass_target(centers, p), average_target(centers)):
        bracket = distance(net, target, 0)
        assert 0 < bracket.lower <= bracket.upper <= 1
        assert bracket.lower <= bracket.value_at_least_squares * (1 + 1e-9)


@pytest.mark.parametrize("p", [1.0, 2.5, 3.0])
def test_the_witness_attains_the_lower_bound(p):
    centers = axes(4, 3, 9)
    net = tilted(np.random.default_rng(1), centers, p, 0.1, 0.1)
    target = subclass_target(centers, p)
    bracket = distance(net, target, 0)
    f, goal = (float(part(jnp.asarray(bracket.witness))) for part in (net, target.network))

    assert np.linalg.norm(bracket.witness) == pytest.approx(1, rel=1e-12)
    value = abs(bracket.c * f - goal) / bracket.supremum
    assert bracket.lower * (1 - 1e-9) <= value <= bracket.lower * (1 + SEARCH)


@pytest.mark.parametrize("p", [1.0, 3.0])
def test_the_search_in_the_span_of_the_neurons_finds_what_one_in_the_whole_space_does(p):
    # The gap depends on an input by its products with neurons and centers alone, so in more
    # dimensions than those and one more the distance is what it is without the others.
    centers = axes(4, 3, 9)  # no more than neurons, centers and one dimension
    net = tilted(np.random.default_rng(2), centers, p, 0.3, 0.2)
    wide = Network(jnp.pad(net.direction, ((0, 0), (0, 203))), net.log_mass, net.sign, p)
    for target in (subclass_target, lambda c, p: average_target(c)):
        narrow = distance(net, target(centers, p), 0)
        bracket = distance(wide, target(axes(4, 3, 212), p), 0)

        assert bracket.lower == pytest.approx(narrow.lower, rel=SEARCH)
        assert bracket.upper == pytest.approx(narrow.upper, rel=SEARCH)
        assert narrow.lower <= bracket.upper and bracket.lower <= narrow.upper
        assert bracket.witness.shape == (212,)


def test_a_cube_and_a_relu_differ_at_inputs_partly_orthogonal_to_both():
    # |c r³ - r| for r = <x, μ> in [0, 1] is largest at r = 1, c - 1, or at r = 1/√(3c), where it is
    # 2/(3√(3c)); the least maximum is where these agree, 27 c (c - 1)² = 4, at c = 4/3.
    centers = axes(1, 1, 8)

    bracket = distance(network(centers.mu, [1.0], [1], 3.0), average_target(centers), 0)

    assert bracket.lower == pytest.approx(1 / 3, rel=SEARCH)
    assert bracket.c == pytest.approx(4 / 3, rel=SEARCH)


@pytest.mark.parametrize(("plus", "minus", "K1", "K2"), [(1.2, 1.0, 6, 4), (0.7, 1.1, 3, 5)])
def test_two_relus_of_unequal_gain_stand_at_the_floor_of_theory(plus, minus, K1, K2):
    # Theory D8: the least over c of dist(q₊σ(<x, μ₊>) - q₋σ(<x, μ₋>), F), reached at the
    # least-squares c: √(K1K2)|q₊ - q₋|/√(K1q₊² + K2q₋²).
    centers = axes(K1 + K2, K1, 12)
    net = network(centers.averages, np.sqrt([K1, K2]) * [plus, minus], [1, -1], 1.0)
    gain = np.sqrt(K1 * plus**2 + K2 * minus**2)
    floor = np.sqrt(K1 * K2) * abs(plus - minus) / gain / np.sqrt(max(K1, K2))

    bracket = distance(net, average_target(centers), 0)

    assert bracket.lower == pytest.approx(floor, rel=SEARCH)
    assert bracket.upper == pytest.approx(floor, rel=SEARCH)
    assert bracket.value_at_least_squares == pytest.approx(floor, rel=SEARCH)
    assert bracket.c == pytest.approx((K1 * plus + K2 * minus) / gain**2, rel=0.05)
    assert bracket.c_least_squares == pytest.approx((K1 * plus + K2 * minus) / gain**2, rel=1e-12)


def test_unequal_masses_at_high_power_leave_the_half_range():
    # E_mass for p >= 2 is max |c m_k - 1|; least over c: (max - min)/(max + min).
    centers = axes(4, 2, 12)
    net = network(centers.mu, [1.0, 1.3, 1.1, 0.9], centers.label, 3.0)

    bracket = distance(net, subclass_target(centers, 3.0), 0)

    assert bracket.lower == pytest.approx(0.4 / 2.2, rel=1e-9)
    assert bracket.upper == pytest.approx(0.4 / 2.2, rel=1e-6)
    assert bracket.c == pytest.approx(2 / 2.2, rel=1e-9)


def test_the_search_sees_what_the_published_estimator_missed():
    # Trap T2: F^(3) with tilt .0067 in D = 1000 has supremum L_3·.0067 = .0077, where an ascent
    # that divides by ‖g‖ + 1e-7 found 2.6e-5.  No c helps: the error has both signs.
    tilt = 0.0067
    centers = axes(10, 6, 1000)
    net = tilted(np.random.default_rng(2), centers, 3.0, tilt, 0.0)

    bracket = distance(net, subclass_target(centers, 3.0), 0)

    assert bracket.lower >= lipschitz(3.0) * tilt * (1 - 3 * tilt)
    assert bracket.upper <= 1.1 * bracket.lower  # what B7 promises at p >= 3


@pytest.mark.parametrize(("p", "log_factor"), [(1.0, -1300.0), (3.0, -1300.0), (3.0, 5.0)])
def test_the_distance_does_not_see_the_scale_of_the_network(p, log_factor):
    # log m - 1300 rounds by 1300 units of the last place, after which the search may take another
    # path to the same accuracy.
    centers = axes(4, 3, 9)
    net = tilted(np.random.default_rng(3), centers, p, 0.1, 0.1)
    target = subclass_target(centers, p)
    unit = distance(net, target, 0)
    scaled = distance(net.scaled(log_factor), target, 0)

    least, scaled_least = unit.value_at_least_squares, scaled.value_at_least_squares
    assert scaled.lower == pytest.approx(unit.lower, rel=SEARCH)
    assert scaled.upper == pytest.approx(unit.upper, rel=SEARCH)
    assert scaled_least == pytest.approx(least, rel=SEARCH)
    assert scaled.log_c == pytest.approx(unit.log_c - log_factor, abs=0.02)
    assert scaled.log_c_least_squares == pytest.approx(
        unit.log_c_least_squares - log_factor, abs=1e-9
    )


@pytest.mark.parametrize("p", [1.0, 3.0])
def test_the_distance_does_not_see_coordinates_or_order(p):
    rng = np.random.default_rng(4)
    centers = axes(4, 3, 9)
    net = tilted(rng, centers, p, 0.1, 0.1, copies=2)
    turn = np.linalg.qr(rng.standard_normal((9, 9)))[0]
    other = Centers(centers.mu @ turn, centers.label, "given")

    here = distance(net, subclass_target(centers, p), 0)
    there = distance(moved(net, turn, rng.permutation(8), 0.0), subclass_target(other, p), 5)

    assert there.lower == pytest.approx(here.lower, rel=2 * SEARCH)
    assert there.upper == pytest.approx(here.upper, rel=SEARCH)
    assert there.c_least_squares == pytest.approx(here.c_least_squares, rel=1e-9)


def test_more_dimensions_do_not_bring_the_classifiers_closer():
    # F^(3) and F have different degrees, so an input partly outside the span may be a better
    # witness, never a worse one.
    small, large = (
        contrast(subclass_target(axes(3, 2, D), 3.0), average_target(axes(3, 2, D)), 0)
        for D in (3, 8)
    )

    assert large.lower >= small.lower * (1 - SEARCH)


@pytest.mark.parametrize("case", range(20))
def test_the_best_factor_of_a_finite_set_is_that_of_a_linear_program(case):
    # min t with |c f_i - F_i| <= t, c >= 0; HiGHS is exact to 1e-7.
    rng = np.random.default_rng(case)
    goal = rng.standard_normal(30)
    f = 0.3 * rng.standard_normal(30) + goal * rng.choice([1.0, 0.2, -0.5])
    ones = np.ones(30)
    rows = np.stack([np.append(f, -f), np.append(-ones, -ones)], axis=1)
    expected = linprog([0, 1], rows, np.append(goal, -goal), bounds=[(0, None), (0, None)])

    c, value = least_maximum(f, goal)

    assert value == pytest.approx(expected.fun, abs=1e-6)
    assert np.abs(c * f - goal).max() == pytest.approx(value, rel=1e-12)


def test_a_zero_network_has_no_factor():
    assert least_maximum(np.zeros(3), np.array([1.0, -2.0, 0.5])) == (0.0, 2.0)


def test_centers_that_are_not_orthonormal_are_refused():
    centers = Centers(np.array([[1.0, 0.0], [0.1, 1.0]]), np.array([1, -1]), "subclass means")

    with pytest.raises(DataError, match="must be orthonormal"):
        average_target(centers)


def test_a_distance_prints_as_a_card():
    centers = axes(2, 1, 4)
    card = str(
        distance(
            tilted(np.random.default_rng(5), centers, 3.0, 0.1, 0.1),
            subclass_target(centers, 3.0),
            0,
        )
    )

    assert "Distance to F^(3)" in card
    assert "searched           >= 0." in card
    assert "certified          <= 0." in card


@pytest.mark.slow
def test_a_wide_network_is_measured_within_seconds():
    # h = 200 neurons at random in D = 1000: nothing has aligned, so the distance is nearly 1.
    rng = np.random.default_rng(6)
    centers = axes(10, 6, 1000)
    net = network(rng.standard_normal((200, 1000)), np.ones(200), rng.choice([-1, 1], 200), 3.0)
    bracket = distance(net, subclass_target(centers, 3.0), 0)

    assert 0.9 < bracket.lower <= bracket.upper <= 1
