"""Times and rates of the reduced flow of one neuron (theory D4, D5, T8)."""

import numpy as np
import pytest
from one_neuron import EPS, POWERS, velocity
from scipy.integrate import quad, solve_ivp
from scipy.optimize import brentq
from scipy.special import ndtr

from gflow.laws.reduced import (
    alignment_time,
    angle_at_average,
    capture_time,
    growth_rate,
    stability_rates,
    tilt,
    unbalanced_time,
)


@pytest.mark.parametrize("p", [1.0, 1.3, 2.0, 2.0001, 2.5, 3.0, 3.7, 4.0, 5.0, 6.0])
@pytest.mark.parametrize(("u0", "c"), [(0.04, 0.99), (0.001, 0.5), (0.5, 1 - 1e-9)])
def test_alignment_time_is_its_integral(p, u0, c):
    # In x = artanh u, du/(1 - u²) = dx.
    expected = quad(
        lambda x: np.tanh(x) ** (1 - p), *np.arctanh([u0, c]), epsabs=0, epsrel=1e-12, limit=500,
        points=np.arctanh([2 * u0 - u0**2]),
    )[0]  # fmt: skip

    # c is 1 - 1e-9 only up to EPS, and so is its artanh up to EPS/(1 - c²).
    assert alignment_time(u0, c, p) == pytest.approx(expected, rel=1e-11, abs=EPS / (1 - c**2))


@pytest.mark.parametrize("p", POWERS)
@pytest.mark.parametrize("m", [2, 6])
def test_rates_are_the_derivatives_of_the_field_at_an_average(p, m):
    # Awake: the m centers.  Asleep: one more own and one opposite center.  Last: outside.
    y, asleep = np.array([*np.ones(m + 1), -1, 0]), np.arange(m + 3) >= m
    average = np.where(asleep, 0, 1 / np.sqrt(m))
    inside = (np.eye(m + 3)[0] - np.eye(m + 3)[1]) / np.sqrt(2)
    step = 1e-5

    def rate(direction):
        ahead, behind = (
            velocity(average + d * direction, y, p, np.ones(m + 3), asleep)[0]
            for d in (step, -step)
        )
        return direction @ (ahead - behind) / (2 * step)

    rates = stability_rates(p, m)

    # Central differences: O(step²) times third derivatives (below 100) and rounding over step.
    assert rates.inside == pytest.approx(rate(inside), abs=100 * step**2 + EPS / step)
    for k in range(m, m + 3):
        assert rates.outside == pytest.approx(rate(np.eye(m + 3)[k]), abs=EPS / step)
    Q = velocity(average, y, p, np.ones(m + 3), asleep)[1]
    assert growth_rate(p, m) == pytest.approx(Q, rel=10 * EPS)


# --- Noise and imbalance ------------------------------------------------------------------------


def blurred(u, y, tau, stop, event=None):
    """Coordinates under the population field at p = 1, M_0(a) = cdf(a/τ) (theory D4)."""
    y = np.append(y, 0)

    def field(t, u):
        gate = y * ndtr(u / tau)
        return gate - u * (gate @ u)

    return solve_ivp(field, (0, stop), u, "LSODA", events=event, rtol=1e-10, atol=1e-13)


def captured(alpha, D, m, u_k):
    """Time at which a neuron awake to m own centers is halfway to the average of m + 1."""

    def halfway(t, u):
        return u[0] - 0.5 / np.sqrt(m + 1)

    halfway.terminal = True
    u = np.array([-u_k, *np.full(m, 0.04), 0.0])
    u[-1] = np.sqrt(1 - u @ u)
    return blurred(u, np.ones(m + 1), alpha / np.sqrt(D), 60, halfway).t[-1]


def depth(pull):
    """b with cdf(-b) = pull·b."""
    return brentq(lambda b: ndtr(-b) - pull * b, 0, 30)


@pytest.mark.parametrize("m", [1, 2, 5])
@pytest.mark.parametrize("alpha", [0.3, 0.1, 0.01])
def test_noise_wakes_a_sleeping_coordinate_at_about_the_capture_time(alpha, m):
    # The law has √m for 2/b and leaves out the rise from -bτ: together a factor of order 1.
    ratio = captured(alpha, 600, m, 0.04) / capture_time(np.array([-0.04]), alpha, 600, m)[0]

    assert 1 / 1.5 < ratio < 1.5


