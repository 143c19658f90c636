"""Judges of studies and of the late phase: they hold on real flows and fail on altered ones."""

from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest
from evidences import altered, as_if, evidence_of, slowed
from questions import ESCAPING
from systems import Quartic

from gflow.data.centers import Centers
from gflow.flow.losses import LOSSES
from gflow.judges.conservation import judge_charts
from gflow.judges.distance_scaling import judge_distance_scaling
from gflow.judges.escape_slopes import escape_law, judge_escape_slopes
from gflow.judges.exponents import (
    judge_loss_independence,
    judge_phase_separation,
    judge_polynomial_escape,
)
from gflow.judges.finding import Verdict
from gflow.judges.fitting import judge_ei_law
from gflow.judges.fitting_line import followed, potential_line
from gflow.judges.late_outputs import judge_late_gap, judge_late_rates
from gflow.judges.margin_growth import judge_margin
from gflow.judges.radii_at_centers import judge_critical_radii, judge_radius_over_K
from gflow.judges.selection import judge_selection
from gflow.judges.series import series
from gflow.judges.slope import slope
from gflow.judges.unbalanced_times import judge_unbalanced_times
from gflow.measure.phases import escape_times
from gflow.network.prelu import Network
from gflow.network.reference import average_classifier, subclass_target


@pytest.fixture(scope="module")
def escaping():
    """p = 3 and p = 1 over three ε, small enough for all neurons to align."""
    return [
        evidence_of(ESCAPING, network__power=p, network__init_scale=eps)
        for p in (3, 1)
        for eps in (1e-6, 1e-9, 1e-12)
    ]


@pytest.fixture(scope="module")
def late():
    return evidence_of(ESCAPING, flow__end_margin=30)


def test_escape_times_have_the_slopes_of_theory_and_slower_ones_do_not(escaping):
    assert judge_escape_slopes(escaping).verdict is Verdict.HOLDS
    later = [slowed(run, 1.05) for run in escaping]
    assert judge_escape_slopes(later).verdict is Verdict.FAILS
    assert judge_escape_slopes(escaping[:2]).verdict is Verdict.OUTSIDE


def test_no_law_is_guessed_for_a_loss_without_one(late, monkeypatch):
    monkeypatch.setitem(LOSSES, "quartic", Quartic())
    toy = as_if(late, "flow", loss="quartic")

    opinion = judge_ei_law(toy)
    assert opinion.verdict is Verdict.OUTSIDE
    assert "needs a loss whose potential has a closed form" in opinion.reason
    assert all(potential_line(toy, group) is None for group in followed(toy))
    assert judge_late_rates(toy).verdict is judge_margin(toy).verdict is Verdict.OUTSIDE


def test_the_larger_class_must_escape_first_at_one(escaping):
    relu = escaping[3:]
    backward = [altered(run, center_output=lambda f: f[:, ::-1]) for run in relu]

    assert "larger class first" in judge_escape_slopes(relu).measured
    assert "not always the larger class" in judge_escape_slopes(backward).measured


def test_a_class_that_has_not_escaped_yet_comes_later(escaping):
    relu = escaping[3:]
    small = relu[-1].centers.label < 0
    cut = altered(relu[-1], center_output=lambda f: np.where(small, 0.0, f))

    assert "larger class first" in judge_escape_slopes([*relu[:-1], cut]).measured
    large = altered(relu[-1], center_output=lambda f: np.where(small, f, 0.0))
    assert "not always the larger class" in judge_escape_slopes([*relu[:-1], large]).measured


def test_classes_of_unequal_weights_escape_at_the_mean_of_their_slopes(escaping):
    # Weights .4 and .1 in turn, in a class of three: mean of 1/π is 5, 1 over the mean 3.33.
    runs = [replace(run, pi=np.array([0.4, 0.1, 0.4, 0.1, 0.4])) for run in escaping[:3]]

    law = escape_law(series(runs, "network.init_scale")[0])[0].slope

    assert law == pytest.approx((1 / 0.4 + 1 / 0.1 + 1 / 0.4) / 3)  # κ = λ = 1


def test_a_class_of_unequal_weights_escapes_as_one_below_power_2():
    # Weights in the ratios 3 : √3 : 1; a neuron awake to all of a class grows at κ‖π‖₂ at p = 1.
    runs = [
        evidence_of(
            ESCAPING, data__imbalance=3.0, data__samples=60, network__power=1,
            network__init_scale=scale,
        )
        for scale in (1e-12, 1e-18, 1e-24)
    ]  # fmt: skip
    pi, label = runs[0].pi, runs[0].centers.label

    laws = escape_law(series(runs, "network.init_scale")[0])

    assert [law.slope for law in laws] == pytest.approx(
        [1 / np.linalg.norm(pi[label == s]) for s in (1, -1)], rel=1e-12
    )
    assert judge_escape_slopes(runs).verdict is Verdict.HOLDS
    assert judge_escape_slopes([slowed(run, 1.05) for run in runs]).verdict is Verdict.FAILS


