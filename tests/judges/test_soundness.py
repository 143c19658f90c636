"""Soundness: of the numerics alone; what is missed is named, and then nothing else is judged."""

from dataclasses import replace

import numpy as np
import pytest
from evidences import altered, as_if, evidence_of
from questions import SMALL

from gflow.flow.trajectory import Effort, Reason
from gflow.judges.catalogue import check, check_study
from gflow.judges.finding import Verdict
from gflow.judges.soundness import soundness_of


@pytest.fixture(scope="module", params=[1, 3])
def run(request):
    return evidence_of(SMALL, network__power=request.param)


def climbing(values):
    """The same loss, but a quarter larger again at the last record."""
    return np.where(np.arange(len(values)) == len(values) - 1, 1.25 * values[-2], values)


def test_an_ordinary_flow_is_sound(run):
    soundness = soundness_of(run)

    assert soundness.sound
    assert soundness.text.startswith("The numerics are sound: all numbers are finite")
    assert "the loss never rose" in soundness.text


def test_a_loss_that_climbs_is_not_sound_and_nothing_else_is_judged(run):
    soundness = soundness_of(altered(run, loss=climbing))
    findings = check(altered(run, loss=climbing), "all")

    assert not soundness.sound
    assert "the loss rose from" in soundness.text and "`flow.tolerance` = 0.0001" in soundness.text
    for finding in findings:
        number = finding.source.rsplit("P", 1)[-1]
        if number not in ("1", "2", "3"):
            assert finding.verdict is Verdict.UNDECIDED
            assert finding.opinion.reason == soundness.text


def test_rounding_of_a_loss_that_reached_zero_is_no_rise(run):
    # Outputs of a square loss err by 1e-7, so that their squares are noise of 1e-14.
    rng = np.random.default_rng(0)

    def at_zero(loss):
        return np.where(np.arange(len(loss)) < len(loss) - 3, loss, 1e-14 * rng.random(len(loss)))

    assert "the loss never rose" in soundness_of(altered(run, loss=at_zero)).text


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("loss", lambda v: np.where(np.arange(len(v)) > 2, np.nan, v)),
        ("accuracy", lambda v: v + 0.1),
        ("cosine", lambda v: 1.01 * v / np.nanmax(v)),
    ],
)
def test_numbers_out_of_range_are_not_sound(run, name, change):
    assert not soundness_of(altered(run, **{name: change})).sound


def test_energy_that_is_lost_is_not_sound_but_at_one_kinks_may_count_too_much(run):
    assert not soundness_of(altered(run, dissipated=lambda e: 0.9 * e)).sound

    surplus = soundness_of(altered(run, dissipated=lambda e: 1.1 * e))
    assert surplus.sound is (run.p == 1)
    assert ("Not decided: energy is off" in surplus.text) is (run.p == 1)


def test_a_step_that_was_forced_too_wrong_is_not_sound(run):
    def forced(worst):
        return soundness_of(replace(run, effort=Effort(steps=9, forced=2, worst_forced=worst)))

    # In tolerances of 1e-3: an error of a hundredth, and one of 0.2.
    assert forced(10.0).sound and "2 of 9 steps were forced" in forced(10.0).text
    assert not forced(200.0).sound and "`flow.min_step`" in forced(200.0).text


def test_adam_does_not_say_what_it_dissipates_and_is_sound():
    adam = evidence_of(SMALL, train__method="adam", train__batch=0, flow__end_time=2.0)

    assert np.isnan(adam.record["dissipated"].values).all()
    assert soundness_of(adam).sound


def test_descent_may_climb_but_not_leave_the_numbers(run):
    steps = as_if(altered(run, loss=climbing), "train", method="sgd")
    diverged = replace(steps, outcome=replace(steps.outcome, reason=Reason.DIVERGED))

    assert soundness_of(steps).sound
    assert "no longer numbers" in soundness_of(diverged).text
    assert not soundness_of(diverged).sound


def test_a_flow_that_was_interrupted_is_not_judged(run):
    stopped = replace(run, outcome=replace(run.outcome, reason=Reason.INTERRUPTED))

    assert check(stopped, "all") == ()
    assert check_study([stopped, stopped], ["escape-slopes", "sgd"]) == ()


def test_a_study_without_a_sound_run_is_undecided(run):
    (finding,) = check_study([altered(run, loss=climbing)], ["escape-slopes", "ei-law"])

    assert finding.id == "escape-slopes" and finding.verdict is Verdict.UNDECIDED
    assert "the loss rose" in finding.opinion.reason
