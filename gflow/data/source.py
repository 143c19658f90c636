"""The samples a scenario asks for: drawn from its mixture, or read from its files.

One idea: every set draws from its own stream of the seed, so the test samples can be drawn again
at any time, without the training samples.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import Int

from gflow.data.centers import Centers
from gflow.data.cifar import NAMES, Images, image_files, read_cifar
from gflow.data.dataset import Dataset, read_npz
from gflow.data.digits import Digits, digit_files, read_digits
from gflow.data.features import read_features, split_by_category
from gflow.data.labeled import Labeled, centers_of, prepared, two_classes
from gflow.data.mixture import equiangular_centers, sample_mixture
from gflow.errors import DataError
from gflow.random import stream
from gflow.scenario import (
    DigitData,
    FeatureData,
    FileData,
    ImageData,
    MixtureData,
    RealData,
    Scenario,
)


def draw(scenario: Scenario) -> tuple[Dataset, Dataset | None, Centers]:
    """Training samples, test samples if there are any, and the subclass centers.

    **Raises:** `DataError` for files and arrays that cannot be used.
    """
    data = scenario.data
    if data.kind == "file":
        return read_npz(data.path, data.clusters, scenario.seed)
    if isinstance(data, RealData):
        return two_classes(*_real(data, scenario.seed), data.positive)
    centers = _centers(data, scenario.seed)
    train = _drawn(data, centers, data.samples, scenario.seed, "train")
    return train, draw_test(scenario), centers


def draw_test(scenario: Scenario) -> Dataset | None:
    """The test samples alone; None if there are none.

    **Raises:** `DataError` for files and arrays that cannot be used.
    """
    data = scenario.data
    if not isinstance(data, MixtureData):
        return draw(scenario)[1]
    if not data.test_samples:
        return None
    return _drawn(data, _centers(data, scenario.seed), data.test_samples, scenario.seed, "test")


def draw_deep(scenario: Scenario) -> tuple[Dataset | Labeled, Dataset | Labeled | None, Centers]:
    """Samples for a network of any depth: with signs for one output, with classes for many.

    **Raises:** `DataError` for files and arrays that cannot be used.
    """
    if scenario.network.outputs == "sign":
        return draw(scenario)
    data = scenario.data
    if not isinstance(data, RealData):
        train, test = labeled(scenario)
        assert isinstance(data, MixtureData), "files have no classes"
        return train, test, _centers(data, scenario.seed)
    train, test = _real(data, scenario.seed)
    centers = centers_of(train, data.positive)
    has_many = 2 < train.C < train.K and set(train.class_of) == set(range(train.C))
    return train, test, replace(centers, class_of=train.class_of if has_many else None)


def files_of(scenario: Scenario) -> tuple[Path, ...]:
    """The files that its samples are read from; none if they are drawn, or come with gflow.

    **Raises:** `DataError` if files of several are missing.
    """
    data = scenario.data
    if isinstance(data, MixtureData) or (isinstance(data, DigitData) and data.extract):
        return ()
    if isinstance(data, DigitData):
        return digit_files(data.path)
    if isinstance(data, ImageData):
        return image_files(data.path)
    return () if data.path is None else (data.path,)


def labeled(scenario: Scenario) -> tuple[Labeled, Labeled | None]:
    """Training samples and test samples, if there are any, with a subclass and a class each.

    A mixture has the classes 0 and 1, its negative and its positive subclasses.

    **Raises:** `DataError` for files that cannot be used, and for samples of unknown subclasses.
    """
    data, seed = scenario.data, scenario.seed
    if isinstance(data, MixtureData):
        return _of_mixture(data, seed)
    if isinstance(data, FileData):
        raise DataError(
            "`data.kind` must be a mixture or real data for a network of many outputs, but is "
            '"file", whose labels are ±1; set network.outputs = "sign".'
        )
    return _real(data, seed)


def some_of_test(scenario: Scenario, n: int, count: int) -> Int[np.ndarray, " m"]:
    """Which of `n` test samples stand for all of them, where `count` are asked for (0: all).

    The first ones of real data, which are in no order; spread evenly over a mixture or a file of
    the user's own, whose subclasses may follow each other.

    **Raises:** `DataError` if there are not so many.
    """
    if count > n:
        raise DataError(
            f"`robustness.attacked` must be at most the number of test samples, {n}, but is "
            f"{count}; try 0 for all."
        )
    if count == 0 or isinstance(scenario.data, RealData):
        return np.arange(count or n)
    return np.arange(count) * n // count


def _real(data: RealData, seed: int) -> tuple[Labeled, Labeled]:
    """Real data as they are read, chosen from and prepared."""
    if isinstance(data, DigitData):
        digits = read_digits(data.path, data.split, data.extract)
        train, test = (_of_digits(one, data.classes) for one in digits)
    elif isinstance(data, FeatureData):
        train, test = _of_features(data, seed)
    else:
        assert isinstance(data, ImageData), "there is no other"
        train, test = (_of_images(one, data.classes) for one in read_cifar(data.path))
    train = train.chosen(data.samples, stream(seed, "train"))
    test = test.chosen(data.test_samples, stream(seed, "test"))
    return prepared(train, test, data.centered, data.length)


def _of_digits(digits: Digits, classes: int | tuple[int, ...]) -> Labeled:
    return Labeled(
        digits.pixels / 255.0, digits.digit, tuple("0123456789"), _mapped(range(10), classes)
    )


def _of_images(images: Images, classes: int | tuple[int, ...]) -> Labeled:
    return Labeled(images.pixels / 255.0, images.label, NAMES, _mapped(range(10), classes))


def _of_features(data: FeatureData, seed: int) -> tuple[Labeled, Labeled]:
    """Categories that have samples are the subclasses, in their order."""
    found = read_features(data.path)
    there, subclass = np.unique(found.category, return_inverse=True)
    names = tuple(found.names[k] for k in there)
    class_of = _mapped(there.tolist(), data.classes)
    parts = split_by_category(found.category, data.test_share, stream(seed, "split"))
    train, test = (Labeled(found.x[i], subclass[i], names, class_of) for i in parts)
    return train, test


def _mapped(indices: Sequence[int], classes: int | tuple[int, ...]) -> tuple[int, ...]:
    """Class of each subclass: its index modulo a number, without gaps; or as listed."""
    if isinstance(classes, int):
        found = np.unique(np.asarray(indices) % classes, return_inverse=True)[1]
        return tuple(found.tolist())
    if len(classes) != len(indices) or set(classes) != set(range(max(classes) + 1)):
        raise DataError(
            f"`data.classes` must list a class, 0, 1, … without gaps, for each of {len(indices)} "
            f"subclasses, but lists {len(classes)} with the classes {sorted(set(classes))}."
        )
    return classes


def _of_mixture(data: MixtureData, seed: int) -> tuple[Labeled, Labeled | None]:
    centers = _centers(data, seed)
    names = tuple(f"mu_{k + 1}" for k in range(centers.K))
    class_of = tuple(int(sign > 0) for sign in centers.label)

    def drawn(n: int, name: str) -> Labeled:
        """A set of its own stream."""
        one = _drawn(data, centers, n, seed, name)
        return Labeled(one.x, np.asarray(one.subclass), names, class_of)

    return drawn(data.samples, "train"), (
        drawn(data.test_samples, "test") if data.test_samples else None
    )


def _centers(data: MixtureData, seed: int) -> Centers:
    D, K, K1 = data.dimension, data.subclasses, data.positive_subclasses
    frame = stream(seed, "centers")
    return equiangular_centers(D, K, K1, data.centers, data.center_angle, frame)


def _drawn(data: MixtureData, centers: Centers, n: int, seed: int, name: str) -> Dataset:
    return sample_mixture(centers, n, data.noise, data.counts, stream(seed, name), data.imbalance)
