"""Brackets of a change of sign, narrowed by interpolation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gflow.robustness.bisection import crossed

ROOTS = np.array([1e-6, 0.1, 0.3, 0.77, 0.999])


def narrowed(value, evaluations):
    low, high = np.zeros(len(ROOTS)), np.ones(len(ROOTS))
    before, after = value(low), value(high)
    return crossed(value, low, high, before=before, after=after, evaluations=evaluations)


@pytest.mark.parametrize("power", [1, 3])
def test_a_smooth_change_is_found_to_rounding_in_a_dozen_evaluations(power):
    low, high = narrowed(lambda t: (1 + ROOTS) ** power - (1 + t) ** power, 12)

    # Interpolation converges like the secant rule: its error is squared in two evaluations.
    np.testing.assert_allclose(high, ROOTS, rtol=0, atol=1e-12)
    # Values are right to some units of 8·2e-16, at slopes of 1 and more.
    assert (low <= ROOTS + 1e-14).all() and (high >= ROOTS - 1e-14).all()


@given(st.floats(0.01, 100), st.floats(0.01, 100), st.integers(1, 40))
def test_a_jump_is_bracketed_within_twice_what_halving_leaves(above, below, evaluations):
    low, high = narrowed(lambda t: np.where(t < ROOTS, above, -below), evaluations)

    assert (low < ROOTS).all() and (high >= ROOTS).all()
    assert (high - low <= 2.0 ** (1 - evaluations) * (1 + 1e-9)).all()


def test_what_is_not_a_number_counts_as_changed():
    low, high = narrowed(lambda t: np.where(t < ROOTS, 1.0, np.nan), 30)

    assert (low < ROOTS).all() and (high >= ROOTS).all() and (high - low < 1e-8).all()


def test_a_bracket_that_is_narrow_enough_is_left_alone():
    places = []

    def jump(t):
        places.append(t)
        return np.where(t < ROOTS[1:], 1.0, -1.0)

    low, high = np.zeros(4), np.ones(4)
    ends = crossed(
        jump, low, high, before=jump(low), after=jump(high), evaluations=60, tolerance=2.0**-10
    )

    assert (ends[1] - ends[0] <= 2.0**-10 * ends[1]).all()
    # Halving [0, 1] to 2⁻¹⁰ of 0.1 takes 14 evaluations; this takes one more, and two for the ends.
    assert len(places) <= 17
