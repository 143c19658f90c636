"""Where the reduced flow of one neuron ends: limit, winner and blow-up (theory D3, D5)."""

from itertools import product

import numpy as np
import pytest
from one_neuron import EPS, EQUAL, PERP0, POWERS, SOLVER, U0, UNEQUAL, Y, integrated
from scipy.integrate import quad

from gflow.laws.reduced import aligned, blow_up, conserved, limit, void_share, winner


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
