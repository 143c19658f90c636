"""Honesty: a FAILS survives more time, a finer integration and a smaller start.

The family and what is asked of it stand in `tests/benchmarks/honesty.py`, which asks hundreds.
"""

from dataclasses import replace

import pytest
from benchmarks.honesty import ASYMPTOTIC, Fate, fates, question, remedies
from evidences import evidence_of
from processes import silent
from questions import SMALL

from gflow.judges.catalogue import CATALOGUE, check
from gflow.judges.finding import Verdict
from gflow.runs.study import answer
from gflow.runs.verdicts import check as check_study
from gflow.scenario import parse_scenario

FAST = (0, 1, 2)


def test_the_family_is_what_it_says():
    asked = [question(number) for number in range(300)]

    scales = [scale for one in asked for scale in one.scales]
    assert min(scales) < 1e-28 and 0.1 < max(scales) <= 0.5
    assert {one.keys["network.power"] for one in asked} == {1, 1.5, 2, 2.5, 3, 4}
    assert len({one.keys["flow.loss"] for one in asked}) == 4
    assert {one.keys["flow.convention"] for one in asked} == {"mean", "sum"}
    assert all(2 <= one.keys["data.subclasses"] <= 6 for one in asked)
    assert all(10 <= one.keys["data.dimension"] <= 60 for one in asked)
    assert any(one.stopped for one in asked) and any(len(one.scales) == 3 for one in asked)
    assert question(7) == question(7)


def test_a_fails_is_asked_again_with_what_may_change_it():
    finding = check(evidence_of(SMALL, flow__end_time=1), ["ei-law"])[0]
    asked = question(0)

    again = remedies(asked, finding)

    assert again["ten times the time"].keys["flow.end_time"] == 10 * asked.keys["flow.end_time"]
    assert set(again) == {"ten times the time", "a tenth of the tolerance"}
    assert CATALOGUE["escape-slopes"].number in ASYMPTOTIC
    early = replace(finding, id="escape-slopes")
    assert remedies(asked, early)["a smaller start"].scales[0] == 1e-3 * asked.scales[0]


def test_a_fails_that_is_not_said_again_is_a_defect():
    finding = check(evidence_of(SMALL, flow__end_time=1), ["ei-law"])[0]

    assert Fate(0, finding, {"later": "FAILS", "finer": "FAILS"}).survives
    assert not Fate(0, finding, {"later": "FAILS", "finer": "UNDECIDED"}).survives


@pytest.mark.parametrize("number", FAST)
def test_every_fails_survives(number):
    assert [str(fate) for fate in fates(number) if not fate.survives] == []


@pytest.mark.slow
@pytest.mark.parametrize("number", [*range(3, 40), 79, 115, 144])
def test_every_fails_of_some_dozens_survives(number):
    assert [str(fate) for fate in fates(number) if not fate.survives] == []


def test_a_flow_that_ends_at_once_fails_nothing():
    short = evidence_of(SMALL, flow__end_time=1)

    assert [one.id for one in check(short) if one.verdict is Verdict.FAILS] == []


ORDINARY = """
[data]
dimension = 50
subclasses = 4
positive_subclasses = 2
samples = 400
test_samples = 400
noise = 0.1

[network]
width = 40
power = 3
init_scale = 1e-6

[flow]
end_time = 400

[vary]
"network.power" = [1, 2, 3]
"data.noise" = [0.0, 0.1, 0.3]
"network.init_scale" = [1e-6, 1e-2]
"""


@pytest.mark.slow
def test_an_ordinary_study_of_18_points_fails_nothing(tmp_path):
    study = answer(parse_scenario(ORDINARY), tmp_path, False, silent)

    findings = [one for point in check_study(study).values() for one in point]

    assert len(study.entries) == 18 and len(findings) > 200
    assert [str(one) for one in findings if one.verdict is Verdict.FAILS] == []
