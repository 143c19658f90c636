"""Probabilities that judges compute themselves, against scipy.stats."""

import numpy as np
import pytest
from scipy.stats import binomtest, linregress, t

from gflow.judges.slope import CONFIDENCE, slope
from gflow.judges.voronoi import _two_sided


@pytest.mark.parametrize("trials", [1, 7, 120])
@pytest.mark.parametrize("law", [2**-6, 0.25, 0.5, 1.0])
def test_the_two_sided_probability_is_that_of_a_binomial_test(trials, law):
    for hits in range(trials + 1):
        expected = binomtest(hits, trials, law).pvalue
        assert _two_sided(hits, trials, law) == pytest.approx(expected, rel=1e-9, abs=1e-15)


@pytest.mark.parametrize("n", [3, 5, 40])
def test_the_interval_of_a_slope_is_that_of_students_t(n):
    rng = np.random.default_rng(n)
    x, y = rng.standard_normal((2, n))

    line, fitted = linregress(x, y), slope(x, y)

    reach = t.ppf((1 + CONFIDENCE) / 2, n - 2) * line.stderr
    assert fitted[:3] == pytest.approx((line.slope, line.slope - reach, line.slope + reach))