def test_at_power_2_the_heaviest_subclass_draws_all_neurons_of_its_class():
    # With u_k' = 2 (π_k - Φ) u_k and m' = 2 Φ m, Φ → π_max, m u_k² grows at 4 π_k - 2 π_max, so
    # that none but the heaviest escapes at the rate 2 π_k of the law.
    runs = [
        evidence_of(
            ESCAPING, data__imbalance=2.0, network__power=2, network__init_scale=scale,
            flow__end_time=150,
        )
        for scale in (1e-12, 1e-14, 1e-16)
    ]  # fmt: skip

    opinion = judge_escape_slopes(runs)

    assert opinion.verdict is Verdict.OUTSIDE and "p = 2" in opinion.reason
    heavy = int(runs[0].pi.argmax())
    times = [
        escape_times(run.times, np.abs(run.record["center_output"].values), run.loss.slowing)
        for run in runs
    ]
    first = slope(-np.log([1e-12, 1e-14, 1e-16]), np.array(times)[:, heavy]).value
    assert first == pytest.approx(1 / runs[0].pi[heavy], rel=0.02)  # κ = λ = 1


def test_escape_slopes_need_a_neuron_in_every_cell(escaping):
    empty = [
        altered(run, cosine=lambda c: np.where(np.arange(c.shape[-1]) == 0, -np.abs(c), c))
        for run in escaping[:3]
    ]

    opinion = judge_escape_slopes(empty)

    assert opinion.verdict is Verdict.OUTSIDE and "cell" in opinion.reason


def test_studies_of_steps_and_of_no_normalization_are_outside(escaping):
    steps = [as_if(run, "train", method="sgd") for run in escaping]
    plain = [as_if(run, "network", normalized=False) for run in escaping]

    for judge in (judge_escape_slopes, judge_selection):
        assert judge(steps).verdict is Verdict.OUTSIDE
        assert judge(plain).verdict is Verdict.OUTSIDE
    assert judge_ei_law(steps[0]).verdict is Verdict.OUTSIDE
    assert judge_ei_law(plain[0]).verdict is Verdict.OUTSIDE


def test_two_values_of_K_are_no_slope(escaping):
    two, K4 = escaping[2], evidence_of(ESCAPING, data__subclasses=4, data__positive_subclasses=2,
                                       data__samples=8, network__init_scale=1e-12)  # fmt: skip
    relu = escaping[5]
    six = as_if(relu, "data", subclasses=6)
    opinion = judge_radius_over_K([two, K4, relu, six])

    assert opinion.verdict is not Verdict.HOLDS and opinion.verdict is not Verdict.FAILS


def test_equal_classes_have_no_gap_to_speak_of(late):
    even = Centers(late.centers.mu[:4], np.array([1, 1, -1, -1]), "given")
    opinion = judge_late_gap(replace(as_if(late, "network", power=1.0), centers=even))

    assert opinion.verdict is Verdict.OUTSIDE
    assert any(h.text == "classes of unequal size" and not h.met for h in opinion.hypotheses)


def test_unbalanced_times_are_those_from_nothing():
    pair = dict(data__subclasses=2, data__positive_subclasses=1, data__samples=4, flow__end_time=5)
    run = evidence_of(ESCAPING, **pair, network__balanced="false", flow__chart='"lightcone"')

    opinion = judge_unbalanced_times([run])

    assert opinion.verdict is Verdict.OUTSIDE and "unbalanced: |v| <= 0.001‖w‖" in opinion.reason


def test_powers_select_centers_or_averages(escaping):
    assert judge_selection(escaping).verdict is Verdict.HOLDS
    tilted = [altered(run, cosine=lambda c: 0.95 * c) for run in escaping]  # 18° off everything
    assert judge_selection(tilted).verdict is Verdict.FAILS
    assert judge_selection(escaping[:3]).verdict is Verdict.OUTSIDE


def test_the_field_of_the_network_is_quadratic_in_the_scale(escaping):
    # The last common recorded time is that of the largest ε, so f is far from the rounding of g.
    prelu = escaping[:3]

    assert judge_phase_separation(prelu).verdict is Verdict.HOLDS
    first = float(prelu[0].scenario.network.init_scale)
    linear = [
        altered(run, center_output=lambda f, e=run.scenario.network.init_scale: f * first / e)
        for run in prelu
    ]
    assert judge_phase_separation(linear).verdict is Verdict.FAILS


def test_without_normalization_escape_takes_a_power_of_the_scale(escaping):
    # Times of one flow, stretched by ε^{-(p-1)} or by another power.
    def study(power):
        scaled = [(eps, slowed(escaping[0], eps**-power)) for eps in (1e-1, 1e-2, 1e-3)]
        return [as_if(run, "network", normalized=False, init_scale=eps) for eps, run in scaled]

    assert judge_polynomial_escape(study(2.0)).verdict is Verdict.HOLDS
    assert judge_polynomial_escape(study(2.2)).verdict is Verdict.FAILS


