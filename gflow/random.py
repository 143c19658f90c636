"""Random streams: every random choice draws from its own named stream of one seed.

So changing the number of samples or neurons leaves the centers, and changing the width leaves the
data, as they were.
"""

import zlib

import numpy as np


def stream(seed: int, name: str) -> np.random.Generator:
    """An independent random stream of `seed`, the same for the same `name` everywhere."""
    return np.random.default_rng(np.random.SeedSequence([seed, zlib.crc32(name.encode())]))
