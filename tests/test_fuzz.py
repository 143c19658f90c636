"""Random edits of scenario files, npz files and folders end in an answer or a readable refusal."""

import json

import numpy as np
import pytest
from fuzz import (
    copies,
    damage_folder,
    npz_files,
    scenario_files,
    use_folder,
    use_npz,
    use_scenario,
)
from processes import silent
from questions import SEEDS, samples
from typer.testing import CliRunner

from gflow import cli
from gflow.cli import Exit
from gflow.runs.study import answer
from gflow.scenario import parse_scenario

RUNNER = CliRunner()


@pytest.mark.parametrize("count", [100, pytest.param(1000, marks=pytest.mark.slow)])
def test_an_edited_scenario_is_read_or_refused(tmp_path, count):
    np.savez(tmp_path / "samples.npz", **samples())
    texts = scenario_files(np.random.default_rng(count), count)

    sound = [use_scenario(text, tmp_path) for text in texts]

    assert 0.05 < np.mean(sound) < 0.95  # the edits reach both


@pytest.mark.parametrize("count", [30, pytest.param(200, marks=pytest.mark.slow)])
def test_any_npz_is_read_or_refused(tmp_path, count):
    sound = [use_npz(data, tmp_path) for data in npz_files(np.random.default_rng(count), count)]

    assert 0.05 < np.mean(sound) < 0.95


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    small = parse_scenario(SEEDS, overrides=["flow.end_time=1"])
    return answer(small, folder, False, silent).folder


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::gflow.errors.GflowWarning")
def test_a_damaged_study_is_read_or_refused(study, tmp_path):
    rng, whole = np.random.default_rng(0), []
    for copy in copies(study, tmp_path / "copy", 200):
        damage_folder(copy, rng)
        whole.append(use_folder(copy))
        result = RUNNER.invoke(cli.app, ["status", str(copy), "--json"])
        assert result.exit_code in (Exit.OK, Exit.BAD_RECORD, Exit.FAILS, Exit.STOPPED)
        assert result.exit_code == Exit.BAD_RECORD or json.loads(result.stdout)

    assert 0 < np.mean(whole) < 1
