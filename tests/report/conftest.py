"""Small flows of both powers, which the figures are drawn of."""

import pytest
from drawing import tiny


@pytest.fixture(scope="session")
def relu():
    return tiny(1)


@pytest.fixture(scope="session")
def prelu():
    return tiny(3)


@pytest.fixture(scope="session")
def both(relu, prelu):
    return [("power=1", relu), ("power=3", prelu)]
