"""The judge of flipped labels on small flows, and on records and scenarios that are altered."""

import pytest
from evidences import altered, as_if, evidence_of, slowed
from questions import NO_NOISE

from gflow.judges.finding import Verdict
from gflow.judges.label_flips import judge_flipped_escape, judge_flipped_rest

FLIPPED = NO_NOISE.replace("[data]\n", "[data]\nflip = [0.1, 0.1, 0.3]\n").replace(
    "end_time = 200", "end_time = 1500"
)
SHARP = FLIPPED.replace("geometric = 6", "geometric = 200")


@pytest.fixture(scope="module")
def rested():
    return evidence_of(FLIPPED)


@pytest.fixture(scope="module", params=[1, 3])
def escaping(request):
    scales = (1e-8, 1e-12, 1e-16)
    return [evidence_of(SHARP, network__init_scale=e, network__power=request.param) for e in scales]


def test_outputs_rest_where_the_mean_force_vanishes(rested):
    opinion = judge_flipped_rest(rested)

    assert opinion.verdict is Verdict.HOLDS
    # ½ log 9 and ½ log 7/3.
    assert "1.099, 1.099, 0.4236" in opinion.measured


def test_outputs_that_rest_elsewhere_fail(rested):
    wrong = altered(rested, center_output=lambda f: 1.01 * f)

    assert judge_flipped_rest(wrong).verdict is Verdict.FAILS


def test_outputs_that_still_move_refute_nothing():
    assert judge_flipped_rest(evidence_of(FLIPPED, flow__end_time=90)).verdict is Verdict.UNDECIDED
    assert judge_flipped_rest(evidence_of(FLIPPED, flow__end_time=5)).verdict is Verdict.UNDECIDED


@pytest.mark.parametrize(
    "override", [{"data__flip": 0.0}, {"data__flip": 0.5}, {"data__noise": 0.05}]
)
def test_a_law_of_flips_without_noise_asks_for_both(override):
    other = evidence_of(FLIPPED, **override)

    assert judge_flipped_rest(other).verdict is Verdict.OUTSIDE
    assert judge_flipped_escape([other]).verdict is Verdict.OUTSIDE


def test_flips_delay_escape_like_smaller_weights(escaping):
    assert judge_flipped_escape(escaping).verdict is Verdict.HOLDS


def test_escapes_that_are_later_than_flips_explain_fail(escaping):
    assert judge_flipped_escape([slowed(run, 1.05) for run in escaping]).verdict is Verdict.FAILS


def test_other_shares_do_not_explain_the_escapes(escaping):
    # As if 0.4 of the labels of the last subclass were flipped in place of 0.3: half its weight.
    more = [as_if(run, "data", flip=(0.1, 0.1, 0.4)) for run in escaping]

    assert judge_flipped_escape(more).verdict is Verdict.FAILS


def test_a_record_too_coarse_for_an_escape_refutes_nothing():
    coarse = [
        evidence_of(FLIPPED, network__init_scale=e, network__power=3, record__geometric=2,
                    record__linear=2, flow__method="direct") for e in (1e-8, 1e-12, 1e-16)
    ]  # fmt: skip

    assert judge_flipped_escape(coarse).verdict is not Verdict.FAILS
