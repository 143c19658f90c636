"""Small files of digits in the format of MNIST, and a scenario of their parity."""

import numpy as np

from gflow.data.kinds.mnist import FILES, Digits, write_idx

TRAIN_X, TRAIN_Y, TEST_X, TEST_Y = FILES


def written(folder, n=40, m=20, suffix=".gz", seed=0):
    """Write the four files of a small MNIST of 3 x 2 pixels."""
    rng = np.random.default_rng(seed)
    parts = []
    for count, images, labels in ((n, TRAIN_X, TRAIN_Y), (m, TEST_X, TEST_Y)):
        pixels = rng.integers(256, size=(count, 3, 2), dtype=np.uint8)
        digit = (np.arange(count) % 10).astype(np.uint8)
        write_idx(folder / f"{images}{suffix}", pixels)
        write_idx(folder / f"{labels}{suffix}", digit)
        parts.append(Digits(pixels.reshape(count, 6), digit.astype(int)))
    return parts


def read(scenario):
    """The samples of a scenario."""
    return scenario.data.read(scenario.seed)


PARITY = """
data = {kind = "mnist", extract = true, samples = 200, test_samples = 100, length = "unit"}
network = {width = 20, power = 3, init_scale = 1e-3}
flow = {end_time = 5.0, loss = "logistic"}
"""
