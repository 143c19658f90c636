"""A point is found by its own question, wherever on the shelf it lies."""

import shutil
from dataclasses import replace

import pytest
from processes import silent
from questions import SMALL as WHOLE

from gflow.errors import RecordError
from gflow.flow.trajectory import Reason
from gflow.runs import point, store
from gflow.runs.files import checksum
from gflow.runs.manifest import PARTS
from gflow.runs.study import answer
from gflow.scenario import parse_scenario

SHORT = WHOLE.replace("end_time = 200", 'end_time = 1\nmethod = "direct"')
SMALL = SHORT + '\n[checks]\npredictions = ["energy-balance"]\n'
GRID = SMALL + "\n[vary]\nseed = [1, 3]\n"  # of one program, which is compiled once
LONGER = GRID.replace("[1, 3]", "[1, 3, 4]")


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    """A study of two seeds."""
    folder = tmp_path_factory.mktemp("shelf")
    answer(parse_scenario(GRID), folder, False, silent)
    return folder


@pytest.fixture
def computed(monkeypatch):
    """The seeds that are computed, and not read or copied."""
    seeds, compute = [], point.simulate

    def simulate(scenario, *rest):
        seeds.append(scenario.seed)
        return compute(scenario, *rest)

    monkeypatch.setattr(point, "simulate", simulate)
    return seeds


def test_a_study_to_which_a_value_is_added_computes_that_value_only(shelf, tmp_path, computed):
    runs = shutil.copytree(shelf, tmp_path / "runs")
    (before,) = runs.iterdir()

    study = answer(parse_scenario(LONGER), runs, False, silent)

    assert computed == [4]
    assert [label for label, _ in study.entries] == ["seed=1", "seed=3", "seed=4"]
    for run in study.runs[:2]:
        (first,) = before.glob(f"{run.folder.name}")
        for name in (*PARTS, "manifest.json", "findings.json"):
            assert checksum(first / name) == checksum(run.folder / name)


def test_a_run_that_stands_alone_and_a_point_of_a_study_answer_each_other(
    shelf, tmp_path, computed
):
    runs = shutil.copytree(shelf, tmp_path / "runs")

    # Another name and other predictions: the flow is the same, the rest is as this file asks.
    alone = answer(
        parse_scenario(SMALL, overrides=["name=mine", 'checks.predictions=["balancedness"]']),
        runs, False, silent,
    )  # fmt: skip
    assert computed == [] and alone.scenario.name == "mine"
    assert store.load(alone.folder).record.identical(alone.record)

    shutil.rmtree(next(path for path in runs.iterdir() if path != alone.folder))
    answer(parse_scenario(GRID), runs, False, silent)
    assert computed == [3]


@pytest.mark.slow
def test_runs_that_are_altered_interrupted_or_longer_or_not_wanted_are_no_answer(
    shelf, tmp_path, computed
):
    def run_again(change, fresh=False):
        runs = tmp_path / f"{len(list(tmp_path.iterdir()))}"
        shutil.copytree(shelf, runs)
        folder = next(runs.glob("*/seed=1-*"))
        change(folder)
        answer(parse_scenario(SMALL), runs, fresh, silent)

    def cut(folder):
        (folder / "network.npz").write_bytes(b"")
        with pytest.raises(RecordError):
            store.load(folder)

    def interrupt(folder):
        run = store.load(folder)
        outcome = replace(run.outcome, reason=Reason.INTERRUPTED)
        store.save(replace(run, evidence=replace(run.evidence, outcome=outcome)), folder)

    def lengthen(folder):
        run = store.load(folder)
        flow = run.scenario.flow.model_copy(update={"end_time": 300.0})
        scenario = run.scenario.model_copy(update={"flow": flow})
        store.save(replace(run, evidence=replace(run.evidence, scenario=scenario)), folder)

    for n, change in enumerate((cut, interrupt, lengthen), start=1):
        run_again(change)
        assert computed == [1] * n
    run_again(lambda folder: None, fresh=True)
    assert computed == [1] * 4
    run_again(lambda folder: None)
    assert computed == [1] * 4
