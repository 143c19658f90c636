"""Features of photographs: their file, their categories and their classes."""

import numpy as np
import pytest
from digits import PARITY, read
from tables import mistakes

import gflow
from gflow.data.kinds.features import read_features
from gflow.data.rows import split_by_category
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


SOUND = dict(x=np.zeros((6, 2)), y=np.array([0, 0, 1, 1, 2, 2]))
"""Three categories of two samples."""


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        (dict(split=np.zeros(5, int)), "array `split` must be 0 (train) or 1 (test) for each of 6"),
        (dict(split=np.array([0, 1, 2, 0, 0, 1])), "and the values [0, 1, 2]; leave out other"),
        (dict(split=np.array([0, 1, 1, 1, 0, 1])), "but category 1 has none to train on; leave"),
        (dict(split=np.zeros(6, int)), "some to test on, but no row is 1"),
        (dict(coarse=np.array([0, 1])), "array `coarse` must be one integer for each of 3"),
        (dict(coarse=np.array([0.0, 1, 1])), "but is float64 with shape (3,); give the class"),
    ],
)
def test_splits_and_coarse_classes_that_cannot_be_used_are_named(tmp_path, arrays, words):
    path = tmp_path / "f.npz"
    np.savez(path, **SOUND, **arrays)

    with pytest.raises(DataError) as caught:
        read_features(path)

    assert str(path) in str(caught.value) and words in str(caught.value)


def fine(path, each=6, **arrays):
    """Twelve categories, 0 to 12 without 5, in four coarse classes of three; rows are numbered."""
    category = np.repeat([k for k in range(13) if k != 5], each)
    x = np.arange(len(category))[:, None] + np.zeros((1, 2))
    coarse = np.array([7, 2, 2, 3, 7, 9, 3, 4, 4, 7, 2, 3, 4])
    np.savez(path, x=x, y=category, coarse=coarse, **arrays)
    return category, coarse


def of_features(path, keys="", seed=0):
    """The samples of a file, as they are."""
    return read(gflow.parse_scenario(f"""
        seed = {seed}
        data = {{kind = "features", path = "{path}", centered = false{keys}}}
        network = {{width = 6, power = 3, init_scale = 1e-3}}
        flow = {{end_time = 0.2}}
    """))  # fmt: skip


def test_the_split_of_the_file_is_honored_unless_a_share_is_set(tmp_path):
    part = np.arange(72) % 3 == 2
    fine(tmp_path / "f.npz", split=part.astype(np.int8))

    split = of_features(tmp_path / "f.npz")
    again = of_features(tmp_path / "f.npz", seed=1)
    drawn = of_features(tmp_path / "f.npz", ", test_share = 0.5")

    assert split.train.x[:, 0].tolist() == np.flatnonzero(~part).tolist()
    assert sorted(split.test.x[:, 0]) == np.flatnonzero(part).tolist()
    assert split.test.x[:, 0].tolist() != sorted(split.test.x[:, 0])  # in random order
    assert sorted(again.test.x[:, 0]) == sorted(split.test.x[:, 0])
    assert np.bincount(drawn.test.subclass).tolist() == [3] * 12
    held = of_features(tmp_path / "f.npz", ", validation_share = 0.25")
    assert np.bincount(held.validation.subclass).tolist() == [1] * 12
    assert not part[held.validation.x[:, 0].astype(int)].any()


def test_sizes_follow_the_split_and_the_coarse_classes_of_the_file(tmp_path):
    fine(tmp_path / "f.npz", names=np.arange(13), split=np.arange(72) % 3 == 2)

    for keys, n, m, C in (("", 48, 24, 10), (', classes = "shuffled"', 48, 24, 5),
                          (", test_share = 0.5", 36, 36, 10)):  # fmt: skip
        sizes = gflow.parse_scenario(f"""
            data = {{kind = "features", path = "{tmp_path}/f.npz"{keys}}}
            network = {{width = 6, power = 3, init_scale = 1e-3}}
            flow = {{end_time = 0.2}}
        """).data.sizes
        assert (sizes.n, sizes.m, sizes.D, sizes.C) == (n, m, 2, C)


def test_coarse_classes_are_those_of_the_file(tmp_path):
    category, coarse = fine(tmp_path / "f.npz")

    train = of_features(tmp_path / "f.npz", ', classes = "coarse"').train

    # Numbered without gaps in their order: 2, 3, 4, 7; category 5, the only one of 9, is absent.
    order = {2: 0, 3: 1, 4: 2, 7: 3}
    rows = train.x[:, 0].astype(int)
    assert train.labels("classes").tolist() == [order[c] for c in coarse[category[rows]]]
    assert (train.K, train.C) == (12, 4)
    assert train.sign == tuple(1 if c % 2 else -1 for c in train.class_of)


def test_shuffled_classes_keep_their_sizes_and_follow_the_seed(tmp_path):
    fine(tmp_path / "f.npz")
    shuffled = [
        of_features(tmp_path / "f.npz", ', classes = "shuffled"', seed).train.class_of
        for seed in range(60)
    ]
    given = of_features(tmp_path / "f.npz", ', classes = "coarse"').train.class_of

    assert all(np.bincount(one).tolist() == [3] * 4 for one in (given, *shuffled))
    assert shuffled[0] == of_features(tmp_path / "f.npz", ', classes = "shuffled"').train.class_of
    assert len(set(shuffled)) > 50  # of 369,600
    # Two categories that are akin stay so with probability 2/11, in the mean over seeds within
    # five of its standard errors.
    akin = [(j, k) for k in range(12) for j in range(k) if given[j] == given[k]]
    together = np.array([np.mean([one[j] == one[k] for j, k in akin]) for one in shuffled])
    assert abs(together.mean() - 2 / 11) < 5 * together.std() / np.sqrt(60)


def test_classes_by_kinship_need_an_array(tmp_path):
    np.savez(tmp_path / "f.npz", **SOUND)

    with pytest.raises(DataError, match=r"no array `coarse` gives .* but is \"coarse\"; add the"):
        of_features(tmp_path / "f.npz", ', classes = "coarse"')
    with pytest.raises(DataError, match=r"but is \"shuffled\""):
        of_features(tmp_path / "f.npz", ', classes = "shuffled"')


def test_classes_by_kinship_are_words_of_features_only():
    (mistake,) = mistakes(PARITY, 'data.classes="coarse"')

    assert "`data.classes` must be an integer >= 2 or a list of 2 or more integers >= 0" in mistake
    (mistake,) = mistakes(
        PARITY.replace('kind = "mnist", extract = true', 'kind = "features"'),
        'data.classes="shufled"',
    )
    assert 'must be "coarse" or "shuffled" or an integer >= 2 or a list' in mistake
    assert 'try "shuffled".' in mistake


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
