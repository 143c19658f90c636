"""The reduced flow of one neuron: closed forms against integration, and their limits, rates and
scale laws (theory D3, D4, D5, T8)."""

from functools import cache
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad, solve_ivp
from scipy.optimize import brentq
from scipy.special import ndtr

from gflow.laws.reduced import (
    aligned,
    alignment_time,
    angle_at_average,
    blow_up,
    capture_time,
    conserved,
    growth_rate,
    limit,
    stability_rates,
    tilt,
    unbalanced_time,
    void_share,
    winner,
)

EPS = np.finfo(np.float64).eps
SOLVER = 1e-11
"""Tolerance of one step of the integrations; a hundred steps are right to a hundred times that."""

POWERS = [1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 4.0]
searched = settings(max_examples=40, deadline=None)

# Four own centers, one asleep; three opposite ones, one asleep; and a part outside all of them.
U0 = np.array([0.3, 0.25, 0.1, -0.2, 0.2, 0.35, -0.15])
PERP0 = float(np.sqrt(1 - U0 @ U0))
Y = np.array([1.0, 1, 1, 1, -1, -1, -1])
EQUAL = np.ones(7)
UNEQUAL = np.array([1.0, 1.5, 0.7, 0.9, 1.2, 0.8, 1.3])
TIMES = np.array([0.0, 0.1, 0.3, 1.0, 2.0, 4.0, 7.0])


def velocity(u, y, p, pi, asleep):
    """du/dt̂ and Q of theory D3; the part outside all centers is a coordinate with y = 0."""
    s = np.where(asleep, 0, np.maximum(u, 0))
    push = pi * y * (np.where(asleep, 0, 1) if p == 1 else s ** (p - 1))
    Q = np.sum(pi * y * s**p)
    return push - Q * u, Q


@cache
def integrated(p, equal):
    """The flow itself at TIMES, as rows (u, u_perp, log ρ/ρ(0)).

    At p = 1 the field jumps where an opposite coordinate falls asleep: the integration stops
    there and goes on with that coordinate at 0 for ever.
    """
    y, pi = np.append(Y, 0), np.append(EQUAL if equal else UNEQUAL, 0)
    state, t, rows = np.array([*U0, PERP0, 0.0]), 0.0, []
    asleep = state[:-1] <= 0

    def field(t, state):
        rate, Q = velocity(state[:-1], y, p, pi, asleep)
        return np.append(rate, Q / p)

    def lowest(t, state):
        return np.min(state[:-1], where=(y < 0) & ~asleep, initial=1)

    lowest.terminal = True
    for stop in TIMES:
        while t < stop:
            solution = solve_ivp(
                field, (t, stop), state, "DOP853", events=lowest if p == 1 else None,
                rtol=SOLVER, atol=SOLVER / 100,
            )  # fmt: skip
            t, state = solution.t[-1], solution.y[:, -1].copy()
            if solution.status == 1:
                k = np.where((y < 0) & ~asleep, state[:-1], 1).argmin()
                state[k], asleep = 0, asleep | (np.arange(8) == k)
        rows.append(state)
    return np.array(rows)


# --- Alignment ----------------------------------------------------------------------------------


@pytest.mark.parametrize("equal", [True, False])
@pytest.mark.parametrize("p", POWERS)
def test_the_closed_form_is_the_flow_at_every_power_and_weight(p, equal):
    expected = integrated(p, equal)

    path = aligned(U0, PERP0, Y, p, t_hat=TIMES[::-1], weights=None if equal else UNEQUAL)

    assert np.abs(path.u[::-1] - expected[:, :7]).max() < 100 * SOLVER
    assert np.abs(path.perp[::-1] - expected[:, 7]).max() < 100 * SOLVER
    assert np.abs(path.log_growth[::-1] - expected[:, 8]).max() < 100 * SOLVER


@pytest.mark.parametrize("perp", [0.5, 1e-2, 1e-4])
def test_a_relu_coordinate_of_the_other_class_falls_asleep_at_its_time_and_stays(perp):
    # |ξ|² = (a - χ)² + perp², dt̂ = dχ/|ξ|: ξ = perp·sinh(t* - t̂) until t* = asinh(a/perp).
    a = np.sqrt(1 - perp**2)
    asleep = np.arcsinh(a / perp)
    times = asleep * np.array([0.3, 0.999, 1 + 1e-12, 2.0, 10.0])

    path = aligned(np.array([a]), perp, np.array([-1.0]), 1.0, t_hat=times)

    expected = np.tanh(np.maximum(asleep - times, 0))
    # Rounding is divided by |ξ| >= perp, and moves t* by as much.
    assert np.abs(path.u[:, 0] - expected).max() < 100 * EPS / perp
    assert (path.u[2:] == 0).all() and (path.perp[2:] == 1).all()
    assert np.ptp(path.log_growth[2:]) == 0


