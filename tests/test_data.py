"""Mixtures have the law they claim, and a caller's own arrays are read or refused with a reason."""

import numpy as np
import pytest

from gflow.data.centers import Centers
from gflow.data.dataset import Dataset, read_npz
from gflow.data.mixture import orthonormal_centers, sample_mixture, stream
from gflow.errors import DataError


@pytest.mark.parametrize("kind", ["axes", "rotated"])
def test_centers_are_orthonormal_and_labeled(kind):
    centers = orthonormal_centers(30, 7, 3, kind, stream(0, "centers"))

    assert centers.orthonormality_error < 1e-14
    assert centers.K == 7 and centers.K1 == 3 and centers.D == 30
    assert np.array_equal(centers.label, [1, 1, 1, -1, -1, -1, -1])


def test_class_averages_are_unit_and_meet_their_centers_at_one_over_root_m():
    centers = orthonormal_centers(30, 7, 3, "rotated", stream(0, "centers"))

    cosines = centers.averages @ centers.mu.T

    assert np.abs(np.linalg.norm(centers.averages, axis=1) - 1).max() < 1e-14
    assert np.abs(cosines[0] - np.array([1, 1, 1, 0, 0, 0, 0]) / np.sqrt(3)).max() < 1e-14
    assert np.abs(cosines[1] - np.array([0, 0, 0, 1, 1, 1, 1]) / 2).max() < 1e-14


def test_noise_has_length_alpha_and_no_preferred_direction():
    # ‖noise‖² is α²/D times chi-square with D degrees: mean α², relative sd √(2/(nD)).
    centers = orthonormal_centers(200, 4, 2, "rotated", stream(1, "centers"))

    data = sample_mixture(centers, 5000, 0.3, "balanced", stream(1, "train"))

    noise = data.x - centers.mu[data.subclass]
    assert (noise**2).sum(axis=1).mean() == pytest.approx(0.09, rel=5 * np.sqrt(2 / (5000 * 200)))
    assert np.abs(noise.mean(axis=0)).max() < 6 * 0.3 / np.sqrt(200 * 5000)
    assert np.array_equal(data.y, centers.label[data.subclass])


def test_balanced_counts_differ_by_at_most_one_and_multinomial_ones_by_their_law():
    centers = orthonormal_centers(10, 4, 2, "axes", stream(0, "centers"))

    balanced = sample_mixture(centers, 1002, 0.1, "balanced", stream(0, "train")).counts(4)
    drawn = sample_mixture(centers, 10_000, 0.1, "multinomial", stream(0, "train")).counts(4)

    assert sorted(balanced) == [250, 250, 251, 251]
    assert np.abs(drawn - 2500).max() < 5 * np.sqrt(10_000 * 0.25 * 0.75)
    assert len(set(drawn)) > 1


def test_streams_of_one_seed_are_independent_and_repeatable():
    assert stream(3, "train").random() == stream(3, "train").random()
    assert len({stream(seed, name).random() for seed in (0, 1) for name in ("a", "b")}) == 4


def _write(path, **arrays):
    np.savez(path, **arrays)
    return path


X, Y = np.eye(4), np.array([1, 1, -1, -1])


def test_an_npz_with_centers_is_taken_as_given(tmp_path):
    path = _write(
        tmp_path / "mine.npz", X=X, y=Y, subclass=np.array([0, 1, 2, 2]), centers=np.eye(3, 4),
        X_test=X[:2], y_test=np.array([1, -1]),
    )  # fmt: skip

    train, test, centers = read_npz(path)

    assert train.n == 4 and test is not None and test.n == 2
    assert centers.origin == "given" and np.array_equal(centers.label, [1, 1, -1])


def test_missing_centers_are_the_means_of_subclasses_or_of_classes(tmp_path):
    subclass = np.array([0, 1, 2, 2])

    by_subclass = read_npz(_write(tmp_path / "a.npz", X=X, y=Y, subclass=subclass))[2]
    by_class = read_npz(_write(tmp_path / "b.npz", X=X, y=Y))[2]

    assert by_subclass.origin == "subclass means"
    assert np.array_equal(by_subclass.mu[2], [0, 0, 0.5, 0.5])
    assert by_class.origin == "class means" and by_class.K == 2
    assert np.array_equal(by_class.mu[0], [0.5, 0.5, 0, 0])


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"X": X}, "array `y` .* must be there"),
        ({"X": X, "y": Y[:3]}, "one label per row"),
        ({"X": X, "y": Y * 2}, "only \\+1 and -1"),
        ({"X": X, "y": np.ones(4)}, "no negative one"),
        ({"X": X[0], "y": Y}, "must be real numbers"),
        ({"X": np.where(X > 0, np.nan, X), "y": Y}, "row 0 is not"),
        ({"X": X, "y": Y, "extra": X}, "also holds \\['extra'\\]"),
        ({"X": X, "y": Y, "subclass": np.array([0, 1, 1, 2])}, "samples of both classes"),
        ({"X": X, "y": Y, "subclass": np.array([0, 0, 2, 2])}, "without gaps"),
        ({"X": X, "y": Y, "subclass": np.array([0, 0, 1, 1]), "centers": X}, "shape \\(K, D\\)"),
        ({"X": X, "y": Y, "centers": X}, "`subclass` must be there"),
        ({"X": X, "y": Y, "X_test": X}, "must come together"),
        ({"X": X, "y": Y, "X_test": X[:, :2], "y_test": Y}, "D = 4 columns"),
        ({"X": X.astype(object), "y": Y}, "plain arrays"),
    ],
)
def test_wrong_arrays_are_refused_with_the_file_and_the_reason(tmp_path, arrays, words):
    path = _write(tmp_path / "mine.npz", **arrays)

    with pytest.raises(DataError, match=words) as raised:
        read_npz(path)

    assert "mine.npz" in str(raised.value)


def test_a_file_that_is_no_npz_is_refused(tmp_path):
    (tmp_path / "mine.npz").write_bytes(b"not a zip file")
    whole = _write(tmp_path / "whole.npz", X=X, y=Y).read_bytes()
    (tmp_path / "short.npz").write_bytes(whole[:-40])

    with pytest.raises(DataError, match="must be an npz file"):
        read_npz(tmp_path / "short.npz")
    with pytest.raises(DataError, match="must be an npz file"):
        read_npz(tmp_path / "mine.npz")
    with pytest.raises(DataError, match="no such file"):
        read_npz(tmp_path / "absent.npz")


def test_centers_refuse_labels_that_are_no_classes():
    with pytest.raises(DataError, match="only \\+1 and -1"):
        Centers(np.eye(2), np.array([0, 1]), "given")


def test_a_dataset_counts_subclasses_only_where_they_are_known():
    with pytest.raises(DataError, match="subclass"):
        Dataset(X, Y.astype(float), None).counts(2)
