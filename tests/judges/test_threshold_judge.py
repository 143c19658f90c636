"""Verdicts on P41: the fits in place of the network, and networks that are something else."""

from dataclasses import replace

import numpy as np
import pytest
from evidences import altered, as_if, evidence_of

from gflow.judges.finding import Verdict
from gflow.judges.samples import training_samples
from gflow.judges.threshold import judge_threshold

SCENARIO = """
[data]
kind = "teacher"
dimension = 2
samples = 400
label_noise = 0.5
test_samples = 0
[network]
width = 4
power = 1
init_scale = 1e-5
[flow]
loss = "half_square"
end_time = 0.01
"""


class Lines:
    """f = σ(<a, x>) - σ(-<b, x>), as one neuron of each sign has it."""

    def __init__(self, a, b):
        self.a, self.b = a, b
        rows = np.stack([a, -b, a, -b])
        self.direction = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        self.sign = np.array([1, -1, 1, -1])

    def __call__(self, x):
        return np.maximum(x @ self.a, 0) - np.maximum(-(x @ self.b), 0)


@pytest.fixture(scope="module")
def start():
    evidence = evidence_of(SCENARIO)
    return altered(evidence, sign=lambda sign: np.broadcast_to([1, -1, 1, -1], sign.shape))


@pytest.fixture(scope="module")
def fitted(start):
    """Each side's own least squares, from sides of the fit of all samples, by normal equations."""
    train = training_samples(start)
    x, y = train.x, train.labels("sign")

    def fit(side):
        return np.linalg.solve(x[side].T @ x[side], x[side].T @ y[side])

    a = b = fit(np.ones(len(x), bool))
    for _ in range(20):
        a, b = fit(x @ a > 0), fit(x @ b < 0)
    return a, b


def test_a_network_that_is_the_two_fits_holds(start, fitted):
    opinion = judge_threshold(replace(start, network=Lines(*fitted)))

    assert opinion.verdict is Verdict.HOLDS


def test_a_gathered_network_that_rests_elsewhere_fails(start, fitted):
    a, b = fitted

    # The loss of outputs that are 20 % off rises by far more than 1 %.
    opinion = judge_threshold(replace(start, network=Lines(1.2 * a, b)))

    assert opinion.verdict is Verdict.FAILS


def test_neurons_in_several_cones_leave_it_undecided(start, fitted):
    network = Lines(1.2 * fitted[0], fitted[1])
    network.direction = network.direction * np.array([1, 1, -1, 1])[:, None]

    opinion = judge_threshold(replace(start, network=network))

    assert opinion.verdict is Verdict.UNDECIDED
    assert "in one activation cone" in opinion.reason


def test_a_loss_that_still_falls_and_few_samples_leave_it_undecided(start, fitted):
    lines = Lines(*fitted)
    falling = altered(start, loss=lambda loss: loss * np.linspace(2, 1, len(loss)))

    opinion = judge_threshold(replace(falling, network=lines))

    assert opinion.verdict is Verdict.UNDECIDED
    assert "over the second half of the time" in opinion.reason
    few = evidence_of(SCENARIO, data__samples=100)
    few = altered(few, sign=lambda sign: np.broadcast_to([1, -1, 1, -1], sign.shape))
    assert "n/D = 50" in judge_threshold(few).reason


@pytest.mark.parametrize(
    ("table", "values", "text"),
    [
        ("data", {"label_noise": 0.0}, "labels that are linear plus noise"),
        ("data", {"teacher": "network", "teacher_neurons": 2}, "labels that are linear plus noise"),
        ("network", {"power": 3.0}, "p = 1"),
        ("network", {"balanced": False}, "a balanced start"),
        ("network", {"init": "given"}, "neurons that are drawn at random"),
        ("flow", {"loss": "logistic"}, "a square loss"),
    ],
)
def test_other_questions_are_outside(start, table, values, text):
    opinion = judge_threshold(as_if(start, table, **values))

    assert opinion.verdict is Verdict.OUTSIDE and text in opinion.reason


def test_neurons_of_one_sign_are_outside(start):
    opinion = judge_threshold(altered(start, sign=np.ones_like))

    assert opinion.verdict is Verdict.OUTSIDE and "neurons of both signs" in opinion.reason
