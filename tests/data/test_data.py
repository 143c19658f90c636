"""Mixtures follow their distribution; the user's own arrays are read or refused with a reason."""

import re

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from questions import SMALL

from gflow.data.centers import Centers
from gflow.data.kinds.features import read_features
from gflow.data.mixture import (
    equiangular_centers,
    orthonormal_centers,
    sample_mixture,
    shares,
    sizes,
)
from gflow.data.own_samples import read_npz
from gflow.errors import DataError, GflowWarning
from gflow.random import stream
from gflow.runs.problem import prepare
from gflow.scenario import parse_scenario


def tally(data):
    """Number of samples of each subclass."""
    return np.bincount(data.subclass, minlength=data.K)


@pytest.mark.parametrize("kind", ["axes", "rotated"])
def test_centers_are_orthonormal_and_labeled(kind):
    centers = orthonormal_centers(30, 7, 3, kind, rng=stream(0, "centers"))

    assert centers.orthonormality_error < 1e-14
    assert centers.K == 7 and centers.K1 == 3 and centers.D == 30
    assert np.array_equal(centers.label, [1, 1, 1, -1, -1, -1, -1])


@pytest.mark.parametrize("kind", ["axes", "rotated"])
@pytest.mark.parametrize("angle", [1e-3, 30.0, 60.0, 89.0])
def test_any_two_centers_are_at_the_angle_that_was_asked_for(angle, kind):
    # One dimension more than centers is enough.
    centers = equiangular_centers(8, 7, 3, kind, angle=angle, rng=stream(0, "centers"))

    c = np.cos(np.radians(angle))
    gram = np.where(np.eye(7) > 0, 1.0, c)
    assert np.abs(centers.mu @ centers.mu.T - gram).max() < 1e-14
    assert centers.orthonormality_error == pytest.approx(c, abs=1e-14)
    assert np.array_equal(centers.label, [1, 1, 1, -1, -1, -1, -1])
    assert centers.origin == "given"


def test_centers_on_axes_share_the_next_axis():
    # cos 60° = 1/2: √(1-c) = √c = 1/√2.
    centers = equiangular_centers(5, 3, 2, "axes", angle=60.0, rng=stream(0, "centers"))

    expected = np.eye(3, 5) + np.eye(5)[3]
    assert np.abs(np.sqrt(2) * centers.mu - expected).max() < 1e-14


@pytest.mark.parametrize("kind", ["axes", "rotated"])
def test_centers_at_a_right_angle_are_the_orthonormal_ones_to_the_bit(kind):
    upright = equiangular_centers(7, 7, 3, kind, angle=90.0, rng=stream(0, "centers"))
    plain = orthonormal_centers(7, 7, 3, kind, rng=stream(0, "centers"))

    assert np.array_equal(upright.mu, plain.mu)


def test_class_averages_are_unit_and_meet_their_centers_at_one_over_root_m():
    centers = orthonormal_centers(30, 7, 3, "rotated", rng=stream(0, "centers"))

    cosines = centers.averages @ centers.mu.T

    assert np.abs(np.linalg.norm(centers.averages, axis=1) - 1).max() < 1e-14
    assert np.abs(cosines[0] - np.array([1, 1, 1, 0, 0, 0, 0]) / np.sqrt(3)).max() < 1e-14
    assert np.abs(cosines[1] - np.array([0, 0, 0, 1, 1, 1, 1]) / 2).max() < 1e-14


def test_noise_has_length_alpha_and_no_preferred_direction():
    # ‖noise‖² is α²/D times chi-square with D degrees: mean α², relative sd √(2/(nD)).
    centers = orthonormal_centers(200, 4, 2, "rotated", rng=stream(1, "centers"))

    data = sample_mixture(centers, 5000, 0.3, "balanced", rng=stream(1, "train"))

    noise = data.x - centers.mu[data.subclass]
    assert (noise**2).sum(axis=1).mean() == pytest.approx(0.09, rel=5 * np.sqrt(2 / (5000 * 200)))
    assert np.abs(noise.mean(axis=0)).max() < 6 * 0.3 / np.sqrt(200 * 5000)
    assert np.array_equal(data.labels("sign"), centers.label[data.subclass])


def test_balanced_counts_differ_by_at_most_one_and_multinomial_ones_by_their_law():
    centers = orthonormal_centers(10, 4, 2, "axes", rng=stream(0, "centers"))

    balanced = tally(sample_mixture(centers, 1002, 0.1, "balanced", rng=stream(0, "train")))
    multinomial = tally(sample_mixture(centers, 10_000, 0.1, "multinomial", rng=stream(0, "train")))

    assert sorted(balanced) == [250, 250, 251, 251]
    assert np.abs(multinomial - 2500).max() < 5 * np.sqrt(10_000 * 0.25 * 0.75)
    assert len(set(multinomial)) > 1


