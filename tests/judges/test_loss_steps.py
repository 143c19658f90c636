"""The judges of steps of the loss hold on real flows, and fail on none that they are not about."""

from dataclasses import replace

import numpy as np
import pytest
from evidences import altered, as_if, evidence_of, slowed

from gflow.judges.finding import Verdict
from gflow.judges.loss_steps import judge_jump_process, judge_staircase, step_law

STEPS = """
[data]
dimension = 10
subclasses = 4
positive_subclasses = 3
noise = 0
imbalance = 3
samples = 40
test_samples = 0

[network]
width = 5
power = 1
init_scale = 1e-30

[flow]
loss = "half_square"
end_time = 1200
precision = "float64"

[record]
linear = 150
geometric = 5
"""


def study(**overrides):
    return [
        evidence_of(STEPS, network__init_scale=eps, **overrides) for eps in (1e-50, 1e-60, 1e-70)
    ]


@pytest.fixture(scope="module")
def jumps():
    return study(seed=2)


@pytest.fixture(scope="module")
def stairs():
    return study(network__power=3, network__width=8, flow__end_time=2500)


@pytest.fixture(params=["jumps", "stairs"])
def either(request):
    judge = {"jumps": judge_jump_process, "stairs": judge_staircase}[request.param]
    return judge, request.getfixturevalue(request.param)


def test_runs_take_the_steps_of_their_law(either):
    judge, runs = either

    opinion = judge(runs)

    assert opinion.verdict is Verdict.HOLDS
    assert "rests within" in opinion.measured and "as the law says" in opinion.measured


def test_later_steps_fail(either):
    judge, runs = either

    opinion = judge([slowed(run, 1.1) for run in runs])

    assert opinion.verdict is Verdict.FAILS


def test_another_level_fails(either):
    judge, runs = either

    assert judge([altered(run, loss=lambda x: 1.1 * x) for run in runs]).verdict is Verdict.FAILS


def test_an_output_that_should_have_stayed_fails(either):
    judge, runs = either
    label = runs[0].centers.label

    def fitted_in_the_end(f):
        return np.where(np.arange(len(f))[:, None] == len(f) - 1, label, f)

    assert not step_law(runs[0]).fitted.all()
    opinion = judge([altered(run, center_output=fitted_in_the_end) for run in runs])

    assert opinion.verdict is Verdict.FAILS


def test_a_flow_that_ended_before_its_last_step_is_undecided(either):
    judge, runs = either
    early = [replace(run, record=run.record.isel(time=slice(0, 60))) for run in runs]

    opinion = judge(early)

    assert opinion.verdict is Verdict.UNDECIDED and "its last step is at" in opinion.reason


@pytest.mark.parametrize(
    ("table", "change", "reason"),
    [
        ("network", {"balanced": False}, "a balanced start"),
        ("flow", {"loss": "logistic"}, "a square loss"),
        ("train", {"method": "sgd"}, "the flow"),
        ("network", {"power": 5.0}, "1 <= p < 2"),
    ],
)
def test_what_the_law_is_not_about_is_outside(jumps, table, change, reason):
    opinion = judge_jump_process([as_if(run, table, **change) for run in jumps])

    assert opinion.verdict is Verdict.OUTSIDE and reason in opinion.reason


def test_the_staircase_at_two_waits_for_coordinates_that_do_not_underflow(stairs):
    opinion = judge_staircase([as_if(run, "network", power=2.0) for run in stairs])

    assert opinion.verdict is Verdict.OUTSIDE and "at p = 2" in opinion.reason


def test_coordinates_that_steps_have_woken_refute_nothing(jumps):
    woken = [altered(slowed(run, 1.1), cosine=_woken) for run in jumps]

    opinion = judge_jump_process(woken)

    assert opinion.verdict is Verdict.UNDECIDED and "stay asleep" in opinion.reason


def _woken(cosine):
    late = np.arange(len(cosine))[:, None, None] > 50
    return np.where(late, np.abs(cosine), cosine)
