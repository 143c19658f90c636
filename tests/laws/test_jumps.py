"""Jump process and staircase against a differential equation of their own, down to ε = 1e-200."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp
from scipy.optimize import linprog, minimize

from gflow.data.mixture import shares
from gflow.laws.jumps import class_weight, jump_process, least_mass, staircase
from gflow.laws.reduced import growth_rate

LABEL = np.array([1, 1, 1, -1, -1])
SCALES = np.array([1e-100, 1e-200])


def start(seed, h):
    """Coordinates of random directions in 8 dimensions on five of its axes, and signs."""
    rng = np.random.default_rng(seed)
    u = rng.standard_normal((h, 8))
    return (u / np.linalg.norm(u, axis=1, keepdims=True))[:, :5], np.arange(h) % 2 * 2.0 - 1


def fitted_at(u0, sign, pi, p, *, eps, end):
    """T_k with |f(μ_k)| = 1/2 under the half square loss, by integrating (u, log ρ) noise-free.

    Nothing depends on the rest, nor on a coordinate that is asleep: it keeps its sign under -Q u_k,
    so it stands still here, where no rounding can wake it.
    """
    h, K = u0.shape

    def velocity(t, state):
        u, r = state[:-h].reshape(h, K), state[-h:]
        awake = np.maximum(u, 0)
        drive = sign[:, None] * pi * (LABEL - (sign * np.exp(np.minimum(2 * r, 5))) @ awake**p)
        phi = (drive * awake**p).sum(axis=1)
        turn = p * (drive * awake ** (p - 1) - phi[:, None] * u)
        return np.append(np.where(u > 0, turn, 0), phi)

    events = [lambda t, s, k=k: output(s, k) - 0.5 for k in range(K)]

    def output(state, k):
        u, r = state[:-h].reshape(h, K), state[-h:]
        return LABEL[k] * (sign * np.exp(2 * r)) @ np.maximum(u[:, k], 0) ** p

    state = np.append(u0, np.full(h, np.log(eps)))
    flow = solve_ivp(velocity, [0, end], state, "RK45", events=events, rtol=1e-6, atol=1e-9)
    return np.array([t[0] if t.size else np.inf for t in flow.t_events])


def measured(u0, sign, pi, p, law):
    """The slopes of T_k over log 1/ε between two scales, long enough for every jump of the law."""
    early, late = (
        fitted_at(u0, sign, pi, p, eps=eps, end=1.2 * law.instants.max() * np.log(1 / eps) + 200)
        for eps in SCALES
    )
    passed = np.subtract(late, early, where=np.isfinite(late), out=np.full(len(pi), np.inf))
    return passed / np.log(SCALES[0] / SCALES[1])


@pytest.mark.parametrize(
    ("p", "imbalance", "seed"),
    [(1.0, 1.0, 0), (1.0, 4.0, 1), (1.5, 1.0, 2), (1.5, 3.0, 3), (1.0, 1.0, 4)],
)
def test_a_flow_fits_what_the_jump_process_says_when_it_says(p, imbalance, seed):
    u0, sign = start(seed, 6)
    pi = shares(LABEL, imbalance)
    law = jump_process((u0 > 0) & (sign[:, None] == LABEL), pi, 1.0, p)

    slopes = measured(u0, sign, pi, p, law)

    # T = τ log 1/ε + const but for e^{-lead log 1/ε}; steps of 1e-6 move T by O(1e-3) of 1/κπ.
    assert law.lead * np.log(1 / SCALES[0]) > 10
    np.testing.assert_array_equal(np.isfinite(slopes), law.fitted)
    np.testing.assert_allclose(slopes[law.fitted], law.time[law.fitted], rtol=1e-3)


@pytest.mark.parametrize(("p", "seed"), [(2.5, 0), (3.0, 1), (4.0, 2)])
def test_a_flow_climbs_down_the_staircase_of_the_cells_that_are_occupied(p, seed):
    # Coordinates of .3 to .9, so that all neurons have aligned after t = O(10).
    rng = np.random.default_rng(seed)
    u0 = rng.uniform(0.3, 0.9, (5, 5))
    u0 /= np.linalg.norm(u0, axis=1, keepdims=True)
    sign, pi = np.array([1.0, 1, 1, -1, -1]), shares(LABEL, 4.0)
    own = sign[:, None] == LABEL
    cell = np.where(own, pi * u0 ** (p - 2), 0).argmax(axis=1)
    law = staircase(np.isin(np.arange(5), cell), pi, 1.0)

    slopes = measured(u0, sign, pi, p, law)

    np.testing.assert_array_equal(np.isfinite(slopes), law.fitted)
    np.testing.assert_allclose(slopes[law.fitted], law.time[law.fitted], rtol=1e-3)


def test_a_process_that_can_be_counted_out():
    # Two positive neurons awake to {1, 2} and {2, 3}, equal weights: both arrive together and fit
    # all three at √2.  A third, awake to {3} alone, would have arrived at 1/π and finds nothing.
    awake = np.array([[1, 1, 0], [0, 1, 1], [0, 0, 1]], bool)
    pi = np.full(3, 1 / 3)

    law = jump_process(awake, pi, 1.0, 1.0)

    assert law.time == pytest.approx(np.full(3, 3 / 2**0.5), rel=1e-15)
    assert law.lead == pytest.approx(1 - 2**-0.5)
    # Without the second it gains on what is left: -1 + 1/√2 after the jump, at the rate 1/3 on.
    alone = jump_process(awake[[0, 2]], pi, 1.0, 1.0)
    assert alone.time == pytest.approx([3 / 2**0.5, 3 / 2**0.5, 3], rel=1e-15)
    assert alone.levels(pi, 1.0) == pytest.approx([1 / 2, 1 / 6, 0])
    assert alone.lead == np.inf


def test_the_mass_of_a_class_counts_the_subclasses_of_its_jumps():
    awake = np.array([[1, 1, 0, 0], [0, 0, 1, 0]], bool)
    law = jump_process(awake, np.full(4, 0.25), 1.0, 1.0)
    label = np.array([1, 1, 1, -1])

    assert list(law.fitted) == [True, True, True, False]
    assert law.mass(label, 1, 1.0) == pytest.approx(1 + 2**0.5)
    assert law.mass(label, -1, 1.0) == 0


@settings(max_examples=40, deadline=None)
@given(st.floats(1, 1.95), st.integers(1, 6), st.integers(0, 1000))
def test_the_weight_of_a_class_is_the_best_growth_on_the_sphere(p, m, seed):
    # Σ π_k u_k^p with u_k = √t_k, t in the simplex, is concave in t, so any ascent finds its top.
    pi = np.random.default_rng(seed).uniform(0.1, 1, m)

    def growth(log_t):
        t = np.exp(log_t - np.logaddexp.reduce(log_t))
        return -pi @ t ** (p / 2)

    best = -minimize(growth, np.zeros(m), tol=1e-12).fun

    assert class_weight(pi, p) == pytest.approx(best, rel=1e-5)
    assert class_weight(np.full(m, 0.3), p) == pytest.approx(0.3 * growth_rate(p, m), rel=1e-12)


@pytest.mark.parametrize("p", [1.0, 1.5, 2.0, 3.0])
def test_no_neurons_give_every_center_its_output_with_less_mass(p):
    # Σ m_j of neurons at all averages of subsets, minimized by linear programming.
    m = 4
    subsets = np.array([s for s in itertools.product((0, 1), repeat=m) if any(s)], float)
    u = subsets / np.sqrt(subsets.sum(axis=1, keepdims=True))

    found = linprog(np.ones(len(u)), A_ub=-(u**p).T, b_ub=-np.ones(m)).fun

    assert found == pytest.approx(least_mass(m, p), rel=1e-9)


def test_many_subclasses_cost_one_and_root_two_of_the_least_norm():
    # With c log K neurons of random gates about half of what is left is fitted at each jump, so
    # Σ √new/√K → Σ 2^{-i/2} = 1 + √2 from below.
    rng = np.random.default_rng(0)
    ratios = []
    for K in (64, 1024, 4096):
        awake = rng.random((int(3 * np.log2(K)), K)) < 0.5
        law = jump_process(awake, np.full(K, 1 / K), 1.0, 1.0)
        ratios.append(law.mass(np.ones(K), 1, 1.0) / K**0.5)

    assert ratios[0] < ratios[1] < ratios[2] < 1 + 2**0.5
    assert ratios[2] > 2.2  # the neurons that come first have up to √(K log K)/2 more than half


@pytest.mark.parametrize("p", [0.5, 2.0, 3.0])
def test_other_powers_have_no_jump_process(p):
    with pytest.raises(ValueError, match="at least 1 and below 2"):
        jump_process(np.ones((1, 2), bool), np.ones(2), 1.0, p)
