"""Rows of a data set: which are trained on, and which are held out."""

import numpy as np
from jaxtyping import Int


def split_by_category(
    category: Int[np.ndarray, " n"], share: float, rng: np.random.Generator
) -> tuple[Int[np.ndarray, " m"], Int[np.ndarray, " k"]]:
    """Rows to train on, and rows held out: the same fraction of each category.

    One of each category is left at least, and, of two or more, one is held out. Rows that are held
    out are in random order, so that the first ones are from all categories.

    **Arguments:**

    - `category`: category of each row.
    - `share`: fraction that is held out, in (0, 1).
    - `rng`: random stream.
    """
    train, held_out = [], []
    for k in np.unique(category):
        mine = rng.permutation(np.flatnonzero(category == k))
        count = min(max(round(share * len(mine)), 1), len(mine) - 1)
        held_out.append(mine[:count])
        train.append(mine[count:])
    return np.sort(np.concatenate(train)), rng.permutation(np.concatenate(held_out))
