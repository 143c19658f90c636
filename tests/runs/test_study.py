"""Scenarios answered in folders: the same question in the same place, grids point by point."""

import io
import shutil

import pytest
from processes import assert_same_numbers, interrupted, silent
from questions import GRID, SMALL
from rich.console import Console

import gflow
from gflow.errors import ScenarioError
from gflow.flow.trajectory import Reason
from gflow.judges.catalogue import CATALOGUE
from gflow.report.radii_table import robustness_table, rows_of
from gflow.runs.radii import read_robustness
from gflow.runs.study import Study, answer, continue_to
from gflow.scenario import RobustnessTable, parse_scenario


@pytest.fixture(scope="module")
def grid(tmp_path_factory):
    return answer(parse_scenario(GRID), tmp_path_factory.mktemp("runs"), False, silent)


def test_a_grid_is_a_study_with_one_run_folder_per_point(grid):
    assert isinstance(grid, Study)
    assert [label for label, _ in grid.entries] == ["power=1", "power=3"]
    for label, run in grid.entries:
        assert run.folder is not None and run.folder.parent == grid.folder
        assert run.folder.name.startswith(label) and (run.folder / "log.txt").read_text()
    assert grid["power=3"].scenario.network.power == 3


def test_a_study_is_read_back_from_its_folder(grid):
    study = gflow.load(grid.folder)

    assert isinstance(study, Study) and study.scenario == grid.scenario
    assert_same_numbers(study, grid)


def test_a_finished_answer_is_not_computed_twice(grid):
    def refuse(label, scenario):
        raise AssertionError(f"{label} was computed again")

    again = answer(parse_scenario(GRID), grid.folder.parent, False, refuse)

    assert again.folder == grid.folder


@pytest.mark.slow
def test_question_name_and_checks_do_not_move_the_folder_but_the_seed_does(tmp_path, grid):
    text = GRID.replace('name = "small"', 'name = "small"\nquestion = "why?"')
    same = answer(parse_scenario(text), grid.folder.parent, False, silent)
    one, other = (
        answer(parse_scenario(SMALL, overrides=[f"seed={seed}"]), tmp_path, False, silent)
        for seed in (1, 2)
    )

    assert same.folder == grid.folder
    assert other.folder.parent == one.folder.parent and other.folder != one.folder


@pytest.mark.parametrize("until", [1.0, float("inf"), float("nan")])
def test_a_study_is_not_continued_to_a_time_that_is_none_or_past(grid, until):
    with pytest.raises(ScenarioError, match="must be finite and not before the time that all"):
        continue_to(grid, until, silent)


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """A run that stands alone, with radii."""
    text = SMALL + '[robustness]\nnorms = ["l2"]\n[checks]\npredictions = ["energy-balance"]\n'
    return answer(parse_scenario(text), tmp_path_factory.mktemp("runs"), False, silent)


def copied(run, folder):
    shutil.copytree(run.folder, folder / run.folder.name)
    return gflow.load(folder / run.folder.name)


def test_a_continued_run_is_attacked_again_and_counts_all_steps(alone, tmp_path):
    before = copied(alone, tmp_path)

    longer = continue_to(before, 210.0, silent)

    assert longer.evidence.robustness is not None
    assert gflow.load(before.folder).outcome.steps == longer.effort.steps > before.effort.steps
    assert read_robustness(before.folder, before.scenario.robustness) is not None


def test_radii_that_coincide_are_columns_once():
    # 1/√K is 1/2 for four subclasses.
    sizes = ["data.subclasses=4", "data.samples=40", "data.test_samples=4"]
    run = gflow.simulate(parse_scenario(SMALL, overrides=sizes))
    rows = rows_of([("", gflow.attack(run, RobustnessTable(norms=("l2",))))])

    console = Console(width=200, record=True, file=io.StringIO())
    console.print(robustness_table(rows))

    assert console.export_text().count("right at 0.5 ") == 1


def test_whoever_waited_does_not_put_a_shorter_run_in_the_place_of_a_longer(alone, tmp_path):
    # The same folder, as it was read before another process continued it.
    stale = copied(alone, tmp_path)
    continue_to(gflow.load(stale.folder), 220.0, silent)

    with pytest.raises(ScenarioError, match="later than the run's last time t = 220"):
        continue_to(stale, 210.0, silent)

    assert gflow.load(stale.folder).outcome.t == 220.0


def test_what_was_interrupted_while_it_was_continued_is_not_computed_anew(alone, tmp_path):
    run = copied(alone, tmp_path)

    stopped = continue_to(run, 1e4, interrupted(lambda label, t: t > 200))
    again = answer(alone.scenario, tmp_path, False, silent)

    assert stopped.outcome.reason is Reason.INTERRUPTED and 200 < stopped.outcome.t < 1e4
    assert again.outcome.t == stopped.outcome.t


def test_the_same_seed_gives_the_same_data_at_any_width(tmp_path):
    from gflow.runs.problem import prepare

    narrow = prepare(parse_scenario(SMALL))
    wide = prepare(parse_scenario(SMALL, overrides=["network.width=20"]))

    assert (narrow.train.x == wide.train.x).all() and (narrow.test.x == wide.test.x).all()


@pytest.mark.slow
def test_checking_judges_every_point(grid):
    findings = gflow.check(grid)

    # A point is judged by what is about one run, the study, under "", by what is about several.
    about = {True: "judge", False: "judge_study"}
    assert list(findings) == ["power=1", "power=3", ""]
    for label, rows in findings.items():
        judges = [
            id
            for id, one in CATALOGUE.items()
            if getattr(one, about[label != ""]) and "neurons" in one.networks
        ]
        assert [row.id for row in rows] == judges
    assert gflow.check(grid["power=3"]) == findings["power=3"]


@pytest.mark.slow
def test_continuing_keeps_the_folder_and_its_log(grid, tmp_path):
    folder = shutil.copytree(grid.folder, tmp_path / "copy")
    before = gflow.load(folder)

    longer = continue_to(before, 300.0, silent)

    assert [run.outcome.t for run in longer.runs] == [300.0, 300.0]
    assert [run.outcome.t for run in gflow.load(folder).runs] == [300.0, 300.0]
    assert all(b.folder == a.folder for a, b in zip(before.runs, longer.runs, strict=True))
    # Whatever is there already is left, as after a kill half way.
    times = [(run.folder / "log.txt").stat().st_mtime_ns for run in longer.runs]
    again = continue_to(gflow.load(folder), 300.0, silent)
    assert [(run.folder / "log.txt").stat().st_mtime_ns for run in again.runs] == times


@pytest.mark.slow
def test_ctrl_c_ends_a_grid_and_keeps_what_was_done(tmp_path):
    early = interrupted(lambda label, t: label == "power=1" and t > 50)

    stopped = answer(parse_scenario(GRID), tmp_path, False, early)

    assert [label for label, _ in stopped.entries] == ["power=1"]
    assert stopped.runs[0].outcome.reason is Reason.INTERRUPTED
    finished = answer(parse_scenario(GRID), tmp_path, False, silent)
    assert [run.outcome.complete for run in finished.runs] == [True, True]
