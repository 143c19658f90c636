"""Radii: closed forms, attacks above them, certificates below, and brute force in the plane."""

import numpy as np
import pytest
from networks import axes, network, noisy, rotated

from gflow.laws.critical_radii import (
    average_accuracy,
    average_distance,
    critical_radii,
    quadratic_distance,
    subclass_accuracy,
    two_neuron_radii,
)
from gflow.network.population import Population
from gflow.network.reference import average_classifier, subclass_classifier
from gflow.robustness.attack import attack, share_beyond
from gflow.robustness.joint_bound import radii_together
from gflow.robustness.norm import NORMS, Norm
from gflow.robustness.radius import radii
from gflow.robustness.radius_bound import certified_radii

POWERS = [1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 4.0]
ROUNDING = 1e-9


def random_case(seed, p):
    rng = np.random.default_rng(seed)
    q, D = int(rng.integers(2, 8)), int(rng.integers(2, 6))
    s = np.where(np.arange(q) % 2, -1.0, 1.0)
    f = network(rng.standard_normal((q, D)), rng.uniform(0.5, 2, q), s, p)
    x = rng.standard_normal((20, D))
    y = np.sign(np.asarray(Population.of(f)(x)))
    return f, x, np.where(y == 0, 1.0, y)


@pytest.mark.parametrize("p", POWERS)
def test_centers_of_unequal_masses_fall_at_their_critical_radius(p):
    centers = rotated(6, 4, 9)
    m = np.array([1.0, 1.3, 0.8, 1.1, 0.9, 1.2])
    f = network(centers.mu, m, centers.label, p)

    shortest = attack(f, centers.mu, centers.label.astype(float), seed=0)

    # The attack stands on the boundary up to bisection and a quadratic error of its direction.
    np.testing.assert_allclose(shortest.radius, critical_radii(m, centers.label, p), rtol=1e-6)


def test_equal_masses_have_the_radii_of_the_paper():
    label = np.array([1] * 6 + [-1] * 4)
    even = np.ones(10)

    np.testing.assert_allclose(critical_radii(even, label, 3.0), 2**-0.5)
    np.testing.assert_allclose(critical_radii(even, label, 2.0), 2**-0.5)
    expected = [(1 + 4 ** (2 / 1.5 - 1)) ** -0.5] * 6 + [(1 + 6 ** (2 / 1.5 - 1)) ** -0.5] * 4
    np.testing.assert_allclose(critical_radii(even, label, 1.5), expected)
    np.testing.assert_allclose(two_neuron_radii(6**0.5, 4**0.5, 6, 4), 10**-0.5)


@pytest.mark.parametrize("p", POWERS)
@pytest.mark.parametrize("norm", NORMS.values())
def test_centers_on_the_axes_fall_at_the_radius_of_the_norm_and_are_certified_up_to_it(p, norm):
    # l∞: own coordinates fall by R and all K_o opposite ones rise by R: (1 - R)^p = K_o R^p.
    # l1: 1 - a = (R - a) for one opponent (p >= 1): R = 1.  l2: the critical radius.
    centers = axes(6, 4, 9)
    y = centers.label.astype(float)
    law = {
        Norm.L1: np.ones(6),
        Norm.L2: critical_radii(np.ones(6), centers.label, p),
        Norm.LINF: 1 / (1 + np.where(y > 0, 2, 4) ** (1 / p)),
    }[norm]

    bracket = radii(subclass_classifier(centers, p), centers.mu, y, seed=0, norm=norm)

    np.testing.assert_allclose(bracket.attacked, law, rtol=1e-6)
    np.testing.assert_allclose(bracket.certified, law, rtol=1e-6)


def test_in_l1_silencing_two_own_neurons_may_be_the_shortest():
    # Opposite neurons are far asleep, own ones see .95 and .01: at δ = -(.95, .01, 0) f is 0.
    f = network(np.eye(3), [1.0, 1.0, 1.0], [1, 1, -1], 3.0)

    shortest = attack(f, np.array([[0.95, 0.01, -0.05]]), np.ones(1), 0, norm=Norm.L1)

    assert shortest.radius[0] <= 0.96 * (1 + 1e-9)


