"""What whoever begins meets: help, names, completion, and scenarios to start from."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from questions import samples
from typer.testing import CliRunner

from gflow import cli
from gflow.cli import Exit
from gflow.cli.guide import EXAMPLES, KINDS
from gflow.cli.names import FIGURES, PREDICTIONS
from gflow.judges.catalogue import ALL
from gflow.report.figures import known
from gflow.scenario import load_scenario

ROOT = Path(__file__).parents[2]


def call(*args):
    return CliRunner().invoke(cli.app, [str(arg) for arg in args])


def test_gflow_alone_prints_the_help_and_is_no_error():
    alone = call()

    assert alone.exit_code == Exit.OK
    assert alone.output.split() == call("-h").output.split() == call("--help").output.split()


def test_the_version_is_printed():
    result = call("--version")

    assert result.exit_code == Exit.OK and re.fullmatch(r"gflow \d+\.\d+\.\d+\n", result.output)


def test_help_names_every_figure_and_prediction():
    plot = call("plot", "-h").output
    check = call("check", "-h").output

    assert list(FIGURES) == list(known())
    assert [(f"P{n}", name) for name, n in PREDICTIONS.items()] == [
        (one.number, one.id) for one in ALL
    ]
    shown = " ".join((plot + check).split())
    assert all(name in shown for name in FIGURES)
    assert all(name in shown for name in ("P1 balancedness", "P45 label-flips"))


def test_help_prints_examples_of_verbs_and_options_that_exist():
    assert call("help").output == EXAMPLES + "\n"
    for line in re.findall(r"^  gflow (.+?)(?:  |$)", EXAMPLES, re.MULTILINE):
        verb, *rest = line.split()
        shown = call("help", verb)
        assert shown.exit_code == Exit.OK, line
        assert all(option in shown.output for option in rest if option.startswith("-")), line
    wrong = call("help", "runs")
    assert wrong.exit_code == Exit.BAD_INPUT and "No such command 'runs'" in wrong.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_there_for_each_shell(shell):
    environ = {"_GFLOW_COMPLETE": f"source_{shell}", "PYTHONPATH": str(ROOT)}
    program = "from gflow.cli import app; app(prog_name='gflow')"

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True,
                          env=environ)  # fmt: skip

    assert done.returncode == 0 and "_GFLOW_COMPLETE" in done.stdout


@pytest.mark.parametrize("kind", KINDS)
def test_init_writes_a_scenario_that_is_commented_and_valid(kind, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.savez(tmp_path / "samples.npz", **samples())
    name, about = KINDS[kind]

    result = call("init", kind)

    assert result.exit_code == Exit.OK
    assert result.output == f"{name}: {about}. Next: gflow run {name}\n"
    assert load_scenario(tmp_path / name).is_grid
    text = (tmp_path / name).read_text(encoding="utf-8")
    assert text.startswith("#") and text.count("#") >= 8
    again = call("init", kind)
    assert again.exit_code == Exit.BAD_INPUT and "must not exist, but does" in again.stderr


def test_init_of_the_quickstart_is_the_quickstart(tmp_path):
    call("init", "quickstart", "--out", tmp_path / "mine.toml")

    shipped = (ROOT / "scenarios" / "quickstart.toml").read_text(encoding="utf-8")
    assert (tmp_path / "mine.toml").read_text(encoding="utf-8") == shipped


def test_init_of_what_it_does_not_know_is_refused():
    result = call("init", "sphere")

    assert result.exit_code == Exit.BAD_INPUT and "plane, file, quickstart" in result.stderr


@pytest.mark.slow
def test_the_plane_runs_as_it_stands(tmp_path):
    path = tmp_path / "plane.toml"
    call("init", "--out", path)

    result = call("run", path, "--out", tmp_path / "runs")

    assert result.exit_code in (Exit.OK, Exit.FAILS), result.output
    assert "neurons end at" in result.stdout
