"""Points of a study are chosen by the values of varied keys."""

import pytest

from gflow.errors import ScenarioError
from gflow.runs.run import Entry
from gflow.runs.selection import select
from gflow.runs.status import State, Status
from gflow.runs.study import Study
from gflow.scenario import parse_scenario

VARY = """
[data]
dimension = 5
subclasses = 2
positive_subclasses = 1
noise = 0.1
samples = 100
[network]
width = 4
[flow]
end_time = 1.0
[vary]
"network.power" = [1, 3]
"network.init_scale" = [1e-2, 1e-7]
"train.method" = ["flow", "sgd"]
"""


@pytest.fixture
def study(tmp_path):
    scenario = parse_scenario(VARY)
    # Which points fit is settled by the question alone; the last one has no run.
    *labels, last = [point.label for point in scenario.points()]
    waiting = Status(last, tmp_path, State.WAITING)
    entries = tuple(Entry(label, None) for label in labels)  # pyright: ignore
    return Study(scenario, entries, tmp_path, (waiting,))


@pytest.mark.parametrize(
    ("texts", "fits"),
    [
        ([], lambda label: True),
        (["network.power=3"], lambda label: "power=3" in label),
        (["network.power=1", "init_scale=1e-7"], lambda label: "power=1,init_scale=1e-07" in label),
        (["network.power=1,init_scale=1e-7"], lambda label: "power=1,init_scale=1e-07" in label),
        (["network.init_scale=0.01"], lambda label: "init_scale=0.01" in label),
        (["network.power=1", "network.power=3.0"], lambda label: True),
        (["train.method=sgd"], lambda label: "method=sgd" in label),
        (["power=1,init_scale=1e-07,method=sgd"],
         lambda label: label == "power=1,init_scale=1e-07,method=sgd"),
    ],
)  # fmt: skip
def test_points_with_a_value_are_chosen(study, texts, fits):
    labels = [entry.label for entry in study.entries]

    assert [entry.label for entry in select(study, texts).entries] == list(filter(fits, labels))


def test_points_without_a_run_are_told_only_if_they_fit(study):
    assert len(select(study, ["network.power=3"]).unanswered) == 1
    assert select(study, ["network.power=1"]).unanswered == ()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("network.power", "must be KEY=VALUE, but is 'network.power'"),
        ("network.width=4", "must name a key that varies, but 'network.width' does not"),
        ("network.power=2", "must fit a run of the study, but network.power=2 fits none"),
    ],
)
def test_what_fits_nothing_is_refused_with_what_there_is(study, text, words):
    with pytest.raises(ScenarioError) as error:
        select(study, [text])

    assert words in str(error.value)
    assert str(error.value).endswith(
        "; there are network.power = 1, 3; network.init_scale = 0.01, 1e-07; train.method = flow, "
        "sgd."
    )
