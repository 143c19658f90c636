"""The critical power against single coordinates that are integrated from random starts."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from gflow.laws.critical_power import critical_power, share_at_escape


@pytest.mark.parametrize(("p", "growth", "D", "K_own"), [(3.0, 9.0, 60, 2), (4.0, 30.0, 25, 3)])
def test_the_share_at_escape_is_that_of_coordinates_followed_for_the_growth(p, growth, D, K_own):
    # du/dt̂ = u^{p-1}(1 - u²) for the largest own coordinate of uniform directions.
    count = 4000
    directions = np.random.default_rng(0).standard_normal((count, D))
    u = (directions / np.linalg.norm(directions, axis=1, keepdims=True))[:, :K_own].max(axis=1)
    solution = solve_ivp(
        lambda _, u: np.maximum(u, 0) ** (p - 1) * (1 - u**2), (0, p * growth), u,
        rtol=1e-6, atol=1e-9,
    )  # fmt: skip
    late = ((u > 0) & (solution.y[:, -1] < 0.9)).mean()

    law = share_at_escape(p, growth, 0.9, D=D, K_own=K_own)

    assert abs(late - law) < 4 * np.sqrt(law * (1 - law) / count)


def test_the_critical_power_has_its_share_and_grows_as_the_start_vanishes_and_D_falls():
    powers = np.array(
        [
            [critical_power(0.1, g, 0.9, D=D, K_own=2) for g in (10.0, 30.0, 100.0)]
            for D in (25, 100)
        ]
    )

    assert share_at_escape(powers[0, 1], 30.0, 0.9, D=25, K_own=2) == pytest.approx(0.1)
    assert (np.diff(powers, axis=1) > 0).all() and (powers[0] > powers[1]).all()


def test_a_late_critical_power_follows_its_asymptote():
    # share = K 2^{1-K} (2·3.14…)^{-1/2} √D ((p-2) p growth)^{-1/(p-2)} to leading order.
    D, growth, share = 100, 1e6, 0.01
    p = critical_power(share, growth, 0.9, D=D, K_own=2)

    tail = np.sqrt(D / (2 * np.pi)) * ((p - 2) * p * growth) ** (-1 / (p - 2))

    # J_p(.9) is of order 1, and the start (share/√D) is small by as much.
    assert tail == pytest.approx(share, rel=0.05)


def test_no_power_has_more_late_neurons_than_are_not_void():
    with pytest.raises(ValueError, match=r"between 0 and 1 - 2\^-K_own = 0.75, but is 0.8"):
        critical_power(0.8, 10.0, 0.9, D=100, K_own=2)


@pytest.mark.parametrize("growth", [0.0, -2.0])
def test_of_a_network_that_has_grown_at_the_start_all_but_void_and_aligned_neurons_are_late(growth):
    # P(<u, μ> <= c)^K is 1 to rounding for c = 0.9 in 100 dimensions.
    for p in (2.05, 3.0, 6.0):
        assert share_at_escape(p, growth, 0.9, D=100, K_own=3) == pytest.approx(1 - 1 / 8)
