"""The judge of the norm of interpolators: the bound is never broken, and attained where it says."""

import numpy as np
import pytest
from evidences import altered, as_if, evidence_of

from gflow.judges.finding import Verdict
from gflow.judges.interpolator_norm import awake_to_all, judge_interpolator_norm

FEW = """
seed = 1

[data]
dimension = 10
subclasses = 4
positive_subclasses = 2
noise = 0
samples = 4
test_samples = 0

[network]
width = 24
power = 1
init_scale = 1e-40

[flow]
loss = "half_square"
end_time = 900
precision = "float64"

[record]
linear = 20
geometric = 5
"""


@pytest.fixture(scope="module")
def whole():
    """Every class has a neuron that starts awake to all of it."""
    return evidence_of(FEW)


def test_a_class_that_is_fitted_at_once_has_the_least_norm(whole):
    assert awake_to_all(whole, 1) and awake_to_all(whole, -1)

    opinion = judge_interpolator_norm(whole)

    assert opinion.verdict is Verdict.HOLDS and "class +: 1 (1 by 1 jump)" in opinion.measured


@pytest.mark.parametrize("shift", [-0.05, 0.05])
def test_another_mass_fails(whole, shift):
    changed = altered(whole, log_norm=lambda r: r + shift, log_output=lambda r: r + shift)

    # A smaller mass breaks the bound; a larger one is more than one jump needs.
    assert judge_interpolator_norm(changed).verdict is Verdict.FAILS


def test_more_mass_is_no_failure_where_no_neuron_is_awake_to_all_of_a_class(whole):
    def one_each(cosine):
        even = np.arange(cosine.shape[1]) % 2 == 0
        cosine = cosine.copy()
        cosine[0][even, 0], cosine[0][~even, 1] = -0.1, -0.1
        cosine[0][even, 2], cosine[0][~even, 3] = -0.1, -0.1
        return cosine

    heavier = {"log_norm": lambda r: r + 0.05, "log_output": lambda r: r + 0.05}
    apart = altered(whole, cosine=one_each, **heavier)

    assert not awake_to_all(apart, 1) and not awake_to_all(apart, -1)
    assert judge_interpolator_norm(apart).verdict is Verdict.HOLDS


@pytest.mark.parametrize(
    ("table", "change", "reason"),
    [
        ("network", {"power": 2.0}, "1 <= p < 2"),
        ("flow", {"loss": "exponential"}, "a square loss"),
        ("train", {"method": "adam"}, "the flow"),
    ],
)
def test_what_the_law_is_not_about_is_outside(whole, table, change, reason):
    opinion = judge_interpolator_norm(as_if(whole, table, **change))

    assert opinion.verdict is Verdict.OUTSIDE and reason in opinion.reason


def test_a_network_that_does_not_interpolate_yet_is_undecided(whole):
    opinion = judge_interpolator_norm(altered(whole, center_output=lambda f: 0.9 * f))

    assert opinion.verdict is Verdict.UNDECIDED and "at the end" in opinion.reason