def test_one_relu_coordinate_follows_tanh():
    times = np.linspace(0, 12, 30)

    path = aligned(np.array([0.1]), np.sqrt(0.99), np.array([1.0]), 1.0, t_hat=times)

    assert np.abs(path.u[:, 0] - np.tanh(times + np.arctanh(0.1))).max() < 20 * EPS


@pytest.mark.parametrize("p", POWERS)
def test_a_neuron_at_an_opposite_center_stays_and_shrinks_at_rate_one(p):
    # All there is dies at a finite χ, which takes for ever: u = 1, Q = -1.
    times = np.array([1.0, 30.0, 300.0])

    path = aligned(np.array([1.0, 0.0]), 0.0, np.array([-1.0, 1.0]), p, t_hat=times)

    assert np.abs(path.u - [1, 0]).max() == 0
    assert path.log_growth == pytest.approx(-times / p, rel=100 * EPS)


@pytest.mark.parametrize("own", [0.0, 1e-300, 1e-167, 1e-50, 1e-20])
def test_an_own_center_too_far_to_matter_does_not_blur_the_flight_from_an_opposite_one(own):
    # At p = 3 alone with one opposite center du/dt̂ = -u²(1 - u²): 1/u - artanh u grows by t̂.  The
    # blow-up that `own` brings is a time 1/own away, and moves u by less than own·e^{2t̂}.
    u, perp, times = 2 / np.sqrt(5), 1 / np.sqrt(5), np.array([0.5, 2.0, 4.0, 16.0])

    cosine = aligned(np.array([u, own]), perp, np.array([-1.0, 1.0]), 3.0, t_hat=times).u[:, 0]

    assert 1 / cosine - np.arctanh(cosine) == pytest.approx(
        times + 1 / u - np.arctanh(u), rel=1000 * EPS + own * np.exp(32)
    )


@st.composite
def starts(draw, most=5):
    """A unit start (u, perp >= 0.04), its labels, weights and power."""
    K = draw(st.integers(1, most))
    u = np.array(draw(st.lists(st.floats(-1, 1), min_size=K, max_size=K)))
    perp = draw(st.floats(0.1, 1))
    size = np.sqrt(u @ u + perp**2)
    y = np.array(draw(st.lists(st.sampled_from([-1.0, 1.0]), min_size=K, max_size=K)))
    pi = np.array(draw(st.lists(st.floats(0.3, 3), min_size=K, max_size=K)))
    return u / size, perp / size, y, draw(st.floats(1, 4) | st.sampled_from(POWERS)), pi


@searched
@given(starts(), st.floats(0, 3), st.floats(0, 3))
def test_stopping_and_starting_again_changes_nothing(start, first, second):
    u, perp, y, p, pi = start
    whole = aligned(u, perp, y, p, t_hat=np.array([first, first + second]), weights=pi)

    rest = aligned(whole.u[0], float(whole.perp[0]), y, p, t_hat=np.array([second]), weights=pi)

    # The logarithm of a coordinate of 1e-300 rounds by 700 EPS.  Up to p = 4 no average repels
    # faster than at rate π_k (two centers at p = 4, theory D5), and near an opposite center
    # rounding is divided by |ξ| >= perp.
    allowed = 1000 * EPS * np.exp(pi.max() * second) / perp
    assert np.abs(rest.u[0] - whole.u[1]).max() < allowed
    assert abs(rest.perp[0] - whole.perp[1]) < allowed
    assert abs(whole.log_growth[0] + rest.log_growth[0] - whole.log_growth[1]) < allowed


@searched
@given(starts(), st.floats(0.2, 5), st.floats(0, 4))
def test_weights_are_a_unit_of_time(start, factor, t):
    u, perp, y, p, pi = start

    a = aligned(u, perp, y, p, t_hat=np.array([t]), weights=factor * pi)
    b = aligned(u, perp, y, p, t_hat=np.array([factor * t]), weights=pi)

    allowed = 1000 * EPS * np.exp(pi.max() * factor * t) / perp  # as above
    assert np.abs(a.u - b.u).max() < allowed
    assert np.abs(a.log_growth - b.log_growth).max() < allowed


