"""What judges of studies and of radii ask for, and when a slope may refute a law."""

from dataclasses import replace

import numpy as np
import pytest
from evidences import altered, as_if, evidence_of, slowed
from questions import ESCAPING, SMALL

from gflow.data.centers import Centers
from gflow.judges.descent_law import batch_error, judge_descent
from gflow.judges.distance_scaling import judge_distance_scaling
from gflow.judges.escape_slopes import judge_escape_slopes
from gflow.judges.exponents import (
    judge_loss_independence,
    judge_phase_separation,
    judge_polynomial_escape,
)
from gflow.judges.finding import Verdict
from gflow.judges.radii_at_centers import judge_critical_radii, represented
from gflow.judges.robust_accuracy import (
    judge_bayes,
    judge_robust_accuracy,
    judge_robustness_over_scale,
)
from gflow.judges.slope import Slope, slope
from gflow.robustness.bracket import Robustness
from gflow.robustness.norm import Norm
from gflow.robustness.radius import Radii


@pytest.fixture(scope="module")
def escaping():
    """p = 3 over three ε."""
    return [evidence_of(ESCAPING, network__init_scale=eps) for eps in (1e-6, 1e-9, 1e-12)]


def oblique(run):
    """The same record, as if its centers had had other lengths."""
    lengths = np.linspace(0.5, 2, run.centers.K)[:, None]
    return replace(run, centers=Centers(lengths * run.centers.mu, run.centers.label, "given"))


def large(run):
    """The same record, as if it had begun with neurons of size 1."""
    return altered(
        run,
        log_norm=lambda r: r - r[0] * (np.arange(len(r)) == 0)[:, None],
        log_output=lambda r: r - r[0] * (np.arange(len(r)) == 0)[:, None],
    )


def unescaped(run):
    """The same record, as if outputs had stayed small."""
    return altered(run, center_output=lambda f: np.clip(f, -0.4, 0.4))


@pytest.mark.parametrize(
    ("line", "verdict"),
    [
        (Slope(1.01, 0.95, 1.07, 0.0, 4), True),
        (Slope(1.01, 0.50, 1.52, 0.0, 4), None),  # it lies within, but says nothing
        (Slope(1.3, 1.05, 1.55, 0.0, 4), None),
        (Slope(1.3, 1.25, 1.35, 0.0, 4), False),
    ],
)
def test_a_slope_refutes_a_law_with_its_whole_interval_only(line, verdict):
    assert line.verdict(1.0, 0.1) is verdict


def test_a_law_that_is_off_itself_is_refuted_beyond_that_only():
    line = Slope(1.3, 1.25, 1.35, 0.0, 4)

    assert line.verdict(1.0, 0.1, 0.1) is False
    assert line.verdict(1.0, 0.1, 0.2) is None
    # What lies where the law says is what the statement claims.
    assert Slope(1.0, 0.99, 1.01, 0.0, 4).verdict(1.0, 0.1, 0.2) is True
    assert Slope(1.0, 0.99, 1.01, 0.0, 4).verdict(1.0, 0.1, 0.25) is None


def test_two_points_decide_nothing():
    line = slope(np.array([0.0, 1.0]), np.array([0.0, 1.0]))

    assert line.verdict(1.0, 0.1) is None and line.verdict(9.0, 0.1) is None


@pytest.mark.parametrize("judge", [judge_escape_slopes, judge_phase_separation])
def test_laws_of_orthonormal_centers_and_vanishing_starts_are_outside_without(escaping, judge):
    other = judge([*escaping[:2], oblique(escaping[2])])
    begun = judge([*escaping[:2], large(escaping[2])])

    assert other.verdict is Verdict.OUTSIDE and "orthonormal centers" in other.reason
    assert begun.verdict is Verdict.OUTSIDE and "Σ m_j <= 0.01 at the start" in begun.reason
    plain = judge([as_if(run, "network", normalized=False) for run in escaping])
    assert plain.verdict is Verdict.OUTSIDE and "normalized activation" in plain.reason


def test_a_study_in_which_a_run_did_not_escape_is_undecided(escaping):
    opinion = judge_escape_slopes([*escaping[:2], unescaped(escaping[2])])
    plain = [as_if(run, "network", normalized=False) for run in escaping]
    polynomial = judge_polynomial_escape([*plain[:2], unescaped(plain[2])])

    for one in (opinion, polynomial):
        assert one.verdict is Verdict.UNDECIDED
        assert "the flow ended before any output escaped" in one.reason


def test_escape_slopes_with_noise_are_held_to_what_samples_resolve(escaping):
    # pτ/√N with τ = 0.3/√20 and N = 2 is 14 %; four of it cover a slope that is 5 % off.
    noisy = [as_if(slowed(run, 1.05), "data", noise=0.3) for run in escaping]

    assert judge_escape_slopes([slowed(run, 1.05) for run in escaping]).verdict is Verdict.FAILS
    assert judge_escape_slopes(noisy).verdict is Verdict.UNDECIDED


