"""Features of photographs: their file, their categories and their classes."""

import numpy as np
import pytest
from digits import PARITY, read

import gflow
from gflow.data.kinds.features import read_features, split_by_category
from gflow.errors import DataError


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        (dict(y=np.zeros(4, int)), "array `x` must exist, but the file holds ['y']"),
        (dict(x=np.zeros((4, 2), int), y=np.zeros(4, int)), "must be features of shape (n, D)"),
        (dict(x=np.zeros((4, 2)), y=np.zeros(3, int)), "must be one integer for each of 4 rows"),
        (dict(x=np.zeros((4, 2)), y=-np.ones(4, int)), "categories from 0 to 999999, but holds -1"),
        (dict(x=np.zeros((4, 2)), y=np.array([0, 0, 10**15, 10**15])), "but holds 0 to 1000000000"),
        (dict(x=np.zeros((4, 2)), y=np.array([0, 0, 1, 1]), names=np.array("a")), "but has 1; add"),
        (dict(x=np.zeros((4, 2)), y=np.array([0, 0, 1, 0])), "at least 2 samples, but 1 have"),
    ],
)
def test_features_that_cannot_be_used_are_told(tmp_path, arrays, words):
    path = tmp_path / "f.npz"
    np.savez(path, **arrays)

    with pytest.raises(DataError) as caught:
        read_features(path)

    assert str(path) in str(caught.value) and words in str(caught.value)


GAPS = """
data = {{kind = "features", path = "{path}", classes = 10, length = "unit"}}
network = {{width = 6, power = 3, init_scale = 1.0, kind = "layers", outputs = "{outputs}"}}
flow = {{end_time = 0.2}}
"""


@pytest.mark.parametrize("outputs", ["classes", "subclasses"])
def test_classes_that_no_category_falls_into_are_left_out(tmp_path, outputs):
    # Categories 0, 2, 4 and 12: the classes 0, 2 and 4 modulo 10.
    x = np.random.default_rng(0).standard_normal((20, 5))
    path = tmp_path / "f.npz"
    np.savez(path, x=x, y=np.repeat([0, 2, 4, 12], 5))

    run = gflow.simulate(gflow.parse_scenario(GAPS.format(path=path, outputs=outputs)))

    assert np.asarray(run.network(x)).shape == (20, 3)
    assert read(run.scenario).train.class_of == (0, 1, 2, 1)


def test_many_outputs_may_be_tested_on_one_sample(tmp_path):
    text = GAPS.format(path=tmp_path / "f.npz", outputs="classes")
    x = np.random.default_rng(0).standard_normal((20, 5))
    np.savez(tmp_path / "f.npz", x=x, y=np.repeat([0, 1, 2, 3], 5))

    run = gflow.simulate(gflow.parse_scenario(text, overrides=["data.test_samples=1"]))

    assert run.test["accuracy"] in (0.0, 1.0)


def test_every_category_is_split():
    category = np.repeat(np.arange(5), [2, 3, 10, 40, 7])

    train, test = split_by_category(category, 0.2, np.random.default_rng(0))

    assert sorted([*train, *test]) == list(range(62))
    assert np.bincount(category[test]).tolist() == [1, 1, 2, 8, 1]
    many = np.repeat(np.arange(50), 20)
    first = many[split_by_category(many, 0.2, np.random.default_rng(0))[1][:20]]
    assert len(np.unique(first)) > 10  # of 50; sorted by category they would be 5


def test_classes_of_many_categories_have_an_average_each():
    text = PARITY.replace(
        'kind = "mnist", extract = true, samples = 200, test_samples = 100', 'kind = "features"'
    ).replace(
        "width = 20", 'width = 5, kind = "layers", outputs = "classes", input_normalized = true'
    )
    text = text.replace("1e-3", "1.0").replace("end_time = 5.0", "end_time = 0.1")
    run = gflow.simulate(gflow.parse_scenario(text))

    mu = run.centers.mu
    assert run.record["cosine"].shape[1:] == (5, 50)
    assert run.record["reference"].values[-1] == "average_9"
    mean = mu[[3, 13, 23, 33]].sum(axis=0)  # categories whose index is 3 modulo 10
    u = np.asarray(run.state.weights.direction)
    np.testing.assert_allclose(
        run.record["cosine"].values[-1, :, 43], u @ mean / np.linalg.norm(mean), atol=1e-6
    )


def test_features_come_with_the_package():
    split = read(gflow.parse_scenario(PARITY.replace(
        'kind = "mnist", extract = true, samples = 200, test_samples = 100', 'kind = "features"'
    )))  # fmt: skip
    train, test = split.train, split.test

    assert (train.n, test.n, train.D, train.K, train.C) == (640, 160, 1280, 40, 10)
    assert train.class_of == tuple(range(10)) * 4
    np.testing.assert_allclose(np.linalg.norm(train.x, axis=1), 1)
