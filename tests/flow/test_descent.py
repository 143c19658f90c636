"""Descent in steps: loops by hand, convergence to the flow, growth in closed form, and its end."""

import jax
import numpy as np
import pytest
from descents import EPS, followed, gradient, problem, recipe, small
from systems import MemoryCheckpoint, system

import gflow
from gflow.errors import ScenarioError
from gflow.flow import descent
from gflow.flow.field import FlowState
from gflow.flow.trajectory import Reason
from gflow.judges.catalogue import check, check_study
from gflow.judges.finding import Verdict
from gflow.laws.timescales import step_delay
from gflow.network.initial import cartesian


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("p", [1.0, 3.0])
def test_full_batches_are_the_loop_one_would_write(p, momentum):
    case, x, y, w, v = problem(p)
    how = recipe(0.05, momentum=momentum)
    memory = np.zeros_like(w), np.zeros_like(v)
    for _ in range(30):
        slope = gradient(w, v, x, y, p)
        memory = tuple(momentum * m + g for m, g in zip(memory, slope, strict=True))
        w, v = w - 0.05 * memory[0], v - 0.05 * memory[1]

    trajectory = followed(case, [30 * how.time_of_step], how)

    # Thirty steps of rounding.
    np.testing.assert_allclose(trajectory.state.weights.w, w, atol=1000 * EPS)
    np.testing.assert_allclose(trajectory.state.weights.v, v, atol=1000 * EPS)
    assert trajectory.outcome.reason is Reason.END_TIME and trajectory.effort.steps == 30


def test_the_first_step_of_adam_is_its_step_size_in_every_weight():
    case, x, y, w, v = problem()
    dw, dv = gradient(w, v, x, y, 3.0)

    trajectory = followed(case, [1e-3], recipe(1e-3, "adam"))

    # m/√v is g/|g| up to the 1e-8 that is added to |g|.
    np.testing.assert_allclose(
        trajectory.state.weights.w, w - 1e-3 * dw / (np.abs(dw) + 1e-8), rtol=1e-9
    )
    np.testing.assert_allclose(
        trajectory.state.weights.v, v - 1e-3 * dv / (np.abs(dv) + 1e-8), rtol=1e-9
    )


@pytest.mark.slow
def test_descent_tends_to_the_flow_in_proportion_to_its_step():
    case, *_ = problem()
    exact = case.follow([2.0], tolerance=1e-10).state.weights
    errors = [
        np.abs(np.asarray(followed(case, [2.0], recipe(eta)).state.weights.w - exact.w)).max()
        for eta in (0.02, 0.01, 0.005)
    ]
    orders = np.log2(np.array(errors[:-1]) / errors[1:])

    # The error is aη + bη² with b η/a < 0.1 here.
    assert (np.abs(orders - 1) < 0.1).all()


@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("step_size", [1e-3, 0.3, 2.0])
def test_a_quiet_neuron_grows_at_the_rate_of_its_recursion(momentum, step_size):
    # One neuron at one sample: dρ/dt = v, dv/dt = ρ while f is nothing, so λ = 1.
    case = system(cartesian(np.array([[1.0, 0.0]]), np.array([1.0]), 1e-100),
                  np.array([[1.0, 0.0]]), np.array([1.0]), 3.0)  # fmt: skip
    how = recipe(step_size, momentum=momentum)
    last = 220 if step_size < 1 else 70  # until then f stays below 1e-30
    times = np.array([last - 10, last]) * how.time_of_step

    trajectory = followed(case, times, how)

    log_rho = np.log(trajectory.observations["w"][:, 0, 0])
    growth = (log_rho[-1] - log_rho[-2]) / (times[1] - times[0])
    # The smaller root has died by then.
    assert growth == pytest.approx(1 / step_delay(step_size, momentum, 1.0), rel=1e-9)


def test_without_momentum_a_step_multiplies_by_one_plus_its_rate():
    for x in (1e-12, 0.1, 3.0):
        assert step_delay(x, 0.0, 1.0) == pytest.approx(x / np.log1p(x), rel=1e-12)


