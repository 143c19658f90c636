"""Of centers that cancel the card says in words that a class has no average."""

import json

import numpy as np
import pytest

import gflow
from gflow.report.headline import Headline

OPPOSED = """
data = {{kind = "file", path = "{path}"}}
network = {{width = 8, power = 1, init_scale = 1e-3}}
flow = {{end_time = 10}}
record = {{linear = 2, geometric = 2}}
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    path = tmp_path_factory.mktemp("opposed") / "opposed.npz"
    mu = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    np.savez(path, X=mu, y=np.array([1, 1, -1, -1]), subclass=np.arange(4), centers=mu)
    return gflow.simulate(gflow.parse_scenario(OPPOSED.format(path=path)))


def test_an_average_of_length_0_is_said_in_words(run):
    text = run.card["cosines"]

    assert "nan" not in text
    assert text.endswith("(closest own center; the average of a class has length 0)")


def test_its_cosine_is_null_in_json(run):
    headline = Headline.of(run, {"": ()})

    def refuse(word):
        raise AssertionError(word)

    values = json.loads(json.dumps(headline.to_json()), parse_constant=refuse)
    assert values["points"][0]["cosines"][1] is None
