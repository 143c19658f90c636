"""Lines to flips and walks in balls, against a boundary that is a plane around the sample."""

import numpy as np
import pytest

from gflow.network.population import Population
from gflow.robustness.leaning import DOUBT
from gflow.robustness.lines import Lines, Samples, evenly, first_flips
from gflow.robustness.norm import NORMS, Norm
from gflow.robustness.starts import FROM_BALLS, in_balls

W = np.array([[0.8, 0.0, 0.6, 0.0], [0.0, 0.6, 0.8, 0.0]])
X = np.array([[1.0, 0.2, 2.0, 0.0], [0.9, 0.9, 3.0, 0.1]])
A = W[0] - W[1]  # f(x + δ) = <a, x + δ> while both neurons are awake


def samples(norm):
    f = Population(W, np.ones(2), np.array([1.0, -1.0]), 1.0, 0.0)
    return Samples.of(f, X, np.sign(X @ A), norm)


@pytest.mark.parametrize("norm", NORMS.values())
def test_walks_in_balls_end_at_the_closest_point_of_a_plane(norm):
    ends = in_balls(samples(norm), -X, 400)

    assert ends.shape == (FROM_BALLS, *X.shape)
    size = np.asarray(norm.size(ends))
    closest = np.abs(X @ A) / float(norm.dual.size(A[None])[0])
    assert (size >= closest[None] * (1 - 1e-12)).all()
    # A walk ends with steps of R/10⁴, and the ball of its last ones is up to 1e-3 larger.
    assert (size.min(axis=0) <= closest * (1 + 2e-3)).all()
    assert (np.sign(X @ A) * ((X + ends) @ A) <= 0).all()


def test_equal_directions_are_followed_once():
    axes = -np.sign(X @ A)[:, None, None] * np.sign(A) * np.eye(4)[None]
    ways = axes[:, [0, 0, 2, 0, 1, 1]]

    length, way = first_flips(samples(Norm.L1), ways, np.full(2, 4.0), 3, shares=evenly(8))

    # Along an axis of slope |a_i| the sign changes at |<a, x>|/|a_i|.
    order = np.argsort(-np.abs(A[:3]))
    expected = np.abs(X @ A)[:, None] / np.abs(A[order])[None]
    np.testing.assert_allclose(length, expected, rtol=2e-9)
    np.testing.assert_array_equal(way, axes[:, order])


def test_a_flip_that_rounding_hides_keeps_its_length():
    plane = samples(Norm.L2)
    # What rounding may change of both neurons, of norm 1, is added to what keeps the sign.
    doubt = 2 * DOUBT * np.linalg.norm(X, axis=1)
    flip = (np.abs(X @ A) + doubt) / np.linalg.norm(A)
    lines = Lines.of(plane, -plane.y[:, None] * A[None] / np.linalg.norm(A))

    np.testing.assert_allclose(lines.exact(1.5 * flip), flip, rtol=1e-12)
    np.testing.assert_array_equal(lines.exact(flip * (1 - 1e-9)), flip * (1 - 1e-9))
    assert np.isinf(lines.exact(np.full(2, np.inf))).all()