@pytest.mark.parametrize(("K", "K1"), [(10, 6), (7, 4), (5, 2), (2, 1)])
@pytest.mark.parametrize(("norm", "power"), [(Norm.L1, 0), (Norm.L2, -1 / 2), (Norm.LINF, -1)])
def test_F_on_the_axes_falls_at_one_over_the_dual_norm_of_its_slope(norm, power, K, K1):
    centers = axes(K, K1, K + 3)

    bracket = radii(
        average_classifier(centers), centers.mu, centers.label.astype(float), seed=0, norm=norm
    )

    np.testing.assert_allclose(bracket.attacked, K**power, rtol=1e-6)
    np.testing.assert_allclose(bracket.certified, K**power, rtol=1e-6)


@pytest.mark.parametrize("p", [1.25, 1.5, 1.75])
def test_below_two_orthogonal_neurons_of_unequal_mass_are_certified_exactly(p):
    centers = rotated(6, 4, 9)
    m = np.array([1.0, 1.3, 0.8, 1.1, 0.4, 1.2])
    f = network(centers.mu, m, centers.label, p)

    certified = certified_radii(f, centers.mu, centers.label.astype(float))

    np.testing.assert_allclose(certified, critical_radii(m, centers.label, p), rtol=1e-9)


@pytest.mark.parametrize("p", [1.0, 2.0, 3.0])
@pytest.mark.parametrize("thin", [4e-3, 2e-2])
def test_a_class_of_a_hundredth_of_the_mass_is_attacked_where_it_stands(p, thin):
    # A coarse cast leaves such a class out, and then calls its centers wrong as they are.
    centers = rotated(4, 2, 6)
    m, y = np.array([1, 1, thin, thin]), centers.label.astype(float)

    bracket = radii(network(centers.mu, m, centers.label, p), centers.mu, y, seed=0)

    law = critical_radii(m, centers.label, p)
    assert (bracket.certified <= bracket.attacked).all()
    assert (bracket.attacked >= law * (1 - 1e-6)).all()
    np.testing.assert_allclose(bracket.attacked, law, rtol=1e-6)


def test_a_network_of_one_class_has_radii():
    f = network(np.eye(3), [1.0, 1.0, 1.0], [1, 1, 1], 1.0)

    bracket = radii(f, np.eye(3), np.ones(3), seed=0)

    # f >= 0, and 0 is wrong: a center falls at the origin, 1 away.
    np.testing.assert_allclose(bracket.attacked, 1, rtol=1e-6)
    np.testing.assert_allclose(bracket.certified, 1, rtol=1e-6)


def test_a_network_of_nothing_is_wrong_as_it_is():
    f = network(np.eye(2), [0.0, 0.0], [1, -1], 3.0)

    assert (attack(f, np.eye(2), np.array([1.0, -1.0]), 0).radius == 0).all()


@pytest.mark.parametrize(
    ("classifier", "law"),
    [(average_classifier, average_distance),
     (lambda centers: subclass_classifier(centers, 2.0), quadratic_distance)],
)  # fmt: skip
def test_noisy_samples_fall_at_their_exact_distance(classifier, law):
    centers = rotated(7, 4, 12)
    x, y = noisy(centers, 0.8, 300, 1)
    expected = law(x, y, centers)

    shortest = attack(classifier(centers), x, y, seed=0)

    assert (shortest.radius >= expected - ROUNDING).all()
    # A walk ends once a round gains less than 1e-12.  What is then left is below 1e-6 if a round
    # takes off a millionth of it.
    np.testing.assert_allclose(shortest.radius, expected, rtol=1e-6, atol=ROUNDING)


@pytest.mark.parametrize("p", POWERS)
def test_witnesses_flip_and_are_as_long_as_they_say(p):
    f, x, y = random_case(3, p)
    shortest = attack(f, x, y, seed=0)

    for i in np.flatnonzero(np.isfinite(shortest.radius)).tolist():
        delta = shortest.perturbation[i]
        assert np.linalg.norm(delta) == pytest.approx(shortest.radius[i], abs=1e-12)
        # A hair beyond the boundary, for rounding: coordinates are in another basis.
        beyond = x[i] + delta * (1 + 1e-9)
        assert y[i] * Population.of(f)(beyond[None])[0] <= 1e-9