def test_shares_fall_geometrically_within_each_class():
    # 1, 1/2, 1/4 and 1, 1/4 and 1: the largest is four times the smallest, whatever its class.
    assert np.allclose(
        shares(np.array([1, 1, 1, -1, -1]), 4.0), np.array([4, 2, 1, 4, 1]) / 12, atol=1e-16
    )
    assert np.allclose(shares(np.array([1, -1, -1]), 4.0), np.array([4, 4, 1]) / 9, atol=1e-16)


def test_sizes_are_the_shares_where_these_are_whole():
    share = shares(np.array([1, 1, 1, -1, -1]), 4.0)

    assert np.array_equal(sizes(24, share), [8, 4, 2, 8, 2])
    # n·share = 10/3, 5/3, 5/6, 10/3, 5/6: two rare ones get a sample each, the others share 8 as
    # 16/5, 8/5, 16/5.
    assert np.array_equal(sizes(10, share), [3, 2, 1, 3, 1])


counts = st.tuples(st.integers(1, 6), st.integers(1, 6)).map(lambda K: np.repeat([1, -1], K))


@settings(max_examples=200, deadline=None)
@given(counts, st.floats(1, 1e6) | st.just(1e300), st.integers(0, 3000))
def test_sizes_sum_to_n_and_keep_to_their_shares(label, imbalance, more):
    n, share = len(label) + more, shares(label, imbalance)

    size = sizes(n, share)

    assert size.sum() == n and size.min() >= 1
    for s in (1, -1):
        assert (np.diff(size[label == s]) <= 0).all()
        assert share[label == s].max() / share.min() <= imbalance * (1 + 1e-12)
    if (n * share >= 1).all():
        assert np.abs(size - n * share).max() < 1 + 1e-9


# 49·(1/49) is a digit short of 1.
@example(np.repeat([1, -1], [25, 24]), 0)
@settings(max_examples=100, deadline=None)
@given(counts, st.integers(0, 3000))
def test_equal_shares_give_the_first_subclasses_one_sample_more(label, more):
    K, n = len(label), len(label) + more

    with np.errstate(all="raise"):
        size = sizes(n, shares(label, 1.0))

    assert np.array_equal(size, np.bincount(np.arange(n) % K, minlength=K))


def test_drawn_sizes_follow_the_same_law():
    centers = orthonormal_centers(10, 5, 3, "axes", rng=stream(0, "centers"))

    size = tally(
        sample_mixture(centers, 12_000, 0.1, "multinomial", rng=stream(0, "train"), imbalance=4.0)
    )

    share = np.array([4, 2, 1, 4, 1]) / 12
    assert np.abs(size - 12_000 * share).max() < 5 * np.sqrt(12_000 * 0.25)
    assert not np.array_equal(size, 12_000 * share)


def test_equal_shares_are_drawn_as_integers():
    # Scenarios without `imbalance` keep their samples.
    centers = orthonormal_centers(10, 4, 2, "axes", rng=stream(0, "centers"))

    data = sample_mixture(centers, 50, 0.1, "multinomial", rng=stream(0, "train"))

    assert np.array_equal(data.subclass, stream(0, "train").integers(4, size=50))


def test_training_and_test_samples_of_a_scenario_follow_its_law_and_its_angle():
    lines = "samples = 60\nimbalance = 4\ncenter_angle = 60\n"

    problem = prepare(parse_scenario(SMALL.replace("samples = 60\n", lines, 1)))

    # Two positive subclasses and one negative share 4, 1 and 4 of 9: 26⅔, 6⅔, 26⅔ of 60, whose
    # remainders are equal, and 13⅓, 3⅓, 13⅓ of 30.
    assert problem.test is not None
    assert np.array_equal(tally(problem.train), [27, 7, 26])
    assert np.array_equal(tally(problem.test), [14, 3, 13])
    assert np.allclose(problem.pi, np.array([27, 7, 26]) / 60, atol=1e-15)
    assert problem.centers.orthonormality_error == pytest.approx(0.5, abs=1e-14)


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

    split = read_npz(path)
    train, test, centers = split.train, split.test, split.centers

    assert train.n == 4 and test is not None and test.n == 2
    assert centers.origin == "given" and np.array_equal(centers.label, [1, 1, -1])


