"""The published searches: they return what was published, and miss what is there."""

import numpy as np
import pytest

from gflow.data.centers import Centers
from gflow.network.population import Population
from gflow.network.reference import average_classifier, subclass_classifier
from gflow.robustness.attack import attack
from gflow.robustness.published_search import published_accuracy, published_distance

CENTERS = Centers(np.eye(10, 1000), np.where(np.arange(10) < 6, 1, -1), "given")


def samples(n, alpha=0.01):
    rng = np.random.default_rng(0)
    k = rng.integers(10, size=n)
    x = CENTERS.mu[k] + alpha / 1000**0.5 * rng.standard_normal((n, 1000))
    return x, CENTERS.label[k].astype(float)


@pytest.mark.slow
def test_the_published_attack_draws_the_published_curve_on_F3_where_every_sample_falls():
    # Theory T3: 1.0 at .75 and .857, .48 at .964, .04 at 1.07; 400 samples, three deviations.
    x, y = samples(400)
    f = subclass_classifier(CENTERS, 3.0)

    accuracy = published_accuracy(f, x, y, np.array([0.75, 0.857, 0.964, 1.071]))

    np.testing.assert_array_equal(accuracy[:2], 1.0)
    np.testing.assert_allclose(accuracy[2:], [0.48, 0.04], atol=0.075)
    assert (attack(f, x, y, seed=0).radius < 0.75).all()


def test_a_step_of_the_published_attack_is_the_gradient_over_its_length_and_the_floor():
    # One ReLU: f = <u, x>, g = -y e^{-y f} u/n, so after one step δ = -0.1 y u/(1 + 1e-7/|g|),
    # projected; the floor matters once e^{-y f}/n is not far above 1e-7.
    u = np.eye(1, 3)
    f = Population(u, np.array([1.0]), np.array([1.0]), 1.0, 0.0)
    x = np.array([[0.05, 0, 0], [0.12, 0, 0], [20.0, 0, 0]])
    y = np.ones(3)

    one = published_accuracy(f, x, y, np.array([1.0]), iterations=1)
    two = published_accuracy(f, x, y, np.array([1.0, 0.03]), iterations=2)

    # .1 e^-20/3 / (e^-20/3 + 1e-7) is 7e-4 of a step: the far sample hardly moves.
    np.testing.assert_allclose(one, [2 / 3])
    np.testing.assert_allclose(two, [1 / 3, 1.0])


def test_the_published_distance_is_right_where_gradients_are_large():
    # F without its negative neuron: c = 1 on positive samples, so the gap is σ(<x, μ₋>), at most
    # √K2 on the sphere; a step of .01 leaves the last iterate 1e-4 below.
    centers = Centers(np.eye(5, 6), np.array([1, 1, 1, -1, -1]), "given")
    F = Population.of(average_classifier(centers))
    f = F.take(F.s > 0)
    x = centers.mu[:3]

    estimate = published_distance(f, F, x, seed=0, iterations=1000)

    assert estimate == pytest.approx(2**0.5, rel=2e-4)


def test_the_published_distance_does_not_see_tilts_at_p_3():
    # Tilts of .0067 change f by L_3 · .0067 = .0077 (theory T1), and the estimate is 1e-5.
    rng = np.random.default_rng(1)
    away = rng.standard_normal((10, 1000))
    away[:, :10] = 0
    u = CENTERS.mu + 0.0067 * away / np.linalg.norm(away, axis=1, keepdims=True)
    u /= np.linalg.norm(u, axis=1, keepdims=True)
    f = Population(u, np.ones(10), CENTERS.label.astype(float), 3.0, 0.0)
    x, _ = samples(200)

    estimate = published_distance(f, subclass_classifier(CENTERS, 3.0), x, seed=0, iterations=200)

    assert estimate < 0.0077 / 50
