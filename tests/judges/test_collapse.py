"""The judge of separable samples on small flows, and on records and scenarios that are altered."""

from dataclasses import replace

import numpy as np
import pytest
from evidences import altered, as_if, evidence_of

from gflow.judges.collapse import judge_collapse
from gflow.judges.finding import Verdict

SEPARABLE = """
[data]
kind = "separable"
dimension = 5
samples = 8
test_samples = 0

[network]
width = 8
power = 1
init_scale = 1e-7

[flow]
end_time = 1e12

[record]
groups = ["neurons", "centers", "directions"]
linear = 20
geometric = 100
"""


@pytest.fixture(scope="module")
def run():
    return evidence_of(SEPARABLE)


def test_classes_collapse_to_their_hard_margins(run):
    assert judge_collapse(run).verdict is Verdict.HOLDS


def test_a_class_that_is_heavier_than_its_margin_fails(run):
    sign = run.record["sign"].values[0]
    # As if the norms of one class had grown by 3 % more over the last decades.
    grown = np.where(run.times > 1e10, 1.03, 1.0)[:, None] ** (sign > 0)

    heavier = altered(run, log_norm=lambda r: r + np.log(grown))

    assert judge_collapse(heavier).verdict is Verdict.FAILS


def test_neurons_awake_to_both_classes_fail(run):
    # As if one neuron had gone to the second axis, which lies between those of the classes.
    between = np.eye(5)[1] + 0.3 * np.eye(5)[0]

    def moved(u):
        return np.where((np.arange(u.shape[1]) == 0)[:, None], between / np.linalg.norm(between), u)

    assert judge_collapse(altered(run, direction=moved)).verdict is Verdict.FAILS


def test_it_is_too_early_for_limits_before_three_decades():
    assert judge_collapse(evidence_of(SEPARABLE, flow__end_time=500)).verdict is Verdict.UNDECIDED
    assert judge_collapse(evidence_of(SEPARABLE, flow__end_time=10)).verdict is Verdict.UNDECIDED


def test_it_is_about_relu_on_separable_samples_with_clean_labels(run):
    for other in (
        as_if(run, "network", power=3.0),
        as_if(run, "flow", loss="half_square"),
        as_if(run, "data", flip=0.25),
        replace(run, record=run.record.drop_vars("direction")),
    ):
        assert judge_collapse(other).verdict is Verdict.OUTSIDE
