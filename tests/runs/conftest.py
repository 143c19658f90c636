"""A small run in a folder."""

import shutil

import pytest
from questions import SMALL

from gflow.runs import store
from gflow.runs.experiment import simulate
from gflow.scenario import parse_scenario


@pytest.fixture(scope="session")
def stored(tmp_path_factory):
    run = simulate(parse_scenario(SMALL))
    return store.save(run, tmp_path_factory.mktemp("runs") / "small", "a line\n")


@pytest.fixture
def folder(stored, tmp_path):
    """A copy of its folder."""
    return shutil.copytree(stored.folder, tmp_path / "copy")
