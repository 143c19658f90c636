"""Mixtures of K Gaussian subclasses (theory section 3), and how they may leave the theory.

In the theory centers are orthonormal and subclasses equally large.  Here the angle between any two
centers may be smaller, and sizes may decrease geometrically within each class.
"""

from typing import Literal

import numpy as np
from jaxtyping import Float, Int

from gflow.data.centers import Centers
from gflow.data.dataset import Dataset


def orthonormal_centers(
    D: int, K: int, K1: int, kind: Literal["axes", "rotated"], *, rng: np.random.Generator
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


def equiangular_centers(
    D: int,
    K: int,
    K1: int,
    kind: Literal["axes", "rotated"],
    *,
    angle: float,
    rng: np.random.Generator,
) -> Centers:
    """K unit centers with the same angle between any two, the first K1 of them positive.

    With orthonormal e_0, e_1, .., e_K and c = cos(angle) the centers

        μ_k = √(1-c) e_k + √c e_0 ,    <μ_k, μ_l> = c for k ≠ l ,

    share the component along e_0, which takes one more dimension.

    **Arguments:**

    - `D`, `K`, `K1`: input dimension, subclasses, positive subclasses; K1 <= K < D, or K <= D at
        90 degrees.
    - `kind`: "axes" takes coordinate axes, the first for e_1..e_K and the next one for e_0,
        "rotated" a Haar-random frame.
    - `angle`: degrees, in (0, 90]; 90 gives `orthonormal_centers`.
    - `rng`: random stream; unused for "axes".
    """
    if angle == 90:
        return orthonormal_centers(D, K, K1, kind, rng=rng)
    frame = orthonormal_centers(D, K + 1, K1, kind, rng=rng)
    own, shared = np.sqrt(2) * np.sin(np.radians(angle) / 2), np.sqrt(np.cos(np.radians(angle)))
    return Centers(own * frame.mu[:K] + shared * frame.mu[K], frame.label[:K], "given")


def shares(label: Int[np.ndarray, " K"], imbalance: float) -> Float[np.ndarray, " K"]:
    """Share of each subclass in all samples; they sum to 1.

    Within a class of m subclasses the shares are proportional to

        imbalance^{-i/(m-1)} ,    i = 0, .., m-1 from the first to the last,

    with one constant for both classes: the first subclass of each class has the largest size, and
    the last one is `imbalance` times smaller.  A class of one subclass has i = 0 only.

    **Arguments:**

    - `label`: class of each subclass, ±1.
    - `imbalance`: largest share over the smallest, >= 1.
    """
    weight = np.ones(len(label))
    for s in (1, -1):
        steps = np.linspace(0, 1, int((label == s).sum()))
        weight[label == s] = float(imbalance) ** -steps
    return weight / weight.sum()


def sizes(n: int, share: Float[np.ndarray, " K"]) -> Int[np.ndarray, " K"]:
    """Positive integers that sum to n, as close to n·share as possible.

    A subclass whose n·share is below 1 gets one sample, and the others divide the rest: each gets
    its n·share rounded down, and the samples that remain go one by one to the largest remainders,
    in the order of the subclasses where these are equal.

    **Arguments:**

    - `n`: number of samples, at least one per subclass.
    - `share`: positive, summing to 1.
    """
    quota, single = n * share, np.zeros(len(share), bool)
    # Quotas are exact only up to rounding: 1 may come out slightly less, equal remainders unequal.
    while (more := ~single & (quota < 1 - 1e-9)).any():
        single |= more
        rest = (n - single.sum()) / share[~single].sum()
        quota = np.where(single, 1.0, rest * share)
    whole = np.floor(quota).astype(np.int64)
    order = np.argsort(np.round(whole - quota, 9), kind="stable")
    whole[order[: n - whole.sum()]] += 1
    return whole


def sample_mixture(
    centers: Centers,
    n: int,
    alpha: float,
    counts: Literal["balanced", "multinomial"],
    *,
    rng: np.random.Generator,
    imbalance: float = 1.0,
) -> Dataset:
    """n samples x = μ_z + (α/√D)·ξ with ξ standard normal, so that ‖x - μ_z‖ ≈ α.

    **Arguments:**

    - `centers`: the subclass centers.
    - `n`: number of samples.
    - `alpha`: within-subclass scale, >= 0; the standard deviation per coordinate is α/√D.
    - `counts`: "balanced" gives each subclass its share of n as closely as possible (`sizes`; n/K
        samples, the first n mod K one more, if shares are equal); "multinomial" draws the subclass
        of each sample with its share as probability, so that a small one may have no sample.
    - `rng`: random stream.
    - `imbalance`: largest share over the smallest (`shares`); 1 for equal ones.

    **Source:** theory section 3; Min and Vidal, ICML 2025, eqs. 1 and 6.
    """
    subclass = _subclasses(n, shares(centers.label, imbalance), counts, rng)
    noise = rng.standard_normal((n, centers.D)) * (alpha / np.sqrt(centers.D))
    return Dataset(
        centers.mu[subclass] + noise,
        subclass,
        names=tuple(f"mu_{k + 1}" for k in range(centers.K)),
        class_of=tuple(int(sign > 0) for sign in centers.label),
        sign=tuple(centers.label.tolist()),
    )


def _subclasses(
    n: int, share: Float[np.ndarray, " K"], counts: str, rng: np.random.Generator
) -> Int[np.ndarray, " n"]:
    K = len(share)
    if counts == "balanced":
        return np.repeat(np.arange(K), sizes(n, share))
    # Equal shares are drawn as integers, as before `imbalance` existed: the samples stay the same.
    return rng.integers(K, size=n) if np.ptp(share) == 0 else rng.choice(K, size=n, p=share)