def test_an_epoch_sees_every_sample_once():
    case, x, *_ = problem(n=40)
    batches = []

    class Witness(type(case.field)):
        def __call__(self, t, state, args):
            jax.debug.callback(lambda x: batches.append(np.asarray(x)), args.x, ordered=True)
            return super().__call__(t, state, args)

    case = case._replace(field=Witness(case.field.loss, case.field.p))
    followed(case, [1.0], recipe(0.1, batch=8, epochs=2))

    # A callback may hand over float32; samples are told apart by far more.
    rows = np.concatenate([batch.reshape(-1, 6) for batch in batches]).astype(np.float32)
    assert len(batches) == 10
    for epoch in (rows[:40], rows[40:]):
        expected = np.unique(x.astype(np.float32), axis=0)
        np.testing.assert_array_equal(np.unique(epoch, axis=0), expected)
    assert (rows[:40] != rows[40:]).any()


def test_the_mean_of_the_batches_of_an_epoch_is_the_gradient():
    # Steps so small that the network stands still: an epoch moves it as full batches do.
    case, *_ = problem(n=40)
    eta = 1e-9

    parts = followed(case, [5 * eta], recipe(eta, batch=8)).state.weights
    whole = followed(case, [5 * eta], recipe(eta)).state.weights
    start = case.weights

    moved = np.asarray(whole.w - start.w)
    # Differences of weights of order 1 that moved by 1e-9.
    np.testing.assert_allclose(np.asarray(parts.w - start.w), moved, atol=1e-15, rtol=1e-6)


def test_epochs_end_it_earlier():
    case, *_ = problem(n=40)

    trajectory = followed(case, [100.0], recipe(0.1, batch=8, epochs=3))

    assert trajectory.effort.steps == 15
    assert trajectory.outcome.t == pytest.approx(1.5)
    assert trajectory.times[-1] == pytest.approx(1.5)


def test_a_step_is_recorded_once_where_the_end_comes_before_the_last_epoch():
    case, *_ = problem(n=40)

    trajectory = followed(case, [0.4, 0.8], recipe(0.1, batch=8, epochs=100))

    np.testing.assert_allclose(trajectory.times, [0, 0.4, 0.8])


def test_what_ends_descent_is_asked_between_records(monkeypatch):
    case, *_ = problem()
    monkeypatch.setattr(descent, "MOST", 10)
    stop = iter([None, None, None, Reason.END_LOSS])

    trajectory = followed(case, [100.0], recipe(0.1), stop=lambda observation: next(stop, None))

    # Asked at the start and after every ten steps.
    assert trajectory.effort.steps == 30 and trajectory.outcome.reason is Reason.END_LOSS
    np.testing.assert_allclose(trajectory.times, [0, 3.0])


def test_what_is_dissipated_is_what_the_loss_has_lost(p=3.0):
    # To first order in the step; with momentum at times long against 1/(1 - β) steps.
    case, x, y, *_ = problem(p)

    def loss(state):
        z = np.maximum(x @ np.asarray(state.weights.w).T, 0)
        norm = np.linalg.norm(np.asarray(state.weights.w), axis=1)
        return np.exp(-y * (z**p @ (np.asarray(state.weights.v) / norm ** (p - 1)))).mean()

    start = loss(FlowState.begin(case.weights))
    for momentum in (0.0, 0.9):
        how = recipe(1e-4, momentum=momentum)
        state = followed(case, [2.0], how).state
        slack = 20 * how.time_of_step / 2.0
        assert float(state.dissipated) == pytest.approx(start - loss(state), rel=slack)


def test_adam_dissipates_nothing_that_is_known():
    run = gflow.simulate(small(train='{method = "adam", step_size = 1.0, batch = 0}'))

    assert np.isnan(run.record["dissipated"].values).all()


def test_record_times_are_spread_until_epochs_end_it():
    run = gflow.simulate(small(train='{method = "sgd", step_size = 0.1, batch = 20, epochs = 5}'))

    # Twenty steps, of which thirty times ask for every one.
    np.testing.assert_allclose(run.record["time"].values, np.arange(21) * 0.1)


def test_divergence_is_a_value_with_what_came_before():
    case, *_ = problem()

    trajectory = followed(case, [1e3, 1e6], recipe(1e3))

    assert trajectory.outcome.reason is Reason.DIVERGED and not trajectory.outcome.complete
    assert "lower `train.step_size`" in trajectory.outcome.text
    assert np.isfinite(trajectory.observations["w"]).all()


