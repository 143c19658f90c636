"""A scenario carried out: where it ends, and what its words mean for the flow."""

import itertools
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from questions import GRID, SMALL

import gflow
from gflow.cli import Exit
from gflow.errors import ScenarioError
from gflow.flow.trajectory import Reason
from gflow.runs.experiment import simulate
from gflow.scenario import parse_scenario

ROOT = Path(__file__).parents[2]


TIGHT = ("flow.tolerance=1e-8", "flow.precision=float64")


def run(*overrides):
    return simulate(parse_scenario(SMALL, overrides=overrides))


@pytest.mark.slow
def test_a_flow_ends_by_loss_margin_or_time_whichever_comes_first():
    by_loss, by_margin, by_time = (
        run(f"flow.{end}") for end in ("end_loss=0.1", "end_margin=0.5", "end_loss=1e-9")
    )

    assert by_loss.outcome.reason is Reason.END_LOSS
    assert float(by_loss.record["loss"][-1]) <= 0.1 < float(by_loss.record["loss"][-2])
    assert by_margin.outcome.reason is Reason.END_MARGIN
    assert float(by_margin.record["margin_min"][-1]) >= 0.5
    assert by_time.outcome.reason is Reason.END_TIME and by_time.outcome.t == 200


@pytest.mark.slow
def test_the_sum_convention_runs_the_same_flow_n_times_faster():
    mean = run(*TIGHT)

    total = run(*TIGHT, "flow.convention=sum", f"flow.end_time={200 / 60}")

    assert np.allclose(total.record["scaled_time"][-1], mean.record["scaled_time"][-1])
    gap = np.asarray(total.network.direction) - np.asarray(mean.network.direction)
    assert np.abs(gap).max() < 1e-5
    assert float(total.record["loss"][0]) == pytest.approx(60 * float(mean.record["loss"][0]))


@pytest.mark.slow
@pytest.mark.parametrize(("loss", "kappa"), [("logistic", 0.5), ("square", 2.0)])
def test_alignment_depends_on_the_loss_through_kappa_alone(loss, kappa):
    # Prediction: at equal κt, before escape, directions agree up to O(ε²) and the solver.
    quiet = (*TIGHT, "network.init_scale=1e-30")
    base = run(*quiet, "flow.end_time=20")

    other = run(*quiet, f"flow.end_time={20 / kappa}", f"flow.loss={loss}")

    gap = np.asarray(base.network.direction) - np.asarray(other.network.direction)
    assert np.abs(gap).max() < 100 * 1e-8
    assert float(base.record["squared_norm"][-1]) < 1e-40


def test_a_grid_is_not_one_flow():
    with pytest.raises(ScenarioError, match="must be one flow"):
        simulate(parse_scenario(GRID))


@pytest.mark.slow
def test_nudged_and_unbalanced_starts_are_what_they_say():
    nudged = run("network.init=nudged", "network.nudge=0.5")
    cosine = nudged.record["cosine"].values[0, :, :3].max(axis=1)
    assert (cosine > 0.3).all()
    assert np.allclose(nudged.record["log_norm"][0], np.log(1e-6))

    plain = run("network.init_scale=1e-2", "network.balanced=false", "flow.chart=cartesian")
    imbalance = plain.record["log_norm"][0] - plain.record["log_output"][0]
    assert float(np.abs(imbalance).min()) > 0


@pytest.mark.slow
def test_ctrl_c_on_the_command_line_keeps_the_part_computed_so_far(tmp_path):
    command = [
        sys.executable, "-m", "gflow", "run", str(ROOT / "scenarios" / "quickstart.toml"),
        "--set", "network.power=3", "--set", "flow.tolerance=1e-7", "--out", str(tmp_path),
    ]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout is not None
    # Progress comes a line now and then; while the first step compiles it says no time, or t = 0.
    at_start = re.compile(r"t = 0 |\.\.\.$")
    lines = itertools.takewhile(at_start.search, process.stdout)
    output = "".join(lines)
    os.kill(process.pid, signal.SIGINT)
    output += process.communicate(timeout=300)[0]

    assert process.returncode == Exit.INTERRUPTED, output
    stored = gflow.load(next(tmp_path.glob("quickstart-*")))
    assert isinstance(stored, gflow.Run) and stored.outcome.reason is Reason.INTERRUPTED
    assert 0 < stored.outcome.t < 16000 and stored.record["time"][-1] == stored.outcome.t