def test_distances_grow_like_the_tilt_of_the_neurons(late):
    # Networks whose neurons lean by as much as the noise, or by its square.
    target = subclass_target(late.centers, 3.0)
    sign = jnp.asarray(late.centers.label, float)

    def study(exponent):
        rng = np.random.default_rng(0)
        lean = rng.standard_normal(target.centers.mu.shape)
        runs = []
        for alpha in (0.05, 0.1, 0.2):
            u = target.centers.mu + 0.3 * alpha**exponent * lean / np.sqrt(lean.shape[1])
            u /= np.linalg.norm(u, axis=1, keepdims=True)
            f = Network(jnp.asarray(u), jnp.zeros(len(u)), sign, 3.0)
            run = replace(as_if(late, "data", noise=alpha), network=f, alpha=alpha)
            runs.append(altered(run, center_output=np.sign))
        return runs

    assert judge_distance_scaling(study(1)).verdict is Verdict.HOLDS
    assert judge_distance_scaling(study(2)).verdict is Verdict.FAILS


def test_outputs_loss_and_margin_follow_their_laws_late(late):
    for judge in (judge_ei_law, judge_late_rates, judge_margin):
        assert judge(late).verdict is Verdict.HOLDS, judge(late)


def test_late_laws_fail_where_one_part_is_off(late):
    assert judge_ei_law(slowed(late, 1.02)).verdict is Verdict.FAILS
    heavy = altered(late, squared_norm=lambda s: 1.1 * s)
    assert judge_late_rates(heavy).verdict is Verdict.FAILS
    assert judge_margin(heavy).verdict is Verdict.FAILS


def stronger(evidence, factor):
    """The same record, as if the negative class had ended this many times larger."""
    f = evidence.network
    log_mass = f.log_mass + jnp.where(f.sign < 0, jnp.log(factor), 0.0)
    return replace(evidence, network=Network(f.direction, log_mass, f.sign, f.p))


def test_centers_fall_where_the_outputs_say(escaping, late):
    for run in (late, escaping[2], escaping[5]):
        assert judge_critical_radii(run).verdict is Verdict.HOLDS, judge_critical_radii(run)
        assert judge_critical_radii(stronger(run, 1.5)).verdict is Verdict.FAILS
    assert "ideal" in judge_critical_radii(late).measured
    assert "Too early" in judge_critical_radii(escaping[2]).reason
    tilted = altered(escaping[2], cosine=lambda c: 0.95 * c)
    assert judge_critical_radii(tilted).verdict is Verdict.OUTSIDE


@pytest.mark.slow
def test_the_radius_of_p_3_does_not_depend_on_K():
    study = [
        evidence_of(
            ESCAPING,
            data__subclasses=K, data__positive_subclasses=K // 2, data__samples=2 * K,
            flow__end_margin=30,
        )
        for K in (2, 4, 6)
    ]  # fmt: skip

    assert judge_radius_over_K(study).verdict is Verdict.HOLDS
    weaker = [replace(run, network=average_classifier(run.centers)) for run in study]  # 1/√K
    assert judge_radius_over_K(weaker).verdict is Verdict.FAILS
    assert judge_radius_over_K(study[:2]).verdict is Verdict.OUTSIDE


@pytest.mark.slow
def test_losses_turn_neurons_alike_up_to_the_square_of_the_scale():
    early = [
        evidence_of(
            ESCAPING,
            network__init_scale=eps, network__init="sphere", flow__loss=loss,
            flow__end_time=40, flow__tolerance=1e-9, record__linear=40, record__geometric=2,
        )
        for eps in (1e-2, 3e-3, 1e-3)
        for loss in ("exponential", "logistic")
    ]  # fmt: skip

    assert judge_loss_independence(early).verdict is Verdict.HOLDS
    one_loss = [run for run in early if run.scenario.flow.loss == "logistic"]
    assert judge_loss_independence(one_loss).verdict is Verdict.OUTSIDE


@pytest.mark.slow
def test_relu_classes_keep_the_gap_of_two_laws():
    small = {"data__noise": 0.01, "data__dimension": 100, "data__samples": 500}
    run = evidence_of(
        ESCAPING,
        **small,
        network__power=1,
        flow__end_margin=30,
        flow__end_time=16000,
        flow__tolerance=1e-4,
    )
    plus = run.centers.label > 0

    assert judge_late_gap(run).verdict is Verdict.HOLDS, judge_late_gap(run)
    wider = altered(run, center_output=lambda f: np.where(plus, 1.01 * f, f))
    assert judge_late_gap(wider).verdict is Verdict.FAILS


@pytest.mark.slow
def test_charts_agree_at_one_time_and_are_not_compared_at_two():
    polar, cartesian = (
        evidence_of(ESCAPING, flow__chart=chart, flow__end_margin=50, flow__end_time=150)
        for chart in ("polar", "cartesian")
    )

    assert judge_charts([polar, cartesian]).verdict is Verdict.HOLDS
    assert judge_charts([slowed(polar, 1.01), cartesian]).verdict is Verdict.UNDECIDED
    other = replace(cartesian, network=cartesian.network.scaled(0.01))
    assert judge_charts([polar, other]).verdict is Verdict.FAILS
