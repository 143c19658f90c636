"""Unlabeled subclasses: clusters of directions within a class.

The theory is about directions, so samples are clustered by their cosines (spherical k-means), each
class separately.  Alignment is then measured to the means of clusters, as it is to the means of
known subclasses.

Needs scikit-learn, the extra `gflow[clusters]`.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from gflow.data.centers import unit_rows
from gflow.errors import DataError

STRUCTURE = 0.25
"""Smallest mean silhouette of clusters that count; below it there is no substantial structure.

**Source:** Kaufman and Rousseeuw, Finding Groups in Data, 1990, chapter 2.
"""

MOST = 12
"""Largest number of clusters tried per class."""

_ROUNDS, _STARTS, _SCORED = 100, 10, 2000


def can_cluster() -> bool:
    """Whether scikit-learn is installed."""
    try:
        _sklearn()
    except DataError:
        return False
    return True


def clustered(x: Float[np.ndarray, "n D"], k: int, seed: int) -> Int[np.ndarray, " n"]:
    """Cluster of each sample by spherical k-means, started from the best of ten k-means.

    **Arguments:**

    - `x`: samples of one class; their lengths play no role.
    - `k`: number of clusters.
    - `seed`: seed of the k-means.

    **Returns:** indices 0, 1, … without gaps; clusters that become empty are dropped.

    **Raises:** `DataError` if scikit-learn is not installed, or for fewer samples than clusters.

    **Source:** Dhillon and Modha, Machine Learning 42, 2001.
    """
    if len(x) < k:
        raise DataError(
            f"a class must have at least as many samples as clusters, but has {len(x)} for {k}; "
            "lower data.clusters."
        )
    # Ordinary k-means on unit vectors is a good start; then centers are made unit vectors too.
    unit = unit_rows(x)
    state = seed % 2**32  # scikit-learn takes no larger one
    means = _sklearn().cluster.KMeans(k, n_init=_STARTS, random_state=state).fit(unit)
    centers = unit_rows(means.cluster_centers_)
    for _ in range(_ROUNDS):
        label = (unit @ centers.T).argmax(axis=1)
        sums = np.zeros_like(centers)
        np.add.at(sums, label, unit)
        moved = np.where((sums != 0).any(axis=1, keepdims=True), unit_rows(sums), centers)
        if np.array_equal(moved, centers):
            break
        centers = moved
    return np.unique(label, return_inverse=True)[1]


def silhouettes(x: Float[np.ndarray, "n D"], seed: int, most: int = MOST) -> Mapping[int, float]:
    """Mean silhouette, in cosine distance, of 2, 3, … clusters of a class.

    **Arguments:**

    - `x`: samples of one class; of more than 2000, a random 2000 are used.
    - `seed`: seed of this choice and of the k-means.
    - `most`: largest number of clusters tried; never more than there are distinct directions.

    **Returns:** scores by number of clusters; empty where samples have one or two directions.

    **Raises:** `DataError` if scikit-learn is not installed.

    **Source:** Rousseeuw, Journal of Computational and Applied Mathematics 20, 1987.
    """
    if len(x) > _SCORED:
        x = x[np.random.default_rng(seed).choice(len(x), _SCORED, replace=False)]
    score = _sklearn().metrics.silhouette_score
    scores = {}
    distinct = len(np.unique(unit_rows(x).round(12), axis=0))
    for k in range(2, min(most, distinct, len(x) - 1) + 1):
        label = clustered(x, k, seed)
        if label.max() > 0:
            scores[k] = float(score(x, label, metric="cosine"))
    return MappingProxyType(scores)


def estimated(scores: Mapping[int, float]) -> int:
    """Number of clusters with the largest silhouette; 1 if there is no substantial structure."""
    k = max(scores, key=scores.__getitem__, default=1)
    return k if k > 1 and scores[k] >= STRUCTURE else 1


def _sklearn() -> Any:
    try:
        import sklearn.cluster
        import sklearn.metrics
    except ImportError:
        raise DataError(
            "scikit-learn must be installed to find clusters, but is not; try pip install "
            "'gflow[clusters]', or add an array `subclass` to the file."
        ) from None
    return sklearn
