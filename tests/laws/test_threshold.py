"""The two one-sided fits at which a ReLU network rests, against fits and gradients of others."""

import numpy as np
import pytest

from gflow.laws.threshold import two_fits

THREE = np.array([[-0.75, 1.0], [-0.5, 1.0], [0.125, 1.0]])


def regression(n, D, noise, seed):
    rng = np.random.default_rng(seed)
    x, beta = rng.standard_normal((n, D)), rng.standard_normal(D)
    return x, x @ beta + noise * rng.standard_normal(n), beta


def test_three_points_with_positive_labels_have_the_line_through_all():
    y = np.array([1.1, 0.1, 0.8])

    fits = two_fits(THREE, y)

    line = np.polyfit(THREE[:, 0], y, 1)
    assert np.abs(fits.plus - line).max() < 1e-12 and not fits.minus.any()
    assert ((y - fits.outputs) ** 2).mean() == pytest.approx(0.175042735042735, rel=1e-14)


def test_labels_without_noise_are_fitted():
    x, y, beta = regression(60, 4, 0.0, 0)

    fits = two_fits(x, y)

    assert max(np.abs(w - beta).max() for w in (fits.plus, fits.minus)) < 1e-12


@pytest.mark.parametrize("seed", [0, 2, 3, 4])
def test_the_loss_is_stationary_in_both_weights(seed):
    # Central differences of the loss of f = σ(<a, x>) - σ(-<b, x>), in no line of the law.
    x, y, _ = regression(80, 3, 0.5, seed)
    fits = two_fits(x, y)
    assert fits.strays == 0

    def loss(w):
        f = np.maximum(x @ w[:3], 0) - np.maximum(-(x @ w[3:]), 0)
        return ((y - f) ** 2).mean()

    at, h = np.concatenate([fits.plus, fits.minus]), 1e-7
    slopes = [(loss(at + h * e) - loss(at - h * e)) / (2 * h) for e in np.eye(6)]
    # The quotient of two roundings of 1e-16 by 2e-7.
    assert np.abs(slopes).max() < 1e-8
    assert loss(at) == pytest.approx(((y - fits.outputs) ** 2).mean(), rel=1e-14)


def test_the_sign_of_labels_changes_the_roles_of_both_sides():
    x, y, _ = regression(50, 3, 0.3, 1)

    fits, opposite = two_fits(x, y), two_fits(-x, y)

    assert np.abs(fits.plus + opposite.plus).max() < 1e-12
    assert np.abs(fits.outputs - opposite.outputs).max() < 1e-12


def test_samples_that_change_sides_for_ever_are_counted():
    x, y, _ = regression(80, 3, 0.5, 1)

    fits = two_fits(x, y)

    # They lie between the two fits, which differ by about σ√(D/n) = 0.1.
    assert 0 < fits.strays <= 4
    closest = np.sort(np.abs(np.stack([x @ fits.plus, x @ fits.minus])).min(axis=0))
    assert closest[fits.strays - 1] < 0.1
