"""Which samples are trained on, and which are held out to validate on."""

import numpy as np
import pytest
from digits import PARITY, read
from images import cifar
from tables import mistakes

import gflow
from gflow.data.kinds.cifar10 import PIXELS, TEST, TRAIN
from gflow.data.own_samples import read_npz
from gflow.errors import DataError
from gflow.random import stream
from gflow.runs import store
from gflow.runs.problem import prepare
from gflow.runs.study_table import tabulate

DIGITS = PARITY.replace("samples = 200, test_samples = 100", "test_samples = 100")
"""All digits that come with gflow, 300 of each to train on."""


def digits(*overrides):
    return read(gflow.parse_scenario(DIGITS, overrides=overrides))


def rows(dataset):
    return {x.tobytes() for x in dataset.x}


def raw(*overrides):
    """Samples as they are, which can be told from each other."""
    return digits("data.centered=false", "data.length=given", *overrides)


@pytest.mark.parametrize("count", [1, 7, 300])
def test_there_are_exactly_as_many_of_each_subclass(count):
    train = raw(f"data.per_subclass={count}").train

    assert np.bincount(train.subclass).tolist() == [count] * 10
    assert rows(train) <= rows(raw().train)


def test_more_of_each_subclass_are_the_same_and_others_and_follow_the_seed():
    few, more = (rows(raw(f"data.per_subclass={k}").train) for k in (5, 20))

    assert few < more
    assert few == rows(raw("data.per_subclass=5").train)
    assert few != rows(raw("data.per_subclass=5", "seed=1").train)


def test_a_subclass_with_fewer_samples_is_named():
    with pytest.raises(
        DataError, match=r"but is 301, and 10 of 10 have fewer \('0' has 300\); try"
    ):
        digits("data.per_subclass=301")
    left = ["data.per_subclass=271", "data.validation_share=0.1"]
    with pytest.raises(DataError, match=r"\('0' has 270\); try 270"):
        digits(*left)


def test_one_key_says_how_many_samples():
    (mistake,) = mistakes(DIGITS, "data.per_subclass=5", "data.samples=100")

    assert "`data.per_subclass` must be left out where `data.samples` says how many" in mistake
    assert "but is 5 with samples = 100; remove one of them." in mistake


def test_samples_held_out_are_the_same_share_of_each_subclass_and_none_of_the_others():
    whole, split = raw(), raw("data.validation_share=0.2")

    assert whole.validation is None and split.validation is not None
    assert np.bincount(split.validation.subclass).tolist() == [60] * 10
    assert np.bincount(split.train.subclass).tolist() == [240] * 10
    assert not rows(split.train) & rows(split.validation)
    assert rows(split.train) | rows(split.validation) == rows(whole.train)
    assert rows(split.test) == rows(whole.test)


def test_samples_held_out_do_not_depend_on_how_many_are_trained_on():
    every = raw("data.validation_share=0.2")
    few = raw("data.validation_share=0.2", "data.per_subclass=3")
    other = raw("data.validation_share=0.2", "data.samples=50")

    assert few.train.n == 30 and other.train.n == 50
    assert rows(every.validation) == rows(few.validation) == rows(other.validation)
    assert not rows(few.train) & rows(every.validation)
    assert rows(every.validation) != rows(raw("data.validation_share=0.2", "seed=3").validation)


def test_samples_held_out_are_moved_and_scaled_as_those_trained_on():
    held, plain = digits("data.validation_share=0.1"), raw("data.validation_share=0.1")

    moved = plain.validation.x - plain.train.x.mean(axis=0)
    expected = moved / np.linalg.norm(moved, axis=1, keepdims=True)
    np.testing.assert_allclose(held.validation.x, expected, atol=1e-12)


def test_sizes_are_those_that_are_read():
    for overrides in ([], ["data.per_subclass=7"], ["data.validation_share=0.25"],
                      ["data.validation_share=0.25", "data.samples=90"]):  # fmt: skip
        scenario = gflow.parse_scenario(DIGITS, overrides=overrides)
        assert scenario.data.sizes.n == read(scenario).train.n


def test_photographs_of_objects_are_chosen_in_the_same_way(tmp_path):
    cifar(tmp_path)
    table = f'kind = "cifar10", path = "{tmp_path}", per_subclass = 4, validation_share = 0.5'
    toml = PARITY.replace(
        'kind = "mnist", extract = true, samples = 200, test_samples = 100', table
    )
    split = read(gflow.parse_scenario(toml))

    assert np.bincount(split.train.subclass).tolist() == [4] * 10
    assert np.bincount(split.validation.subclass).tolist() == [5] * 10
    assert split.test.n == (tmp_path / TEST).stat().st_size // (1 + PIXELS) and len(TRAIN) == 5