@pytest.mark.parametrize("norm", NORMS.values())
@pytest.mark.parametrize("p", [1.0, 1.25, 2.0, 3.0])
@pytest.mark.parametrize("rest", [0.0, 0.01])
@pytest.mark.parametrize(
    "seeds", [range(3), pytest.param(range(3, 9), marks=pytest.mark.slow)], ids=["few", "more"]
)
def test_no_attack_is_inside_a_certified_radius(p, rest, norm, seeds):
    for seed in seeds:
        f, x, y = random_case(seed, p)
        few = Population.of(f)
        heavy = few.m > rest * 2
        left_out = float(few.m[~heavy].sum()) + rest
        certified = certified_radii(few.take(heavy), x, y, left_out, norm=norm)

        shortest = attack(f, x, y, seed, norm=norm)

        assert (shortest.radius >= certified - ROUNDING).all()
        assert (certified >= 0).all()
        if norm == Norm.L2:
            together = radii_together(few.take(heavy), x, y, left_out)
            assert (shortest.radius >= together - ROUNDING).all()


@pytest.mark.parametrize("norm", NORMS.values())
@pytest.mark.parametrize("p", [1.0, 1.5, 3.0])
def test_no_point_of_a_fine_grid_is_closer_than_the_attack_found(p, norm):
    # In the plane every direction can be tried: 3600 of them, radii to 1e-4.
    angle = np.linspace(0, 2 * np.pi, 3601)[:-1]
    ways = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    ways /= norm.size(ways)[:, None]
    for seed in range(4):
        rng = np.random.default_rng(seed)
        f = network(rng.standard_normal((5, 2)), rng.uniform(0.5, 2, 5), [1, -1, 1, -1, 1], p)
        x = rng.standard_normal((6, 2))
        y = np.where(Population.of(f)(x) > 0, 1.0, -1.0)
        radius = attack(f, x, y, 0, norm=norm).radius
        for i in range(len(x)):
            inside = min(radius[i], 2.0) * (1 - 1e-4)
            ring = x[i] + np.linspace(0, inside, 60)[1:, None, None] * ways
            values = y[i] * Population.of(f)(ring.reshape(-1, 2))
            assert (values > -1e-9).all()


@pytest.mark.parametrize("p", [3.0, 4.0])
def test_noisy_samples_of_orthonormal_neurons_are_certified_up_to_the_noise_to_the_p(p):
    # Against one opposite neuron the distance is a half-space's. Another one with coordinate x
    # adds at most (x/p) (x/c)^(p-1), c > 1/2 what a share of β costs; there are three, x is 3.5 τ
    # at most, and an interval of t costs as much again.
    centers, tau = rotated(7, 4, 100), 0.01
    x, y = noisy(centers, 0.1, 300, 1)

    bracket = radii(subclass_classifier(centers, p), x, y, seed=0)

    assert (bracket.certified <= bracket.attacked * (1 + 1e-12)).all()
    x_max = 3.5 * tau
    assert (1 - bracket.certified / bracket.attacked).max() <= 6 * x_max / p * (2 * x_max) ** (
        p - 1
    )


@pytest.mark.parametrize("p", [1.5, 3.0, 4.0])
@pytest.mark.parametrize("rest", [1e-8, 1e-4, 0.05])
def test_within_a_certified_radius_the_rest_cannot_decide_however_it_is_spent(p, rest):
    # A center of two orthogonal neurons: own loses a, opposite gains b with a² + b² = R², and the
    # rest is at most rest (1 + R)^p against it.
    f = network(np.eye(2), [1.0, 1.0], [1, -1], p)

    (R,) = certified_radii(f, np.eye(1, 2), np.ones(1), rest)

    way = np.linspace(0, np.pi / 2, 2001)
    own, other = np.maximum(1 - R * np.sin(way), 0), R * np.cos(way)
    assert (own**p - other**p - rest * (1 + R) ** p >= -ROUNDING).all()
    # What it costs is of order rest, not of its root: rest (1 + R)^p over the slope p T^(p-1) of
    # T^p, T = 1 - 1/√2 being left to the own neuron, and Λ = √2 > 1 pays for the second order.
    if rest <= 1e-4:
        ideal = 0.5**0.5
        assert ideal - rest * (1 + ideal) ** p / (p * (1 - ideal) ** (p - 1)) <= R