@pytest.mark.parametrize("shape", [{}, {"schedule": "cosine", "warmup": 5, "steps": 133}])
@pytest.mark.parametrize("method", ["sgd", "adam"])
def test_what_was_killed_ends_equal_to_the_bit(method, shape):
    case, *_ = problem(n=40)
    how = recipe(0.01, method, batch=8, momentum=0.5 if method == "sgd" else 0.0, **shape)
    times = [how.time(steps) for steps in (37, 80, 133)]
    checkpoint = MemoryCheckpoint(at=2)
    whole = followed(case, times, how, checkpoint=checkpoint)

    rest = followed(case, times, how, checkpoint=MemoryCheckpoint(arrays=checkpoint.arrays))

    for a, b in zip(jax.tree.leaves(whole.state), jax.tree.leaves(rest.state), strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(whole.observations["w"], rest.observations["w"])
    np.testing.assert_array_equal(whole.times, rest.times)


def test_a_scenario_descends_from_where_its_flow_starts():
    flow = gflow.simulate(small())
    steps = gflow.simulate(small(train='{method = "sgd", step_size = 0.05, batch = 20}'))

    for name in ("cosine", "log_norm", "sign"):
        a, b = (run.record[name].values[0] for run in (flow, steps))
        np.testing.assert_allclose(a, b, atol=1e-6)  # float32 cosines
    assert steps.outcome.complete and steps.effort.steps == 2400
    verdicts = {f.id: f.verdict for f in check(steps.evidence, ["balancedness", "alignment"])}
    assert verdicts["balancedness"] is Verdict.OUTSIDE
    assert verdicts["alignment"] is Verdict.HOLDS


def test_small_steps_keep_the_times_of_the_flow_and_long_ones_do_not():
    flow = gflow.simulate(small()).evidence
    fine = gflow.simulate(small(train='{method = "sgd", step_size = 0.02, batch = 0}')).evidence
    coarse = gflow.simulate(small(train='{method = "sgd", step_size = 2.0, batch = 0}')).evidence

    (held,) = check_study([flow, fine], ["sgd"])
    (both,) = check_study([flow, fine, coarse], ["sgd"])
    (late,) = check_study([flow, coarse], ["sgd"])
    (alone,) = check_study([fine], ["sgd"])

    assert held.verdict is Verdict.HOLDS
    # Quiet growth alone is 2·0.25/log(1.5) - 1 = 23 % slower.
    assert both.verdict is Verdict.HOLDS and "(recursion +23.3%)" in both.opinion.reason
    assert late.verdict is Verdict.OUTSIDE and alone.verdict is Verdict.OUTSIDE


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        (dict(train='{method = "adam", momentum = 0.9}'),
         '`train.momentum` must be 0 with adam, which has its own, but is 0.9; remove it, or set '
         'train.method = "sgd".'),
        (dict(train='{method = "sgd", batch = 100}'),
         "`train.batch` must be <= `data.samples`, but batch = 100 and samples = 80; try 0 for "
         "all."),
        (dict(train='{method = "sgdd"}'), "`train.method`"),
        (dict(train='{method = "sgd", step_size = 200.0, batch = 0}'),
         "`flow.end_time` must leave time for one step of 200, but is 120; raise it."),
        (dict(train='{method = "sgd", step_size = 1e-13, batch = 0}'),
         "`flow.end_time` must be at most 1e+12 steps of 1e-13, but is 120; lower"),
    ],
)  # fmt: skip
def test_mistakes_are_told_in_one_sentence(keys, words):
    with pytest.raises(ScenarioError) as caught:
        small(**keys)
    assert words in str(caught.value)


def test_descent_goes_on_from_its_start_only():
    run = gflow.simulate(small(train='{method = "sgd", step_size = 1.0, batch = 0}'))

    with pytest.raises(ScenarioError, match="`until` must be given for a flow"):
        gflow.continue_(run, 200.0)


def test_how_it_descends_tells_runs_apart_and_flows_not():
    assert small().digest() == small(train="{step_size = 0.7}").digest()
    assert small().digest() != small(train='{method = "sgd", batch = 0}').digest()
