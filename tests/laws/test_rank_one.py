"""Neurons without normalization, each alone, against the flow integrated by scipy."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from gflow.laws.rank_one import Field, at_level, blow_up_times, kkt_exponent, lead
from gflow.measure.rank_one import ClassWeights, kkt_residual, mass_excess, rank_excess

PULL = np.array([0.3, 0.25, -0.2, -0.25])
SOLVER = 1e-11


def field(p, pull=PULL):
    return Field(np.eye(len(pull), 7), pull, p)


def balanced(w):
    return ClassWeights(w, np.linalg.norm(w, axis=1))


def neurons(eps=1e-2):
    """Two that grow, one awake to opposite centers alone, one asleep to all."""
    w = np.random.default_rng(3).standard_normal((4, 7))
    w[:2, 0] = np.abs(w[:2, 0]) + np.array([0.5, 0.2])
    w[2, :2], w[2, 2] = -np.abs(w[2, :2]), 1.0
    w[3, :4] = -np.abs(w[3, :4])
    return balanced(eps * w)


def flow(start, p, level):
    """Time and weights at which the first mass is `level`, by a flow that knows no theory."""
    h, D = start.w.shape

    def split(state):
        return state[: h * D].reshape(h, D), state[h * D :]

    def velocity(_, state):
        w, v = split(state)
        awake = np.maximum(w[:, :4], 0)
        push = np.zeros((h, D))
        push[:, :4] = p * v[:, None] * awake ** (p - 1) * PULL
        return np.concatenate([push.ravel(), awake**p @ PULL])

    def reached(_, state):
        w, v = split(state)
        return (v * np.linalg.norm(w, axis=1) ** p).max() - level

    reached.terminal = True
    solution = solve_ivp(
        velocity, (0, 1e12), np.concatenate([start.w.ravel(), start.v]), "DOP853",
        events=reached, rtol=SOLVER, atol=1e-18,
    )  # fmt: skip
    return solution.t[-1], ClassWeights(*split(solution.y[:, -1]))


@pytest.mark.parametrize("p", [2.0, 2.5, 3.0, 4.0])
def test_each_neuron_alone_is_where_the_flow_takes_it(p):
    start = neurons()

    law = at_level(start, field(p), 0.1)

    # A hundred steps, each right to its tolerance; the clock of the blow-up is the same for all.
    time, weights = flow(start, p, 0.1)
    size = np.linalg.norm(weights.w, axis=1)[:, None]
    assert np.abs((law.w - weights.w) / size).max() < 1e3 * SOLVER
    assert np.abs(law.v / weights.v - 1).max() < 1e3 * SOLVER
    assert time < blow_up_times(start, field(p)).min()


@pytest.mark.parametrize(("p", "delay"), [(2.0, np.log(1 + np.sqrt(2))), (3.0, np.sqrt(3) - 1)])
def test_one_neuron_at_its_center_blows_up_at_a_closed_form(p, delay):
    # (p-1) ∫₁^∞ ds/(s^{p-1} √(s² + p - 1)) is asinh 1 at p = 2 and √3 - 1 at p = 3 (P24).
    rho = 1e-3
    time = blow_up_times(balanced(rho * np.eye(1, 7)), field(p))[0]

    assert time == pytest.approx(rho ** (1 - p) / ((p - 1) * np.sqrt(p) * PULL[0]) * delay)


@pytest.mark.parametrize("p", [2.0, 3.0, 4.0])
def test_times_are_a_power_of_the_scale_and_infinite_without_an_own_center(p):
    times = blow_up_times(neurons(1.0), field(p))
    later = blow_up_times(neurons(1e-4), field(p))

    assert later[:2] == pytest.approx(1e4 ** (p - 1) * times[:2])
    assert np.isinf(times[2:]).all()


@pytest.mark.parametrize("p", [2.0, 3.0, 4.0])
def test_what_is_left_of_others_is_a_power_of_the_scale(p):
    # The law is off its limit by r = (ε/ρ)^{p-1}, in the exponent by a few times that.
    equal = field(p, np.array([0.25, 0.25, -0.25, -0.25]))

    def sizes(eps):
        w = at_level(neurons(eps), equal, 0.1)
        return [mass_excess(w.log_mass(p)), rank_excess(w.w), kkt_residual(w, *equal)]

    slopes = np.log10(np.divide(sizes(1e-6), sizes(1e-7)))
    assert slopes == pytest.approx([p + 1, 2, 1], abs=1e3 * 1e-6 ** (p - 1) + 1e-3)


def test_at_p_2_a_lighter_own_center_is_what_the_winner_sheds_last():
    quadratic = field(2.0)
    start = balanced(np.array([[1.0, 0.8, 0.3, -0.2, 0.5, 0.1, 0.2]]))

    def residual(eps):
        w = at_level(ClassWeights(eps * start.w, eps * start.v), quadratic, 0.1)
        return kkt_residual(w, *quadratic)

    exponent = kkt_exponent(start.w[0, :4] > 0, quadratic)
    assert exponent == pytest.approx(1 - 0.25 / 0.3)
    # The next power is 1; these two are 5/6 apart.
    assert np.log10(residual(1e-11) / residual(1e-12)) == pytest.approx(exponent, abs=1e-3)
    assert kkt_exponent(np.array([True, False, True, True]), quadratic) == 1
    assert kkt_exponent(start.w[0, :4] > 0, field(3.0)) == 1


def test_the_lead_is_that_of_the_first_two():
    assert lead(np.array([4.0, 2.0, np.inf, 2.5])) == 0.8
    assert lead(np.array([3.0])) == 0
    assert np.isnan(lead(np.array([np.inf])))


def test_what_cannot_be_solved_is_refused():
    with pytest.raises(ValueError, match="at least 2"):
        blow_up_times(neurons(), field(1.5))
    with pytest.raises(ValueError, match="positive"):
        blow_up_times(neurons()._replace(v=np.zeros(4)), field(3.0))
    with pytest.raises(ValueError, match="above every mass"):
        at_level(neurons(1.0), field(3.0), 0.1)
