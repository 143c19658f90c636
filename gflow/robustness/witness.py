"""Perturbations lengthened until they flip the network that counts, in double precision."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, Float, Int

from gflow.robustness.bisection import bisected
from gflow.robustness.lines import Lines, Samples

_FACTORS = np.concatenate([[0.0, 1.0], 1 + 10.0 ** np.arange(-12, -0.5)])
_HALVINGS = 12
_ENTRIES = 1 << 20  # of samples times neurons held at once


def least_factors(
    flips: Callable[[Int[np.ndarray, " r"], Float[np.ndarray, " r"]], Bool[np.ndarray, " r"]],
    n: int,
) -> Float[np.ndarray, " n"]:
    """The least of factors from 1 to 1.1 by which perturbations flip; inf where none does.

    0 where a sample is wrong as it is.

    **Arguments:**

    - `flips`: which of some samples, given by their indices, perturbations flip if they are
        multiplied by these factors.
    """
    high, low = np.full(n, np.inf), np.zeros(n)
    for factor in _FACTORS:
        rows = np.flatnonzero(np.isinf(high))
        if not len(rows):
            break
        now = flips(rows, np.full(len(rows), factor))
        high[rows[now]], low[rows[~now]] = factor, factor

    # Factors are ten times apart, and what lies between counts.
    rows = np.flatnonzero((high > 1) & np.isfinite(high))
    if len(rows):
        high[rows] = bisected(lambda t: flips(rows, t), low[rows], high[rows], _HALVINGS)[1]
    return high


def factors_on(samples: Samples, delta: Float[np.ndarray, "n D"]) -> Float[np.ndarray, " n"]:
    """The least factors by which perturbations flip samples however it is rounded."""
    factor = np.empty(len(delta))
    rows = max(_ENTRIES // max(len(samples.f.m), 1), 1)
    for begin in range(0, len(delta), rows):
        some = slice(begin, begin + rows)
        lines = Lines.of(samples.take(some), delta[some])
        factor[some] = least_factors(
            lambda index, t, lines=lines: lines.take(index).flipped(t), len(lines.y)
        )
    return factor
