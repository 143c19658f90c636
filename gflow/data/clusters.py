"""Subclasses that nobody has labeled: clusters of directions within a class.

One idea: the theory speaks of directions, so samples are clustered by their cosines (spherical
k-means), each class by itself, and alignment is then tracked against means of clusters as it is
against means of known subclasses.

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
"""Least mean silhouette that clusters must have to count: below there is no substantial structure.

**Source:** Kaufman and Rousseeuw, Finding Groups in Data, 1990, chapter 2.
"""

MOST = 12
"""Largest number of clusters tried for a class."""

_ROUNDS, _STARTS, _SCORED = 100, 10, 2000


def can_cluster() -> bool:
    """Whether scikit-learn is there."""
    try:
        _sklearn()
    except DataError:
        return False
    return True


def clustered(x: Float[np.ndarray, "n D"], k: int, seed: int) -> Int[np.ndarray, " n"]:
    """Cluster of each sample, 0, 1, … of at most k, by spherical k-means from ten k-means.

    **Arguments:**

    - `x`: samples of one class; their lengths do not count.
    - `k`: number of clusters.
    - `seed`: of the starts.

    **Raises:** `DataError` if scikit-learn is not there, or for fewer samples than clusters.

    **Source:** Dhillon and Modha, Machine Learning 42, 2001.
    """
    if len(x) < k:
        raise DataError(
            f"a class must have at least as many samples as clusters, but has {len(x)} for {k}; "
            "lower data.clusters."
        )
    unit = unit_rows(x)
    means = _sklearn().cluster.KMeans(k, n_init=_STARTS, random_state=seed).fit(unit)
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

    - `x`: samples of one class, of which 2000 are drawn if there are more.
    - `seed`: of the draw, and of the starts.
    - `most`: largest number of clusters tried; there are never more than distinct directions.

    **Returns:** scores by number of clusters; empty where samples have one or two directions.

    **Raises:** `DataError` if scikit-learn is not there.

    **Source:** Rousseeuw, Journal of Computational and Applied Mathematics 20, 1987.
    """
    if len(x) > _SCORED:
        x = x[np.random.default_rng(seed).choice(len(x), _SCORED, replace=False)]
    score = _sklearn().metrics.silhouette_score
    found = {}
    distinct = len(np.unique(unit_rows(x).round(12), axis=0))
    for k in range(2, min(most, distinct, len(x) - 1) + 1):
        label = clustered(x, k, seed)
        if label.max() > 0:
            found[k] = float(score(x, label, metric="cosine"))
    return MappingProxyType(found)


def estimated(scores: Mapping[int, float]) -> int:
    """Number of clusters with the largest silhouette; 1 if none has substantial structure."""
    k = max(scores, key=scores.__getitem__, default=1)
    return k if k > 1 and scores[k] >= STRUCTURE else 1


def _sklearn() -> Any:
    try:
        import sklearn.cluster
        import sklearn.metrics
    except ImportError:
        raise DataError(
            "scikit-learn must be installed to look for clusters, but is not; try pip install "
            "'gflow[clusters]', or put an array `subclass` into the file."
        ) from None
    return sklearn
