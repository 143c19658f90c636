"""Ascent on the sphere against maxima known in closed form."""

import numpy as np
import pytest

from gflow.measure.ascent import ascend


def unit(rng, n, d):
    x = rng.standard_normal((n, d))
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def quadratic(matrix):
    return lambda x: (((x @ matrix) * x).sum(axis=1), 2 * x @ matrix)


def test_a_linear_function_is_largest_along_its_gradient():
    # The last step is 1e-7, so 1 - cosine <= 1e-14 / 2.
    rng = np.random.default_rng(0)
    a = rng.standard_normal(30)
    points, values = ascend(lambda x: (x @ a, np.tile(a, (len(x), 1))), unit(rng, 20, 30), 300)

    np.testing.assert_allclose(values, np.linalg.norm(a), rtol=1e-12)
    np.testing.assert_allclose(points, np.tile(a / np.linalg.norm(a), (20, 1)), atol=1e-6)


def test_a_quadratic_form_is_largest_at_its_first_eigenvalue():
    rng = np.random.default_rng(1)
    matrix = rng.standard_normal((12, 12))
    matrix = matrix + matrix.T
    _, values = ascend(quadratic(matrix), unit(rng, 30, 12), 500)

    # On the sphere a quadratic form has no other local maximum.
    np.testing.assert_allclose(values, np.linalg.eigvalsh(matrix)[-1], rtol=1e-9)


@pytest.mark.parametrize("half", [0.3, 0.7, 1.2])
def test_a_ridge_is_climbed_to_its_top(half):
    # min(<a, x>, <b, x>) with an angle of 2·half between a and b is largest midway: cos(half).
    # There the two gradients pull apart, and each alone leads away from the top.
    rng = np.random.default_rng(2)
    a, b = np.eye(2, 10) @ np.linalg.qr(rng.standard_normal((10, 10)))[0]
    a, b = np.cos(half) * a + np.sin(half) * b, np.cos(half) * a - np.sin(half) * b

    def least(x):
        below = x @ a < x @ b
        return np.minimum(x @ a, x @ b), np.where(below[:, None], a, b)

    _, values = ascend(least, unit(rng, 20, 10), 300)

    np.testing.assert_allclose(values, np.cos(half), rtol=1e-5)


def test_the_size_of_the_gradient_does_not_matter():
    # Theory T2: a gradient of 1e-9 must move a point as far as one of size 1.  Scaling by a power
    # of two is exact, so the path is the same to the bit.
    rng = np.random.default_rng(3)
    matrix, starts, tiny = np.diag(np.arange(8.0)), unit(rng, 10, 8), 2.0**-100

    points, values = ascend(quadratic(matrix), starts, 50)
    tiny_points, tiny_values = ascend(quadratic(tiny * matrix), starts, 50)

    assert np.array_equal(points, tiny_points)
    assert np.array_equal(tiny * values, tiny_values)


def test_points_stay_on_the_sphere_and_never_get_worse():
    rng = np.random.default_rng(4)
    rugged = rng.standard_normal((40, 6)) * 5

    def waves(x):
        return np.sin(x @ rugged.T).sum(axis=1), np.cos(x @ rugged.T) @ rugged

    starts = unit(rng, 50, 6)
    points, values = ascend(waves, starts, 30)

    np.testing.assert_allclose(np.linalg.norm(points, axis=1), 1, rtol=1e-14)
    assert (values > waves(starts)[0]).all()
    np.testing.assert_allclose(values, waves(points)[0], rtol=1e-12, atol=1e-12)


def test_a_stationary_point_stays_and_starts_are_not_changed():
    starts = np.eye(3)
    points, values = ascend(quadratic(np.diag([3.0, 2.0, 1.0])), starts, 20)

    assert np.array_equal(points, np.eye(3))
    assert np.array_equal(values, [3, 2, 1])
    assert np.array_equal(starts, np.eye(3))
