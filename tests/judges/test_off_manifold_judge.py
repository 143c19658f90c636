"""The judge of errors off the samples' span: it holds on real flows and fails on altered ones."""

from dataclasses import replace

import numpy as np
import pytest
from evidences import altered, as_if, evidence_of
from scipy.linalg import null_space

from gflow.flow.trajectory import Reason
from gflow.judges.finding import Verdict
from gflow.judges.off_manifold import departures, judge_off_manifold, slope_error
from gflow.judges.slope import slope

PAIR = """
[data]
dimension = 12
subclasses = 2
positive_subclasses = 1
noise = 0.0
samples = 4
test_samples = 0

[network]
width = 6
power = 3
init_scale = 1e-6

[flow]
loss = "half_square"
end_time = 400
end_loss = 1e-4
precision = "float64"

[record]
groups = ["neurons", "centers", "directions"]
"""


def over_scales(*scales, **overrides):
    return [
        evidence_of(PAIR, network__init_scale=eps, **overrides)
        for eps in scales or (1e-6, 1e-10, 1e-14)
    ]


@pytest.fixture(scope="module", params=[2, 3], ids=["void", "grown"])
def cubic(request):
    """p = 3 from a start with void neurons in both classes, and from one with none."""
    return over_scales(seed=request.param)


def test_errors_are_as_far_as_the_law_says(cubic):
    opinion = judge_off_manifold(cubic)

    assert opinion.verdict is Verdict.HOLDS, opinion
    law = "-3" if cubic[0].scenario.seed == 3 else "-0.6667"
    assert opinion.measured.count(f"(law {law})") == 2


def less_growth(log_norm):
    return log_norm[:1] + 0.8 * (log_norm - log_norm[:1])


def all_awake(cosine):
    cosine = cosine.copy()
    cosine[0] = np.abs(cosine[0])
    return cosine


def test_neurons_that_grew_less_or_did_not_start_void_fail(cubic):
    void = cubic[0].scenario.seed == 2
    wrong = [altered(run, **({"cosine": all_awake} if void else {"log_norm": less_growth}))
             for run in cubic]  # fmt: skip

    opinion = judge_off_manifold(wrong)

    assert opinion.verdict is Verdict.FAILS, opinion


@pytest.mark.slow
def test_no_flow_that_was_cut_short_fails():
    runs = [altered(run, log_norm=less_growth) for run in over_scales(seed=3)]
    cut = [replace(run, outcome=replace(run.outcome, reason=Reason.MAX_STEPS)) for run in runs]

    opinion = judge_off_manifold(cut)

    assert opinion.verdict is Verdict.UNDECIDED and "MAX_STEPS" in opinion.reason


def test_neurons_that_have_not_turned_are_undecided(cubic):
    def late(cosine):
        cosine = cosine.copy()
        cosine[0] = np.where(cosine[0] > 0, 1e-3, cosine[0])
        return cosine

    opinion = judge_off_manifold([cubic[0], *(altered(run, cosine=late) for run in cubic[1:])])

    assert opinion.verdict is Verdict.UNDECIDED and "1 of 3 points" in opinion.measured


@pytest.mark.slow
def test_relu_holds_with_noise_and_higher_powers_are_not_judged_with_it():
    noisy = {"data__noise": 0.1, "seed": 3}
    relu, cubic = (over_scales(1e-5, 1e-8, 1e-11, network__power=p, **noisy) for p in (1, 3))

    opinion = judge_off_manifold(relu)

    assert opinion.verdict is Verdict.HOLDS and opinion.measured.count("(law -1)") == 2, opinion
    outside = judge_off_manifold(cubic)
    assert outside.verdict is Verdict.OUTSIDE and "α = 0 for p > √2" in outside.reason


def test_missing_directions_and_empty_cells_are_outside(cubic):
    gone = [replace(run, record=run.record.drop_vars("direction")) for run in cubic]
    asleep = [altered(run, cosine=lambda c: -np.abs(c)) for run in cubic]

    for runs, why in ((gone, "directions"), (asleep, "cell"), (cubic[:2], "three values")):
        opinion = judge_off_manifold(runs)
        assert opinion.verdict is Verdict.OUTSIDE and why in opinion.reason, opinion


def test_between_the_square_root_of_two_and_two_who_lags_must_be_known(cubic):
    # One subclass per class, so that a neuron that is not void is awake to all of it.
    runs = [as_if(run, "network", power=1.5) for run in cubic]
    lasting = [as_if(run, "flow", loss="exponential") for run in runs]

    opinion = judge_off_manifold(lasting)

    grown = cubic[0].scenario.seed == 3
    assert ("√2 < p < 2" in opinion.reason) == grown, opinion
    assert (opinion.verdict is Verdict.OUTSIDE) == grown
    assert judge_off_manifold(runs).verdict is not Verdict.OUTSIDE


@pytest.mark.slow
def test_a_space_with_too_few_dimensions_is_outside():
    opinion = judge_off_manifold(over_scales(data__dimension=7, seed=3))

    assert opinion.verdict is Verdict.OUTSIDE
    assert "no sample has a part in >= `network.width` = 6, and here" in opinion.reason, opinion


def test_outputs_are_those_of_the_network():
    # From a start so large that directions at the end still know their part off the span.
    run = evidence_of(PAIR, network__init_scale=0.1, flow__tolerance=1e-9, seed=3)
    basis = null_space(run.centers.mu)
    d = basis @ np.random.default_rng(0).standard_normal(basis.shape[1])

    for mu, s, one in zip(run.centers.mu, run.centers.label, departures(run), strict=True):
        # Ways are coordinates in a basis of the complement, of which lengths and angles count.
        angles = run.record["direction"].values[0] @ basis
        angles /= np.linalg.norm(angles, axis=1, keepdims=True)
        np.testing.assert_allclose(one.way @ one.way.T, angles @ angles.T, atol=1e-6)
        seen = one.at + np.exp(one.log_slope) * (angles @ basis.T @ d)
        output = float(np.asarray(run.network((mu + d)[None]))[0])
        assert np.maximum(seen, 0) ** 3 @ one.side == pytest.approx(s * output, rel=1e-5)


def test_a_slope_changes_by_no_more_than_a_bracket_leaves():
    rng = np.random.default_rng(0)
    x, half = np.array([-30.0, -20.0, -10.0, -1.0]), np.array([1.0, 0.2, 0.5, 0.7])

    change = [slope(x, x + half * rng.uniform(-1, 1, 4)).value - 1 for _ in range(2000)]
    most = slope(x, x + half * np.sign(x - x.mean())).value - 1

    assert np.abs(change).max() <= most == pytest.approx(slope_error(x, half), rel=1e-12)