def test_many_neurons_of_many_directions_are_certified_together():
    # p = 2: f is a quadratic form while all see x; with neurons in two orthogonal planes the
    # largest singular values of either side are the whole story.
    f = network([[1, 0, 0], [0, 1, 0], [0, 0, 1]], [1.0, 1.0, 1.0], [1, 1, -1], 2.0)
    x = np.array([[0.6, 0.8, 0.1], [1.0, 0.0, -0.2]])

    certified = radii_together(f, x, np.ones(2))

    np.testing.assert_allclose(certified, (1 - np.array([0.1, 0.0])) / 2**0.5, rtol=1e-9)


def test_two_relus_and_one_per_subclass_are_certified_exactly():
    # p = 1: min over sets of opposite neurons is the distance to F <= 0, and at centers to F^(1).
    centers = rotated(7, 4, 12)
    x, y = noisy(centers, 0.8, 300, 1)

    certified = certified_radii(average_classifier(centers), x, y)
    np.testing.assert_allclose(certified, average_distance(x, y, centers), rtol=1e-9, atol=1e-12)
    one = np.ones(7)
    at_centers = certified_radii(
        subclass_classifier(centers, 1.0), centers.mu, centers.label.astype(float)
    )
    np.testing.assert_allclose(at_centers, critical_radii(one, centers.label, 1.0), rtol=1e-9)


@pytest.mark.parametrize("p", [1.0, 3.0])
def test_a_wide_network_is_bracketed_on_the_whole_of_it(p):
    # 300 neurons about the centers: folded for the search, verified on all of them.
    rng = np.random.default_rng(0)
    centers = rotated(5, 3, 30)
    u = np.repeat(centers.mu, 60, axis=0) + 0.002 * rng.standard_normal((300, 30))
    f = network(u, rng.uniform(0.5, 1.5, 300), np.repeat(centers.label, 60), p)
    x, y = noisy(centers, 0.3, 200, 3)

    bracket = radii(f, x, y, seed=0)

    assert bracket.neurons <= 40
    assert (bracket.certified <= bracket.attacked).all()
    # Tilts are .011: they cost some of it in the slope, and as much again in the start.
    assert np.median(bracket.certified / bracket.attacked) >= 0.9
    direct = attack(f, x[:5], y[:5], seed=0).radius  # without folding
    assert (direct >= bracket.certified[:5]).all()
    np.testing.assert_allclose(bracket.attacked[:5], direct, rtol=0.02)
    low, high = bracket.accuracy(np.array([0.0, 0.3, 3.0]))
    assert (low <= high).all() and high[0] == 1 and high[2] == 0


def test_robust_accuracies_follow_their_laws():
    # 4000 samples: three binomial standard deviations are at most .024.
    centers = rotated(10, 6, 100)
    x, y = noisy(centers, 0.3, 4000, 2)
    R = np.array([0.30, 0.316, 0.33])
    F = attack(average_classifier(centers), x, y, seed=0)
    cubic = attack(subclass_classifier(centers, 3.0), x, y, seed=0)

    np.testing.assert_allclose(share_beyond(F.radius, R), average_accuracy(R, 10, 0.03), atol=0.024)
    R = np.array([0.66, 0.69, 0.7071, 0.72])
    np.testing.assert_allclose(
        share_beyond(cubic.radius, R), subclass_accuracy(R, 6, 4, 0.03), atol=0.024
    )


def test_the_law_of_F3_at_half_root_two_is_a_count():
    # (1/K)(K1/(K2 + 1) + K2/(K1 + 1)) whatever the noise (theory D6).
    accuracy = subclass_accuracy(np.array([0.5**0.5]), 6, 4, 0.01)
    np.testing.assert_allclose(accuracy, (6 / 5 + 4 / 7) / 10, rtol=1e-6)


def test_a_wrong_sample_has_radius_zero_and_an_unbeatable_one_infinity():
    f = network([[1.0, 0.0]], [1.0], [1.0], 3.0)

    shortest = attack(f, np.array([[1.0, 0.0], [1.0, 0.0]]), np.array([1.0, -1.0]), seed=0)

    assert shortest.radius[0] == pytest.approx(1, rel=1e-9)  # f = 0 counts as wrong
    assert shortest.radius[1] == 0
    np.testing.assert_array_equal(share_beyond(shortest.radius, np.array([0.0, 2.0])), [0.5, 0.0])
