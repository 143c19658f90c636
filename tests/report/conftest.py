"""Small flows of both powers, which the figures are drawn of."""

import pytest
from drawing import tiny
from made_up import made_up_study
from pages import stored_study
from questions import SMALL

from gflow.runs.experiment import simulate
from gflow.scenario import parse_scenario


@pytest.fixture(scope="session")
def relu():
    return tiny(1)


@pytest.fixture(scope="session")
def prelu():
    return tiny(3)


@pytest.fixture(scope="session")
def both(relu, prelu):
    return [("power=1", relu), ("power=3", prelu)]


@pytest.fixture(scope="session")
def judged_study(both, tmp_path_factory):
    """A stored study of both powers and of a point that waits, with verdicts of every kind."""
    return stored_study(both, tmp_path_factory.mktemp("judged"))


@pytest.fixture(scope="session")
def run():
    return simulate(parse_scenario(SMALL))


@pytest.fixture(scope="session")
def study(run, tmp_path_factory):
    """A study over powers, noise and seeds whose points all look like one small run."""
    return made_up_study(run, tmp_path_factory.mktemp("study"))
