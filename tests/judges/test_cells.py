"""Many neurons against the laws of symmetric starts (predictions P43 and P44)."""

from dataclasses import replace

import numpy as np
import pytest
from evidences import altered, as_if, evidence_of, slowed
from questions import ESCAPING

from gflow.judges.cells import judge_alignment_times, judge_occupancy
from gflow.judges.finding import Verdict

CROWD = ESCAPING.replace("end_margin = 0.5", "end_loss = 0.99")
KEYS = {
    "network__width": 300,
    "network__init_scale": 1e-15,
    "data__subclasses": 4,
    "data__positive_subclasses": 2,
    "data__samples": 8,
}


@pytest.fixture(scope="module")
def crowd():
    return evidence_of(CROWD, **KEYS)


def test_many_neurons_align_and_choose_as_random_directions_do(crowd):
    times, cells = judge_alignment_times(crowd), judge_occupancy(crowd)

    assert times.verdict is Verdict.HOLDS and "on their way" in times.measured
    assert cells.verdict is Verdict.HOLDS and cells.measured.count("void") == 2


def test_a_crowd_that_takes_three_times_as_long_fails(crowd):
    assert judge_alignment_times(slowed(crowd, 3.0)).verdict is Verdict.FAILS


def test_neurons_that_never_arrive_are_too_late(crowd):
    # A third of those that are there at the end of the quiet time, as if they were still on their
    # way: 40 of 150 neurons where the law has a few.
    def held_back(cosine):
        cosine[1:, ::3] = np.minimum(cosine[1:, ::3], 0.89)
        return cosine

    opinion = judge_alignment_times(altered(crowd, cosine=held_back))

    assert opinion.verdict is Verdict.FAILS


def test_a_center_that_takes_the_neurons_of_another_fails(crowd):
    def taken(cosine):
        most = np.maximum(cosine[1:, :, 0], cosine[1:, :, 1])
        cosine[1:, :, 1] = np.minimum(cosine[1:, :, 0], cosine[1:, :, 1])
        cosine[1:, :, 0] = most
        return cosine

    opinion = judge_occupancy(altered(crowd, cosine=taken))

    assert opinion.verdict is Verdict.FAILS and "μ_2 0.000" in opinion.measured


def test_a_crowd_of_other_weights_is_held_against_other_shares(crowd):
    # As if the first subclass were twenty times as large: it should have nearly half of 150 neurons
    # and not 3/8, three deviations more, which is unusual and not beyond chance.
    uneven = replace(crowd, pi=np.array([0.6, 0.03, 0.185, 0.185]))

    opinion = judge_occupancy(uneven)

    assert opinion.verdict is Verdict.UNDECIDED and "may be chance" in opinion.reason
    assert judge_alignment_times(uneven).verdict is Verdict.OUTSIDE


def test_a_start_that_ends_early_decides_nothing(crowd):
    early = replace(crowd, record=crowd.record.isel(time=slice(0, 3)))

    assert judge_alignment_times(early).verdict is Verdict.UNDECIDED
    assert judge_occupancy(early).verdict is Verdict.UNDECIDED


@pytest.mark.parametrize(
    ("table", "values", "reason"),
    [
        ("network", {"power": 2.0}, "p > 2"),
        ("network", {"init": "nudged"}, "a Gaussian or uniform start"),
        ("network", {"balanced": False}, "a balanced start"),
        ("record", {"groups": ("neurons",)}, "a record of neurons and centers"),
    ],
)
def test_what_the_laws_need_is_asked(crowd, table, values, reason):
    for judge in (judge_alignment_times, judge_occupancy):
        opinion = judge(as_if(crowd, table, **values))
        assert opinion.verdict is Verdict.OUTSIDE and reason in opinion.reason


def test_a_few_neurons_are_no_crowd(crowd):
    few = altered(crowd)
    few = replace(few, record=few.record.isel(neuron=slice(0, 12)))

    assert "100 neurons of every class" in judge_alignment_times(few).reason
    assert "5 neurons expected in every cell" in judge_occupancy(few).reason


def test_noise_moves_alignment_times_and_not_cells(crowd):
    noisy = replace(crowd, alpha=0.1)

    assert judge_alignment_times(noisy).verdict is Verdict.OUTSIDE
    assert judge_occupancy(noisy).verdict is Verdict.HOLDS
