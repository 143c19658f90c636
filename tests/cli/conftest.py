"""A study of two powers that `gflow run` has computed."""

import shutil

import pytest
from commands import call, only_study
from questions import GRID


@pytest.fixture(scope="session")
def ran(tmp_path_factory):
    """A folder with the scenario and its runs, and what was printed; nobody writes into it."""
    folder = tmp_path_factory.mktemp("cli")
    (folder / "small.toml").write_text(GRID)
    result = call("run", folder / "small.toml", "--out", folder / "runs")
    return folder, result


@pytest.fixture
def study(ran, tmp_path):
    """A copy of the study."""
    return shutil.copytree(only_study(ran[0]), tmp_path / "study")
