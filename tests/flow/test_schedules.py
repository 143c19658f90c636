"""Step sizes that change over a descent: loops by hand, their sums, and how late they are."""

import jax
import numpy as np
import pytest
from descents import EPS, followed, gradient, problem, recipe, small
from evidences import as_if
from step_lists import listed
from systems import system

import gflow
from gflow.flow.descent_step import relative
from gflow.judges.descent_law import follows_flow
from gflow.laws.timescales import step_delay
from gflow.network.initial import cartesian
from gflow.scenario.step_sizes import StepSizes

SCHEDULES = [
    {"schedule": "linear"},
    {"schedule": "cosine", "final": 0.1, "warmup": 7},
    {"schedule": "exponential", "final": 1e-3},
    {"schedule": "step", "final": 0.01, "drops": 2, "warmup": 3},
    {"schedule": "step", "final": 0.01, "drops": 50},
    {"warmup": 10},
]


def by_hand(schedule, w, v, case, eta, momentum):
    """SGD on all samples, a loop with these step sizes."""
    _, x, y, *_ = case
    memory = np.zeros_like(w), np.zeros_like(v)
    for k in range(30):
        slope = gradient(w, v, x, y, 3.0)
        memory = tuple(momentum * m + g for m, g in zip(memory, slope, strict=True))
        w, v = (a - eta * schedule(k) * m for a, m in zip((w, v), memory, strict=True))
    return w, v


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("shape", SCHEDULES, ids=lambda shape: "-".join(map(str, shape.values())))
def test_sizes_of_steps_are_those_of_the_loop_one_would_write(shape, momentum):
    case = problem()
    how = recipe(0.05, momentum=momentum, steps=30, **shape)
    sizes = listed(how.sizes)
    w, v = by_hand(sizes.__getitem__, *case[3:], case, 0.05, momentum)

    trajectory = followed(case[0], [how.time(30)], how)

    # Thirty steps of rounding.
    np.testing.assert_allclose(trajectory.state.weights.w, w, atol=1000 * EPS)
    np.testing.assert_allclose(trajectory.state.weights.v, v, atol=1000 * EPS)
    assert trajectory.effort.steps == 30
    assert trajectory.times[-1] == pytest.approx(0.05 * sum(sizes) / (1 - momentum), rel=1e-12)


@pytest.mark.parametrize("shape", SCHEDULES, ids=lambda shape: "-".join(map(str, shape.values())))
def test_a_schedule_is_that_of_its_definition(shape):
    sizes = StepSizes(steps=40, **shape)

    with jax.enable_x64(True), jax.numpy_dtype_promotion("standard"):
        each = [float(relative(sizes)(jax.numpy.asarray(k))) for k in range(40)]

    np.testing.assert_allclose(each, listed(sizes), rtol=100 * EPS)


def test_what_a_schedule_dissipates_is_what_the_loss_has_lost():
    # Σ η_k ‖g_k‖² is the lost loss up to the first order in η: η²/2 g·Hg per step.
    case, x, y, w, v = problem()
    losses = {}
    for eta in (2e-3, 1e-3):
        how = recipe(eta, steps=round(0.4 / eta), schedule="linear")
        trajectory = followed(case, [how.time(how.sizes.steps)], how)
        end = trajectory.state.weights
        f = [np.maximum(x @ a.T, 0) ** 3 @ (b / np.linalg.norm(a, axis=1) ** 2)
             for a, b in ((w, v), (np.asarray(end.w), np.asarray(end.v)))]  # fmt: skip
        before, after = (np.exp(-y * one).mean() for one in f)
        losses[eta] = abs(before - after - float(trajectory.state.dissipated))
    assert losses[1e-3] < 0.6 * losses[2e-3]


@pytest.mark.parametrize("shape", [{"schedule": "cosine"}, {"schedule": "linear", "warmup": 20}])
def test_a_schedule_is_late_by_no_more_than_its_largest_step(shape):
    # One quiet neuron with w = v grows by 1 + η_k per step, and in the flow by e^{η_k}.
    case = system(cartesian(np.array([[1.0, 0.0]]), np.array([1.0]), 1e-100),
                  np.array([[1.0, 0.0]]), np.array([1.0]), 3.0)  # fmt: skip
    how = recipe(0.5, steps=120, **shape)
    sizes = 0.5 * np.array(listed(how.sizes))

    trajectory = followed(case, [how.time(120)], how)

    grown = np.diff(np.log(trajectory.observations["w"][[0, -1], 0, 0]))[0]
    assert grown == pytest.approx(np.log1p(sizes).sum(), rel=1e-9)
    assert 1 <= trajectory.times[-1] / grown <= step_delay(0.5, 0.0, 1.0)


def test_several_step_sizes_follow_the_flow_only_without_momentum():
    run = gflow.simulate(small()).evidence

    def follows(step_size=0.01, **train):
        return follows_flow(as_if(run, "train", method="sgd", step_size=step_size, **train))

    assert all(follows(**train).met for train in ({"schedule": "cosine"}, {"momentum": 0.5}))
    for train in ({"schedule": "linear"}, {"warmup": 3}):
        hypothesis = follows(momentum=0.5, **train)
        assert hypothesis.met is False and "change under momentum" in hypothesis.clause
    # The largest step counts.
    assert follows(2.0, schedule="cosine").met is False
