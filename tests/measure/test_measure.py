"""What is read off a network: cosines, mass, targets, margins, phases."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import expi
from systems import polar, system

from gflow.data.centers import Centers
from gflow.data.mixture import orthonormal_centers
from gflow.flow.losses import LOSSES, Exponential
from gflow.measure.alignment import (
    aligned_share,
    chords,
    contributing,
    contributing_share,
    cosines,
    first_time_at,
    mass_share,
    mean_closest_cosines,
    mean_own_cosines,
    target,
    to_target,
)
from gflow.measure.balance import imbalance
from gflow.measure.margin import fit
from gflow.measure.phases import Phases, departure, escape_times, find_phases
from gflow.network.prelu import Network, positive_power
from gflow.network.reference import average_classifier, subclass_classifier
from gflow.network.scaled_outputs import ScaledOutputs
from gflow.random import stream

CENTERS = orthonormal_centers(9, 5, 3, "rotated", rng=stream(0, "centers"))

STEADY = np.zeros_like
"""A force that stays what it is: outputs grow exponentially."""


def test_cosines_of_references_are_their_gram_matrix():
    references = jnp.asarray(CENTERS.references)

    cosine = cosines(3.0 * references, 2.0 * references)

    assert np.abs(cosine - CENTERS.references @ CENTERS.references.T).max() < 1e-14


def test_a_chord_sees_an_angle_that_a_cosine_cannot():
    angle = 1e-9
    u = jnp.array([[np.cos(angle), np.sin(angle)]])

    assert float(cosines(u, jnp.eye(2))[0, 0]) == 1.0
    assert float(chords(u, jnp.eye(2))[0, 0]) == pytest.approx(angle, rel=1e-6)


def test_a_dead_direction_gives_nan_not_an_error():
    assert np.isnan(cosines(jnp.zeros((1, 2)), jnp.eye(2))).all()


def test_leading_axes_are_kept():
    u = jnp.asarray(np.random.default_rng(0).standard_normal((4, 6, 9)))

    assert cosines(u, jnp.asarray(CENTERS.references)).shape == (4, 6, 7)
    assert chords(u, jnp.asarray(CENTERS.references)).shape == (4, 6, 7)


@pytest.mark.parametrize("shift", [0.0, -1400.0])
def test_contributing_neurons_are_the_fewest_with_the_share(shift):
    mass = np.array([0.5, 1e-9, 0.4, 0.0995, 0.0004, 0.0001])

    contributes = contributing(np.log(mass) + shift)

    assert contributes.tolist() == [True, False, True, True, False, False]
    assert mass_share(np.log(mass) + shift) == pytest.approx(mass / mass.sum(), rel=1e-10)


def test_shares_of_dead_neurons_are_equal():
    assert mass_share(np.full(4, -np.inf)) == pytest.approx(np.full(4, 0.25))


def test_targets_are_own_centers_above_two_and_class_averages_below():
    # A positive neuron closest to a negative center still belongs to a positive one.
    cosine = np.array([[0.1, 0.3, 0.2, 0.9, 0.0, 0.35, 0.6], [0.9, 0.0, 0.0, 0.1, 0.2, 0.5, 0.2]])
    sign = np.array([1.0, -1.0])

    assert target(cosine, sign, CENTERS.label, 3.0).tolist() == [1, 4]
    assert target(cosine, sign, CENTERS.label, 1.0).tolist() == [5, 6]
    assert to_target(cosine, np.array([1, 4])).tolist() == [0.3, 0.2]


def test_aligned_share_counts_mass_within_ten_degrees():
    cosine = np.cos(np.radians([[5.0, 9.9, 10.1], [50.0, 9.0, 1.0]]))

    assert aligned_share(cosine, np.array([0.5, 0.3, 0.2])) == pytest.approx([0.8, 0.5])


def test_mean_cosines_are_weighted_by_mass():
    # Two centers of class +1, one of -1, and both averages; each row is one neuron.
    cosine = np.array([[0.5, 0.2, 0.9, 0.4, 0.1], [0.8, 0.3, 0.6, 0.7, 0.2]])
    label, sign, share = np.array([1, 1, -1]), np.array([1.0, -1.0]), np.array([0.75, 0.25])

    own = mean_own_cosines(cosine, sign, label, share)
    closest = mean_closest_cosines(cosine, 3, share)

    assert own == pytest.approx((0.75 * 0.5 + 0.25 * 0.6, 0.75 * 0.4 + 0.25 * 0.2))
    assert closest == pytest.approx((0.75 * 0.9 + 0.25 * 0.8, 0.75 * 0.4 + 0.25 * 0.7))


def test_neurons_that_do_not_contribute_have_no_share():
    share = contributing_share(np.log([3.0, 1.0, 1e-6]))

    assert share == pytest.approx([0.75, 0.25, 0.0])


def test_the_first_time_at_a_level_lies_between_records():
    times, values = np.array([0.0, 1.0, 3.0]), np.array([0.0, 0.2, 0.6])

    assert first_time_at(0.5, times, values) == pytest.approx(2.5)
    assert first_time_at(0.0, times, values) == 0
    assert np.isnan(first_time_at(0.7, times, values))


def test_centers_that_cancel_have_no_average():
    turn = np.linalg.qr(np.random.default_rng(0).standard_normal((4, 4)))[0]
    crossed = np.array([[1, 0, 0, 0], [-1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0.0]]) @ turn

    centers = Centers(crossed, np.array([1, 1, -1, -1]), "given")

    assert centers.lacks_average and not CENTERS.lacks_average
    assert not centers.averages[0].any() and np.linalg.norm(centers.averages[1]) == pytest.approx(1)


def test_neurons_that_died_do_not_count_in_mean_cosines():
    cosine = np.array([[0.9, 0.1, 0.2], [np.nan, np.nan, np.nan]])
    share, sign = np.array([1.0, 0.0]), np.array([1.0, 1.0])

    assert mean_own_cosines(cosine, sign, np.array([1]), share) == (0.9, 0.1)
    assert mean_closest_cosines(cosine, 1, share) == (0.9, 0.2)


def test_fit_counts_margins_with_weights():
    y, f = jnp.array([1.0, -1.0, 1.0]), jnp.array([0.5, 0.25, 2.0])

    quality = fit(ScaledOutputs.plain(y * f), jnp.array([1.0, 2.0, 1.0]))

    assert float(quality.margin_min) == -0.25
    assert float(quality.margin_mean) == pytest.approx((0.5 - 0.5 + 2) / 4)
    assert float(quality.accuracy) == 0.5


def test_perfect_accuracy_is_exactly_one():
    assert float(fit(ScaledOutputs.plain(jnp.ones(2000)), jnp.full(2000, 0.1)).accuracy) == 1.0


def test_imbalance_is_the_difference_of_squares():
    assert imbalance(np.log([3.0]), np.log([2.0])) == pytest.approx([5.0])


POTENTIAL = {
    "exponential": expi,
    "logistic": lambda z: np.log(z) + expi(z),
    "half_square": lambda z: np.log(z / (1 - z)),
    "square": lambda z: np.log(z / (1 - z)) / 2,
}
"""ψ with dz/dt = z |g(z)| exactly where ψ(z(t)) = ψ(z(0)) + t (theory D8)."""


@pytest.mark.parametrize("loss", POTENTIAL)
@pytest.mark.parametrize(
    ("before", "after"), [(0.49, 0.51), (0.3, 0.9), (1e-3, 0.9), (1e-300, 0.7)]
)
def test_escape_is_read_along_the_law_of_growth(loss, before, after):
    psi = POTENTIAL[loss]
    times, z = np.array([psi(before), psi(after)]), np.array([[before, -1e-9], [after, -1e-8]])

    escapes = escape_times(times, z, LOSSES[loss].slowing)

    # The potentials are sums of logarithms of up to 690 and of integrals right to rounding.
    assert escapes[0] == pytest.approx(psi(0.5), abs=1e-12 * max(1, abs(psi(before))))
    assert np.isnan(escapes[1])


def test_escape_times_do_not_depend_on_when_a_flow_was_recorded():
    # One sample at a neuron that points to it: d log f/dt = 2 |g(f)|, so ψ(f) = ψ(ε²) + 2t.
    law = (expi(0.5) - expi(1e-8)) / 2
    for times in (np.linspace(2, 30, 4), np.linspace(0.1, 30, 200)):
        neuron = polar([[1.0, 0.0]], np.log(1e-4), [1.0])
        flow = system(neuron, [[1.0, 0.0]], [1.0], 3).follow(times, 1e-11)
        at = flow.scheduled
        f = np.exp(2 * np.asarray(flow.observations.weights.log_norm)[at])

        escape = escape_times(flow.times[at], f, Exponential().slowing)[0]

        assert escape == pytest.approx(law, abs=1e-8)


def test_an_output_that_is_no_number_has_not_escaped():
    for z in ([np.nan, np.nan, 1.0], [np.nan, np.nan, np.nan], [0.1, 0.2, np.nan]):
        escapes = escape_times(np.arange(3.0), np.array(z)[:, None], Exponential().slowing)
        assert np.isnan(escapes).all()


@pytest.mark.parametrize("degree", [1.0, 1.5, 2.0, 3.0, 4.5])
@pytest.mark.parametrize("records", [5, 50])
def test_a_loss_is_read_along_the_growth_of_weights_of_its_degree(degree, records):
    # dρ/dt = ρ^{Q-1} from ρ = .01 in closed form, and L = 1 - ρ^Q: at .9 ρ = .1^{1/Q}.
    def time_of(rho):
        power = 2 - degree
        return np.log(rho / 0.01) if power == 0 else (rho**power - 0.01**power) / power

    rho = np.append(0.01, np.linspace(0.02, 0.9, records))
    times, loss = time_of(rho), 1 - rho**degree
    loss[0] = 1.0

    read = departure(times, loss, 0.9, degree)

    # L(0) itself is off by .01^Q, of which the fall of .1 is at most a tenth.
    expected = time_of(0.1 ** (1 / degree))
    assert read.time == pytest.approx(expected, abs=1e-9 * times[-1])
    inside = np.searchsorted(times, expected)
    assert 0 <= read.error < times[inside] - times[inside - 1]


def test_a_loss_that_never_falls_or_is_no_number_has_no_departure():
    times = np.arange(4.0)
    for loss in ([1, 1, 0.95, 0.91], [1, np.nan, 0.5, 0.4], [np.nan] * 4):
        assert np.isnan(departure(times, np.array(loss, float), 0.9, 3.0)).all()
    # Nothing is known of the interval before.
    assert departure(times, np.array([1, 1.1, 0.5, 0.4]), 0.9, 3.0) == (2.0, 1.0)


def test_phases_follow_each_other_and_signs_that_are_right_early_do_not_count():
    times = np.arange(6.0)
    aligned = np.array([0, 0, 0.96, 1, 1, 1.0])
    first = np.array([1e-6, 1e-5, 1e-4, 0.25, 1.0, 2.0])
    later = np.array([1e-8, 1e-7, 1e-5, 0.01, 0.25, 1.0])
    margin = np.array([1e-7, 1e-6, 1e-6, -0.1, 0.2, 1.0])

    phases = find_phases(times, aligned, np.stack([first, -later], axis=1), margin, slowing=STEADY)

    assert phases == Phases(2.0, 3.5, 5.0)
    assert [phases.name(t) for t in (1.0, 3.0, 4.0, 5.0)] == [
        "alignment", "quiet growth", "fitting", "margin growth",
    ]  # fmt: skip


def test_phases_never_reached_are_nan():
    phases = find_phases(np.arange(2.0), np.zeros(2), np.zeros((2, 1)), -np.ones(2), slowing=STEADY)

    assert np.isnan(phases).all() and phases.name(1.0) == "alignment"


@pytest.mark.parametrize("q", [0.0, 0.5, 1.0, 1.5, 2.0, 3.0])
def test_positive_power(q):
    z = jnp.array([-2.0, -0.0, 0.0, 0.5, 2.0])

    power = positive_power(z, q)

    assert np.allclose(power, [0, 0, 0, 0.5**q, 2.0**q], rtol=1e-15, atol=0)


@pytest.mark.parametrize("p", [1.0, 2.5, 3.0])
def test_reference_classifiers_give_every_center_its_label(p):
    for classifier in (average_classifier(CENTERS), subclass_classifier(CENTERS, p)):
        assert np.abs(np.asarray(classifier(CENTERS.mu)) - CENTERS.label).max() < 1e-14


def test_a_network_is_homogeneous_of_degree_p_in_its_input():
    rng = np.random.default_rng(1)
    u = rng.standard_normal((6, 4))
    network = Network(
        jnp.asarray(u / np.linalg.norm(u, axis=1, keepdims=True)),
        jnp.asarray(rng.standard_normal(6)),
        jnp.asarray(rng.choice([-1.0, 1.0], 6)),
        2.5,
    )
    x = rng.standard_normal((10, 4))

    assert np.abs(network(3 * x) - 3**2.5 * network(x)).max() < 1e-12
    assert np.abs(network.scaled(np.log(7.0))(x) - 7 * network(x)).max() < 1e-12