@searched
@given(st.floats(1, 4), st.floats(0.02, 0.9), st.floats(0, 1), st.integers(1, 6))
def test_equal_coordinates_move_as_one_that_is_faster_by_the_growth_of_their_average(p, c0, way, m):
    # c = <u, μ̄_S> obeys dc/dt̂ = m^{1-p/2} c^{p-1} (1 - c²).
    c = c0 + (0.99 - c0) * way
    t = alignment_time(c0, c, p) / growth_rate(p, m)

    path = aligned(
        np.full(m, c0 / np.sqrt(m)), np.sqrt(1 - c0**2), np.ones(m), p, t_hat=np.array([t])
    )

    # An error of rounding in t moves c by it times dc/dt̂ <= m^{1-p/2}.
    assert path.u.sum() / np.sqrt(m) == pytest.approx(c, abs=100 * EPS * (1 + t * np.sqrt(m)))


@pytest.mark.parametrize("equal", [True, False])
def test_nothing_jumps_at_p_2(equal):
    # The mean of two powers at distance δ is off by O(δ²), each of them by O(δ).
    delta, pi = 1e-4, EQUAL if equal else UNEQUAL
    below, at, above = (
        aligned(U0, PERP0, Y, p, t_hat=TIMES, weights=pi) for p in (2 - delta, 2.0, 2 + delta)
    )

    for a, b, c in zip(below, at, above, strict=True):
        assert np.abs(a - b).max() > delta / 100
        assert np.abs(a - 2 * b + c).max() < 100 * delta**2


@pytest.mark.parametrize("p", POWERS)
def test_no_time_is_too_late(p):
    times = np.array([1e3, 1e6, 1e9])

    path = aligned(U0, PERP0, Y, p, t_hat=times)

    tends = limit(U0, Y, p)
    rate = growth_rate(p, int(np.count_nonzero(tends))) if p != 2 else 1
    assert np.abs(path.u - tends).max() < 10 * EPS
    assert np.diff(path.log_growth) == pytest.approx(rate / p * np.diff(times), rel=10 * EPS)


def test_no_times_give_no_rows():
    assert aligned(U0, PERP0, Y, 3.0, t_hat=np.empty(0)).u.shape == (0, 7)


@pytest.mark.parametrize(
    ("start", "p", "times", "message"),
    [
        ((U0, 0.5), 3.0, TIMES, "`u0` and `perp0` must make a unit vector"),
        ((U0, PERP0), 0.5, TIMES, "`p` must be at least 1"),
        ((U0, PERP0), 3.0, -TIMES, "`t_hat` must not be negative"),
    ],
)
def test_what_no_neuron_does_is_refused(start, p, times, message):
    with pytest.raises(ValueError, match=message):
        aligned(*start, Y, p, t_hat=times)


# --- Where it ends ------------------------------------------------------------------------------


@pytest.mark.parametrize("p", POWERS)
def test_two_awake_coordinates_keep_their_pair(p):
    flow = integrated(p, True)
    awake = flow[(flow[:, [4, 5]] > 1e-3).all(axis=1)]
    xi = np.exp(p * awake[:, 8:]) * awake[:, :7]

    for one, two in ((0, 1), (2, 0), (4, 5), (0, 4), (5, 2)):
        pair = conserved(xi[:, one], xi[:, two], p, bool(Y[one] == Y[two]))

        # An error of u is divided by u >= 1e-3, and half that in the powers 2 - p or -1 of ξ.
        assert np.ptp(pair) < 1e5 * SOLVER * max(1, np.abs(pair).max())
    assert xi[-1, 0] - xi[0, 0] > 0.05


@pytest.mark.parametrize("p", POWERS)
def test_a_neuron_tends_to_its_limit_at_equal_and_at_unequal_weights(p):
    for pi in (None, UNEQUAL):
        tends = limit(U0, Y, p, pi)

        # The slowest rates are the gap 0.5 of the weights at p = 2 and 2 - p = 0.5 at p = 1.5.
        path = aligned(U0, PERP0, Y, p, t_hat=np.array([400.0]), weights=pi)

        assert np.abs(path.u[0] - tends).max() < 10 * EPS
        assert tends @ tends == pytest.approx(1, abs=10 * EPS)


def test_the_limits_are_average_starting_direction_and_winner():
    assert limit(U0, Y, 1.0) == pytest.approx(np.array([1, 1, 1, 0, 0, 0, 0]) / np.sqrt(3))
    assert limit(U0, Y, 1.5) == pytest.approx(np.array([1, 1, 1, 0, 0, 0, 0]) / np.sqrt(3))
    assert limit(U0, Y, 2.0) == pytest.approx(np.array([6, 5, 2, 0, 0, 0, 0]) / np.sqrt(65))
    assert limit(U0, Y, 2.5) == pytest.approx(np.eye(7)[0])
    assert limit(U0, -Y, 2.5) == pytest.approx(np.eye(7)[5])


