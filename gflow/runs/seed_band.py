"""A column of a study's table over one varied key: its mean and range over seeds."""

from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from jaxtyping import Float

from gflow.runs.study_table import to_rows, varied_keys


class SeedBand(NamedTuple):
    """Mean and range over seeds of a column, at each value of a varied key (final)."""

    varied: dict[str, Any]
    """Values of the other varied keys."""
    x: Float[np.ndarray, " q"]
    mean: Float[np.ndarray, " q"]
    low: Float[np.ndarray, " q"]
    high: Float[np.ndarray, " q"]
    count: int
    """Most seeds at one x."""


def over_seeds(table: xr.Dataset, column: str, x: str) -> list[SeedBand]:
    """Bands of a column over one varied key.

    **Arguments:**

    - `table`: of a study with a `seed` axis.
    - `column`: numbers; points where it is nan are left out.
    - `x`: a varied key with numbers.

    **Returns:** one band for each combination of the other varied keys that has numbers, in the
    order of the grid.
    """
    others = [key for key in varied_keys(table) if key not in (x, "seed")]
    bands: dict[tuple[Any, ...], dict[float, list[float]]] = {}
    for row in to_rows(table):
        if not np.isnan(row.get(column, np.nan)):
            seeds = bands.setdefault(tuple(row[key] for key in others), {})
            seeds.setdefault(float(row[x]), []).append(row[column])
    return [_band(dict(zip(others, key, strict=True)), seeds) for key, seeds in bands.items()]


def _band(varied: dict[str, Any], seeds: dict[float, list[float]]) -> SeedBand:
    x = np.array(sorted(seeds))
    mean, low, high = (np.array([f(seeds[v]) for v in x]) for f in (np.mean, np.min, np.max))
    return SeedBand(varied, x, mean, low=low, high=high, count=max(map(len, seeds.values())))
