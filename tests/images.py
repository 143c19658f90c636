"""Small files in the format of CIFAR-10."""

import numpy as np

from gflow.data.kinds.cifar10 import PIXELS, TEST, TRAIN


def cifar(folder, n=20):
    """Write six files in the format of CIFAR-10, of n records each."""
    rng = np.random.default_rng(0)
    for name in (*TRAIN, TEST):
        label = (np.arange(n) % 10).astype(np.uint8)
        pixels = rng.integers(256, size=(n, PIXELS), dtype=np.uint8)
        (folder / name).write_bytes(np.concatenate([label[:, None], pixels], axis=1).tobytes())