def test_counts_tilt_the_average_more_the_closer_p_is_to_2():
    # π^{1/(2-p)} with π_2 = 1 + δ: coordinates apart by δ/(2-p) to first order.
    delta, u = 1e-6, np.array([0.5, 0.5])

    for p in (1.0, 1.5, 1.9):
        direction = limit(u, np.ones(2), p, np.array([1, 1 + delta]))

        assert np.log(direction[1] / direction[0]) == pytest.approx(delta / (2 - p), rel=delta)


@pytest.mark.parametrize("p", [2.5, 3.0, 4.0])
def test_the_winner_is_where_the_flow_takes_the_neuron(p):
    rng = np.random.default_rng(0)
    label, pi = np.array([1, 1, 1, -1, -1]), np.array([0.1, 0.3, 0.2, 0.15, 0.25])
    start, sign = rng.standard_normal((60, 6)), rng.choice([-1.0, 1.0], 60)
    start /= np.linalg.norm(start, axis=1, keepdims=True)

    chosen = winner(start[:, :5], sign, label, pi, p=p)

    for j, x in enumerate(start):
        late = aligned(
            x[:5], abs(x[5]), sign[j] * label, p, t_hat=np.array([1e6]), weights=pi / pi[0]
        )
        if chosen[j] < 0:
            assert late.log_growth[0] <= EPS  # a void neuron stays, up to rounding of |ξ| = 1
        else:
            assert late.u[0, chosen[j]] == pytest.approx(1, abs=10 * EPS)
    plain = np.where(sign[:, None] == label, start[:, :5], -1).argmax(axis=1)
    assert (chosen[chosen >= 0] != plain[chosen >= 0]).any(), "the weights must matter once"


def test_the_rule_sees_ratios_only():
    rng = np.random.default_rng(1)
    u, sign, label = rng.standard_normal((50, 4)), rng.choice([-1, 1], 50), np.array([1, 1, -1, -1])
    pi = np.array([0.1, 0.2, 0.3, 0.4])

    a = winner(u, sign, label, pi, p=2.5)

    assert (a == winner(0.01 * u, sign, label, 7 * pi, p=2.5)).all()
    assert set(a) == {-1, 0, 1, 2, 3}


@pytest.mark.parametrize("K1", [1, 3, 5])
def test_of_all_signs_two_to_the_minus_number_of_own_centers_are_void(K1):
    label = np.where(np.arange(5) < K1, 1, -1)
    u = 0.3 * np.array(list(product([-1.0, 1.0], repeat=5)))

    chosen = winner(u, np.ones(32), label, np.ones(5), p=3.0)

    assert (chosen < 0).mean() == void_share(K1)


@pytest.mark.parametrize("p", POWERS)
def test_a_void_neuron_shrinks_and_goes_nowhere(p):
    y = np.where(U0 > 0, -1.0, 1.0)

    path = aligned(U0, PERP0, y, p, t_hat=np.geomspace(0.01, 1e3, 30))

    assert (np.diff(path.log_growth) < 20 * EPS).all() and path.log_growth[-1] < -0.01
    assert (path.u[:, U0 < 0] < 0).all()
    assert (limit(U0, y, p) == 0).all() and blow_up(U0, y, p) == np.inf


@pytest.mark.parametrize("p", [2.25, 3.0, 5.0])
def test_the_first_own_coordinate_to_be_infinite_ends_the_clock(p):
    # dξ/dχ = π ξ^{p-1}: χ to infinity is ∫ dξ/(π ξ^{p-1}), in x = log ξ.
    own = (U0 > 0) & (Y > 0)
    each = [
        quad(lambda x, w=w: np.exp((2 - p) * x) / w, np.log(a), np.inf, epsrel=1e-10)[0]
        for a, w in zip(U0[own], UNEQUAL[own], strict=True)
    ]

    assert blow_up(U0, Y, p, UNEQUAL) == pytest.approx(min(each), rel=1e-8)
    assert blow_up(U0, Y, 2.0) == blow_up(U0, Y, 1.0) == np.inf


def test_below_p_2_there_is_no_winner():
    with pytest.raises(ValueError, match="`p` must exceed 2 for one center to win"):
        winner(U0[None], np.ones(1), Y, EQUAL, p=2.0)


# --- Times and rates ----------------------------------------------------------------------------


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
