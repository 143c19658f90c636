"""The verb `status`: the state of runs, of studies, and of folders of them."""

import json
import shutil
from dataclasses import replace

from commands import call, only_study

from gflow.cli import Exit
from gflow.flow.trajectory import Reason
from gflow.judges.finding import Verdict
from gflow.runs import store
from gflow.runs.findings import read_findings, save_findings
from gflow.runs.study import load


def test_status_prints_a_head_and_one_line_per_point_and_counts(ran):
    result = call("status", only_study(ran[0]))

    lines = result.output.splitlines()
    assert result.exit_code == Exit.OK and len(lines) == 4
    assert lines[0].split()[:2] == ["point", "state"] and lines[0].endswith("UNDECIDED")
    assert lines[1].split()[:3] == ["power=1", "finished", "200"]
    assert lines[3].startswith("2 points: 2 finished; ") and " HOLDS" in lines[3]


def test_status_of_a_folder_of_runs_names_the_broken_ones_and_ends_as_run_does(ran, tmp_path):
    runs = shutil.copytree(ran[0] / "runs", tmp_path / "runs")
    assert call("status", runs).exit_code == Exit.OK
    # One file cut short, one study without its index, and a folder that is not gflow's.
    study = next(runs.iterdir())
    point = next(study.glob("power=1*"))
    (point / "trajectory.nc").write_bytes((point / "trajectory.nc").read_bytes()[:-1])
    (runs / "lost").mkdir()
    shutil.copy(study / "scenario.toml", runs / "lost" / "scenario.toml")
    (runs / "mine").mkdir()

    result = call("status", runs)

    assert result.exit_code == Exit.BAD_RECORD
    assert "trajectory.nc: must have the checksum" in " ".join(result.output.split())
    assert "lost: must be a run folder" in " ".join(result.output.split())
    assert "mine" not in result.output
    assert "2 folders, 3 points: 1 finished, 2 failed" in result.output


def test_status_ends_like_the_run_that_stopped_or_fails(ran, tmp_path):
    study = shutil.copytree(only_study(ran[0]), tmp_path / "study")
    run = next(study.glob("power=3*"))
    findings = read_findings(run)
    fails = replace(findings[0], opinion=replace(findings[0].opinion, verdict=Verdict.FAILS))
    save_findings(run, (fails, *findings[1:]))
    assert call("status", study).exit_code == Exit.FAILS

    stopped = load(study).runs[1]
    outcome = replace(stopped.outcome, reason=Reason.MAX_STEPS)
    store.save(replace(stopped, evidence=replace(stopped.evidence, outcome=outcome)), run)
    assert call("status", study).exit_code == Exit.STOPPED


def test_status_as_json_of_a_study_and_of_a_run(ran):
    study = only_study(ran[0])

    whole = json.loads(call("status", study, "--json").output)
    alone = json.loads(call("status", whole["points"][1]["folder"], "--json").output)

    assert whole["counts"] == {"finished": 2}
    assert [row["point"] for row in whole["points"]] == ["power=1", "power=3"]
    assert whole["points"][1]["verdict"] == "HOLDS" and whole["points"][1]["time"] == 200
    assert alone["points"] == [whole["points"][1] | {"point": ""}]


def test_a_folder_may_be_the_one_we_are_in(ran, monkeypatch):
    monkeypatch.chdir(load(only_study(ran[0])).runs[0].folder)

    result = call("status", ".")

    assert result.exit_code == Exit.OK and "finished" in result.output
