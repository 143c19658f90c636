"""Clocks of a flow against integrators, quadrature and the figures of theory D7 and D8."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad, solve_ivp
from scipy.optimize import minimize_scalar
from scipy.special import expi

from gflow.flow.losses import LOSSES
from gflow.laws.reduced import growth_rate
from gflow.laws.timescales import (
    aligned_squared_norm,
    escape_slope,
    escape_time,
    fit,
    fit_log,
    late_gap,
    late_loss,
    late_margin,
    late_output,
    potential,
    potential_of_log,
    relu_floor,
    scaled_exponential_integral,
    smoothed_margin,
    suppression_exponent,
)

EPS = np.finfo(float).eps
STEP = 1e-11
"""Tolerance of one step of the integrator; a flow of a hundred steps is right to a hundred."""

K1, K2, PI = 6, 4, 0.1
"""The published experiment under the mean loss, whose figures theory D8 quotes."""

FORCE = {
    "exponential": lambda z: np.exp(-z),
    "logistic": lambda z: 1 / (1 + np.exp(z)),
    "half_square": lambda z: 1 - z,
    "square": lambda z: 2 * (1 - z),
}
"""|g| at f = z and y = 1, written from theory section 2."""

HIGHEST = {"exponential": 1e12, "logistic": 1e12, "half_square": 60.0, "square": 30.0}
"""Clocks 2π√m t at which z is above 27.6 = log 1e12, or within 1e-25 of the label."""

each_loss = pytest.mark.parametrize("loss", FORCE)
any_loss = st.sampled_from(list(FORCE))
searched = settings(max_examples=60, deadline=None)
log_starts = st.floats(-1400.0, -0.01)
shares = st.floats(0.0, 1.0)


# --- Alignment and escape ------------------------------------------------------------------------


def test_escape_slopes_are_those_of_the_published_setting():
    # Mean exponential loss, K1 = 6, K2 = 4: the figures of theory D7, to their last digit.
    slopes = [escape_slope(growth_rate(p, m), 1.0, PI) for p, m in ((1.0, K1), (1.0, K2), (3.0, 1))]

    assert np.abs(np.array(slopes) - [4.082, 5.000, 10]).max() < 5e-4


@each_loss
@pytest.mark.parametrize("m", [1, 6])
def test_escape_is_later_by_its_slope_for_a_smaller_start(loss, m):
    # z(0) = ε² and z e^z = O(1e-16) at both starts, so T is linear in log(1/ε) (theory D7).
    log_eps = np.log([1e-8, 1e-20])
    kappa = LOSSES[loss].kappa

    times = escape_time(0.0, np.exp(2 * log_eps), PI, loss, m=m)

    slope = escape_slope(growth_rate(1.0, m), kappa, PI)
    assert np.diff(times)[0] == pytest.approx(slope * np.log(1e12), rel=100 * EPS)


@pytest.mark.parametrize(("m", "K_own"), [(5, 6), (1, 4), (4, 4)])
def test_partially_awake_neurons_are_held_back_by_their_exponent(m, K_own):
    # Growing from ε over the time in which neurons awake to the whole class grow from ε to 1.
    log_eps = np.log(1e-7)
    time = -log_eps * escape_slope(growth_rate(1.0, K_own), 1.0, PI)

    log_norm = log_eps + PI * np.sqrt(m) * time

    assert suppression_exponent(m, K_own) * log_eps == pytest.approx(log_norm, abs=100 * EPS)


# --- The fitting law -----------------------------------------------------------------------------


@each_loss
@pytest.mark.parametrize("z", [(1e-12, 1e-3), (1e-3, 0.3), (0.3, 0.99), (2.0, 20.0)])
def test_the_potential_integrates_one_over_the_force(loss, z):
    # dψ = d log z/|g| with the force of the flow itself (theory D8); from above 1 the square losses
    # push back.  200 Gauss nodes are exact to rounding: the nearest pole, at 1, is 1 % away.
    low, high = np.log(z)
    nodes, weights = np.polynomial.legendre.leggauss(200)
    log_z = (low + high) / 2 + (high - low) / 2 * nodes

    force = np.asarray(LOSSES[loss].force(jnp.ones(200), jnp.asarray(np.exp(log_z))))
    expected = (high - low) / 2 * weights @ (1 / force)

    psi = potential(np.array(z), loss)
    assert np.diff(psi)[0] == pytest.approx(expected, rel=1e-12)
    assert potential_of_log(np.log(z), loss) == pytest.approx(psi, rel=1e-12)


@each_loss
@pytest.mark.parametrize("log_z0", [np.log(1e-300), np.log(1e-3), np.log(0.3)])
def test_the_fitting_law_is_what_an_integrator_finds(loss, log_z0):
    # d log z/dt = 2π√m |g|.  The velocity falls in z, so errors of steps never grow.  Steps that
    # are tried and refused may overshoot; log z = 4 is never reached.
    m = 6
    rate = 2 * PI * np.sqrt(m)
    end = (HIGHEST[loss] - log_z0 / LOSSES[loss].kappa) / rate
    times = np.geomspace(end / 1e6, end, 40)

    ode = solve_ivp(
        lambda t, s: rate * FORCE[loss](np.exp(np.minimum(s, 4.0))), [0, end], [log_z0],
        method="DOP853", rtol=STEP, atol=STEP, t_eval=times,
    )  # fmt: skip
    outputs = fit(float(np.exp(log_z0)), times, PI, loss, m=m)

    steps = ode.nfev / 12
    assert np.abs(np.log(outputs) - ode.y[0]).max() < steps * STEP * (1 + abs(log_z0))
    assert outputs[-1] > (np.log(1e12) if "square" not in loss else 1 - 1e-12)


@searched
@given(any_loss, log_starts, shares, st.integers(1, 12))
def test_the_fitting_law_inverts_the_potential(loss, log_z0, share, m):
    # Rounding: δ of log z moves ψ by δ/|g|, with δ a few ε of log z0, of z and of what is solved.
    clock = HIGHEST[loss] * share

    log_z = float(fit_log(log_z0, clock / (2 * PI * np.sqrt(m)), PI, loss, m=m))

    gain = potential_of_log(log_z, loss) - potential_of_log(log_z0, loss)
    z = np.exp(log_z)
    force = -np.expm1(log_z) * LOSSES[loss].kappa if "square" in loss else FORCE[loss](z)
    assert abs(gain - clock) * force < 20 * EPS * (1 + abs(log_z0) + z)


@pytest.mark.parametrize("log_z0", [2 * np.log(1e-300), -5000.0])
def test_a_start_that_underflows_escapes_when_its_logarithm_says(log_z0):
    # Ei(½) - Ei(z0) = 2πT and Ei(z0) = γ + log z0 to double precision (theory D7).
    time = (expi(0.5) - np.euler_gamma - log_z0) / (2 * PI)

    log_output = fit_log(log_z0, time, PI, "exponential")

    assert log_output == pytest.approx(np.log(0.5), abs=20 * EPS * abs(log_z0))


@each_loss
def test_outputs_are_at_the_level_when_they_escape(loss):
    t_a, z_a = 3.0, np.array([1e-20, 1e-3, 0.6])
    pi, m = np.array([0.1, 0.2, 0.3]), np.array([1, 6, 4])

    times = escape_time(t_a, z_a, pi, loss, level=0.7, m=m)

    # Rounding of t enters log z times the rate of growth, at most its value at z = 0.
    allowed = 100 * EPS * (1 + LOSSES[loss].kappa * 2 * 0.3 * np.sqrt(6) * times.max())
    for k, time in enumerate(times):
        reached = fit(z_a[k], time - t_a, pi[k], loss, m=m[k].item())
        assert np.log(reached / 0.7) == pytest.approx(0, abs=allowed)


@each_loss
def test_a_subclass_without_neurons_never_escapes(loss):
    assert escape_time(0.0, np.array([0.0]), PI, loss) == np.inf


def test_starts_and_losses_that_have_no_law_are_refused():
    with pytest.raises(ValueError, match=r"`z0` must be positive.*`fit_log`"):
        fit(0.0, 1.0, PI, "exponential")
    with pytest.raises(ValueError, match=r"`z0` must be below 1 for the square losses"):
        fit(1.5, 1.0, PI, "half_square")
    with pytest.raises(ValueError, match=r"potential in closed form, but .hinge. has none here"):
        potential(0.5, "hinge")


# --- The late phase ------------------------------------------------------------------------------


@pytest.mark.parametrize("z", [1e-3, 0.3725, 1.0, 10.0, 49.9, 50.1, 200.0, 650.0, 1e4])
def test_the_scaled_exponential_integral_is_its_integral(z):
    # Ei(z) = γ + log z + ∫₀^z (e^u - 1)/u du, times e^{-z}, with v = z - u.
    def integrand(v):
        return np.exp(-v) * -np.expm1(v - z) / (z - v)

    head = quad(integrand, 0, min(z, 40.0), epsabs=0, epsrel=1e-12, limit=200)[0]
    expected = head + (np.euler_gamma + np.log(z)) * np.exp(-z)

    # Near the zero of Ei at 0.3725 the terms cancel; beyond v = 40 the share e^{-40} is dropped.
    value = scaled_exponential_integral(z)
    assert value == pytest.approx(expected, rel=1e-11, abs=1e-12 * min(1, 1 / z))


@searched
@given(st.floats(1.0, 1e6))
def test_the_scaled_exponential_integral_solves_its_equation(z):
    # E' = 1/z - E.  A central difference of step h = z/1000 misses h² E'''/6, and E''' < 30 E/z³.
    h = z / 1000
    before, here, after = scaled_exponential_integral(np.array([z - h, z, z + h]))

    assert (after - before) / (2 * h) == pytest.approx(1 / z - here, abs=1e-5 * here / z)


def test_the_late_output_solves_the_exponential_law():
    # Rounding ε of log z is z ε of z, and Ei(z) moves by e^z of that.
    t = np.geomspace(1.0, 1e300, 60)

    for m in (1, 6):
        z = late_output(t, PI, m)
        assert (np.abs(expi(z) / (2 * PI * np.sqrt(m) * t) - 1) < 20 * EPS * (2 + z)).all()


@pytest.mark.parametrize("m", [np.ones(10, int), np.array([K1, K2])])
def test_the_late_loss_is_the_loss_on_the_late_outputs(m):
    # L = Σ m π e^{-z}, exactly when Ei(z) = 2π√m t.
    t = np.geomspace(10.0, 1e8, 8)
    z = np.stack([late_output(t, PI, int(one)) for one in m], axis=-1)

    loss = (m * PI * np.exp(-z)).sum(axis=-1)

    assert late_loss(z, t, m) == pytest.approx(loss, rel=1e-12)


def test_the_start_changes_the_late_loss_by_its_share():
    t, z0 = 50.0, 1e-6
    z = fit(z0, np.array([t]), PI, "exponential")

    true = late_loss(z, t) * (1 - expi(z0) / expi(z[0]))

    assert PI * np.exp(-z[0]) == pytest.approx(true, rel=1e-12)


@pytest.mark.parametrize(("m", "limit"), [([1] * 10, 5.0), ([K1, K2], (6**0.5 + 2) / 2)])
def test_loss_and_norm_reach_their_limits_like_one_over_log_t(m, limit):
    # L t log t → K/2 or (√K1+√K2)/2, ‖θ‖²/log t → four times that.  z - log t = log log t + O(1),
    # which 1.2 leaves room for.
    t, m = np.array([1e30, 1e300]), np.array(m)
    z = np.stack([late_output(t, PI, int(one)) for one in m], axis=-1)
    near = 1.2 * np.log(np.log(t)) / np.log(t)

    assert (np.abs(late_loss(z, t, m) * t * np.log(t) / limit - 1) < near).all()
    assert (np.abs(aligned_squared_norm(z, m) / np.log(t) / (4 * limit) - 1) < near).all()


def test_gap_and_floor_have_the_figures_of_theory():
    # K1 = 6, K2 = 4, mean exponential loss: the table of theory D8, each to its last digit.
    t = np.array([100.0, 1e3, 16040.0, 1e5])

    gap = late_gap(t, K1, K2, PI)
    floor = relu_floor(late_output(t, PI, K1), late_output(t, PI, K2), K1, K2)

    assert np.abs(gap - [0.272, 0.240, 0.226, 0.221]).max() < 5e-4
    assert np.abs(floor - [0.0818, 0.0462, 0.0312, 0.0259]).max() < 5e-5


def test_the_gap_tends_to_half_the_log_of_the_ratio():
    # dq/d log(√m) = q E(q) = 1 + 1/q + O(2/q²), and log(√K1/√K2) = ½ log(K1/K2).
    t = np.array([1e10, 1e100, 1e300])
    q = late_output(t, PI, K2)

    excess = late_gap(t, K1, K2, PI) / (np.log(K1 / K2) / 2) - 1

    assert (np.abs(excess - 1 / q) < 3 / q**2).all()


def test_masses_and_loss_have_the_figures_of_the_full_size_flow():
    # Σρ² = ‖θ‖²/2 at t = 16000: laws 102.8 (p = 3) and 49.76 (p = 1), L = 3.42e-5 (theory D8).
    t = 16000.0
    z = np.full(10, late_output(t, PI))
    q = np.array([late_output(t, PI, K1), late_output(t, PI, K2)])

    assert aligned_squared_norm(z) / 2 == pytest.approx(102.8, abs=0.05)
    assert aligned_squared_norm(q, np.array([K1, K2])) / 2 == pytest.approx(49.76, abs=0.005)
    assert late_loss(z, t) == pytest.approx(3.42e-5, abs=5e-8)


@searched
@given(st.floats(0.1, 30.0), st.floats(0.1, 30.0), st.integers(1, 9), st.integers(1, 9))
def test_the_floor_is_the_least_distance_of_two_relus(plus, minus, K1, K2):
    # On the plane of both averages by brute force; 4001 angles miss a maximum by 1e-7 of it.
    angle = np.linspace(0, np.pi / 2, 4001)
    x, y = np.sqrt(K1) * np.cos(angle), np.sqrt(K2) * np.sin(angle)

    def distance(c):
        a, b = c * plus - 1, c * minus - 1
        # Both averages awake, or one of them: x = ±(cos, sin) and x = (cos, -sin).
        return max(np.abs(a * x - b * y).max(), np.abs(a * x).max(), np.abs(b * y).max())

    ends = sorted([1 / plus, 1 / minus])
    least = minimize_scalar(distance, bounds=ends, method="bounded", options={"xatol": 1e-10})

    floor = relu_floor(plus, minus, K1, K2)
    assert floor == pytest.approx(least.fun, rel=1e-5, abs=1e-7)


def masses_and_outputs(p, u, m, sign, K1, K2):
    """‖θ‖² of a balanced network of noise-free neurons and its margins y f(μ_k)."""
    y = np.r_[np.ones(K1), -np.ones(K2)]
    f = (sign * m) @ np.maximum(u[:, : K1 + K2], 0) ** p
    return 2 * m.sum(), y * f


def aligned(p, K1, K2):
    """Directions, gains and signs of the network of largest margin."""
    if p >= 2:
        return np.eye(K1 + K2), np.ones(K1 + K2), np.r_[np.ones(K1), -np.ones(K2)]
    plus, minus = np.r_[np.ones(K1), np.zeros(K2)], np.r_[np.zeros(K1), np.ones(K2)]
    u = np.stack([plus / np.sqrt(K1), minus / np.sqrt(K2)])
    return u, np.array([K1, K2]) ** (p / 2), np.array([1.0, -1.0])


@searched
@given(
    st.sampled_from([1.0, 1.5, 2.0, 3.0, 5.0]),
    st.integers(1, 6),
    st.integers(1, 6),
    st.integers(0, 2**32 - 1),
    st.floats(0.0, 2.0),
)
def test_no_network_has_a_larger_margin_than_the_aligned_one(p, K1, K2, seed, spread):
    # The aligned network attains it, and no perturbation or random network exceeds it (theory D8).
    u, m, sign = aligned(p, K1, K2)
    best = late_margin(p, K1, K2)
    norm, margins = masses_and_outputs(p, u, m, sign, K1, K2)
    rng = np.random.default_rng(seed)
    v = u + spread * rng.standard_normal(u.shape)

    other_norm, other_margins = masses_and_outputs(
        p, v / np.linalg.norm(v, axis=1, keepdims=True), m * rng.uniform(0.5, 1.5, m.shape), sign,
        K1, K2,
    )  # fmt: skip

    assert margins.min() / norm == pytest.approx(best, rel=10 * EPS)
    assert other_margins.min() / other_norm <= best * (1 + 10 * EPS)


@pytest.mark.parametrize("p", [1.0, 3.0])
def test_the_norm_of_aligned_neurons_follows_from_their_outputs(p):
    u, m, sign = aligned(p, K1, K2)
    m = m * np.linspace(1, 2, m.size)
    norm, outputs = masses_and_outputs(p, u, m, sign, K1, K2)

    law = (
        aligned_squared_norm(outputs)
        if p == 3
        else aligned_squared_norm(outputs[[0, K1]], np.array([K1, K2]))
    )

    assert law == pytest.approx(norm, rel=10 * EPS)


@searched
@given(
    st.lists(st.tuples(st.floats(-3.0, 40.0), st.floats(0.01, 1.0)), min_size=1, max_size=8),
    st.floats(0.1, 100.0),
)
def test_the_smoothed_margin_brackets_the_smallest_margin(samples, norm):
    margin, omega = np.array(samples).T
    loss = float((omega * np.exp(-margin)).sum())

    smoothed = smoothed_margin(loss, omega.min(), norm)

    rounding = 100 * EPS * 50 / norm
    assert smoothed <= margin.min() / norm + rounding
    assert margin.min() / norm <= smoothed + np.log(omega.sum() / omega.min()) / norm + rounding


@pytest.mark.parametrize(
    ("p", "m", "pi"),
    [(1.0, [K1, K2], [PI, PI]), (3.0, [1] * (K1 + K2), np.linspace(0.05, 0.15, K1 + K2))],
)
def test_the_smoothed_margin_of_an_aligned_flow_rises_to_its_limit(p, m, pi):
    # Groups of unequal weight, size and start.  At the end z is log t up to its double logarithm.
    m, pi, t = np.array(m), np.array(pi), np.geomspace(1.0, 1e300, 500)
    z0 = np.geomspace(1e-3, 0.3, m.size)
    z = np.stack([fit(z0[k], t, pi[k], "exponential", m=m[k].item()) for k in range(m.size)], -1)
    loss = (m * pi * np.exp(-z)).sum(axis=-1)
    fitted = loss < pi.min()

    margins = smoothed_margin(loss, pi.min(), aligned_squared_norm(z, m))[fitted]

    assert fitted.sum() > 400
    assert (np.diff(margins) > -10 * EPS).all()
    # The outputs differ from each other, and -log(L/ω) from the least of them, by less than 3.
    assert margins[-1] == pytest.approx(late_margin(p, K1, K2), rel=6 / np.log(1e300))
