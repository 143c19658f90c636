"""Judges of alignment: they hold on a real flow, fail on an altered one, never on nothing."""

from dataclasses import replace

import numpy as np
import pytest
from evidences import altered, as_if, evidence_of, slowed

from gflow.judges.catalogue import check
from gflow.judges.conservation import judge_orthogonal_invariant
from gflow.judges.finding import Verdict
from gflow.judges.margin_growth import judge_margin
from gflow.judges.noise_free import judge_closed_form, judge_continuum
from gflow.judges.partial_activation import judge_partial_activation
from gflow.judges.resting import judge_angle_and_norm, judge_stability
from gflow.judges.series import Comparison, verdict_of

QUESTION = """
[data]
dimension = 12
subclasses = 4
positive_subclasses = 2
noise = 0
samples = 8
test_samples = 0

[network]
width = 16
power = 3
init_scale = 1e-12

[flow]
end_time = 600
end_margin = 0.5
tolerance = 1e-8
precision = "float64"

[record]
linear = 80
"""


@pytest.fixture(scope="module")
def cubic():
    return evidence_of(QUESTION)


def test_a_cubic_flow_follows_the_closed_form_its_rate_and_the_tie_of_angle_and_norm(cubic):
    for judge in (judge_closed_form, judge_stability, judge_angle_and_norm):
        opinion = judge(cubic)
        assert opinion.verdict is Verdict.HOLDS, opinion


def test_laws_of_the_flow_say_nothing_of_steps(cubic):
    steps = as_if(cubic, "train", method="sgd")

    for judge in (judge_closed_form, judge_stability, judge_angle_and_norm):
        assert judge(steps).verdict is Verdict.OUTSIDE


def test_laws_of_equal_weights_say_nothing_of_others(cubic):
    noisy = replace(as_if(cubic, "data", imbalance=4.0), alpha=0.1)
    relu = as_if(noisy, "network", power=1.0)

    assert judge_angle_and_norm(noisy).verdict is Verdict.OUTSIDE
    assert "subclasses of equal weight" in judge_angle_and_norm(noisy).reason
    assert (
        "needs subclasses of equal weight, and here they differ 4 : 1"
        in judge_partial_activation(relu).reason
    )
    assert judge_stability(replace(relu, alpha=0.0)).verdict is Verdict.OUTSIDE


def test_neurons_without_a_part_along_e_are_not_judged_by_it():
    run = evidence_of(
        QUESTION, record__groups='["neurons", "centers", "orthogonal"]', flow__end_time=20
    )
    nothing = altered(run, orthogonal=lambda v: np.full_like(v, -np.inf))
    rounding = altered(run, orthogonal=lambda v: v - 40 + np.arange(len(v))[:, None, None])

    assert judge_orthogonal_invariant(run).verdict is Verdict.HOLDS
    assert judge_orthogonal_invariant(nothing).verdict is Verdict.UNDECIDED
    assert judge_orthogonal_invariant(rounding).verdict is Verdict.UNDECIDED


def test_a_trajectory_that_runs_late_fails(cubic):
    # One twentieth slower: coordinates lag by far more than 1e-4 while they turn, rates by 5 %.
    late = slowed(cubic, 1.05)

    assert judge_closed_form(late).verdict is Verdict.FAILS
    assert judge_stability(late).verdict is Verdict.FAILS


def test_norms_that_grow_too_fast_fail_the_tie(cubic):
    faster = altered(cubic, log_norm=lambda r: r[0] + 1.05 * (r - r[0]))

    assert judge_angle_and_norm(faster).verdict is Verdict.FAILS


def test_the_continuum_keeps_its_ratios_and_a_neuron_that_grows_alone_breaks_them():
    square = evidence_of(QUESTION, network__power=2)

    assert judge_continuum(square).verdict is Verdict.HOLDS
    alone = altered(square, log_norm=lambda r: r + 1e-4 * (np.arange(r.shape[1]) == 0) * (r > r[0]))
    broken = judge_continuum(alone)
    assert broken.verdict is not Verdict.HOLDS


@pytest.mark.parametrize(
    "judge", [judge_closed_form, judge_stability, judge_angle_and_norm, judge_partial_activation]
)
def test_a_flow_that_begins_large_is_outside(cubic, judge):
    # A check of no recorded time must not hold.
    large = altered(cubic, log_norm=lambda r: 0 * r, log_output=lambda r: 0 * r)

    assert judge(large).verdict is Verdict.OUTSIDE


@pytest.mark.slow
def test_a_large_start_is_judged_by_all_without_an_error():
    evidence = evidence_of(QUESTION, network__init_scale=0.5, flow__end_time=20, data__noise=0.1)

    assert len(check(evidence, None)) > 10


def test_a_miss_by_a_numpy_number_is_a_miss():
    assert verdict_of([Comparison("", np.False_, "")]) is Verdict.FAILS


@pytest.mark.slow
def test_the_limit_of_the_margin_is_judged_without_noise_only():
    # With noise the smallest margin is that of a sample, below that of its center.
    wide = {"data__dimension": 40, "network__width": 40}  # every subclass has its neuron
    late = {"flow__end_time": 8000, "flow__end_margin": 20}
    noisy = evidence_of(QUESTION, data__noise=0.1, data__samples=80, **wide, **late)

    opinion = judge_margin(noisy)

    assert opinion.verdict is Verdict.HOLDS and "normalized margin" not in opinion.measured
    shrinking = altered(noisy, squared_norm=lambda s: s ** np.linspace(1, 2, len(s)))
    assert judge_margin(shrinking).verdict is Verdict.FAILS


@pytest.mark.slow
def test_a_resting_angle_below_what_kinks_allow_is_undecided():
    # p = 1, α = .01, N = 20: the law is α/√N or a bit more, about 3e-3; five tolerances are 5e-3.
    coarse = evidence_of(
        QUESTION,
        data__noise=0.01, data__samples=80, data__dimension=240,
        network__power=1, network__init_scale=1e-40, network__width=24,
        flow__tolerance=1e-3, flow__precision="float32",
    )  # fmt: skip

    assert judge_partial_activation(coarse).verdict is Verdict.UNDECIDED
    wide = altered(coarse, chord=lambda chord: chord + 0.02)  # beyond what kinks explain
    assert judge_partial_activation(wide).verdict is Verdict.FAILS
