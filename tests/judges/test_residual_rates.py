"""The judge of vanishing residuals holds on a real flow and fails on altered ones."""

from dataclasses import replace

import numpy as np
import pytest
from evidences import altered, as_if, evidence_of, slowed

from gflow.judges.finding import Verdict
from gflow.judges.residual_rates import judge_residual_rates

LATE = """
[data]
dimension = 10
subclasses = 3
positive_subclasses = 2
noise = 0
samples = 3
test_samples = 0

[network]
width = 12
power = 1
init_scale = 1e-3

[flow]
loss = "half_square"
end_time = 80
tolerance = 1e-8
precision = "float64"

[record]
linear = 100
geometric = 5
"""


@pytest.fixture(scope="module")
def late():
    return evidence_of(LATE)


def test_residuals_decay_by_the_modes_of_the_final_weights(late):
    opinion = judge_residual_rates(late)

    assert opinion.verdict is Verdict.HOLDS and "modes of L fall at" in opinion.measured


def test_another_clock_or_other_weights_fail(late):
    heavier = altered(late, log_norm=lambda r: r + 0.02, log_output=lambda r: r + 0.02)

    assert judge_residual_rates(slowed(late, 1.04)).verdict is Verdict.FAILS
    assert judge_residual_rates(heavier).verdict is Verdict.FAILS


@pytest.mark.parametrize(
    ("table", "change", "reason"),
    [
        ("network", {"power": 1.5}, "p = 1"),
        ("flow", {"loss": "exponential"}, "a square loss"),
        ("train", {"method": "sgd"}, "the flow"),
    ],
)
def test_what_the_law_is_not_about_is_outside(late, table, change, reason):
    opinion = judge_residual_rates(as_if(late, table, **change))

    assert opinion.verdict is Verdict.OUTSIDE and reason in opinion.reason


def test_a_subclass_without_a_neuron_never_ends(late):
    asleep = altered(late, cosine=lambda c: np.where(np.arange(c.shape[-1]) == 0, -abs(c), c))

    opinion = judge_residual_rates(asleep)

    assert opinion.verdict is Verdict.OUTSIDE and "awake to every center" in opinion.reason


def test_coarse_steps_and_early_ends_are_undecided(late):
    coarse = as_if(late, "flow", tolerance=1e-3)
    early = replace(late, record=late.record.isel(time=slice(0, 40)))

    assert "give `flow.tolerance`" in judge_residual_rates(coarse).reason
    assert judge_residual_rates(early).verdict is Verdict.UNDECIDED
