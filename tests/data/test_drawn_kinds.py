"""Samples that are drawn for one question each: antipodal, orthogonally separable, skew XOR."""

import numpy as np
import pytest

import gflow
from gflow.data.kinds.antipodal import AntipodalData
from gflow.data.kinds.separable import SeparableData
from gflow.data.kinds.xor import XorData
from gflow.errors import ScenarioError
from gflow.scenario import parse_scenario

NETWORK = "\n[network]\nwidth = 4\npower = 1\ninit_scale = 1e-3\n[flow]\nend_time = 1\n"


def refusal(**data):
    lines = "".join(f"{key} = {value}\n" for key, value in data.items())
    with pytest.raises(ScenarioError) as caught:
        parse_scenario(f"[data]\n{lines}{NETWORK}")
    return str(caught.value)


@pytest.mark.parametrize("labels", ["linear", "random"])
def test_antipodal_samples_have_their_mirror_images(labels):
    data = AntipodalData(dimension=5, samples=40, test_samples=10, labels=labels).read(3)

    x, y = data.train.x, data.train.labels("sign")
    assert np.array_equal(x[:20], -x[20:]) and np.array_equal(y[:20], -y[20:])
    assert data.test is not None and data.test.n == 10
    assert not np.isin(x, data.test.x).any()


def test_linear_labels_are_linear_and_shared_by_test_samples():
    data = AntipodalData(dimension=5, samples=2000, test_samples=2000).read(0)

    # Least squares finds the direction of the labels up to about √(D/n).
    assert data.test is not None
    fit = np.linalg.lstsq(data.train.x, data.train.labels("sign"), rcond=None)[0]
    right = np.sign(data.test.x @ fit) == data.test.labels("sign")
    assert right.mean() > 1 - 3 * np.sqrt(5 / 2000)


def test_inputs_without_pairs_are_gaussian_of_length_about_one():
    x = AntipodalData(dimension=50, samples=4001, paired=False).read(0).train.x

    assert x.shape == (4001, 50)
    # ‖x‖² has mean 1 and variance 2/D.
    assert (x**2).sum(axis=1).mean() == pytest.approx(1, abs=4 * np.sqrt(2 / 50 / 4001))


@pytest.mark.parametrize(("spread", "angle"), [(5.0, 100.0), (20.0, 150.0), (44.9, 180.0)])
@pytest.mark.parametrize("dimension", [2, 3, 30])
def test_separable_samples_agree_within_and_oppose_between_classes(spread, angle, dimension):
    data = SeparableData(
        dimension=dimension, samples=60, positive_samples=20, spread=spread, axis_angle=angle
    ).read(1)  # fmt: skip

    x, y = data.train.x, data.train.labels("sign")
    gram = x @ x.T
    same = np.equal.outer(y, y)
    assert (y > 0).sum() == 20
    assert np.abs(np.linalg.norm(x, axis=1) - 1).max() < 1e-12
    assert gram[same].min() > 0 and gram[~same].max() <= 1e-12
    axes = data.centers.mu
    assert axes[0] @ axes[1] == pytest.approx(np.cos(np.radians(angle)))


def test_blobs_of_an_xor_lie_at_their_angle_and_cancel():
    data = XorData(dimension=4, samples=400, noise=0.1, angle=60.0).read(0)

    mu, train = data.centers.mu, data.train
    assert np.abs(mu[0] + mu[1]).max() == np.abs(mu[2] + mu[3]).max() == 0
    assert mu[0] @ mu[2] == pytest.approx(0.5)
    assert np.array_equal(np.bincount(train.subclass), [100] * 4)
    assert np.array_equal(np.unique(train.labels("sign")[train.subclass >= 2]), [-1])
    # The mean of 100 samples is off by α/√100 = 0.01.
    assert np.abs(train.means - mu).max() < 0.03
    assert data.centers.lacks_average


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ({"kind": '"antipodal"', "dimension": 3, "samples": 7, "test_samples": 0},
         "`data.samples` must be even (samples come in pairs), but is 7; try 8, or set"),
        ({"kind": '"antipodal"', "dimension": 3, "samples": 8, "test_samples": 5},
         "`data.test_samples` must be even (samples come in pairs), but is 5; try 6, or set"),
        ({"kind": '"separable"', "dimension": 3, "samples": 8, "spread": 35},
         "`data.axis_angle` must be >= 90 + 2 · `data.spread` = 160"),
        ({"kind": '"separable"', "dimension": 3, "samples": 8, "positive_samples": 8},
         "`data.positive_samples` must be < `data.samples`"),
        ({"kind": '"separable"', "dimension": 3, "samples": 1}, "`data.samples` must be >= 2"),
        ({"kind": '"xor"', "dimension": 3, "samples": 3}, "`data.samples` must be >= 4"),
        ({"kind": '"xor"', "dimension": 3, "samples": 8, "test_samples": 3},
         "`data.test_samples` must be 0 or >= 4"),
        ({"kind": '"xor"', "dimension": 3, "samples": 8, "angle": 100},
         "`data.angle` must be a number > 0 and <= 90"),
    ],
)  # fmt: skip
def test_what_cannot_be_drawn_is_refused(data, text):
    assert text in refusal(**data)


@pytest.mark.parametrize("kind", ["antipodal", "separable", "xor"])
def test_every_kind_can_be_followed(kind):
    text = f'[data]\nkind = "{kind}"\ndimension = 4\nsamples = 8\ntest_samples = 8\n{NETWORK}'
    run = gflow.simulate(parse_scenario(text))

    assert run.outcome.complete and run.test["accuracy"] >= 0
    assert not [f for f in gflow.check(run) if f.verdict == "FAILS"]
