"""Labels of real data: subclasses, classes and signs; and how samples are chosen and prepared."""

import numpy as np
import pytest
from digits import PARITY, read

import gflow
from gflow.data.dataset import Dataset
from gflow.data.labels import prepared, signs_of
from gflow.errors import DataError


def some(n=60, C=4, D=5, seed=0):
    rng = np.random.default_rng(seed)
    label = rng.integers(C, size=n)
    return Dataset(
        rng.standard_normal((n, D)) + label[:, None],
        label,
        names=tuple("abcd"[:C]),
        class_of=tuple(range(C)),
        sign=signs_of(tuple(range(C)), (1, 3)),
    )


@pytest.mark.parametrize("count", [1, 8, 30, 60])
def test_a_choice_of_samples_is_even_over_classes(count):
    data = some()

    subset = data.subset(count, np.random.default_rng(1))

    counts, available = np.bincount(subset.subclass, minlength=4), np.bincount(data.subclass)
    assert counts.sum() == count
    # Nobody gets more than one above the least, unless that one has no more.
    assert all(counts[k] <= counts.min() + 1 or counts.min() == available.min() for k in range(4))
    rows = {tuple(x) for x in data.x}
    assert len({tuple(x) for x in subset.x} & rows) == count


def test_more_samples_than_there_are_is_a_mistake():
    with pytest.raises(DataError, match="must be at most the number available, 60, but one is 61"):
        some().subset(61, np.random.default_rng(1))


def test_inputs_are_centered_by_the_training_mean_and_scaled():
    train, test = some(), some(seed=1)

    a, b = prepared((train, test), True, "unit")
    c, d = prepared((train, test), True, "mean")

    mean = train.x.mean(axis=0)
    for one, before in ((a, train), (b, test)):
        expected = before.x - mean
        np.testing.assert_allclose(
            one.x, expected / np.linalg.norm(expected, axis=1, keepdims=True)
        )
    assert np.linalg.norm(c.x, axis=1).mean() == pytest.approx(1)
    length = np.linalg.norm(train.x - mean, axis=1).mean()
    np.testing.assert_allclose(d.x, (test.x - mean) / length)


def test_labels_come_in_three_grains():
    class_of = (0, 1, 2, 0, 1)
    sign = signs_of(class_of, None)  # the odd class, that of b and e

    data = Dataset(np.eye(6), np.arange(6) % 5, tuple("abcde"), class_of, sign)

    assert (data.K, data.C) == (5, 3) and sign == (-1, 1, -1, -1, 1)
    assert [data.outputs(grain) for grain in ("sign", "classes", "subclasses")] == [1, 3, 5]
    assert data.targets("sign").tolist() == [-1, 1, -1, -1, 1, -1]
    assert data.targets("classes").tolist() == [0, 1, 2, 0, 1, 0]
    assert data.targets("subclasses").tolist() == [0, 1, 2, 3, 4, 0]
    assert data.labels("subclasses").tolist() == [0, 1, 2, 0, 1, 0]


def test_parity_is_a_class_modulo_two():
    parity = PARITY.replace("extract = true", "extract = true, classes = 2")
    train = read(gflow.parse_scenario(parity)).train

    assert (train.K, train.C) == (10, 2)
    np.testing.assert_array_equal(train.labels("classes"), train.subclass % 2)


def test_any_map_of_labels_can_be_listed():
    def listing(classes):
        return gflow.parse_scenario(
            PARITY.replace("extract = true", f"extract = true, classes = {classes}")
        )

    train = read(listing([0, 0, 0, 1, 1, 1, 2, 2, 2, 2])).train

    assert (train.K, train.C) == (10, 3)
    np.testing.assert_array_equal(train.labels("classes"), np.minimum(train.subclass // 3, 2))
    for wrong in ([0, 1], [0, 0, 0, 2, 2, 2, 2, 2, 2, 2]):
        with pytest.raises(DataError, match=r"must list a class, 0, 1, … without gaps, for each"):
            read(listing(wrong))


def test_a_mixture_has_two_classes():
    text = PARITY.replace(
        'kind = "mnist", extract = true, samples = 200, test_samples = 100, length = "unit"',
        "dimension = 9, subclasses = 4, positive_subclasses = 3, noise = 0.1, samples = 40",
    )
    train = read(gflow.parse_scenario(text)).train

    assert train.class_of == (1, 1, 1, 0)


def test_some_classes_are_positive_and_the_others_are_not():
    data = some()

    assert data.sign == (-1, 1, -1, 1)
    np.testing.assert_array_equal(
        data.labels("sign"), np.where(np.isin(data.subclass, (1, 3)), 1, -1)
    )
    np.testing.assert_allclose(data.means[2], data.x[data.subclass == 2].mean(axis=0))
    with pytest.raises(DataError, match="must hold classes, which are 0 to 3, but is \\[7\\]"):
        signs_of((0, 1, 2, 3), (7,))


def test_all_or_none_of_the_classes_may_be_positive():
    assert signs_of((0, 1, 0), (0, 1)) == (1, 1, 1)
    assert signs_of((0, 1, 0), ()) == (-1, -1, -1)


def test_nan_features_are_told():
    with pytest.raises(DataError, match="inputs must be finite, but row 1 is not"):
        Dataset(np.array([[0.0], [np.nan]]), np.zeros(2, int), ("a",), (0,), (1,))
