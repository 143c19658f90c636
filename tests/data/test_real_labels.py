"""Samples whose labels are real numbers: drawn from a teacher, or read from a file."""

import numpy as np
import pytest

from gflow.data.centers import Centers
from gflow.data.dataset import Dataset
from gflow.data.kinds.teacher import TeacherData
from gflow.data.own_samples import read_npz
from gflow.data.real_labels import attracted_signs, weighted_means
from gflow.errors import DataError, GflowWarning

X = np.array([[1.0, 0.0], [0.0, 2.0], [-1.0, 0.0]])
Y = np.array([0.5, 3.0, -2.0])


def stored(folder, **arrays):
    path = folder / "mine.npz"
    np.savez(path, **arrays)
    return path


def test_a_linear_teacher_is_found_by_least_squares():
    data = TeacherData(dimension=4, samples=50, test_samples=20).read(3)

    fit, residual, *_ = np.linalg.lstsq(data.train.x, data.train.labels("sign"), rcond=None)
    assert residual < 1e-24 and np.linalg.norm(fit) == pytest.approx(1)
    assert data.test is not None
    assert np.abs(data.test.x @ fit - data.test.labels("sign")).max() < 1e-12
    # Its two neurons are ±β.
    assert np.abs(data.centers.mu - np.stack([fit, -fit])).max() < 1e-12
    assert data.centers.label.tolist() == [1, -1]


@pytest.mark.parametrize("power", [1.0, 3.0])
def test_given_neurons_give_the_labels_that_the_activation_says(power):
    w, v = [[2.0, 0.0], [-1.0, 1.0]], (1.5, -0.5)
    data = TeacherData(
        dimension=2,
        samples=30,
        teacher="network",
        teacher_neurons=w,
        teacher_outputs=v,
        teacher_power=power,
    )
    train = data.read(0).train

    # v σ(<w, x>)^p/‖w‖^(p-1), neuron by neuron.
    expected = [
        sum(
            b * max(x @ np.array(a), 0) ** power / np.linalg.norm(a) ** (power - 1)
            for a, b in zip(w, v, strict=True)
        )
        for x in train.x
    ]
    assert np.abs(train.labels("sign") - expected).max() < 1e-12
    assert data.read(0).centers.label.tolist() == [1, -1]


def test_noise_is_on_training_labels_alone_and_moves_no_input():
    quiet = TeacherData(dimension=5, samples=4000, test_samples=50)
    noisy = quiet.model_copy(update={"label_noise": 0.5})

    a, b = quiet.read(1), noisy.read(1)
    noise = b.train.labels("sign") - a.train.labels("sign")
    assert np.array_equal(a.train.x, b.train.x)
    # The mean of 4000 squares is off by √(2/4000) of itself.
    assert (noise**2).mean() == pytest.approx(0.25, rel=4 * np.sqrt(2 / 4000))
    assert a.test is not None and b.test is not None
    assert np.array_equal(a.test.labels("sign"), b.test.labels("sign"))


def test_inputs_on_the_sphere_have_length_1():
    x = TeacherData(dimension=6, samples=40, inputs="sphere").read(0).train.x

    assert np.abs(np.linalg.norm(x, axis=1) - 1).max() < 1e-14


def test_a_file_of_real_labels_has_weighted_means_for_centers(tmp_path):
    split = read_npz(stored(tmp_path, X=X, y=Y, X_test=X[:2], y_test=Y[:2]), labels="real")

    assert not split.train.has_classes
    assert split.train.labels("sign").tolist() == Y.tolist()
    # 0.5 (1, 0) + 3 (0, 2) = (0.5, 6), and 2 (-1, 0).
    positive = np.array([0.5, 6.0]) / np.hypot(0.5, 6.0)
    assert np.abs(split.centers.mu - [positive, [-1.0, 0.0]]).max() < 1e-15
    assert split.centers.label.tolist() == [1, -1]
    assert split.train.subclass.tolist() == [0, 0, 1]
    assert split.test is not None and split.test.labels("sign").tolist() == Y[:2].tolist()


def test_labels_0_and_1_are_numbers_where_labels_are_real(tmp_path, recwarn):
    train = read_npz(stored(tmp_path, X=X, y=np.array([0, 1, 1])), labels="real").train

    assert train.labels("sign").tolist() == [0, 1, 1] and not recwarn


def test_given_centers_have_the_sign_of_neurons_that_they_attract(tmp_path):
    mu = np.array([[0.0, 3.0], [-2.0, 0.0]])

    centers = read_npz(stored(tmp_path, X=X, y=Y, centers=mu), labels="real").centers

    assert centers.label.tolist() == [1, -1] and centers.origin == "given"
    assert np.abs(np.linalg.norm(centers.mu, axis=1) - 1).max() < 1e-15
    assert attracted_signs(mu, X, -Y).tolist() == [-1, 1]


def test_an_even_function_of_symmetric_inputs_needs_given_centers():
    x = np.array([[1.0, 0.0], [-1.0, 0.0]])

    with pytest.raises(DataError, match="must not be 0 where there are no `centers`"):
        weighted_means(x, np.ones(2))
    assert weighted_means(x, np.array([1.0, -1.0])).K == 2


@pytest.mark.parametrize(
    ("y", "text"),
    [
        ([1.0, np.nan, 2.0], r"`y` must be finite, but y\[1\] is nan"),
        ([0.0, 0.0, 0.0], "real labels must not all be 0"),
        ([1.0, 2.0], r"must have one label per row of `X` \(n = 3\)"),
    ],
)
def test_labels_that_are_no_labels_are_refused(tmp_path, y, text):
    with pytest.raises(DataError, match=text):
        read_npz(stored(tmp_path, X=X, y=np.array(y)), labels="real")


def test_real_labels_without_the_key_are_refused_with_it(tmp_path):
    with pytest.raises(DataError, match=r'or set data\.labels = "real" for regression'):
        read_npz(stored(tmp_path, X=X, y=Y))


def test_subclasses_of_real_labels_are_not_used_and_a_warning_says_so(tmp_path):
    with pytest.warns(GflowWarning, match="`subclass` is not used"):
        read_npz(stored(tmp_path, X=X, y=Y, subclass=np.array([0, 1, 1])), labels="real")


def test_a_subset_keeps_the_label_of_each_sample():
    centers = Centers(np.eye(2), np.array([1, -1]), "given")
    data = Dataset.of_values(X, Y, centers)

    some = data.subset(2, np.random.default_rng(0))

    rows = [X.tolist().index(x) for x in some.x.tolist()]
    assert some.labels("sign").tolist() == Y[rows].tolist()
