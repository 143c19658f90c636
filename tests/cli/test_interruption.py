"""Ctrl-C: acknowledged at once, obeyed after the step, and a second one ends the process."""

import os
import signal
import subprocess
import sys

import pytest
from questions import GRID, SMALL
from typer.testing import CliRunner

from gflow import cli, load
from gflow.cli import Exit
from gflow.cli.interruption import ELSEWHERE, STEPPING, acknowledged
from gflow.flow.trajectory import Reason
from gflow.report import progress
from gflow.runs import interrupt

FLOW = """
import time
from gflow.cli.interruption import acknowledged
from gflow.runs.interrupt import between_steps
with acknowledged(lambda text: print(text, flush=True)), between_steps():
    print("under way", flush=True)
    time.sleep(600)
"""
"""A flow whose first step takes for ever."""


def press():
    os.kill(os.getpid(), signal.SIGINT)


def call(*args):
    return CliRunner().invoke(cli.app, [str(arg) for arg in args])


@pytest.fixture
def pressed(monkeypatch):
    """Ctrl-C is pressed at the first accepted step after the start, of the labels given."""

    def at(*labels):
        def announce(self, label, scenario):
            return lambda progress: press() if label in labels and progress.t > 0 else None

        monkeypatch.setattr(progress._Lines, "announce", announce)

    yield at
    interrupt.stopping.clear()


def test_a_flow_is_told_to_stop_after_its_step_and_anything_else_stops_at_once():
    answers = []

    with acknowledged(answers.append):
        with interrupt.between_steps():
            press()
            assert interrupt.stopping.is_set()
        with pytest.raises(KeyboardInterrupt):
            interrupt.look()
    with pytest.raises(KeyboardInterrupt), acknowledged(answers.append):
        assert not interrupt.stopping.is_set()  # every command begins anew
        press()

    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert [answer for answer in answers if answer in (STEPPING, ELSEWHERE)] == answers


def test_the_first_is_answered_within_a_long_step_and_the_second_ends_it():
    process = subprocess.Popen([sys.executable, "-c", FLOW], stdout=subprocess.PIPE, text=True)
    with process:
        assert process.stdout is not None and process.stdout.readline() == "under way\n"
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == STEPPING + "\n"
        assert process.poll() is None
        process.send_signal(signal.SIGINT)

    assert process.returncode == Exit.INTERRUPTED


@pytest.mark.parametrize("by_folder", [False, True])
def test_an_interrupted_flow_is_neither_judged_nor_drawn_and_goes_on(tmp_path, pressed, by_folder):
    (tmp_path / "s.toml").write_text(SMALL)
    command = ("run", tmp_path / "s.toml", "--out", tmp_path / "runs")
    pressed("")

    result = call(*command)

    (folder,) = (tmp_path / "runs").glob("[!.]*")
    stopped = load(folder).outcome
    assert result.exit_code == Exit.INTERRUPTED and result.stdout == ""
    assert f"Interrupted at t = {stopped.t:.4g}" in result.stderr
    assert stopped.reason is Reason.INTERRUPTED and 0 < stopped.t < 200
    assert not (folder / "findings.json").exists() and not (folder / "figures").exists()
    pressed()
    again = ("run", folder) if by_folder else command
    assert call(*again).exit_code == Exit.OK
    assert load(folder).outcome.t == 200


def test_an_interrupted_grid_begins_no_other_point(tmp_path, pressed):
    (tmp_path / "s.toml").write_text(GRID)
    pressed("power=1")

    result = call("run", tmp_path / "s.toml", "--out", tmp_path / "runs")

    (study,) = (tmp_path / "runs").glob("[!.]*")
    assert result.exit_code == Exit.INTERRUPTED
    assert "Interrupted power=1 at t = " in result.stderr
    assert [status.label for status in load(study).unanswered] == ["power=3"]
    assert not list(study.rglob("findings.json")) and not (study / "figures").exists()
