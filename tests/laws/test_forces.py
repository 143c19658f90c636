"""Forces of losses against differences of their values, and where they are tiny."""

import numpy as np
import pytest

from gflow.laws.forces import force_of

VALUES = {
    "exponential": lambda y, f: np.exp(-y * f),
    "logistic": lambda y, f: np.log1p(np.exp(-y * f)),
    "half_square": lambda y, f: (y - f) ** 2 / 2,
    "square": lambda y, f: (y - f) ** 2,
}


@pytest.mark.parametrize("loss", VALUES)
def test_a_force_is_minus_the_slope_of_its_loss(loss):
    y, f = np.array([1.0, -1.0, 1.0, -1.0]), np.array([0.3, 0.3, -2.0, 0.0])

    h = 1e-5
    slope = (VALUES[loss](y, f + h) - VALUES[loss](y, f - h)) / (2 * h)

    # Differences are off by h² times the third derivative, here at most e².
    assert force_of(loss, y, f) == pytest.approx(-slope, abs=1e-8)


@pytest.mark.parametrize("loss", ["exponential", "logistic"])
def test_tiny_forces_keep_their_digits(loss):
    z = np.array([40.0, 300.0])

    assert force_of(loss, np.ones(2), z) == pytest.approx(np.exp(-z), rel=1e-12)
