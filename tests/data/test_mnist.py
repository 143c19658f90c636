"""Digits: sound files, damaged files, and what a run remembers of them."""

import gzip

import numpy as np
import pytest
from digits import PARITY, TRAIN_X, TRAIN_Y, written

import gflow
from gflow.data.kinds.mnist import read_digits, read_idx, write_idx
from gflow.errors import DataError, ScenarioError
from gflow.runs.index import home
from gflow.scenario import RobustnessTable


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_files_are_read_as_they_were_written(tmp_path, suffix):
    made = written(tmp_path, suffix=suffix)

    read_back = read_digits(tmp_path, "official")

    for one, other in zip(made, read_back, strict=True):
        np.testing.assert_array_equal(one.pixels, other.pixels)
        np.testing.assert_array_equal(one.digit, other.digit)


def test_an_idx_file_begins_with_its_shape(tmp_path):
    # Two rows of three bytes, by hand.
    path = tmp_path / "a"
    path.write_bytes(bytes([0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, 9, 8, 7, 6, 5, 4]))

    np.testing.assert_array_equal(read_idx(path), [[9, 8, 7], [6, 5, 4]])


def test_the_published_split_tests_on_the_last_ten_thousand(tmp_path):
    (train, _) = written(tmp_path, n=10_030)

    first, last = read_digits(tmp_path, "published")

    assert (len(first.digit), len(last.digit)) == (30, 10_000)
    np.testing.assert_array_equal(last.pixels, train.pixels[30:])


def test_files_are_found_by_the_environment(tmp_path, monkeypatch):
    (tmp_path / "mnist").mkdir()
    written(tmp_path / "mnist")
    monkeypatch.setenv("GFLOW_DATA", str(tmp_path))

    assert len(read_digits(None, "official")[0].digit) == 40


def test_files_that_are_nowhere_are_named_with_the_places(tmp_path, monkeypatch):
    monkeypatch.setenv("GFLOW_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    with pytest.raises(DataError) as caught:
        read_digits(None, "official")

    text = str(caught.value)
    assert TRAIN_X in text and str(tmp_path / "data" / "mnist") in text
    assert str(tmp_path / "cache" / "gflow" / "mnist") in text and "data.extract = true" in text


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda data: data[:-7], "must hold 256 bytes by its header, but holds 249"),
        (lambda data: data + b"0", "must hold 256 bytes by its header, but holds 257"),
        (lambda data: b"PK" + data, "begins with [80, 75, 0]"),
        (lambda data: b"", "begins with [] and has 0 bytes"),
        (lambda data: data[:6], "and has 6 bytes"),
        (lambda data: gzip.compress(data)[:-9], "must be readable, but is not"),
    ],
)
def test_a_spoiled_file_is_named(tmp_path, spoil, words):
    written(tmp_path, suffix="")
    path = tmp_path / TRAIN_X
    path.write_bytes(spoil(path.read_bytes()))

    with pytest.raises(DataError) as caught:
        read_digits(tmp_path, "official")

    assert str(path) in str(caught.value) and words in str(caught.value)


def test_labels_that_are_no_digits_or_too_few_are_named(tmp_path):
    written(tmp_path)
    labels = tmp_path / f"{TRAIN_Y}.gz"
    write_idx(labels, np.full(40, 11, np.uint8))
    with pytest.raises(DataError, match="must hold digits 0 to 9, but holds 11"):
        read_digits(tmp_path, "official")
    write_idx(labels, np.zeros(39, np.uint8))
    with pytest.raises(DataError, match="must be as many images as labels"):
        read_digits(tmp_path, "official")


def test_the_packaged_digits_are_even_and_look_like_digits():
    train, test = read_digits(None, "official", extract=True)

    assert np.bincount(train.digit).tolist() == [300] * 10
    assert np.bincount(test.digit).tolist() == [100] * 10
    # The closest mean image is the digit's own for some four in five; one in ten by chance.
    means = np.stack([train.pixels[train.digit == k].mean(axis=0) for k in range(10)])
    nearest = ((test.pixels[:, None] - means[None]) ** 2).sum(axis=2).argmin(axis=1)
    assert (nearest == test.digit).mean() > 0.7


FOLDER = """
data = {{kind = "mnist", path = "{path}", split = "official"}}
network = {{width = 4, power = 3, init_scale = 1e-3}}
flow = {{end_time = 1.0}}
"""


def test_other_digits_in_the_same_files_are_another_question(tmp_path):
    for name, seed in (("a", 0), ("b", 1), ("c", 0)):
        (tmp_path / name).mkdir()
        written(tmp_path / name, seed=seed)
    homes = [
        home(gflow.parse_scenario(FOLDER.format(path=tmp_path / name)), tmp_path) for name in "abc"
    ]

    assert homes[0] != homes[1]
    assert homes[0] == homes[2]  # the content counts, not where it is


def test_a_network_is_not_attacked_on_other_digits_than_it_has_learned(tmp_path):
    written(tmp_path)
    run = gflow.simulate(gflow.parse_scenario(FOLDER.format(path=tmp_path)))
    written(tmp_path, seed=1)

    with pytest.raises(DataError, match="must be as they were when the run was made"):
        gflow.attack(run, RobustnessTable(norms=("l2",)))


def test_more_samples_than_there_are_cannot_be_attacked(tmp_path):
    written(tmp_path)
    run = gflow.simulate(gflow.parse_scenario(FOLDER.format(path=tmp_path)))

    with pytest.raises(DataError, match="at most the number of test samples, 20, but is 1000"):
        gflow.attack(run, RobustnessTable(norms=("l2",), attacked=1000))


def test_parity_of_digits_flows_with_digits_as_subclasses():
    run = gflow.simulate(gflow.parse_scenario(PARITY))

    assert run.centers.K == 10 and run.centers.label.tolist() == [-1, 1] * 5
    assert run.centers.origin == "subclass means"
    assert run.outcome.complete and 0 < run.test["accuracy"] <= 1


def test_keys_of_a_mixture_have_no_value_for_digits():
    scenario = gflow.parse_scenario(PARITY)

    assert scenario.value("data.subclasses") is None
    assert scenario.value("data.length") == "unit"


def test_unknown_keys_of_real_data_are_told():
    with pytest.raises(ScenarioError, match="extrakt"):
        gflow.parse_scenario(PARITY.replace("extract", "extrakt"))
