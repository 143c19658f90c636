"""The catalogue: rows in order, each with a source, a judge and a scenario made for it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from evidences import evidence_of
from hypothesis import given
from hypothesis import strategies as st
from questions import SMALL

from gflow.errors import ScenarioError
from gflow.judges.catalogue import ALL, CATALOGUE, check_study, named
from gflow.judges.finding import Verdict, outside, unmet
from gflow.judges.own_predictions import load_predictions
from gflow.judges.prediction import Prediction, Subject
from gflow.judges.series import Comparison, verdict_of
from gflow.judges.slope import slope
from gflow.laws.hypothesis import Hypothesis
from gflow.laws.page import hypotheses, paragraph
from gflow.report.theory_table import markdown
from gflow.runs.standing import standings
from gflow.runs.study import answer
from gflow.runs.verdicts import judged
from gflow.scenario import PREDICTIONS, LayersTable, load_scenario, parse_scenario

SCENARIOS = Path(__file__).parents[2] / "scenarios"

MINE = """
from gflow.judges.finding import Opinion, Verdict
from gflow.judges.prediction import Prediction, Subject

def judge(evidence):
    loss = float(evidence.record["loss"][-1])
    verdict = Verdict.HOLDS if loss <= 1e-2 else Verdict.FAILS
    return Opinion(verdict, "loss <= 1e-2", f"{loss:.1e}", "At the end of the flow.")

