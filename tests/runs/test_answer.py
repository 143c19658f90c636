"""A finished question is answered from its folder, as long as nothing it rests on has changed."""

import os
import shutil
import subprocess
import sys

import pytest
from questions import GRID
from typer.testing import CliRunner

from gflow.cli import Exit, app
from gflow.runs.answer import ANSWER, read_answer
from gflow.runs.lock import held
from gflow.scenario import load_scenario

HEAVY = ("jax", "xarray", "scipy", "matplotlib", "equinox", "diffrax")
LOADED = f"""
import atexit, sys
atexit.register(lambda: print([name for name in {HEAVY} if name in sys.modules], file=sys.stderr))
from gflow.cli import app
app()
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a scenario that was run, and what was printed of it."""
    folder = tmp_path_factory.mktemp("answer")
    (folder / "small.toml").write_text(GRID)
    return folder, run(folder)


@pytest.fixture
def study(place):
    return next((place[0] / "runs").iterdir())


def run(folder, *options):
    arguments = ["run", str(folder / "small.toml"), "--out", str(folder / "runs"), *options]
    return CliRunner().invoke(app, arguments)


def without_progress(text):
    lines = text.splitlines()
    return [line for line in lines if ": t = " not in line and not line.endswith(" ...")]


def test_a_finished_question_is_answered_alike_without_jax_or_matplotlib(place, study):
    folder, first = place
    command = [sys.executable, "-c", LOADED, "run", folder / "small.toml", "--out", folder / "runs"]

    again = subprocess.run(command, capture_output=True, text=True)

    assert again.returncode == first.exit_code == Exit.OK, first.output
    assert again.stderr == "[]\n"
    assert again.stdout.splitlines() == without_progress(first.stdout)
    of_folder = CliRunner().invoke(app, ["run", str(study)])
    assert of_folder.output.splitlines() == without_progress(first.stdout)[1:]


def test_json_is_that_of_the_runs(place, study):
    kept = run(place[0], "--json")
    (study / ANSWER).unlink()

    assert run(place[0], "--json").stdout == kept.stdout
    assert (study / ANSWER).is_file()


@pytest.mark.parametrize(
    "name",
    [
        "study.json",
        "scenario.toml",
        "findings.json",
        "figures/norms.png",
        "table.csv",
        "power=1-*/manifest.json",
        "power=1-*/trajectory.nc",
        "power=3-*/network.npz",
        "power=3-*/scenario.toml",
        "power=3-*/findings.json",
        ANSWER,
    ],
)
@pytest.mark.parametrize("change", ["append", "remove"])
def test_whatever_changes_the_answer_is_no_longer_true(study, name, change):
    assert read_answer(study) is not None
    path = next(study.glob(name))
    kept = shutil.copy2(path, path.with_name("kept"))

    if change == "append":
        path.write_bytes(path.read_bytes() + b" ")
    else:
        path.unlink()
    answer = read_answer(study)

    os.replace(kept, path)
    assert answer is None
    assert read_answer(study) is not None


def test_an_answer_is_about_its_question_and_its_place(place, study):
    question = load_scenario(place[0] / "small.toml")
    other = load_scenario(place[0] / "small.toml", ['checks.predictions=["balancedness"]'])

    assert read_answer(study, question) is not None
    assert read_answer(study, other) is None
    assert read_answer(study / ".." / study.name) is None  # the folder is printed as it is given


def test_new_radii_or_a_point_at_work_are_not_in_the_answer(study):
    point = next(study.glob("power=1-*"))
    with held(point):
        assert read_answer(study) is None
    (point / "robustness.json").write_bytes((point / "findings.json").read_bytes())
    answer = read_answer(study)
    (point / "robustness.json").unlink()

    assert answer is None
    assert read_answer(study) is not None


def test_another_gflow_answers_anew(study, monkeypatch):
    monkeypatch.setattr("gflow.runs.answer.code_hash", lambda room: "another")

    assert read_answer(study) is None


def test_what_is_missing_is_drawn_again(place, study):
    (study / "figures" / "norms.png").unlink()

    assert run(place[0]).exit_code == Exit.OK
    assert (study / "figures" / "norms.png").is_file()
    assert read_answer(study) is not None
