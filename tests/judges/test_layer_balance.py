"""The judge of balanced layers on small flows, and on records that are altered."""

import numpy as np
import pytest
from evidences import altered, as_if, evidence_of
from questions import SMALL

from gflow.judges.catalogue import check
from gflow.judges.finding import Verdict
from gflow.judges.layer_balance import judge_layer_balance

DEEP = (
    SMALL.replace("[network]\n", '[network]\nkind = "layers"\nhidden_layers = 2\n')
    .replace("power = 3", "power = 2")
    .replace("init_scale = 1e-6", "init_scale = 1.0")
    .replace("end_time = 200", "end_time = 200\ntolerance = 1e-5")
)


@pytest.fixture(scope="module")
def grown():
    return evidence_of(DEEP)


def test_layers_of_a_flow_stay_balanced(grown):
    opinion = judge_layer_balance(grown)

    assert opinion.verdict is Verdict.HOLDS
    assert opinion.reason == "Degrees q_l of the layers, from the first: 2, 1, 1."


def test_a_deep_run_is_judged_by_what_is_about_layers(grown):
    assert [finding.id for finding in check(grown, "all")] == ["layer-balance"]


def test_one_layer_that_gains_more_than_its_share_fails(grown):
    growing = np.ones((len(grown.times), 3))
    growing[:, 0] = np.linspace(1, 1.02, len(growing))
    wrong = altered(grown, layer_size=lambda size: size * growing)

    assert judge_layer_balance(wrong).verdict is Verdict.FAILS


def test_other_degrees_do_not_balance(grown):
    # With normalized inputs the first layer would have degree 1, and it has 2.
    other = as_if(grown, "network", input_normalized=True)

    assert judge_layer_balance(other).verdict is Verdict.FAILS


def test_layers_that_have_not_moved_show_nothing():
    early = evidence_of(DEEP, flow__end_time=1e-3)

    assert judge_layer_balance(early).verdict is Verdict.UNDECIDED


@pytest.mark.parametrize(
    ("override", "verdict"),
    [
        ({"network__skip": "true"}, Verdict.OUTSIDE),
        ({"network__skip": "true", "network__power": 1}, Verdict.HOLDS),
        ({"network__layer_norm": "true"}, Verdict.HOLDS),
        ({"train__method": "sgd", "train__batch": 0, "flow__end_time": 2}, Verdict.OUTSIDE),
    ],
)
def test_a_balance_needs_degrees_and_the_flow(override, verdict):
    assert judge_layer_balance(evidence_of(DEEP, **override)).verdict is verdict
