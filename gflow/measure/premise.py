"""Whether data are what the theory assumes: subclasses around nearly orthonormal centers.

One idea: cosines say everything that the theory assumes of data.  Two samples of a subclass have
a cosine of about 1/(1 + α²), two of different subclasses of about 0; and the mean square of all of
them counts directions, since for K equal subclasses it is 1/K.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int, Real

from gflow.data.centers import unit_rows
from gflow.data.checks import check_finite, check_numbers
from gflow.data.clusters import estimated, silhouettes
from gflow.data.dataset import Dataset, Grain
from gflow.errors import DataError
from gflow.random import stream

MOST, PICTURED = 2000, 600
"""Samples whose pairs are measured, and those of the picture."""


class Spread(NamedTuple):
    """Cosines of many pairs."""

    low: float
    """5 in 100 are below it."""
    median: float
    high: float
    """5 in 100 are above it."""

    def __str__(self) -> str:
        return f"{self.median:.3f} ({self.low:.3f} to {self.high:.3f})"


@dataclass(frozen=True)
class Premise:
    """How close samples are to K subclasses around orthonormal centers."""

    within: Float[np.ndarray, " a"]
    """Cosines of two samples of one subclass."""
    beside: Float[np.ndarray, " b"]
    """Cosines of two samples of one class and different subclasses; empty if there are none."""
    across: Float[np.ndarray, " c"]
    """Cosines of two samples of different classes."""
    centers: Float[np.ndarray, "K K"]
    """Cosines of the means of subclasses, of one class side by side."""
    sizes: Int[np.ndarray, " C"]
    """Subclasses of each class, in the order of `centers`."""
    noise: float
    """α: √ of the mean of (1 - c)/c, c the mean cosine of two samples of a subclass; nan where no
    subclass has two, inf where their samples point in no common direction, 0 where the mean, which
    estimates a square, is negative by rounding."""
    directions: float
    """1/mean cos² over all pairs: how many orthogonal directions would have as many; inf if all
    pairs are orthogonal."""
    clusters: Mapping[int, Mapping[int, float]] | None
    """Silhouettes of 2, 3, … clusters of each class; None if they were not requested."""
    picture: Float[np.ndarray, "m m"]
    """Cosines of some samples, in the order of `centers`."""
    rows: Int[np.ndarray, " K"]
    """Samples of each subclass in the picture."""

    @property
    def K(self) -> int:
        """Number of subclasses that are labeled."""
        return len(self.centers)

    @property
    def ideal(self) -> float:
        """1/(1 + α²): what two samples of a subclass have around orthonormal centers."""
        return 1 / (1 + self.noise**2)

    @property
    def largest_cosine(self) -> float:
        """max |cos| between the means of two subclasses."""
        return float(np.abs(self.centers - np.eye(self.K)).max())

    @property
    def estimates(self) -> Mapping[int, int] | None:
        """Estimated number of clusters of each class."""
        if self.clusters is None:
            return None
        return {c: estimated(scores) for c, scores in self.clusters.items()}


def spread(cosines: Float[np.ndarray, " a"]) -> Spread | None:
    """Median and 5 % tails; None of nothing."""
    return Spread(*np.quantile(cosines, (0.05, 0.5, 0.95))) if len(cosines) else None


def look(data: Dataset, grain: Grain, seed: int, clusters: bool = True) -> Premise:
    """The premise of samples as a flow would get them; unknown subclasses are the classes.

    **Arguments:** as for `premise`, and

    - `grain`: what the network is trained on, which says what a class is.

    **Raises:** `DataError` where labels are real numbers, so that there are no classes.
    """
    if not data.has_classes:
        raise DataError(
            "`data` must have classes to look for subclasses in, but its labels are real numbers; "
            "try data whose labels are ±1."
        )
    return premise(data.x, data.subclass, data.labels(grain), seed, clusters=clusters)


def premise(
    x: Float[np.ndarray, "n D"],
    subclass: Int[np.ndarray, " n"],
    label: Real[np.ndarray, " n"],
    seed: int,
    *,
    clusters: bool = True,
) -> Premise:
    """Measure the cosines of samples, and look for clusters in every class.

    **Arguments:**

    - `x`: samples; their lengths do not count, and a sample of length 0 has cosine 0 to all.
    - `subclass`, `label`: of each sample; subclasses lie within classes.
    - `seed`: picks samples where there are more than `MOST`, and starts of clusters.
    - `clusters`: whether to look for clusters, for which scikit-learn is needed.

    **Raises:** `DataError` if scikit-learn is needed but not installed.

    **Source:** theory D14; the first panels of Min and Vidal, ICML 2024, show the same cosines.
    """
    check_finite(x, "`x`")
    check_numbers(label=label)
    # Subclasses in the order of their classes: `place` is where a sample's one comes.
    unit = unit_rows(x)
    names, index = np.unique(subclass, return_inverse=True)
    class_of = np.array([label[subclass == k][0] for k in names])
    order = np.argsort(class_of, kind="stable")
    place = np.argsort(order)[index]
    class_of = class_of[order]

    # Pairs of at most so many samples, means of all, and a picture of a few, side by side.
    few = _some(place, MOST, seed)
    pair = np.triu_indices(len(few), 1)
    cosine = (unit[few] @ unit[few].T)[pair]
    same, akin = (np.equal.outer(of[few], of[few])[pair] for of in (place, class_of[place]))
    means = np.stack([unit[place == k].mean(axis=0) for k in range(len(names))])
    pictured = _some(place, PICTURED, seed)
    pictured = pictured[np.argsort(place[pictured], kind="stable")]
    directed = unit_rows(means)
    return Premise(
        within=cosine[same],
        beside=cosine[~same & akin],
        across=cosine[~akin],
        centers=directed @ directed.T,
        sizes=np.unique(class_of, return_counts=True)[1],
        noise=_noise(means, np.bincount(place)),
        directions=_inverse(float((cosine**2).mean())),
        clusters={int(c): silhouettes(unit[label == c], seed) for c in np.unique(label)}
        if clusters
        else None,
        picture=unit[pictured] @ unit[pictured].T,
        rows=np.bincount(place[pictured], minlength=len(names)),
    )


def _noise(means: Float[np.ndarray, "K D"], counts: Int[np.ndarray, " K"]) -> float:
    """α from the means of N_k unit samples each: ‖m‖² is 1/N more than the cosine of two."""
    some = counts > 1
    if not some.any():
        return np.nan
    N = counts[some]
    cosine = (N * (means[some] ** 2).sum(axis=1) - 1) / (N - 1)
    square = [(1 - c) * _inverse(c) for c in cosine.tolist()]
    # The estimate of α² may fall below 0, by rounding where samples coincide: then α is 0.
    return float(np.sqrt(max(np.average(square, weights=N), 0.0)))


def _inverse(share: float) -> float:
    """1/share; inf unless it is positive."""
    return 1 / share if share > 0 else np.inf


def _some(place: Int[np.ndarray, " n"], most: int, seed: int) -> Int[np.ndarray, " m"]:
    """Positions of all samples, or of `most` random ones."""
    n = len(place)
    if n <= most:
        return np.arange(n)
    return np.sort(stream(seed, "premise").choice(n, most, replace=False))
