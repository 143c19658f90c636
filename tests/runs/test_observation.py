"""Observers of a run: the directions orthogonal to all samples."""

import numpy as np
import pytest

from gflow.runs.observation import COMPLEMENT, _complement


def _samples(singular, n, rng):
    """Samples (n, D) with given singular values."""
    D = len(singular)
    left, right = (np.linalg.qr(rng.standard_normal((m, D)))[0] for m in (n, D))
    return (left * singular) @ right.T, right


@pytest.mark.parametrize("least", [1.0, 1e-3, 1e-7, 2e-9])
def test_samples_that_span_the_space_have_no_complement(least):
    rng = np.random.default_rng(0)
    x, _ = _samples(np.append(np.ones(19), least), 90, rng)

    assert _complement(x, rng).shape == (0, 20)


@pytest.mark.parametrize("n", [12, 90])
@pytest.mark.parametrize("least", [0.0, 1e-12, 3e-10])
def test_directions_that_samples_lack_are_found_at_any_number_of_samples(n, least):
    # The first 8 of 12 directions are seen, and the others at most at rounding.
    rng = np.random.default_rng(1)
    x, right = _samples(np.append(np.ones(8), np.full(4, least)), n, rng)

    complement = _complement(x, rng)

    assert complement.shape == (COMPLEMENT, 12)
    assert np.abs(complement @ complement.T - np.eye(COMPLEMENT)).max() < 1e-13
    # A singular vector is right to rounding over the gap, which is 1 here.
    assert np.abs(complement @ right[:, :8]).max() < 1e-13


def test_a_direction_seen_by_one_sample_in_a_hundred_is_no_complement():
    # Every second sample spans too little; all of them together span the space.
    x = np.zeros((100, 4))
    x[:, :3] = np.eye(3)[np.arange(100) % 3]
    x[1, 3] = 1.0

    assert _complement(x, np.random.default_rng(0)).shape == (0, 4)
