"""Probabilities that judges compute themselves, against scipy.stats."""

import numpy as np
import pytest
from scipy.stats import binomtest, ks_2samp, kstwo, linregress, t

from gflow.judges.chance import kolmogorov_reach, two_sided
from gflow.judges.slope import CONFIDENCE, slope


@pytest.mark.parametrize("trials", [1, 7, 120])
@pytest.mark.parametrize("law", [2**-6, 0.25, 0.5, 1.0])
def test_the_two_sided_probability_is_that_of_a_binomial_test(trials, law):
    for hits in range(trials + 1):
        expected = binomtest(hits, trials, law).pvalue
        assert two_sided(hits, trials, law) == pytest.approx(expected, rel=1e-9, abs=1e-15)


@pytest.mark.parametrize("n", [3, 5, 40])
def test_the_interval_of_a_slope_is_that_of_students_t(n):
    rng = np.random.default_rng(n)
    x, y = rng.standard_normal((2, n))

    line, fitted = linregress(x, y), slope(x, y)

    reach = t.ppf((1 + CONFIDENCE) / 2, n - 2) * line.stderr
    assert fitted[:3] == pytest.approx((line.slope, line.slope - reach, line.slope + reach))


@pytest.mark.parametrize("probability", [0.01, 1e-6])
@pytest.mark.parametrize("n", [100, 1000])
def test_a_distance_of_distributions_is_exceeded_no_more_often_than_it_says(probability, n):
    reach = kolmogorov_reach(probability, n)

    # Massart's bound is within a factor 2 of the exact law for a hundred members and more.
    assert probability / 2 <= kstwo.sf(reach, n) <= probability


def test_the_distance_of_two_samples_has_the_probability_it_says():
    rng = np.random.default_rng(0)
    reach = kolmogorov_reach(0.2, 150, 300)

    farther = sum(
        ks_2samp(rng.uniform(size=150), rng.uniform(size=300)).statistic > reach for _ in range(400)
    )

    # 80 of 400 at most, ± 4 deviations of 8; the leading term exceeds the exact law a little.
    assert 80 - 50 <= farther <= 80 + 32
