"""Statements that hold with high probability: intervals, criteria, and verdicts of studies."""

from dataclasses import replace

import numpy as np
import pytest
from evidences import evidence_of
from hypothesis import given
from hypothesis import strategies as st
from questions import SMALL
from scipy.stats import binom, binomtest

from gflow.judges.catalogue import check_study
from gflow.judges.chance import binomial_interval
from gflow.judges.finding import Opinion, Verdict
from gflow.judges.prediction import Prediction
from gflow.judges.seeds import Trials


@given(st.integers(1, 200), st.data())
def test_intervals_are_those_of_clopper_and_pearson(trials, data):
    successes = data.draw(st.integers(0, trials))

    low, high = binomial_interval(successes, trials)

    # 95 % for each end are 90 % for both; scipy solves for its ends to 1e-12 or so.
    known = binomtest(successes, trials).proportion_ci(0.9, method="exact")
    assert (low, high) == pytest.approx((known.low, known.high), abs=1e-9)


@pytest.mark.parametrize("q", [0.05, 0.5, 0.9])
def test_an_end_misses_the_probability_in_one_of_twenty_studies_at_most(q):
    n = 12
    chances = binom.pmf(np.arange(n + 1), n, q)
    low, high = np.array([binomial_interval(k, n) for k in range(n + 1)]).T

    assert chances[low > q].sum() <= 0.05 and chances[high < q].sum() <= 0.05


@pytest.mark.parametrize(
    ("holds", "fails", "undecided", "fits"),
    [
        (5, 0, 0, True),  # a coin gives five of five once in 32 studies
        (4, 0, 0, None),  # too few
        (18, 2, 0, True),
        (8, 2, 0, None),  # a share below .9, but .9 is within [.49, .96]
        (2, 3, 0, False),  # 2 of 5 or fewer, at .9, once in 117 studies
        (5, 0, 5, None),  # half of them open
        (0, 5, 5, False),
        (0, 0, 9, None),
    ],
)
def test_a_statement_is_probable_if_most_seeds_say_so(holds, fails, undecided, fits):
    assert Trials(holds, fails, undecided).fits is fits


def test_undecided_seeds_widen_the_interval_to_both_sides():
    low, high = Trials(6, 2, 2).interval

    assert low == binomial_interval(6, 10)[0]
    assert high == binomial_interval(8, 10)[1]


@pytest.fixture(scope="module")
def seeds():
    """The same flow as if it had been made from ten seeds, at two powers."""
    run = evidence_of(SMALL)

    def as_of(seed, power):
        network = run.scenario.network.model_copy(update={"power": power})
        return replace(
            run, scenario=run.scenario.model_copy(update={"seed": seed, "network": network})
        )

    return [as_of(seed, power) for power in (1.0, 3.0) for seed in range(10)]


def _by_seed(verdict_of):
    """A prediction whose verdict depends on seed and power."""

    def judge(evidence):
        verdict = verdict_of(evidence.scenario.seed, evidence.p)
        return Opinion(verdict, "", "", "mine")

    return Prediction("mine", "mine", "", "me", judge=judge, probable=True)


def test_verdicts_are_counted_along_the_seed(seeds):
    mine = _by_seed(lambda seed, p: Verdict.FAILS if p == 3 and seed < 6 else Verdict.HOLDS)

    (finding,) = check_study(seeds, ["mine"], [mine])

    assert finding.verdict is Verdict.FAILS
    assert finding.opinion.measured == (
        "power = 1: holds on 10 of 10 seeds, [0.74, 1.00]; "
        "power = 3: holds on 4 of 10 seeds, [0.15, 0.70]"
    )


def test_seeds_to_which_a_statement_does_not_apply_are_no_trials(seeds):
    mine = _by_seed(lambda seed, p: Verdict.HOLDS if p == 1 and seed < 5 else Verdict.OUTSIDE)
    few = _by_seed(lambda seed, p: Verdict.HOLDS if seed < 4 else Verdict.OUTSIDE)

    (finding,) = check_study(seeds, ["mine"], [mine])

    assert finding.opinion.measured == "power = 1: holds on 5 of 5 seeds, [0.55, 1.00]"
    assert check_study(seeds, ["mine"], [few]) == ()


def test_only_statements_that_are_claimed_with_high_probability_are_counted(seeds):
    mine = replace(_by_seed(lambda seed, p: Verdict.HOLDS), probable=False)

    assert check_study(seeds, ["mine"], [mine]) == ()
