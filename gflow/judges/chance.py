"""Chance: how probable a count is, and what a count says of a probability.

scipy.stats has all of it, but takes a third of a second to import.
"""

import numpy as np
from scipy.special import betaincinv, gammaln, xlog1py, xlogy

CHANCE = 1e-6
"""Probability below which a count is beyond chance, in many thousands of runs too."""

CONFIDENCE = 0.95
"""Confidence in each end of an interval, by itself."""

USUAL = 0.01
"""Probability from which on a deviation is usual, and speaks for a law."""


def two_sided(hits: int, trials: int, law: float) -> float:
    """Probability of a number of hits no more probable than this one, each with probability `law`.

    It is `scipy.stats.binomtest(hits, trials, law).pvalue`.
    """
    k = np.arange(trials + 1)
    log_choices = gammaln(trials + 1) - gammaln(k + 1) - gammaln(trials - k + 1)
    chance = np.exp(log_choices + xlogy(k, law) + xlog1py(trials - k, -law))
    return float(chance[chance <= chance[hits] * (1 + 1e-7)].sum())


def binomial_interval(
    successes: int, trials: int, confidence: float = CONFIDENCE
) -> tuple[float, float]:
    """Where a probability lies, by Clopper and Pearson, with a confidence in each end.

    The lower end is the largest q with P(X >= successes) <= 1 - `confidence` at every smaller
    probability, X binomial; the upper end likewise.

    **Arguments:**

    - `successes`, `trials`: whole numbers, 0 <= successes <= trials, at least one trial.
    - `confidence`: that the probability is not beyond one end.

    **Source:** Clopper and Pearson, Biometrika 1934.
    """
    failures, miss = trials - successes, 1 - confidence
    low = float(betaincinv(successes, failures + 1, miss)) if successes else 0.0
    high = float(betaincinv(successes + 1, failures, 1 - miss)) if failures else 1.0
    return low, high


def kolmogorov_reach(probability: float, *sizes: int) -> float:
    """The distance between distributions of samples that is exceeded with this probability.

    √(½ log(2/probability) Σ 1/n) for one or two samples, by the leading term of Kolmogorov's and
    Smirnov's law, which is an upper bound for one (Massart 1990).

    **Arguments:**

    - `probability`: of a larger distance.
    - `sizes`: number of members of each sample; one, if the other distribution is known.
    """
    return float(np.sqrt(np.log(2 / probability) / 2 * sum(1 / n for n in sizes)))
