"""Label noise: a share of the training labels is flipped, and no law of clean labels is judged."""

import numpy as np
import pytest
from questions import SMALL

import gflow
from gflow.errors import DataError, ScenarioError
from gflow.judges.catalogue import check_study
from gflow.judges.finding import Verdict
from gflow.runs.problem import prepare

ANY_FLOW = {"balancedness", "orthogonal-invariant", "energy-balance"}
"""Predictions about any gradient flow."""


def scenario(*overrides):
    return gflow.parse_scenario(SMALL, overrides=overrides)


def labels(problem):
    return np.asarray(problem.samples.y).reshape(-1)[: problem.samples.n]


@pytest.mark.parametrize("share", [0.02, 0.25, 0.5])
def test_the_share_is_flipped_and_the_inputs_stay(share):
    clean, noisy = prepare(scenario()), prepare(scenario(f"data.flip={share}"))

    assert (labels(clean) != labels(noisy)).sum() == round(share * 60)
    assert np.array_equal(clean.train.x, noisy.train.x)
    assert noisy.centers.strays == round(share * 60)
    assert np.array_equal(clean.test.labels("sign"), noisy.test.labels("sign"))


def test_flips_are_of_random_samples_and_follow_the_seed():
    def flips(seed):
        noisy = scenario("data.flip=0.3", f"seed={seed}")
        return prepare(noisy).train.flipped

    assert np.array_equal(flips(1), flips(1)) and not np.array_equal(flips(1), flips(2))
    # Hypergeometric: of 20 samples of each subclass 6 are flipped on average, variance 2.8.
    counts = np.array([flips(seed).reshape(3, 20).sum(axis=1) for seed in range(40)])
    assert abs(counts.mean(axis=0) - 6).max() < 4 * np.sqrt(2.8 / 40)


@pytest.mark.slow
def test_the_bayes_loss_of_flipped_labels_is_reached_by_all_samples_alike():
    # n copies of each center, a share q flipped: at outputs ±log((1-q)/q) the logistic loss is the
    # entropy H(q), below which no function of the centers comes; the clean accuracy stays 1.
    q = 0.25
    noisy = scenario(
        f"data.flip={q}", "data.noise=0", "data.samples=240", "flow.loss=logistic",
        "flow.end_time=2000", "network.power=1",
    )  # fmt: skip
    run = gflow.simulate(noisy)

    y = labels(prepare(noisy)).reshape(3, 80)
    share = (y != np.array([[1], [1], [-1]])).mean(axis=1)
    entropy = -(share * np.log(share) + (1 - share) * np.log1p(-share)).mean()
    assert float(run.record["loss"][-1]) == pytest.approx(entropy, abs=2e-3)
    assert run.test["accuracy"] == 1
    judged = {f.id for f in gflow.check(run) if f.verdict in (Verdict.HOLDS, Verdict.FAILS)}
    assert judged <= {*ANY_FLOW, "label-flips"}


def test_flips_need_labels_of_two_signs():
    with pytest.raises(ScenarioError, match=r"`data.flip` must be 0 unless one output"):
        scenario("data.flip=0.1", "network.kind=layers", "network.outputs=subclasses")
    with pytest.raises(ScenarioError, match=r"`data.flip` must be a number >= 0 and <= 0.5"):
        scenario("data.flip=0.6")


def test_shares_of_subclasses_are_flipped_exactly():
    noisy = prepare(scenario("data.flip=[0.1, 0.25, 0.5]"))

    assert noisy.train.flips.tolist() == [0.1, 0.25, 0.5]
    assert noisy.centers.strays == 2 + 5 + 10


def test_shares_are_one_for_each_subclass():
    with pytest.raises(DataError, match=r"one share for each of the 3 subclasses, but has 2"):
        prepare(scenario("data.flip=[0.1, 0.2]"))
    with pytest.raises(ScenarioError, match=r"`data.flip`"):
        scenario("data.flip=[0.1, 0.2, 0.6]")
    with pytest.raises(ScenarioError, match=r"`data.flip` must be 0 unless one output"):
        scenario("data.flip=[0, 0, 0.1]", "network.kind=layers", "network.outputs=subclasses")


def test_flips_in_one_run_of_a_study_keep_laws_of_clean_labels_away():
    runs = [
        gflow.simulate(scenario(f"data.flip={share}", f"network.init_scale={eps}")).evidence
        for share, eps in ((0.0, 1e-6), (0.2, 1e-7), (0.2, 1e-8))
    ]

    assert {f.verdict for f in check_study(runs, ["escape-slopes", "phase-separation"])} == {
        Verdict.OUTSIDE
    }
