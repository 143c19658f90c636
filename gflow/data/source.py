"""The samples a scenario asks for: drawn from its mixture, or read from its file.

One idea: every set draws from its own stream of the seed, so the test samples can be drawn again
at any time, without the training samples.
"""

from gflow.data.centers import Centers
from gflow.data.dataset import Dataset, read_npz
from gflow.data.mixture import equiangular_centers, sample_mixture, stream
from gflow.scenario import MixtureData, Scenario


def draw(scenario: Scenario) -> tuple[Dataset, Dataset | None, Centers]:
    """Training samples, test samples if there are any, and the subclass centers.

    **Raises:** `DataError` for files and arrays that cannot be used.
    """
    data = scenario.data
    if data.kind == "file":
        return read_npz(data.path)
    centers = _centers(data, scenario.seed)
    train = _drawn(data, centers, data.samples, scenario.seed, "train")
    return train, draw_test(scenario), centers


def draw_test(scenario: Scenario) -> Dataset | None:
    """The test samples alone; None if there are none.

    **Raises:** `DataError` for files and arrays that cannot be used.
    """
    data = scenario.data
    if data.kind == "file":
        return read_npz(data.path)[1]
    if not data.test_samples:
        return None
    return _drawn(data, _centers(data, scenario.seed), data.test_samples, scenario.seed, "test")


def _centers(data: MixtureData, seed: int) -> Centers:
    D, K, K1 = data.dimension, data.subclasses, data.positive_subclasses
    frame = stream(seed, "centers")
    return equiangular_centers(D, K, K1, data.centers, data.center_angle, frame)


def _drawn(data: MixtureData, centers: Centers, n: int, seed: int, name: str) -> Dataset:
    return sample_mixture(centers, n, data.noise, data.counts, stream(seed, name), data.imbalance)
