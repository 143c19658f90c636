"""The judge of the skew XOR on small flows, and on records and scenarios that are altered."""

import numpy as np
import pytest
from evidences import altered, as_if, evidence_of, slowed

from gflow.judges.finding import Verdict
from gflow.judges.skew_xor import judge_skew_escape, judge_sliding_angle

XOR = """
[data]
kind = "xor"
dimension = 4
noise = 0.02
angle = 60
samples = 400
test_samples = 0

[network]
width = 12
power = 1
init_scale = 1e-6

[flow]
end_time = 150

[record]
linear = 30
geometric = 100
"""


@pytest.fixture(scope="module")
def runs():
    return [evidence_of(XOR, network__init_scale=eps) for eps in (1e-6, 1e-8, 1e-10)]


def turned(run, degrees):
    """The same record, as if neurons had made a larger angle with every center."""

    def more(cosine):
        angle = np.arccos(np.clip(cosine, -1, 1)) + np.radians(degrees)
        return np.cos(angle).astype(cosine.dtype)

    return altered(run, cosine=more)


def test_neurons_slide_at_their_angle(runs):
    assert judge_sliding_angle(runs[0]).verdict is Verdict.HOLDS


def test_neurons_at_another_angle_fail(runs):
    assert judge_sliding_angle(turned(runs[0], 3.0)).verdict is Verdict.FAILS
    # Within the sampling error of the means of blobs nothing is refuted.
    assert judge_sliding_angle(turned(runs[0], 1.2)).verdict is Verdict.UNDECIDED


def test_a_flow_that_ends_while_neurons_turn_refutes_nothing():
    assert judge_sliding_angle(evidence_of(XOR, flow__end_time=10)).verdict is not Verdict.FAILS


def test_it_is_about_relu_on_four_blobs_with_clean_labels(runs):
    assert judge_sliding_angle(as_if(runs[0], "network", power=3.0)).verdict is Verdict.OUTSIDE
    for override in ({"data__flip": 0.1}, {"data__noise": 0.5}):
        other = evidence_of(XOR, **override, flow__end_time=10, network__power=1)
        assert judge_sliding_angle(other).verdict in (Verdict.OUTSIDE, Verdict.UNDECIDED)


def test_escape_is_later_by_one_over_the_sine(runs):
    assert judge_skew_escape(runs).verdict is Verdict.HOLDS
    assert judge_skew_escape([slowed(run, 1.1) for run in runs]).verdict is Verdict.FAILS


def test_two_scales_say_nothing_of_a_slope(runs):
    assert judge_skew_escape(runs[:2]).verdict is Verdict.OUTSIDE
