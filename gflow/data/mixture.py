"""Mixtures of K Gaussian subclasses with orthonormal centers (theory section 3).

One idea: every random choice draws from its own named stream of the seed, so changing the number
of samples or neurons leaves the centers, and changing the width leaves the data, as they were.
"""

import zlib
from typing import Literal

import numpy as np
from jaxtyping import Int

from gflow.data.centers import Centers
from gflow.data.dataset import Dataset


def stream(seed: int, name: str) -> np.random.Generator:
    """An independent random stream of `seed`, the same for the same `name` everywhere."""
    return np.random.default_rng(np.random.SeedSequence([seed, zlib.crc32(name.encode())]))


def orthonormal_centers(
    D: int, K: int, K1: int, kind: Literal["axes", "rotated"], rng: np.random.Generator
) -> Centers:
    """K orthonormal centers, the first K1 of them positive.

    **Arguments:**

    - `D`, `K`, `K1`: input dimension, subclasses, positive subclasses; K1 <= K <= D.
    - `kind`: "axes" gives e_1..e_K, "rotated" a Haar-random K-frame.
    - `rng`: random stream; unused for "axes".

    **Source:** theory section 3; Min and Vidal, ICML 2025, eq. 1.
    """
    label = np.where(np.arange(K) < K1, 1, -1)
    if kind == "axes":
        return Centers(np.eye(K, D), label, "given")
    q, r = np.linalg.qr(rng.standard_normal((D, K)))
    return Centers(np.ascontiguousarray((q * np.sign(np.diag(r))).T), label, "given")


def sample_mixture(
    centers: Centers,
    n: int,
    alpha: float,
    counts: Literal["balanced", "multinomial"],
    rng: np.random.Generator,
) -> Dataset:
    """n samples x = μ_z + (α/√D)·ξ with ξ standard normal, so that ‖x - μ_z‖ ≈ α.

    **Arguments:**

    - `centers`: the subclass centers.
    - `n`: number of samples.
    - `alpha`: within-subclass scale, >= 0; the standard deviation per coordinate is α/√D.
    - `counts`: "balanced" gives each subclass n/K samples (the first n mod K one more),
        "multinomial" draws every subclass uniformly.
    - `rng`: random stream.

    **Source:** theory section 3; Min and Vidal, ICML 2025, eqs. 1 and 6.
    """
    subclass = _subclasses(n, centers.K, counts, rng)
    noise = rng.standard_normal((n, centers.D)) * (alpha / np.sqrt(centers.D))
    y = centers.label[subclass].astype(np.float64)
    return Dataset(centers.mu[subclass] + noise, y, subclass)


def _subclasses(n: int, K: int, counts: str, rng: np.random.Generator) -> Int[np.ndarray, " n"]:
    if counts == "multinomial":
        return rng.integers(K, size=n)
    return np.sort(np.arange(n) % K)