PREDICTIONS = [Prediction("small-loss", "mine", "The loss gets small.", "me", judge=judge)]
"""


def test_predictions_are_entered_once_and_in_order():
    numbers = [int(one.number.removeprefix("P")) for one in ALL]
    assert numbers == sorted(set(numbers)) and len(CATALOGUE) == len(ALL)
    for one in ALL:
        assert one.number in one.source and "theory" in one.source
        assert one.judge or one.judge_study


def test_a_scenario_may_ask_about_whatever_can_be_judged():
    assert [one.id for one in ALL] == list(PREDICTIONS)


@pytest.mark.parametrize("one", [one for one in ALL if one.scenario], ids=lambda one: one.number)
def test_the_scenario_made_for_a_prediction_asks_about_it(one):
    scenario = load_scenario(SCENARIOS / f"{one.scenario}.toml")

    requested = scenario.checks.predictions
    assert requested == "all" or one.id in requested
    assert one.judge is not None or scenario.is_grid


def test_a_study_is_judged_by_its_networks_that_have_laws():
    neurons = evidence_of(SMALL)
    network = LayersTable(width=12, power=3.0, init_scale=1.0)
    scenario = neurons.scenario.model_copy(update={"network": network})
    layers = replace(neurons, scenario=scenario)
    counting = Prediction(
        "count", "mine", "", "me", judge_study=lambda runs: outside("", f"{len(runs)} of them")
    )

    (finding,) = check_study([neurons, layers], ["count"], [counting])

    assert finding.opinion.reason == "mine does not apply: 1 of them"
    assert check_study([layers], ["count"], [counting]) == ()


def test_predictions_are_named_by_id_and_by_number():
    assert named("P13") is named("ei-law") is not None
    assert named("P99") is None


@given(st.floats(-3, 3), st.floats(-3, 3), st.lists(st.integers(-50, 50), min_size=3, unique=True))
def test_the_slope_of_a_line_is_exact(a, b, x):
    x = np.array(x, float)
    line = slope(x, a * x + b)

    # Rounding of values of size 200, over a range of at least 2.
    assert line.within(a, 1e-12) and line.low <= line.value <= line.high


def test_the_interval_of_a_slope_covers_the_truth_as_often_as_it_says():
    # 95 % of 400 intervals: 380 ± 3 standard deviations of 4.4.
    rng = np.random.default_rng(0)
    x = np.linspace(0, 1, 6)
    hit = 0
    for _ in range(400):
        line = slope(x, 2 * x + 0.3 * rng.standard_normal(6))
        hit += line.low <= 2 <= line.high

    assert abs(hit - 380) <= 3 * np.sqrt(400 * 0.95 * 0.05)


def test_two_points_say_nothing_about_the_uncertainty():
    line = slope(np.array([0.0, 1.0]), np.array([0.0, 2.0]))

    assert line.within(2.0, 1e-12) and not line.excludes(7.0, 0.1)


@pytest.mark.parametrize(
    ("fits", "verdict"),
    [
        ([True, True], Verdict.HOLDS),
        ([True, False, None], Verdict.FAILS),
        ([True, None], Verdict.UNDECIDED),
        ([], Verdict.UNDECIDED),
    ],
)
def test_parts_add_up_to_a_verdict(fits, verdict):
    assert verdict_of([Comparison("", fit, "") for fit in fits]) is verdict


def test_an_unmet_hypothesis_puts_a_run_outside_and_says_which():
    met = Hypothesis("α = 0", "α = 0", True)
    missed = Hypothesis("p > 2", "p = 1", False)

    assert unmet("x", (met,)) is None
    opinion = unmet("x", (met, missed))
    assert opinion is not None and opinion.verdict is Verdict.OUTSIDE
    assert opinion.reason == "It needs p > 2, and here p = 1." and opinion.hypotheses == (
        met,
        missed,
    )


def test_a_prediction_of_ones_own_is_one_small_file(tmp_path):
    (tmp_path / "mine.py").write_text(MINE)

    (mine,) = load_predictions(tmp_path / "mine.py")

    assert mine.id == "small-loss" and mine.judge is not None


def test_such_a_file_may_define_dataclasses(tmp_path):
    # Whose fields, as text, are looked up in the module of their class.
    own = "import dataclasses\n\n@dataclasses.dataclass\nclass Bar:\n    value: float = 1.0\n"
    (tmp_path / "mine.py").write_text("from __future__ import annotations\n" + own + MINE)

    assert load_predictions(tmp_path / "mine.py")[0].id == "small-loss"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("PREDICTIONS = 3", "must define `PREDICTIONS`, a list of"),
        (
            "\n1 / 0",
            "mine.py, line 2: must run without errors, but raises ZeroDivisionError: division by "
            "zero; fix it",
        ),
        ("x = (\n", r"mine.py, line 1: must run .* raises SyntaxError: '\(' was never closed; fix"),
        (MINE.replace("small-loss", "ei-law"), "must not reuse ids of gflow, but has ei-law"),
    ],
)
def test_what_is_wrong_with_such_a_file_is_said(tmp_path, text, message):
    (tmp_path / "mine.py").write_text(text)

    with pytest.raises(ScenarioError, match=message):
        load_predictions(tmp_path / "mine.py")


def test_a_file_that_is_not_there_is_said(tmp_path):
    with pytest.raises(ScenarioError, match="must be a Python file, but is not one"):
        load_predictions(tmp_path / "mine.py")


@pytest.mark.slow
def test_the_findings_table_has_a_row_a_prediction_from_folders_alone(tmp_path):
    scenario = parse_scenario(SMALL)
    judged(answer(scenario, tmp_path, False, lambda label, s: lambda p: None))

    rows = standings([tmp_path])

    assert [row.prediction.number for row in rows] == [one.number for one in ALL]
    by_id = {row.prediction.id: row for row in rows}
    assert by_id["balancedness"].verdict is Verdict.HOLDS
    assert by_id["balancedness"].where == "small"
    assert by_id["escape-slopes"].verdict is Verdict.NOT_MEASURED
    text = markdown(rows)
    assert text.count("\n") == len(ALL) + 1 and "| P13 |" in text


@pytest.mark.parametrize("one", ALL, ids=lambda one: one.number)
def test_every_prediction_has_a_subject_a_paragraph_and_stated_hypotheses(one):
    assert one.subject is not Subject.OWN
    assert paragraph(one.number).startswith(f"{one.number}. ")
    assert hypotheses(one.number)
