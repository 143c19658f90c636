"""The verb `check`: verdicts that are judged again, printed in every form, and their exit codes."""

import json
import shutil
from dataclasses import replace

import pytest
from commands import call

from gflow.cli import Exit
from gflow.runs import store
from gflow.runs.study import load


@pytest.mark.slow
def test_a_study_that_lacks_a_point_is_checked_and_completed(study, tmp_path):
    lost = next(study.glob("power=1*"))
    shutil.move(lost, tmp_path / lost.name)

    assert "2 points: 1 waiting, 1 finished; " in call("status", study).output
    checked = call("check", study, "--quiet")
    assert checked.exit_code == Exit.OK and checked.output.startswith("power=3: ")
    assert "power=1: waiting" in call("check", study).output
    rows = json.loads(call("check", study, "--json").output)["points"]
    assert [(row["point"], row.get("state")) for row in rows] == [
        ("power=3", None), ("power=1", "waiting"), ("", None),
    ]  # fmt: skip

    shutil.move(tmp_path / lost.name, lost)
    assert call("run", study, "--quiet").exit_code == Exit.OK


def judge_of_mine(folder, line):
    """A file with a prediction about runs whose judge begins with this line."""
    path = folder / "mine.py"
    path.write_text(
        "from gflow.judges.finding import Opinion, Verdict\n"
        "from gflow.judges.prediction import Prediction\n\n\n"
        "def judge(evidence):\n"
        f"    {line}\n"
        '    return Opinion(Verdict.FAILS, "", "", "It never holds.")\n\n\n'
        'PREDICTIONS = [Prediction("mine", "M1", "", "", judge=judge)]\n'
    )
    return path


def test_a_failing_prediction_has_its_own_exit_code(study, tmp_path):
    result = call("check", study, "--with", judge_of_mine(tmp_path, "pass"))

    assert result.exit_code == Exit.FAILS
    assert "FAILS mine at 2 points, such as power=1: It never holds." in result.stdout
    assert result.stdout.index("FAILS mine") < result.stdout.index("│ mine")


def test_a_mistake_in_the_users_own_file_is_named_with_its_line(study, tmp_path):
    mine = judge_of_mine(tmp_path, 'loss = flaot(evidence.record["loss"][-1])')

    result = call("check", study, "--with", mine, "--only", "mine")

    assert result.exit_code == Exit.BAD_INPUT
    assert f"{mine}, line 6: must run without errors, but raises NameError" in result.stderr
    assert "name 'flaot' is not defined" in result.stderr
    assert "Traceback" not in result.output and "mistake in gflow" not in result.output


def test_numerics_that_are_not_sound_have_the_exit_code_of_a_flow_that_stopped(study, tmp_path):
    run = load(study).runs[1]
    leaking = run.record.copy(deep=True)
    leaking["dissipated"] *= 0.5
    store.save(replace(run, evidence=replace(run.evidence, record=leaking)), tmp_path / "bad")

    result = call("check", tmp_path / "bad")

    assert result.exit_code == Exit.STOPPED
    assert "Numerics are NOT SOUND: energy is off" in result.stdout
    assert call("status", tmp_path / "bad").exit_code == Exit.STOPPED


def test_check_judges_every_run_and_all_together_as_json(study):
    result = call("check", study, "--json")

    assert result.exit_code == Exit.OK, result.output
    rows, headline = (json.loads(result.output)[name] for name in ("points", "headline"))
    assert [row["point"] for row in rows] == ["power=1", "power=3", ""]
    assert rows[0]["findings"][0]["id"] == "balancedness"
    assert "escape-slopes" in [finding["id"] for finding in rows[2]["findings"]]
    assert [point["label"] for point in headline["points"]] == ["power=1", "power=3"]
    assert headline["points"][1]["target"] == "F^(3)" and headline["needed"] == 0.1
    low, high = headline["points"][1]["distance"]
    assert 0 < low <= high <= 1


def test_all_prints_every_run_and_verdict_and_then_the_answer(study):
    short, whole = call("check", study).stdout, call("check", study, "--all").stdout

    assert whole.endswith(short)
    for word in ("energy-balance", "outcome", "OUTSIDE", "theory D2d"):
        assert word in whole and (word == "OUTSIDE" or word not in short)


def test_quiet_is_one_line_per_point(study):
    lines = call("check", study, "--quiet").stdout.splitlines()

    assert [line.partition(":")[0] for line in lines] == ["power=1", "power=3"]
    assert all("Conjecture 1: " in line for line in lines)
