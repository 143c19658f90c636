"""The judge of small layers on small flows, and on records that are altered."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from evidences import altered, as_if, evidence_of, slowed

from gflow.flow.trajectory import Reason
from gflow.judges.bottleneck import bottlenecks, judge_bottleneck, small_layers
from gflow.judges.catalogue import check_study
from gflow.judges.finding import Verdict
from gflow.laws.hypothesis import number

DEEP = """
[data]
dimension = 6
subclasses = 2
positive_subclasses = 1
noise = 0.1
samples = 12
test_samples = 0

[network]
kind = "layers"
width = 12
power = 2
init_scale = 1.0
hidden_layers = 2

[flow]
loss = "logistic"
end_time = 1e9
end_loss = 0.6
tolerance = 1e-5

[record]
linear = 4
geometric = 4
times = [10, 20, 30, 40, 50]
"""

# Layers of degrees 2, 1, 1, so that Σ q_l = 1, 2, 3 and 4.
SMALL = {"[1, {e}, 1]": 0, "[{e}, 1, 1]": None, "[{e}, 1, {e}]": 1}
SCALES = (0.01, 0.003, 0.001, 0.0003)


@cache
def run(scales, eps):
    if scales == "all":
        return evidence_of(DEEP, network__init_scale=eps)
    return evidence_of(DEEP, network__layer_scales=scales.format(e=eps))


def runs(scales="[{e}, 1, {e}]"):
    return [run(scales, eps) for eps in SCALES]


def late(scales):
    """The same flows as if T went with half a layer more, or, of a line, left it at the end."""
    factors = [1, 1, 1, 1.3] if scales == "[{e}, 1, 1]" else [eps**-0.5 for eps in SCALES]
    return [slowed(*pair) for pair in zip(runs(scales), factors, strict=True)]


@pytest.mark.parametrize("scales", [*SMALL, "all"])
def test_small_layers_decide_when_a_network_escapes(scales):
    opinion = judge_bottleneck(runs(scales))

    assert opinion.verdict is Verdict.HOLDS


def test_each_set_of_small_layers_is_a_part_of_its_own():
    study = [one for scales in SMALL for one in runs(scales)]

    parts = bottlenecks(study)

    assert [(one.which, one.degree, len(one.runs)) for one in parts] == [
        ((2,), 1, 4), ((1,), 2, 4), ((1, 3), 3, 4)
    ]  # fmt: skip
    assert all((np.diff(one.log_inverse) > 0).all() for one in parts)
    (finding,) = check_study(study, ["bottleneck"])
    assert finding.verdict is Verdict.HOLDS


def test_scales_of_all_layers_and_of_some_are_read_alike():
    one, all_of_them = run("[{e}, 1, {e}]", 0.01), run("all", 0.01)

    assert small_layers(one)[:3] == ((1, 3), 0.01, True)
    assert small_layers(all_of_them)[:3] == ((1, 2, 3), 0.01, True)


@pytest.mark.parametrize("scales", [*SMALL, "all"])
def test_another_power_of_the_scale_fails(scales):
    assert judge_bottleneck(late(scales)).verdict is Verdict.FAILS


def test_a_line_in_the_logarithm_that_bends_is_not_refuted_while_the_rate_changes():
    *others, smallest = late("[{e}, 1, 1]")
    # Layers that grow ever more slowly leave ever later.
    slower = np.log(2 + smallest.times)[:, None] * np.ones(3)

    opinion = judge_bottleneck([*others, altered(smallest, layer_size=lambda _: slower)])

    assert opinion.verdict is Verdict.UNDECIDED


def test_a_loss_that_rests_on_its_way_is_not_held_against_the_exponent():
    # From half of the time on it is at most .95 L(0), and stays there until it escapes.
    def resting(one):
        L0, from_half = one.record["loss"].values[0], one.times >= 0.5 * one.times[-1]
        one = altered(one, loss=lambda L: np.where(from_half, np.minimum(L, 0.95 * L0), L))
        first = np.where(np.arange(len(one.times)) == from_half.argmax(), 0.5, 1)
        return replace(one, record=one.record.assign_coords(time=one.times * first))

    wrong = [resting(one) for one in late("[{e}, 1, {e}]")]

    assert judge_bottleneck(wrong).verdict is Verdict.UNDECIDED


@pytest.mark.parametrize("scales", [*SMALL, "all"])
@pytest.mark.parametrize("reason", [Reason.END_TIME, Reason.MAX_STEPS])
def test_a_flow_that_has_not_escaped_decides_nothing(scales, reason):
    # Even beside runs that refute the law.
    *others, last = late(scales)
    first = last.record.isel(time=slice(1))
    early = replace(last, record=first, outcome=replace(last.outcome, reason=reason))

    opinion = judge_bottleneck([*others, early])

    assert opinion.verdict is Verdict.UNDECIDED
    assert f"at ε = 0.0003 it had not escaped at t = {number(last.outcome.t)}" in opinion.measured
    assert f"(`{reason.name}`)" in opinion.measured


def test_a_budget_of_steps_is_named():
    evidences = [*runs("all")[:3], evidence_of(DEEP, network__init_scale=3e-4, flow__max_steps=2)]
    evidences[-1] = as_if(evidences[-1], "flow", max_steps=20000)

    assert "(`MAX_STEPS`)" in judge_bottleneck(evidences).measured


def test_scales_that_are_not_small_are_left_out():
    wide = slowed(run("all", 0.3), 1e-9)

    assert judge_bottleneck([wide, *runs("all")]).verdict is Verdict.HOLDS


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"bias": True}, "outputs without a bias"),
        ({"skip": True}, "outputs of degree 1 or more in every small layer, and here it is none"),
        ({"layer_norm": True}, "degree 1 or more in every small layer, and here it is 0, 1"),
        ({"init_scale": 0.1}, "layers that stand still at a scale of at least 0.3, and here"),
        ({"layer_scales": (0.01, 1.0, 0.005)}, "small layers of one scale"),
    ],
)
def test_what_the_law_assumes_is_looked_up(values, words):
    evidences = runs()
    evidences[0] = as_if(evidences[0], "network", **values)

    opinion = judge_bottleneck([*evidences, *runs()])

    assert opinion.verdict is Verdict.OUTSIDE
    assert words in opinion.reason


def test_steps_and_single_scales_are_outside():
    stepped = [as_if(one, "train", method="sgd") for one in runs()]

    assert "the flow" in judge_bottleneck(stepped).reason
    few = judge_bottleneck(runs()[:2])
    assert few.verdict is Verdict.OUTSIDE
    assert few.reason == ("It needs 3 scales of small layers, at most 0.03, and here there are 2.")