def own(path, n=40, **arrays):
    """A file of one's own: n samples in four directions, two of each sign."""
    rng = np.random.default_rng(0)
    subclass = np.arange(n) % 4
    x = np.eye(4)[subclass] + 0.1 * rng.standard_normal((n, 4))
    np.savez(path, X=x, y=np.where(subclass < 2, 1, -1), **arrays)
    return subclass


def test_a_file_of_ones_own_is_chosen_from_by_subclass(tmp_path):
    subclass = own(tmp_path / "a.npz", subclass=np.arange(40) % 4)
    x = np.load(tmp_path / "a.npz")["X"]

    split = read_npz(tmp_path / "a.npz", per_subclass=3, validation_share=0.2, seed=5)

    assert np.bincount(split.train.subclass).tolist() == [3] * 4
    assert np.bincount(split.validation.subclass).tolist() == [2] * 4
    assert not rows(split.train) & rows(split.validation)
    # Centers are means of what is trained on, and of nothing else.
    for k in range(4):
        mine = [row for row in x[subclass == k] if row.tobytes() in rows(split.train)]
        np.testing.assert_allclose(split.centers.mu[k], np.mean(mine, axis=0), rtol=1e-12)


def test_without_subclasses_as_many_are_chosen_of_each_sign(tmp_path):
    own(tmp_path / "a.npz")

    split = read_npz(tmp_path / "a.npz", per_subclass=6, validation_share=0.1)

    assert [int((split.train.labels("sign") == s).sum()) for s in (1, -1)] == [6, 6]
    assert split.validation.n == 4
    with pytest.raises(DataError, match=r"a.npz: `data.per_subclass` must be at most .*try 20"):
        read_npz(tmp_path / "a.npz", per_subclass=21)


def test_clusters_are_made_of_what_is_left_and_chosen_from(tmp_path):
    pytest.importorskip("sklearn")
    own(tmp_path / "a.npz")

    split = read_npz(tmp_path / "a.npz", (2, 2), per_subclass=5, validation_share=0.2)

    assert np.bincount(split.train.subclass).tolist() == [5] * 4
    assert split.centers.origin == "means of clusters"
    np.testing.assert_allclose(split.centers.mu, split.train.means, rtol=1e-12)


def test_nothing_can_be_held_out_of_single_samples(tmp_path):
    np.savez(tmp_path / "a.npz", X=np.eye(2), y=np.array([1, -1]))

    with pytest.raises(DataError, match=r"`data.validation_share` must be left out where every"):
        read_npz(tmp_path / "a.npz", validation_share=0.5)


FLOW = """
name = "held-out"
data = {{kind = "file", path = "{path}", validation_share = 0.3}}
network = {{width = 6, power = 2, init_scale = 1e-3}}
flow = {{end_time = 30.0, loss = "logistic"}}
"""


GRID = gflow.parse_scenario(FLOW.format(path="a.npz") + "[vary]\nseed = [0, 1]\n")


def test_loss_and_accuracy_of_samples_held_out_are_stored(tmp_path):
    own(tmp_path / "a.npz", subclass=np.arange(40) % 4)
    scenario = gflow.parse_scenario(FLOW.format(path=tmp_path / "a.npz"))

    run = gflow.simulate(scenario)
    again = gflow.load(store.save(run, tmp_path / "run").folder)

    # By hand, from the weights: f(x) = Σ_j s_j e^{2 r_j} σ(<u_j, x>)^2.
    held = prepare(scenario).validation
    y, w = held.labels("sign"), run.state.weights
    hidden = np.maximum(held.x @ np.asarray(w.direction).T, 0) ** 2
    f = hidden @ (np.asarray(w.sign) * np.exp(2 * np.asarray(w.log_norm)))
    assert run.validation["loss"] == pytest.approx(np.log1p(np.exp(-y * f)).mean(), rel=1e-9)
    assert run.validation["accuracy"] == (y * f > 0).mean()
    assert run.validation["margin_min"] == pytest.approx((y * f).min(), rel=1e-9)
    assert again.validation == run.validation and again.test == {}
    assert "accuracy" in run.card["validate"] and "validate" in repr(again)
    table = tabulate(GRID, {GRID.points()[0].label: run}, {})
    assert table["validation_loss"].values[0] == run.validation["loss"]
    assert table["validation_accuracy"].values[0] == run.validation["accuracy"]


def test_streams_of_choices_are_separate():
    names = ("validation", "train", "test", "split", "flips", "coarse")

    assert len({stream(0, name).random() for name in names}) == len(names)
