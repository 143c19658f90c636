"""Grids that are killed, started twice, or edited while they run."""

import json
import os
import re
import signal

import pytest
from processes import (
    assert_same_numbers,
    begun,
    finish,
    grid_command,
    is_within,
    only_folder,
    prints,
    silent,
    start,
    start_grid,
    wait_for,
)
from questions import SEEDS

from gflow.cli import Exit
from gflow.runs.index import read_index
from gflow.runs.status import State, read_status
from gflow.runs.study import answer, load
from gflow.scenario import parse_scenario


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The grid, answered in one go."""
    return answer(parse_scenario(SEEDS), tmp_path_factory.mktemp("whole"), False, silent)


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["between", "within"])
def test_after_kill_9_the_same_command_ends_as_if_nothing_had_been(tmp_path, undisturbed, moment):
    first, study = start_grid(tmp_path)
    at = is_within if moment == "within" else lambda study: begun(study, State.FINISHED)
    wait_for(lambda: at(study), moment)
    first.kill()
    first.wait()
    finished = [s.folder for s in begun(study, State.FINISHED)]
    before = [prints(folder) for folder in finished]
    assert finished and not begun(study, State.RUNNING)

    again, _ = start_grid(tmp_path)
    output = finish(again)

    assert again.returncode == Exit.OK, output
    assert [prints(folder) for folder in finished] == before
    assert_same_numbers(load(study), undisturbed)
    assert [p.name for p in study.iterdir() if p.name.startswith(".")] == []


@pytest.mark.slow
def test_two_processes_on_one_grid_share_its_points(tmp_path, undisturbed):
    args = (*grid_command(tmp_path), "--all")

    both = [start(*args), start(*args)]
    outputs = [finish(process) for process in both]

    assert [process.returncode for process in both] == [Exit.OK, Exit.OK], outputs
    assert_same_numbers(load(only_folder(tmp_path / "runs")), undisturbed)
    assert [text.count("HOLDS") for text in outputs] == [5, 5]  # one per point, and how many
    # Whoever computes a flow tells of its end, so each was computed once; both had a share.
    ends = [re.findall(r"^(power=\S+): t = 200 of 200", text, re.MULTILINE) for text in outputs]
    assert sorted(ends[0] + ends[1]) == [label for label, _ in undisturbed.entries]
    assert all(ends)


@pytest.mark.slow
def test_editing_the_scenario_file_while_it_runs_changes_nothing(tmp_path, undisturbed):
    process, study = start_grid(tmp_path)

    (tmp_path / "grid.toml").write_text(SEEDS.replace("end_time = 200", "end_time = 20"))
    output = finish(process)

    assert process.returncode == Exit.OK, output
    assert_same_numbers(load(study), undisturbed)


@pytest.mark.slow
def test_the_index_lists_every_point_before_the_first_is_computed(tmp_path):
    process, study = start_grid(tmp_path)

    places = read_index(study)
    states = [status.state for status in read_status(study)]
    os.kill(process.pid, signal.SIGKILL)
    process.wait()

    assert [place.label for place in places] == [
        "power=1,seed=1", "power=1,seed=2", "power=3,seed=1", "power=3,seed=2",
    ]  # fmt: skip
    assert places[3].varied == {"network.power": 3, "seed": 2}
    assert State.FINISHED not in states and states[1:] == 3 * [State.WAITING]
    assert json.loads((study / "study.json").read_text())["points"][0]["folder"]