def test_slopes_that_come_closer_as_the_scale_falls_refute_nothing(escaping):
    # Times of one flow over ε; off the power 2 by less and less, or always by as much.
    def study(powers):
        scales = (1e-1, 1e-2, 1e-3, 1e-4)
        steps = np.cumsum([0.0, *powers])
        runs = [slowed(escaping[0], 10.0**step) for step in steps]
        pairs = zip(scales, runs, strict=True)
        return [as_if(run, "network", normalized=False, init_scale=eps) for eps, run in pairs]

    assert judge_polynomial_escape(study([2.21, 2.2, 2.19])).verdict is Verdict.FAILS
    closer = judge_polynomial_escape(study([2.22, 2.2, 2.1]))
    assert closer.verdict is Verdict.UNDECIDED


def test_spreads_below_rounding_are_no_slope(escaping):
    # The same directions under two losses: what is left is rounding.
    other = [as_if(run, "flow", loss="half_square") for run in escaping]

    opinion = judge_loss_independence([*escaping, *other])

    assert opinion.verdict is Verdict.UNDECIDED and "only 0 of 3 points" in opinion.measured


def test_distances_of_networks_that_the_law_is_not_about_are_outside(escaping):
    def study(**change):
        runs = [replace(as_if(escaping[0], "data", noise=a), alpha=a) for a in (0.05, 0.1, 0.2)]
        return [as_if(run, **change) if change else run for run in runs]

    steps = judge_distance_scaling(study(table="train", method="sgd"))
    plain = judge_distance_scaling(study(table="network", normalized=False))

    assert steps.verdict is Verdict.OUTSIDE and "the flow, not descent in steps" in steps.reason
    assert plain.verdict is Verdict.OUTSIDE and "normalized activation" in plain.reason
    far = [altered(run, center_output=lambda f: 100 * f) for run in study()]
    spread = judge_distance_scaling(far)  # p z τ > 1/2
    assert spread.verdict is Verdict.OUTSIDE and "p z τ <= 0.5" in spread.reason


def test_a_center_without_neurons_puts_its_radius_outside(escaping):
    run = escaping[0]
    assert represented(run).met

    gone = (run.target == 0) & (run.record["sign"].values[-1] > 0)
    lonely = altered(run, log_norm=lambda r: np.where(gone, r - 50, r))

    opinion = judge_critical_radii(lonely)

    assert opinion.verdict is Verdict.OUTSIDE
    assert "neurons at every center, and here there is none for μ_1" in opinion.reason


def test_robust_accuracies_are_judged_at_sizes_of_their_law_only():
    run = evidence_of(SMALL, data__noise=0.3, data__dimension=10, flow__end_time=1)
    opinion = judge_robust_accuracy(run)

    (size,) = (one for one in opinion.hypotheses if one.text == "τ√K <= 0.15")
    assert size.met is None and "beyond the sizes for which 0.03 was made" in size.measured
    assert judge_bayes(oblique(run)).verdict is Verdict.OUTSIDE
    alone = replace(run, centers=Centers(run.centers.mu, np.ones(3, int), "given"))
    assert "two classes" in judge_bayes(alone).reason


def test_robustness_over_scale_asks_for_radii_of_fitted_flows(escaping):
    unmeasured = judge_robustness_over_scale(escaping)
    one = np.ones(4)
    bracket = Robustness(one, {Norm.L2: Radii(one, one, 4)})
    measured = [replace(run, robustness=bracket) for run in escaping]

    assert unmeasured.verdict is Verdict.OUTSIDE and "radii in l2" in unmeasured.reason
    early = judge_robustness_over_scale([*measured[:2], unescaped(measured[2])])
    assert early.verdict is Verdict.UNDECIDED
    assert "the flow ended before every output escaped" in early.reason
    other = judge_robustness_over_scale([*measured[:2], oblique(measured[2])])
    assert other.verdict is Verdict.OUTSIDE and "orthonormal centers" in other.reason


def test_batches_move_times_at_random():
    # x = ηλκπ = 1e-3 · 1/3, K/b = 1/10, L = log(1/ε) and what neurons add: 4 √(x K/(b L)).
    run = evidence_of(SMALL, flow__end_time=1)
    few, all_of_them = (as_if(run, "train", step_size=1e-3, batch=b) for b in (30, None))
    L = -np.logaddexp.reduce(run.log_mass[0]) / 2

    assert batch_error(few) == pytest.approx(4 * np.sqrt(1e-3 / 3 * 3 / 30 / L))
    assert batch_error(all_of_them) == 0.0


def test_descent_of_other_networks_is_outside(escaping):
    plain = as_if(escaping[0], "network", normalized=False)

    for run in (plain, oblique(escaping[0])):
        assert judge_descent([run, as_if(run, "train", method="sgd")]).verdict is Verdict.OUTSIDE
