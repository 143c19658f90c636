"""Step sizes of a descent: their sums in closed form against lists, and how many there are."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from step_lists import listed

import gflow
from gflow.cost.minutes import estimate
from gflow.scenario.step_sizes import StepSizes


@st.composite
def schedules(draw):
    schedule = draw(st.sampled_from(["constant", "linear", "cosine", "exponential", "step"]))
    warmup = draw(st.integers(0, 30))
    final = 0.0 if schedule == "constant" else draw(st.floats(1e-6, 0.99))
    steps = warmup + draw(st.integers(1, 200))
    return StepSizes(
        schedule=schedule, steps=steps, warmup=warmup, final=final, drops=draw(st.integers(1, 12))
    )


@given(schedules())
@settings(max_examples=200, deadline=None)
def test_sums_are_those_of_the_listed_sizes(sizes):
    each = listed(sizes)

    for n in range(sizes.steps + 1):
        # N sizes of at most 1, summed with a rounding error each.
        assert sizes.total(n) == pytest.approx(math.fsum(each[:n]), abs=1e-12 * sizes.steps)


@given(schedules(), st.floats(0, 1))
@settings(max_examples=200, deadline=None)
def test_the_closest_step_is_the_closest_of_all(sizes, share):
    total = share * sizes.total(sizes.steps)

    n = sizes.closest(total)

    every = [abs(sizes.total(i) - total) for i in range(sizes.steps + 1)]
    assert 0 <= n <= sizes.steps
    assert abs(sizes.total(n) - total) <= min(every) + 1e-12 * sizes.steps


@given(schedules(), st.floats(0, 500))
@settings(max_examples=200, deadline=None)
def test_a_descent_lasts_as_long_as_asked_up_to_half_a_step(sizes, more):
    wanted = sizes.warmup / 2 + 1 + more

    lasting = sizes.lasting(wanted)

    # One step more adds less than 1, so that the closest sum is within half of it.
    assert abs(lasting.total(lasting.steps) - wanted) <= 0.5 + 1e-9
    assert sizes.lasting(wanted, lasting.steps - 1 or 1).steps <= max(lasting.steps - 1, 1)


def test_a_cosine_takes_about_twice_the_steps_of_a_constant_size():
    # Σ_{k<N} (1 + cos(π k/N))/2 = (N + 1)/2.
    assert StepSizes(schedule="cosine").lasting(500.0).steps == 999
    assert StepSizes(schedule="linear").lasting(500.0).steps == 999
    assert StepSizes().lasting(500.0).steps == 500


TEXT = """
data = {{dimension = 9, subclasses = 4, positive_subclasses = 2, noise = 0.1, samples = 40}}
network = {{width = 8, power = 3, init_scale = 1e-3}}
flow = {{end_time = 100}}
train = {{method = "sgd", step_size = 0.2, batch = 10, {}}}
"""


def scenario(train):
    return gflow.parse_scenario(TEXT.format(train))


def test_the_cost_counts_the_steps_of_the_schedule():
    assert estimate(scenario('schedule = "cosine"'), 1e10).evaluations == (999, 999)
    assert estimate(scenario('schedule = "cosine", epochs = 20'), 1e10).evaluations == (80, 80)
    assert estimate(scenario("momentum = 0.5"), 1e10).evaluations == (250, 250)


@pytest.mark.parametrize(
    ("train", "words"),
    [
        ('schedule = "step"', r"`train.final` must be > 0 for schedule = \"step\".*try 0.01"),
        ('schedule = "exponential"', r"`train.final` must be > 0"),
        ("final = 0.1", r"`train.final` must be left out for schedule = \"constant\""),
        ("warmup = 2000", r"`train.warmup` must end before `flow.end_time` = 100.*until 200.2"),
        ('schedule = "cosinus"', r'`train.schedule` must be "constant", "linear", "cosine"'),
    ],
)
def test_what_a_schedule_cannot_be_is_said_with_a_cure(train, words):
    with pytest.raises(gflow.errors.ScenarioError, match=words):
        scenario(train)


def test_epochs_must_not_end_within_the_warmup():
    with pytest.raises(gflow.errors.DataError, match=r"`train.warmup` must be less than the 8"):
        estimate(scenario("epochs = 2, warmup = 8"), 1e10)