@pytest.mark.parametrize("m", [1, 5])
def test_capture_time_has_the_slopes_of_the_flow(m):
    # u_k falls like e^{-√m t̂} and is caught at -bτ: its logarithm is that of u_k/(bτ).  The law
    # leaves b out.  From there it rises in a time that is the same up to O(1/b²).
    def law(alpha, u):
        return capture_time(np.array([-u]), alpha, 600, m)[0]

    before, after = (depth(np.sqrt(m / 600) * alpha) for alpha in (1e-3, 1e-4))
    base = captured(1e-3, 600, m, 0.04)

    noise = captured(1e-4, 600, m, 0.04) - base - np.log(before / after) / np.sqrt(m)
    depths = captured(1e-3, 600, m, 0.08) - base

    allowed = (1 / before**2 - 1 / after**2) / np.sqrt(m)
    assert noise == pytest.approx(law(1e-4, 0.04) - law(1e-3, 0.04), abs=allowed)
    # A start at u instead of 0 changes the length that is left by u²/2.
    assert depths == pytest.approx(law(1e-3, 0.08) - law(1e-3, 0.04), abs=0.08**2)


def test_capture_waits_for_ever_without_noise_and_not_at_all_within_it():
    with np.errstate(divide="raise"):
        assert capture_time(np.array([-0.1, -1e-9]), 0.0, 100, 3).tolist() == [np.inf, np.inf]
    assert capture_time(np.array([-1e-9]), 0.1, 100, 3).tolist() == [0]


def test_the_mean_of_a_subclass_is_tilted_by_the_noise_over_root_n():
    # |mean noise|² = (α²/N) χ²_D/D, of relative standard deviation √(2/D), halved by the root.
    rng, D, N, alpha = np.random.default_rng(0), 4000, 40, 0.2

    noise = alpha / np.sqrt(D) * rng.standard_normal((N, D)).mean(axis=0)

    assert np.linalg.norm(noise) == pytest.approx(tilt(alpha, N), rel=5 * np.sqrt(1 / (2 * D)))


@pytest.mark.parametrize("alpha", [0.01, 0.1, 0.3])
@pytest.mark.parametrize(("K1", "K2"), [(6, 4), (2, 5)])
def test_opposite_coordinates_rest_as_far_off_the_average_as_said(K1, K2, alpha):
    y = np.repeat([1.0, -1.0], [K1, K2])
    start = np.array([*np.where(y > 0, 1, 0), 0]) / np.sqrt(K1)

    u = blurred(start, y, alpha / np.sqrt(600), 40).y[:, -1]

    angle = np.arcsin(np.linalg.norm(u[K1:]))
    # cos and B are 1 and √K1 up to O(angle²).
    assert angle_at_average(alpha, np.inf, 600, K1, K2=K2) == pytest.approx(angle, rel=2 * angle**2)


def test_angles_at_the_average_are_those_of_the_theory():
    angles = [angle_at_average(a, N, 600, 6, K2=4) for a, N in
             ((0.01, 100), (0.1, 100), (0.3, 100), (0.3, 400))]  # fmt: skip

    assert angles == pytest.approx([0.0025, 0.0195, 0.0503, 0.0431], abs=5e-5)
    assert angle_at_average(0.0, 100, 600, 6, K2=4) == 0


def unbalanced(u0, p, c):
    """Time from u0 to c with v = 0 at first: (1-u²)^{-1/2} ∝ cosh^p θ, dθ/dt̂ = u^p/p."""

    def pace(theta):
        left = np.log1p(-(u0**2)) - 2 * p * np.log(np.cosh(theta))
        return p / (-np.expm1(left)) ** (p / 2)

    end = np.arccosh(((1 - u0**2) / (1 - c**2)) ** (1 / (2 * p)))
    return quad(pace, 0, end, points=[u0, 5 * u0], epsabs=0, epsrel=1e-11, limit=500)[0]


@pytest.mark.parametrize(
    ("p", "u0", "exact", "law", "printed"),
    [
        (3.0, 0.04, 1083.3, 1082.5, 0.1),
        (4.0, 0.05, 12600.0, 12566.0, 1.0),
        (2.5, 0.05, 168.0, 169.4, 0.1),
    ],
)
def test_unbalanced_times_are_those_of_the_theory(p, u0, exact, law, printed):
    # To half of the last digit printed, up to cosine 1/2.
    assert unbalanced(u0, p, 0.5) == pytest.approx(exact, abs=printed / 2)
    assert unbalanced_time(u0, p) == pytest.approx(law, abs=printed / 2)


@pytest.mark.parametrize("p", [1.5, 2.0, 3.0, 4.0])
def test_the_unbalanced_law_is_the_leading_order(p):
    # The next term of u² = u0² + pθ² is smaller by θ² ~ u²: the integral is off by a share u0² if
    # small θ decide (p > 3), by u0^{p-1} if θ ~ 1 does, and at p = 3 by a logarithm more.
    for u0 in (0.05, 0.01, 0.002):
        share = unbalanced(u0, p, 0.5) / unbalanced_time(u0, p) - 1

        assert abs(share) < 2 * u0 ** min(2, p - 1) * (1 + np.log(1 / u0))


def test_unbalanced_time_of_a_relu_is_refused():
    with pytest.raises(ValueError, match="`p` must exceed 1"):
        unbalanced_time(0.1, 1.0)
