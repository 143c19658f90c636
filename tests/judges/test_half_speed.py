"""The judge of antipodal data on small flows, and on records and scenarios that are altered."""

from dataclasses import replace

import numpy as np
import pytest
from evidences import altered, as_if, evidence_of, slowed

from gflow.judges.finding import Verdict
from gflow.judges.half_speed import judge_half_speed, judge_linear_at_half_time

ANTIPODAL = """
[data]
kind = "antipodal"
dimension = 6
samples = 20
test_samples = 0

[network]
width = 8
power = 1
init_scale = 1e-8
mirrored = true

[flow]
end_time = 220
tolerance = 1e-6

[record]
groups = ["neurons", "centers", "directions"]
linear = 100
geometric = 300
"""


@pytest.fixture(scope="module")
def runs():
    return [evidence_of(ANTIPODAL, network__init_scale=eps) for eps in (1e-8, 1e-12, 1e-16)]


def test_a_mirrored_network_is_the_linear_one_at_half_the_time(runs):
    assert judge_linear_at_half_time(runs[0]).verdict is Verdict.HOLDS


@pytest.mark.parametrize("loss", ["half_square"])
def test_it_is_under_any_loss(loss):
    assert judge_linear_at_half_time(evidence_of(ANTIPODAL, flow__loss=loss)).verdict is (
        Verdict.HOLDS
    )


def test_outputs_of_another_speed_fail(runs):
    assert judge_linear_at_half_time(slowed(runs[0], 1.01)).verdict is Verdict.FAILS


def test_it_needs_pairs_of_samples_and_of_neurons_at_power_1(runs):
    one_neuron_moved = altered(runs[0], log_norm=lambda r: r + 1e-6 * (np.arange(8) == 3))
    without_directions = replace(runs[0], record=runs[0].record.drop_vars("direction"))

    for other in (
        as_if(runs[0], "data", paired=False),
        as_if(runs[0], "network", power=2.0),
        one_neuron_moved,
        without_directions,
    ):
        assert judge_linear_at_half_time(other).verdict is Verdict.OUTSIDE


def test_escape_is_later_by_twice_that_of_a_linear_network(runs):
    assert judge_half_speed(runs).verdict is Verdict.HOLDS
    assert judge_half_speed([slowed(run, 1.05) for run in runs]).verdict is Verdict.FAILS


def test_samples_that_are_not_in_pairs_are_not_judged(runs):
    unpaired = [as_if(run, "data", paired=False) for run in runs]

    assert judge_half_speed(unpaired).verdict is Verdict.OUTSIDE


def test_networks_that_have_not_grown_refute_nothing(runs):
    small = [altered(run, log_output=lambda r: r - 40.0) for run in runs]

    assert judge_half_speed(small).verdict is Verdict.UNDECIDED
