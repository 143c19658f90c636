"""Label noise: a share of the training labels is flipped, and no law of clean labels is judged."""

import numpy as np
import pytest
from images import cifar
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


@pytest.mark.parametrize("outputs", ["classes", "subclasses"])
def test_a_flipped_label_of_many_outputs_is_another_one_with_equal_chance(outputs):
    text = DIGITS.replace("classes = 5", "classes = 5, flip = 0.4").replace("OUT", outputs)
    problem = prepare(gflow.parse_scenario(text))

    train = problem.train
    C = {"classes": 5, "subclasses": 10}[outputs]
    clean = train.subclass % C
    noisy = labels(problem).astype(int)
    assert (noisy != clean).sum() == round(0.4 * train.n) == problem.centers.strays
    np.testing.assert_array_equal(noisy != clean, train.flipped)
    assert noisy.min() == 0 and noisy.max() == C - 1
    # How far the labels have moved, modulo C: uniform on 1..C-1. Chi-square with C - 2 degrees of
    # freedom; beyond mean + 5 standard deviations for no more than one seed in ten thousand.
    moves = np.bincount((noisy - clean)[train.flipped] % C, minlength=C)[1:]
    expected = moves.sum() / (C - 1)
    assert ((moves - expected) ** 2 / expected).sum() < C - 2 + 5 * np.sqrt(2 * (C - 2))
    assert np.array_equal(train.labels(outputs), noisy % 5)


DIGITS = """
data = {kind = "mnist", extract = true, classes = 5, length = "unit"}
network = {kind = "layers", width = 4, power = 1, init_scale = 1e-2, outputs = "OUT"}
flow = {end_time = 1.0}
"""


def test_test_and_validation_labels_are_never_flipped():
    text = DIGITS.replace("classes = 5", "classes = 5, flip = 0.4, validation_share = 0.2")
    problem = prepare(gflow.parse_scenario(text.replace("OUT", "classes")))

    assert problem.train.flips.mean() == pytest.approx(0.4)
    for one in (problem.test, problem.validation):
        assert one.flipped is None and np.array_equal(one.labels("classes"), one.subclass % 5)


def test_the_same_samples_are_flipped_whatever_the_outputs():
    flipped = [
        prepare(gflow.parse_scenario(DIGITS.replace("classes = 5", "classes = 5, flip = 0.1")
                                     .replace("OUT", out))).train.flipped
        for out in ("sign", "classes", "subclasses")
    ]  # fmt: skip

    assert np.array_equal(flipped[0], flipped[1]) and np.array_equal(flipped[0], flipped[2])


def kinds(folder):
    """A table of data for every kind that reads files, of ten or of two subclasses."""
    cifar(folder)
    rng = np.random.default_rng(0)
    np.savez(folder / "f.npz", x=rng.standard_normal((200, 3)), y=np.arange(200) % 10)
    sign = np.where(np.arange(100) % 2, 1, -1)
    np.savez(folder / "mine.npz", X=rng.standard_normal((100, 3)) + sign[:, None], y=sign)
    return {
        "mnist": "extract = true", "cifar10": f'path = "{folder}"',
        "features": f'path = "{folder}/f.npz"', "file": f'path = "{folder}/mine.npz"',
    }  # fmt: skip


def test_labels_of_every_kind_that_reads_files_are_flipped(tmp_path):
    for kind, table in kinds(tmp_path).items():
        problem = prepare(gflow.parse_scenario(f"""
            data = {{kind = "{kind}", {table}, flip = 0.25}}
            network = {{width = 4, power = 1, init_scale = 1e-2}}
            flow = {{end_time = 1.0}}
        """))  # fmt: skip

        train = problem.train
        sign = np.asarray(train.sign)[train.subclass]
        assert (labels(problem) != sign).sum() == round(0.25 * train.n) > 0, kind
        assert problem.centers.strays == round(0.25 * train.n)


def test_a_share_beyond_one_half_is_refused():
    with pytest.raises(ScenarioError, match=r"`data.flip` must be a number >= 0 and <= 0.5"):
        scenario("data.flip=0.6")


@pytest.mark.slow
def test_laws_of_clean_labels_are_not_judged_with_flips_of_many_outputs():
    many = ("network.kind=vector", "network.outputs=subclasses", "flow.loss=exponential")
    run = gflow.simulate(scenario("data.flip=0.2", "flow.end_time=2", *many, "network.power=1"))

    assert run.centers.strays == 12
    findings = [f for f in gflow.check(run) if f.id in ("fine-selection", "fine-labels")]
    assert findings and {f.verdict for f in findings} == {Verdict.OUTSIDE}


def test_shares_of_subclasses_are_flipped_exactly():
    noisy = prepare(scenario("data.flip=[0.1, 0.25, 0.5]"))

    assert noisy.train.flips.tolist() == [0.1, 0.25, 0.5]
    assert noisy.centers.strays == 2 + 5 + 10


def test_shares_are_one_for_each_subclass():
    with pytest.raises(DataError, match=r"one share for each of the 3 subclasses, but has 2"):
        prepare(scenario("data.flip=[0.1, 0.2]"))
    with pytest.raises(ScenarioError, match=r"`data.flip`"):
        scenario("data.flip=[0.1, 0.2, 0.6]")
    many = "network.kind=layers", "network.outputs=subclasses"
    assert prepare(scenario("data.flip=[0, 0, 0.1]", *many)).train.flips.tolist() == [0, 0, 0.1]


def test_flips_in_one_run_of_a_study_keep_laws_of_clean_labels_away():
    runs = [
        gflow.simulate(scenario(f"data.flip={share}", f"network.init_scale={eps}")).evidence
        for share, eps in ((0.0, 1e-6), (0.2, 1e-7), (0.2, 1e-8))
    ]

    assert {f.verdict for f in check_study(runs, ["escape-slopes", "phase-separation"])} == {
        Verdict.OUTSIDE
    }
