"""The samples a scenario asks for: drawn from its mixture, or read from its files.

One idea: every set draws from its own stream of the seed, so the test samples can be drawn again
at any time, without the training samples.
"""

import numpy as np

from gflow.data.centers import Centers
from gflow.data.cifar import NAMES, Images, read_cifar
from gflow.data.dataset import Dataset, read_npz
from gflow.data.digits import Digits, read_digits
from gflow.data.features import read_features, split_by_category
from gflow.data.labeled import Labeled, prepared, two_classes
from gflow.data.mixture import equiangular_centers, sample_mixture, stream
from gflow.errors import DataError
from gflow.scenario import DigitData, FeatureData, ImageData, MixtureData, Scenario


def draw(scenario: Scenario) -> tuple[Dataset, Dataset | None, Centers]:
    """Training samples, test samples if there are any, and the subclass centers.

    **Raises:** `DataError` for files and arrays that cannot be used.
    """
    data = scenario.data
    if data.kind == "file":
        return read_npz(data.path)
    if not isinstance(data, MixtureData):
        return two_classes(*labeled(scenario), data.positive)
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
    """Samples for a network of any depth: of two classes for one output, of all for many.

    Of the classes the first half, or those of `data.positive`, are the positive ones of `Centers`.

    **Raises:** `DataError` for files and arrays that cannot be used.
    """
    if scenario.network.outputs == "sign":
        return draw(scenario)
    train, test = labeled(scenario)
    data = scenario.data
    if isinstance(data, MixtureData):
        return train, test, _centers(data, scenario.seed)
    return train, test, two_classes(train, test, data.positive)[2]  # pyright: ignore[reportAttributeAccessIssue]


def labeled(scenario: Scenario) -> tuple[Labeled, Labeled]:
    """Training and test samples with a label for each class.

    **Raises:** `DataError` for files that cannot be used, and for samples of two classes only.
    """
    data, seed = scenario.data, scenario.seed
    if isinstance(data, DigitData):
        train, test = map(_of_digits, read_digits(data.path, data.split, data.extract))
    elif isinstance(data, FeatureData):
        train, test = _of_features(data, seed)
    elif isinstance(data, ImageData):
        train, test = map(_of_images, read_cifar(data.path))
    elif isinstance(data, MixtureData):
        train, test = _of_mixture(data, seed)
    else:
        raise DataError(
            'data.kind must not be "file", whose labels are ±1, for a network of many outputs.'
        )
    if isinstance(data, MixtureData):
        return train, test
    train = train.chosen(data.samples, stream(seed, "train"))
    test = test.chosen(data.test_samples, stream(seed, "test"))
    return prepared(train, test, data.centered, data.length)


def _of_digits(digits: Digits) -> Labeled:
    return Labeled(digits.pixels / 255.0, digits.digit, tuple("0123456789"))


def _of_images(images: Images) -> Labeled:
    return Labeled(images.pixels / 255.0, images.label, NAMES)


def _of_features(data: FeatureData, seed: int) -> tuple[Labeled, Labeled]:
    found = read_features(data.path)
    names = tuple(str(k) for k in range(data.classes))
    parts = split_by_category(found.category, data.test_share, stream(seed, "split"))
    train, test = (Labeled(found.x[i], found.category[i] % data.classes, names) for i in parts)
    return train, test


def _of_mixture(data: MixtureData, seed: int) -> tuple[Labeled, Labeled]:
    """The subclasses of a mixture as classes."""
    centers = _centers(data, seed)
    names = tuple(f"mu_{k + 1}" for k in range(centers.K))
    drawn = [
        _drawn(data, centers, n, seed, name)
        for n, name in ((data.samples, "train"), (data.test_samples, "test"))
    ]
    train, test = (Labeled(one.x, np.asarray(one.subclass), names) for one in drawn)
    return train, test


def _centers(data: MixtureData, seed: int) -> Centers:
    D, K, K1 = data.dimension, data.subclasses, data.positive_subclasses
    frame = stream(seed, "centers")
    return equiangular_centers(D, K, K1, data.centers, data.center_angle, frame)


def _drawn(data: MixtureData, centers: Centers, n: int, seed: int, name: str) -> Dataset:
    return sample_mixture(centers, n, data.noise, data.counts, stream(seed, name), data.imbalance)
