"""The loop: closed forms, orders, an independent integrator, and every way a flow can end."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp
from systems import centers_only, polar, system

from gflow.errors import PrecisionError
from gflow.flow.integrate import BETWEEN, integrate
from gflow.flow.observer import Observer
from gflow.flow.resumption import Resumption
from gflow.flow.schedule import Schedule
from gflow.flow.stepper import Controls
from gflow.flow.trajectory import Reason
from gflow.network.neurons import CartesianNeurons


def one_point(cosine, eps, p):
    """One unit sample, one positive neuron at a given cosine to it."""
    u = [[cosine, np.sqrt(1 - cosine**2)]]
    return system(polar(u, np.log(eps), [1]), [[1.0, 0.0]], [1.0], p)


def scheduled(trajectory, leaf):
    return np.asarray(leaf)[trajectory.scheduled]


@pytest.mark.parametrize("eps", [1e-2, 1e-4, 1e-8, 1e-200])
def test_one_neuron_turns_toward_one_point_along_tanh(eps):
    # p = 1, vanishing start: d cos/dt = 1 - cos², so cos(t) = tanh(t + artanh(cos 0)).
    # The finite start grows to ε e^t, which costs O(ε² e^{2t}).
    times = np.linspace(0.5, 3.0, 6)

    trajectory = one_point(0.1, eps, 1).follow(times)

    cosine = scheduled(trajectory, trajectory.observations.weights.direction)[1:, 0, 0]
    expected = np.tanh(times + np.arctanh(0.1))
    assert np.abs(cosine - expected).max() < eps**2 * np.exp(6.0) + 1e-8


@pytest.mark.parametrize(("solver", "order"), [("heun", 2), ("bosh3", 3), ("tsit5", 5)])
def test_error_falls_with_the_order_of_the_solver(solver, order):
    # A huge tolerance makes every leg of the schedule one step: a fixed-step integrator.
    def error(steps):
        times = np.linspace(0, 2.0, steps + 1)[1:]
        start = Resumption(first_step=2.0 / steps)
        trajectory = one_point(0.3, 1e-100, 2).follow(times, 1e6, solver, start=start)
        assert trajectory.effort.steps == steps
        # p = 2, one coordinate: u/√(1-u²) = u0/√(1-u0²) e^{t̂}, t̂ = 2t.
        ratio = 0.3 / np.sqrt(1 - 0.09) * np.exp(4.0)
        return abs(float(trajectory.state.weights.direction[0, 0]) - ratio / np.hypot(1, ratio))

    errors = [error(16), error(32), error(64)]

    slope = np.log2(errors[0] / errors[2]) / 2
    assert slope > order - 0.35


@pytest.mark.slow
def test_error_falls_with_the_tolerance():
    times = np.linspace(1, 40, 5)
    flow = centers_only([[0.5, 0.3, 0.2, 0.6]], [1], [1, 1, -1], 3, np.log(1e-30))

    def directions(tolerance, solver):
        trajectory = flow.follow(times, tolerance, solver)
        return scheduled(trajectory, trajectory.observations.weights.direction)

    exact = directions(1e-12, "dopri8")
    for tolerance, allowed in ((1e-3, 1e-2), (1e-6, 1e-5), (1e-9, 1e-8)):
        assert np.abs(directions(tolerance, "tsit5") - exact).max() < allowed


def _plain_gradient_flow(t, theta, x, y, p, h):
    """-∇L for logistic loss, written with numpy alone."""
    D = x.shape[1]
    w, v = theta[: h * D].reshape(h, D), theta[h * D :]
    rho = np.linalg.norm(w, axis=1)
    z = np.maximum(x @ w.T, 0)
    f = (z**p / rho ** (p - 1)) @ v
    g = y / (1 + np.exp(y * f)) / len(y)
    dv = (z**p / rho ** (p - 1)).T @ g
    pull = ((z ** (p - 1)) * g[:, None]).T @ x
    dw = v[:, None] * (p * pull / rho[:, None] ** (p - 1) - (p - 1) * (dv * rho**-2)[:, None] * w)
    return np.concatenate([dw.ravel(), dv])


START = {
    # Unbalanced, |v_j| = 0.7 ‖w_j‖, and balanced.
    "cartesian": (0.7, lambda w, v: CartesianNeurons(jnp.asarray(w), jnp.asarray(v))),
    "polar": (1.0, lambda w, v: polar(w, np.log(np.linalg.norm(w, axis=1)), np.sign(v))),
}


@pytest.mark.parametrize("chart", START)
@pytest.mark.parametrize("p", [pytest.param(1.5, marks=pytest.mark.slow), 2.0, 3.0])
def test_agrees_with_an_independent_integrator(p, chart):
    rng = np.random.default_rng(0)
    n, D, h = 12, 4, 5
    x, y = rng.standard_normal((n, D)), rng.choice([-1.0, 1.0], n)
    slope, start = START[chart]
    w = 0.1 * rng.standard_normal((h, D))
    v = slope * rng.choice([-1.0, 1.0], h) * np.linalg.norm(w, axis=1)
    oracle = solve_ivp(
        _plain_gradient_flow, (0, 20), np.concatenate([w.ravel(), v]),
        args=(x, y, p, h), method="DOP853", rtol=1e-10, atol=1e-13,
    )  # fmt: skip
    # 1 < p < 2 is only C¹ at activation crossings (theory T12), so the order is reduced.
    tolerance, agreement = (1e-9, 1e-6) if p >= 2 else (1e-7, 1e-3)

    end = system(start(w, v), x, y, p, "logistic").follow([20.0], tolerance).state.weights

    w, v = jnp.exp(end.log_norm)[:, None] * end.direction, end.sign * jnp.exp(end.log_output)
    final = np.concatenate([np.ravel(w), v])
    assert np.abs(final - oracle.y[:, -1]).max() < agreement * np.abs(oracle.y[:, -1]).max()


def test_directions_stay_on_the_sphere_and_scheduled_times_are_hit():
    times = np.geomspace(0.5, 50, 7)
    flow = centers_only([[0.5, 0.3, 0.2, 0.6], [0.1, 0.6, -0.5, 0.2]], [1, -1], [1, 1, -1], 3, -7.0)

    trajectory = flow.follow(times, 1e-3, "tsit5")

    norms = np.linalg.norm(trajectory.observations.weights.direction, axis=-1)
    assert np.abs(norms - 1).max() < 1e-14
    assert np.array_equal(trajectory.times[trajectory.scheduled], np.append(0.0, times))
    assert (np.diff(trajectory.times) > 0).all()


@pytest.mark.slow
def test_few_unscheduled_states_are_recorded_between_two_scheduled_ones():
    flow = one_point(0.1, 1e-8, 1)

    trajectory = flow.follow([1.0, 2.0], 1e-6, "heun")

    assert trajectory.effort.steps > 100
    assert len(trajectory.times) <= 3 + 2 * (BETWEEN + 1)
    everything = flow.follow([1.0, 2.0], 1e-6, "heun", notable=lambda before, now: True)
    assert len(everything.times) == everything.effort.steps + 1


def test_landing_on_a_time_does_not_make_the_steps_after_it_small():
    # A leg of length 1e-6 costs its own step, and one more to be back at the former size.
    flow = centers_only([[0.5, 0.3, 0.2, 0.6]], [1], [1, 1, -1], 3, np.log(1e-30))
    times = np.linspace(4, 40, 10)

    plain = flow.follow(times, 1e-3, "tsit5")
    paired = flow.follow(np.sort(np.concatenate([times, times + 1e-6])), 1e-3, "tsit5")

    assert paired.effort.steps <= plain.effort.steps + 2 * len(times)


@pytest.mark.slow
@pytest.mark.parametrize("p", [1.0, 3.0])
def test_quiet_growth_is_stepped_through_at_the_limit_of_stability(p):
    # Theory D12: log ‖w‖ grows like κπ t, and steps are as long as Tsit5 is stable, 3.5/(pκπ).
    # Directions off by ten tolerances slow the growth by less than p (1e-5)² κπ.
    flow = system(polar([[1.0, 1e-5, 0.0]], -500.0, [1]), [[1.0, 0, 0], [0, 0, 1]], [1, -1], p)

    trajectory = flow.follow([900.0], 1e-6, "tsit5")

    expected = -500 + 0.5 * 900
    assert float(trajectory.state.weights.log_norm[0]) == pytest.approx(expected, abs=2e-7)
    assert 2.5 < p * 0.5 * 900 / trajectory.effort.steps < 3.51


def test_continuing_equals_going_through():
    flow = one_point(0.2, 1e-6, 2)
    whole = flow.follow([2.0, 4.0], 1e-10)

    first = flow.follow([2.0], 1e-10)
    again = flow._replace(weights=first.state.weights)
    second = again.follow([4.0], 1e-10, start=first.resumption)

    gap = second.state.weights.direction - whole.state.weights.direction
    assert float(jnp.abs(gap).max()) < 1e-9
    assert float(second.state.dissipated) == pytest.approx(float(whole.state.dissipated), rel=1e-8)


def test_a_loose_tolerance_in_the_cartesian_chart_is_refused():
    neurons = CartesianNeurons(1e-7 * jnp.ones((2, 3)), 1e-7 * jnp.ones(2))
    flow = system(neurons, np.eye(3), [1, -1, 1], 3)
    controls = Controls(solver="tsit5", rtol=1e-6, atol=1e-6, min_step=0.0, max_steps=100)

    with pytest.raises(PrecisionError, match="step over the whole alignment phase"):
        integrate(
            flow.field, neurons, flow.samples, Schedule(np.array([1.0])), controls=controls,
            observer=Observer(lambda t, state: state),
        )  # fmt: skip


def test_a_continuation_may_begin_with_a_neuron_that_has_shrunk():
    # Its tolerance was right at t = 0; the same at t = 0 is refused, as above.
    neurons = CartesianNeurons(jnp.eye(2, 3) * jnp.asarray([[1e-2], [1e-9]]), jnp.full(2, 1e-9))
    flow = system(neurons, np.eye(3), [1, -1, 1], 3)
    controls = Controls(solver="tsit5", rtol=1e-6, atol=1e-8, min_step=0.0, max_steps=100)

    trajectory = integrate(
        flow.field, neurons, flow.samples, Schedule(np.array([6.0])), controls=controls,
        observer=Observer(lambda t, state: state), start=Resumption(5.0),
    )  # fmt: skip

    assert trajectory.outcome.complete


def test_an_exhausted_budget_is_a_value_that_names_the_cure():
    trajectory = one_point(0.1, 1e-8, 1).follow([1.0, 20.0], 1e-10, "heun", max_steps=30)

    assert trajectory.outcome.reason is Reason.MAX_STEPS
    assert not trajectory.outcome.complete
    assert trajectory.effort.steps + trajectory.effort.rejected == 30
    assert trajectory.times[-1] == trajectory.outcome.t > 0
    assert "flow.max_steps" in trajectory.outcome.text and "kept" in trajectory.outcome.text


def test_a_velocity_that_is_no_number_stops_the_flow_and_says_when():
    # Exponential loss with a huge wrong-signed network: e^{-y f} overflows at once.
    flow = system(polar([[1.0, 0.0]], 4.0, [-1]), [[1.0, 0.0]], [1.0], 1)

    trajectory = flow.follow([1.0])

    assert trajectory.outcome.reason is Reason.NOT_FINITE
    assert trajectory.outcome.t == 0 and len(trajectory.times) == 1
    assert "no longer a number" in trajectory.outcome.text


def test_ctrl_c_keeps_what_was_computed():
    def interrupt(t, observation):
        if t >= 1.0:
            raise KeyboardInterrupt

    trajectory = one_point(0.1, 1e-8, 1).follow([1.0, 2.0], watch=interrupt)

    assert trajectory.outcome.reason is Reason.INTERRUPTED
    assert trajectory.outcome.t == 1.0


def test_a_stopping_rule_ends_the_flow_and_its_observation_is_kept():
    def stop(state):
        return Reason.END_MARGIN if state.weights.log_norm[0] > -10 else None

    trajectory = one_point(0.9, 1e-8, 1).follow([50.0], stop=stop)

    assert trajectory.outcome.complete and trajectory.outcome.reason is Reason.END_MARGIN
    assert trajectory.times[-1] == trajectory.outcome.t < 50
    assert trajectory.observations.weights.log_norm[-1, 0] > -10


def test_a_minimum_step_is_forced_counted_and_measured():
    trajectory = one_point(0.1, 1e-8, 1).follow([4.0], 1e-12, "heun", min_step=0.05)

    assert trajectory.effort.forced > 50
    assert trajectory.effort.worst_forced > 1


def test_steps_that_slide_along_a_kink_are_bounded_by_the_minimum_step():
    # p = 1, noise-free: the coordinate of the other class hits 0 and stays there (theory T11).
    flow = centers_only([[0.4, 0.3, 0.6]], [1], [1, 1, -1], 1, np.log(1e-20))

    trajectory = flow.follow([20.0], 1e-3, "bosh3", min_step=0.05)

    assert trajectory.outcome.complete
    assert trajectory.effort.steps < 450
    assert abs(float(trajectory.state.weights.direction[0, 2])) < 0.05
