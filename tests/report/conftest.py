"""Small flows of both powers, which the figures are drawn of."""

import pytest
from drawing import tiny
from pages import stored_study


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
