"""The command line as a user meets it: exit codes, messages, and answers without jax."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace

import pytest
from processes import finish, start
from questions import GRID, SMALL
from typer.testing import CliRunner

from gflow import cli
from gflow.cli import Exit
from gflow.flow.trajectory import Reason
from gflow.judges.finding import Verdict
from gflow.runs import store
from gflow.runs.findings import read_findings, save_findings
from gflow.runs.index import write_index
from gflow.runs.study import load
from gflow.scenario import parse_scenario

RUNNER = CliRunner()


def call(*args):
    return RUNNER.invoke(cli.app, [str(arg) for arg in args])


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cli")
    (folder / "small.toml").write_text(GRID)
    result = call("run", folder / "small.toml", "--out", folder / "runs")
    return folder, result


def study_of(folder):
    return next((folder / "runs").iterdir())


def test_run_ends_with_verdicts_figures_and_zero(ran):
    folder, result = ran

    assert result.exit_code == Exit.OK, result.output
    assert "is left out" not in result.output  # figures over seeds are for studies of seeds
    assert "Conjecture 1" in result.output and "Other verdicts" in result.output
    assert len(result.stdout.splitlines()) <= 20
    study = study_of(folder)
    for run in load(study).runs:
        assert (run.folder / "findings.json").is_file()
    assert len(list((study / "figures").glob("*.png"))) >= 5
    assert not list((study / "figures").glob("*.pdf"))  # `gflow plot` is how to ask for them


def test_a_study_has_a_table_and_says_where_its_points_are_stored(ran):
    folder, result = ran

    study = study_of(folder)
    assert f"Points are stored in {study}" in result.output
    lines = (study / "table.csv").read_text().splitlines()
    assert [line.partition(",")[0] for line in lines] == ["label", "power=1", "power=3"]
    assert (study / "table.nc").is_file()


def test_a_finished_answer_is_read_back_with_its_verdicts(ran):
    folder, _ = ran
    study = study_of(folder)
    before = {p: p.stat().st_mtime_ns for p in study.rglob("*") if p.parent != study}

    again = call("run", folder / "small.toml", "--out", folder / "runs", "--quiet")

    assert again.exit_code == Exit.OK and "HOLDS" in again.output
    # Neither computed, judged nor drawn anew.
    assert before == {p: p.stat().st_mtime_ns for p in before}


def test_status_prints_a_head_and_one_line_per_point_and_counts(ran):
    result = call("status", study_of(ran[0]))

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
    study = shutil.copytree(study_of(ran[0]), tmp_path / "study")
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
    study = study_of(ran[0])

    whole = json.loads(call("status", study, "--json").output)
    alone = json.loads(call("status", whole["points"][1]["folder"], "--json").output)

    assert whole["counts"] == {"finished": 2}
    assert [row["point"] for row in whole["points"]] == ["power=1", "power=3"]
    assert whole["points"][1]["verdict"] == "HOLDS" and whole["points"][1]["time"] == 200
    assert alone["points"] == [whole["points"][1] | {"point": ""}]


@pytest.mark.slow
def test_a_study_that_lacks_a_point_is_checked_and_completed(ran, tmp_path):
    study = shutil.copytree(study_of(ran[0]), tmp_path / "study")
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


def test_a_failing_prediction_has_its_own_exit_code(ran, tmp_path):
    result = call("check", study_of(ran[0]), "--with", judge_of_mine(tmp_path, "pass"))

    assert result.exit_code == Exit.FAILS
    assert "FAILS mine at 2 points, such as power=1: It never holds." in result.stdout
    assert result.stdout.index("FAILS mine") < result.stdout.index("│ mine")


def test_a_mistake_in_the_users_own_file_is_named_with_its_line(ran, tmp_path):
    mine = judge_of_mine(tmp_path, 'loss = flaot(evidence.record["loss"][-1])')

    result = call("check", study_of(ran[0]), "--with", mine)

    assert result.exit_code == Exit.BAD_INPUT
    assert f"{mine}, line 6: must run without errors, but raises NameError" in result.stderr
    assert "name 'flaot' is not defined" in result.stderr
    assert "Traceback" not in result.output and "mistake in gflow" not in result.output


def test_numerics_that_are_not_sound_have_the_exit_code_of_a_flow_that_stopped(ran, tmp_path):
    run = load(study_of(ran[0])).runs[1]
    leaking = run.record.copy(deep=True)
    leaking["dissipated"] *= 0.5
    store.save(replace(run, evidence=replace(run.evidence, record=leaking)), tmp_path / "bad")

    result = call("check", tmp_path / "bad")

    assert result.exit_code == Exit.STOPPED
    assert "Numerics are NOT SOUND: energy is off" in result.stdout
    assert call("status", tmp_path / "bad").exit_code == Exit.STOPPED


@pytest.mark.slow
def test_a_flow_that_stops_early_has_its_own_exit_code(tmp_path):
    (tmp_path / "s.toml").write_text(SMALL)

    args = ("run", tmp_path / "s.toml", "--set", "flow.max_steps=5", "--out", tmp_path)
    result = call(*args)

    assert result.exit_code == Exit.STOPPED and "MAX_STEPS" in result.output


def test_bad_input_lists_every_mistake_and_no_traceback(tmp_path):
    text = SMALL.replace("width = 12", "widht = 12").replace("power = 3", "power = 0.5")
    (tmp_path / "bad.toml").write_text(text)

    result = call("run", tmp_path / "bad.toml")

    assert result.exit_code == Exit.BAD_INPUT
    assert "network.width" in result.stderr and "network.power" in result.stderr
    assert "bad.toml:" in result.stderr and "Traceback" not in result.output


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (("run", "absent.toml"), Exit.BAD_INPUT, "absent.toml"),
        (("check", "absent"), Exit.BAD_RECORD, "no such run folder"),
        (("plot", "absent"), Exit.BAD_RECORD, "no such run folder"),
        (("show", "absent.toml"), Exit.BAD_INPUT, "absent.toml"),
        (("status", "absent"), Exit.BAD_RECORD, "no such run folder"),
    ],
)
def test_what_is_not_there_is_said(args, code, words):
    result = call(*args)

    assert result.exit_code == code and words in result.stderr


def test_unknown_names_are_refused_with_the_known_ones(ran):
    folder = study_of(ran[0])

    wrong_check = call("check", folder, "--only", "conjecture")
    wrong_figure = call("plot", folder, "--only", "alignmnt")

    assert wrong_check.exit_code == Exit.BAD_INPUT and "conjecture-1" in wrong_check.stderr
    assert wrong_figure.exit_code == Exit.BAD_INPUT and "alignment" in wrong_figure.stderr


@pytest.mark.slow
def test_plot_draws_one_figure_from_the_folder(ran, tmp_path):
    result = call("plot", study_of(ran[0]), "--only", "alignment", "--out", tmp_path)

    assert result.exit_code == Exit.OK
    assert sorted(path.name for path in tmp_path.iterdir()) == ["alignment.pdf", "alignment.png"]


def test_a_folder_may_be_the_one_we_are_in(ran, monkeypatch):
    monkeypatch.chdir(load(study_of(ran[0])).runs[0].folder)

    result = call("status", ".")

    assert result.exit_code == Exit.OK and "finished" in result.output


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("run", "RUN", "--fresh"), "`--fresh` must not be given with a run folder"),
        (("run", "RUN", "--out", "x"), "`--out` must not be given with a run folder"),
        (
            ("check", "RUN", "--explain", "P1", "--json"),
            "`--json` must not be given with --explain",
        ),
        (("theory", "RUN", "--with", "x.py"), "`--with` must not be given with run folders"),
        (("run", "FLOW", "--workers", "2"), "`--workers` must not be given with one flow"),
        (("run", "FLOW", "--dask", "tcp://x:1"), "`--dask` must not be given with one flow"),
        (("run", "GRID", "--workers", "0"), "`--workers` must be at least 1, but is 0"),
        (
            ("run", "GRID", "--workers", "2", "--dask", "tcp://x:1"),
            "`--workers` must not be given with --dask",
        ),
    ],
)
def test_options_that_would_do_nothing_are_refused(ran, tmp_path, args, words):
    (tmp_path / "flow.toml").write_text(SMALL)
    known = {
        "RUN": load(study_of(ran[0])).runs[0].folder,
        "FLOW": tmp_path / "flow.toml",
        "GRID": ran[0] / "small.toml",
    }

    result = call(*(known.get(arg, arg) for arg in args))

    assert result.exit_code == Exit.BAD_INPUT and words in result.output


def test_an_attack_leaves_no_run_without_verdicts(ran, tmp_path):
    folder = tmp_path / "study"
    shutil.copytree(study_of(ran[0]), folder)

    result = call("attack", folder, "--samples", "5")

    assert result.exit_code == Exit.OK, result.output
    assert all(read_findings(run.folder) for run in load(folder).runs)
    # Robust accuracies are read at any radius, of radii that are stored.
    options = ("--samples", "5", "--at", "0.3", "--at", "0.1", "--json")
    rows = json.loads(call("attack", folder, *options).stdout)
    assert [[at["radius"] for at in row["accuracy"]] for row in rows] == [[0.1, 0.3]] * 2
    wrong = call("attack", folder, "--at=-1")
    assert wrong.exit_code == Exit.BAD_INPUT and "`--at` must be a radius >= 0" in wrong.stderr


def test_check_judges_every_run_and_all_together_as_json(ran):
    result = call("check", study_of(ran[0]), "--json")

    assert result.exit_code == Exit.OK, result.output
    rows = json.loads(result.output)["points"]
    assert [row["point"] for row in rows] == ["power=1", "power=3", ""]
    assert rows[0]["findings"][0]["id"] == "balancedness"
    assert "escape-slopes" in [finding["id"] for finding in rows[2]["findings"]]


def test_all_prints_every_run_and_verdict_and_then_the_answer(ran):
    study = study_of(ran[0])

    short, whole = call("check", study).stdout, call("check", study, "--all").stdout

    assert whole.endswith(short)
    for word in ("energy-balance", "outcome", "OUTSIDE", "theory D2d"):
        assert word in whole and (word == "OUTSIDE" or word not in short)


def test_quiet_is_one_line_per_point(ran):
    lines = call("check", study_of(ran[0]), "--quiet").stdout.splitlines()

    assert [line.partition(":")[0] for line in lines] == ["power=1", "power=3"]
    assert all("Conjecture 1: " in line for line in lines)


def test_json_has_the_headline_as_data(ran):
    headline = json.loads(call("check", study_of(ran[0]), "--json").output)["headline"]

    assert [point["label"] for point in headline["points"]] == ["power=1", "power=3"]
    assert headline["points"][1]["target"] == "F^(3)" and headline["needed"] == 0.1
    low, high = headline["points"][1]["distance"]
    assert 0 < low <= high <= 1


@pytest.mark.slow
def test_until_continues_a_run_folder(ran, tmp_path):
    (tmp_path / "s.toml").write_text(SMALL)
    call("run", tmp_path / "s.toml", "--out", tmp_path / "runs", "--quiet")
    folder = next((tmp_path / "runs").iterdir())

    result = call("run", folder, "--until", "250", "--quiet")

    assert result.exit_code == Exit.OK, result.output
    assert load(folder).outcome.t == 250.0


def test_theory_lists_the_predictions_or_explains_one_also_as_json(ran):
    listed = json.loads(call("theory", "--json").output)
    one = call("theory", "P17").output
    standing = json.loads(call("theory", ran[0] / "runs", "--json").output)

    assert [row["number"] for row in listed] == [f"P{n}" for n in range(1, 29)]
    assert "conjecture-1" in one and "Min and Vidal" in one and "verdict" not in one
    assert json.loads(call("theory", "conjecture-1", "--json").output) == listed[16]
    assert standing[16]["id"] == "conjecture-1" and standing[16]["verdict"] == "HOLDS"
    wrong = call("theory", "P99")
    assert wrong.exit_code == Exit.BAD_INPUT and "P17 conjecture-1" in wrong.stderr


def test_schema_is_a_json_schema():
    assert "network" in json.loads(call("schema").output)["properties"]


def test_doctor_says_what_this_machine_is():
    facts = json.loads(call("doctor", "--json").output)

    assert facts["jax"] and int(facts["cores"]) >= 1 and "GFlop/s" in facts["matrix product"]


@pytest.mark.parametrize(
    "args",
    [
        ["--help"],
        ["--version"],
        ["help"],
        ["plot", "-h"],
        ["check", "-h"],
        ["init", "--out", "NEW"],
        ["show", "FILE"],
        ["schema"],
        ["status", "STUDY"],
        ["status", "DONE"],
        ["status", "RUNS"],
    ],
)
def test_quick_verbs_never_import_jax(args, tmp_path, ran):
    (tmp_path / "s.toml").write_text(SMALL)
    write_index(parse_scenario(GRID), tmp_path / "study")
    known = {"FILE": tmp_path / "s.toml", "STUDY": tmp_path / "study", "DONE": study_of(ran[0])}
    known |= {"RUNS": ran[0] / "runs", "NEW": tmp_path / "new.toml"}
    args = [str(known.get(arg, arg)) for arg in args]
    code = (
        "import sys\n"
        "from gflow.cli import app\n"
        "try: app()\n"
        "except SystemExit as done: assert not done.code, done.code\n"
        "heavy = {'jax', 'diffrax', 'equinox', 'matplotlib', 'xarray'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", code, *args], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr


def test_whoever_reads_the_output_may_stop_reading():
    # The reader is gone before the first word: Python has yet to start.
    program = [sys.executable, "-m", "gflow", "schema"]
    with subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as verb:
        verb.stdout.close()
        errors = verb.stderr.read()

    assert errors == b"" and verb.returncode == Exit.OK


@pytest.mark.slow
def test_compiled_code_is_kept_for_the_next_run(tmp_path):
    (tmp_path / "small.toml").write_text(SMALL)
    caches = tmp_path / "caches"

    def computed(out):
        environ = {k: v for k, v in os.environ.items() if not k.startswith("JAX_")}
        environ |= {"XDG_CACHE_HOME": str(caches), "PYTHONDONTWRITEBYTECODE": "1"}
        said = finish(start("run", "small.toml", "--out", out, cwd=tmp_path, env=environ))
        assert "Conjecture 1" in said
        return {path.name for path in caches.rglob("*-cache")}

    first = computed("one")
    second = computed("two")

    assert first and second == first