def test_missing_centers_are_the_means_of_subclasses_or_of_classes(tmp_path):
    subclass = np.array([0, 1, 2, 2])

    by_subclass = read_npz(_write(tmp_path / "a.npz", X=X, y=Y, subclass=subclass)).centers
    by_class = read_npz(_write(tmp_path / "b.npz", X=X, y=Y)).centers

    assert by_subclass.origin == "subclass means"
    assert np.array_equal(by_subclass.mu[2], [0, 0, 0.5, 0.5])
    assert by_class.origin == "class means" and by_class.K == 2
    assert np.array_equal(by_class.mu[0], [0.5, 0.5, 0, 0])


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"X": X}, "array `y` .* must exist"),
        ({"X": X, "y": Y[:3]}, "one label per row"),
        ({"X": X, "y": Y * 2}, "only \\+1 and -1"),
        ({"X": X[0], "y": Y}, "must be real numbers"),
        ({"X": np.where(X > 0, np.nan, X), "y": Y}, "row 0 is not"),
        ({"X": X, "y": Y, "subclass": np.array([0, 1, 1, 2])}, "samples of both classes"),
        ({"X": X, "y": Y, "subclass": np.array([0, 0, 2, 2])}, "without gaps"),
        ({"X": X, "y": Y, "subclass": np.array([0, 0, 1, 1]), "centers": X}, "shape \\(K, D\\)"),
        ({"X": X, "y": Y, "centers": X}, "`subclass` must be given along"),
        ({"X": X, "y": Y, "X_test": X}, "must come together"),
        ({"X": X, "y": Y, "X_test": X[:, :2] + 1, "y_test": Y}, "D = 4 columns"),
        ({"X": X.astype(object), "y": Y}, "plain arrays"),
        (
            {"X": X, "y": Y, "X_test": np.where(np.eye(4)[1, :, None] > 0, np.nan, X), "y_test": Y},
            "`X_test` must be finite, but row 1 is not",
        ),
        (
            {
                "X": X,
                "y": Y,
                "subclass": np.array([0, 0, 1, 1]),
                "centers": np.full((2, 4), np.inf),
            },
            "`centers` must be finite",
        ),
    ],
)
def test_wrong_arrays_are_refused_with_the_file_and_the_reason(tmp_path, arrays, words):
    path = _write(tmp_path / "mine.npz", **arrays)

    with pytest.raises(DataError, match=words) as raised:
        read_npz(path)

    assert "mine.npz" in str(raised.value)


@pytest.mark.parametrize("read", [read_npz, read_features])
def test_a_file_that_is_no_npz_is_refused(tmp_path, read):
    (tmp_path / "mine.npz").write_bytes(b"not a zip file")
    whole = _write(tmp_path / "whole.npz", X=X, y=Y).read_bytes()
    (tmp_path / "short.npz").write_bytes(whole[:-40])
    np.save(tmp_path / "array.npy", X)

    for name in ("short.npz", "mine.npz", "array.npy"):
        with pytest.raises(DataError, match="must be an npz file of plain arrays"):
            read(tmp_path / name)
    with pytest.raises(DataError, match="must be an npz file, but does not exist"):
        read(tmp_path / "absent.npz")


def test_classes_whose_mean_is_zero_need_subclasses(tmp_path):
    x = np.array([[1.0, 0], [-1, 0], [0, 1], [0, -1]])
    y = np.array([1, 1, -1, -1])

    with pytest.raises(DataError, match="mean of each class must not be 0 where subclasses are"):
        read_npz(_write(tmp_path / "a.npz", X=x, y=y))
    centers = read_npz(_write(tmp_path / "b.npz", X=x, y=y, subclass=np.arange(4))).centers
    np.testing.assert_array_equal(centers.mu, x)


def test_centers_refuse_labels_that_are_no_classes():
    with pytest.raises(DataError, match="only \\+1 and -1"):
        Centers(np.eye(2), np.array([0, 1]), "given")


def test_signs_stand_in_for_subclasses_that_are_not_known(tmp_path):
    train = read_npz(_write(tmp_path / "a.npz", X=X, y=Y)).train

    assert not train.subclasses_known and train.K == 2
    np.testing.assert_array_equal(train.labels("sign"), Y)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_file_may_hold_one_class(tmp_path, sign):
    y = np.full(4, sign)
    subclass = np.array([0, 0, 1, 1])

    with pytest.warns(GflowWarning, match=re.escape(f"`y` holds {sign:+d} only, so that")):
        plain = read_npz(_write(tmp_path / "a.npz", X=X, y=y))
        fine = read_npz(_write(tmp_path / "b.npz", X=X, y=y, subclass=subclass))

    for split, K in ((plain, 1), (fine, 2)):
        assert split.train.K == split.centers.K == K
        assert split.centers.signs == (sign,) and not split.centers.lacks_average
        assert (split.train.labels("sign") == sign).all()
    np.testing.assert_allclose(plain.centers.mu[0], X.mean(axis=0))
