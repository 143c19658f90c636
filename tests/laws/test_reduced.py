"""The reduced flow of one neuron: its closed form against integration (theory D3)."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from one_neuron import EPS, EQUAL, PERP0, POWERS, SOLVER, TIMES, U0, UNEQUAL, Y, integrated

from gflow.laws.reduced import aligned, alignment_time, growth_rate, limit

searched = settings(max_examples=40, deadline=None)


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
