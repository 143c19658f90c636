"""Whether data are what the theory assumes: cosines in closed form, clusters that are known."""

import json
import sys

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import adjusted_rand_score
from typer.testing import CliRunner

import gflow
from gflow import cli
from gflow.cli import Exit
from gflow.data.centers import Centers
from gflow.data.clusters import clustered, estimated, silhouettes
from gflow.data.mixture import sample_mixture
from gflow.data.own_samples import read_npz
from gflow.errors import DataError, ScenarioError
from gflow.measure.premise import premise
from gflow.report.premise_report import premise_figure, premise_json, premise_lines
from gflow.report.saving import save


def mixture(K=6, K1=4, D=400, n=600, alpha=0.5, seed=0):
    centers = Centers(np.eye(K, D), np.where(np.arange(K) < K1, 1, -1), "given")
    return sample_mixture(centers, n, alpha, "balanced", rng=np.random.default_rng(seed))


def test_cosines_of_a_mixture_are_those_of_the_theory():
    K, D, alpha = 6, 400, 0.5
    data = mixture(K, D=D, alpha=alpha)

    cosines = premise(data.x, data.subclass, data.labels("sign"), seed=0, clusters=False)

    # A cosine of two samples scatters by some α√(2 + α²)/√D/(1 + α²) = 0.03 about its mean, and 600
    # independent samples pin the median of all pairs to 1.25 · 0.03/√600; five of that.
    scatter = alpha * np.sqrt((2 + alpha**2) / D) / (1 + alpha**2)
    noise = 5 * 1.25 * scatter / np.sqrt(600)
    assert np.median(cosines.within) == pytest.approx(1 / (1 + alpha**2), abs=noise)
    assert abs(np.median(cosines.beside)) < noise and abs(np.median(cosines.across)) < noise
    assert cosines.noise == pytest.approx(alpha, rel=0.05)
    assert cosines.sizes.tolist() == [2, 4] and cosines.K == K
    # Two samples share a subclass with probability 1/K, else their squared cosine is of order 1/D.
    same = 1 / K / (1 + alpha**2) ** 2
    assert 1 / cosines.directions == pytest.approx(same, rel=0.05, abs=1 / D)
    assert len(cosines.within) + len(cosines.beside) + len(cosines.across) == 600 * 599 / 2


@pytest.mark.parametrize("N", [2, 5, 30])
def test_noise_is_unbiased_in_few_samples(N):
    # The mean cosine of two samples scatters by some √(2/D)/N/√K about 1/(1 + α²).
    K, D, alpha = 40, 2000, 1.4
    data = mixture(K, 20, D, N * K, alpha)

    cosines = premise(data.x, data.subclass, data.labels("sign"), seed=0, clusters=False)

    # dα/dc = -(1 + α²)²/(2α); five deviations of the mean over K subclasses, and what the bend
    # of (1 - c)/c adds to second order, var c/c³ of α².
    variance = 2 / D / (N * (N - 1) / 2)
    deviation = (1 + alpha**2) ** 2 / (2 * alpha) * np.sqrt(variance / K)
    bend = variance * (1 + alpha**2) ** 3 / (2 * alpha)
    assert cosines.noise == pytest.approx(alpha, abs=5 * deviation + bend)


@pytest.mark.filterwarnings("error")
def test_samples_that_coincide_have_no_noise():
    # Squared lengths of their mean are 1 up to rounding, and some of them are above 1.
    x = np.repeat(np.random.default_rng(0).standard_normal((9, 5)), 3, axis=0)
    subclass = np.repeat(np.arange(9), 3)
    label = np.where(subclass < 4, 1, -1)

    noise = [
        premise(x[mine], subclass[mine], label[mine], seed=0, clusters=False).noise
        for mine in (subclass == k for k in range(9))
    ]

    assert np.isfinite(noise).all() and min(noise) == 0 and max(noise) < 1e-7


def test_what_cannot_be_known_is_null_in_json():
    x, subclass = np.eye(4), np.arange(4)

    cosines = premise(x, subclass, np.where(subclass < 2, 1, -1), seed=0)
    values = premise_json(cosines)

    assert values["noise"] is None and values["directions"] is None
    assert "alpha = unknown" in "\n".join(premise_lines(cosines))
    json.dumps(values, allow_nan=False)


@pytest.mark.filterwarnings("error")
def test_repeated_samples_are_no_more_clusters_than_directions(tmp_path):
    x = np.repeat(np.eye(6)[:4], [4, 4, 3, 3], axis=0)
    y = np.repeat([1, 1, -1, -1], [4, 4, 3, 3])
    np.savez(tmp_path / "a.npz", X=x, y=y)

    assert list(silhouettes(x[y > 0], 0)) == [2]
    data = read_npz(tmp_path / "a.npz", clusters="estimate").train
    np.testing.assert_array_equal(np.bincount(data.subclass), [4, 4, 3, 3])


def test_fewer_clusters_than_asked_for_are_numbered_without_gaps(tmp_path):
    x = np.repeat(np.eye(6)[:4], [4, 4, 3, 3], axis=0)
    y = np.repeat([1, 1, -1, -1], [4, 4, 3, 3])
    np.savez(tmp_path / "a.npz", X=x, y=y)

    with pytest.warns(ConvergenceWarning, match="distinct clusters"):
        data = read_npz(tmp_path / "a.npz", clusters=(3, 2)).train

    np.testing.assert_array_equal(np.bincount(data.subclass), [4, 4, 3, 3])


def test_directions_without_noise_are_counted_exactly():
    # Of 4 samples of each of 5 orthonormal centers, 3 of the other 19 are the same.
    x = np.repeat(np.eye(5, 8), 4, axis=0)
    subclass = np.repeat(np.arange(5), 4)

    cosines = premise(x, subclass, np.where(subclass < 2, 1, -1), seed=0, clusters=False)

    assert cosines.directions == pytest.approx(19 / 3)
    assert cosines.largest_cosine == 0 and cosines.noise == 0
    np.testing.assert_array_equal(cosines.rows, [4] * 5)
    # Sorted by class: the negative subclasses first.
    assert (cosines.picture[:12, 12:] == 0).all() and cosines.sizes.tolist() == [3, 2]


def test_pairs_of_one_class_are_told_from_pairs_of_two():
    # μ_k = (e_0 + e_k)/√2 in one class and (e_9 + e_k)/√2 in the other: cosines ½ and 0.
    sign = np.array([1, -1, 1, 1, -1])
    mu = (np.eye(10)[np.where(sign > 0, 0, 9)] + np.eye(10)[1:6]) / np.sqrt(2)
    subclass = np.repeat(np.arange(5), [2, 3, 4, 2, 3])

    cosines = premise(mu[subclass], subclass, sign[subclass], seed=0, clusters=False)

    np.testing.assert_allclose(cosines.beside, 0.5)
    np.testing.assert_allclose(cosines.across, 0, atol=1e-15)
    np.testing.assert_allclose(cosines.within, 1)
    assert (len(cosines.within), len(cosines.across)) == (1 + 3 + 6 + 1 + 3, 8 * 6)
    assert cosines.rows.tolist() == [3, 3, 2, 4, 2]
    assert cosines.largest_cosine == pytest.approx(0.5)


def test_lengths_do_not_count_and_scale_invariance_is_exact():
    data = mixture(n=60)
    scaled = data.x * np.random.default_rng(1).uniform(0.1, 10, (60, 1))

    a = premise(data.x, data.subclass, data.labels("sign"), seed=0, clusters=False)
    b = premise(scaled, data.subclass, data.labels("sign"), seed=0, clusters=False)

    np.testing.assert_allclose(a.across, b.across, atol=1e-12)
    assert a.noise == pytest.approx(b.noise)


@pytest.mark.parametrize("alpha", [0.1, 1.0])
def test_clusters_are_the_subclasses_of_a_mixture(alpha):
    data = mixture(K=5, K1=5 - 1, alpha=alpha, n=500)
    mine = data.labels("sign") > 0

    cluster = clustered(data.x[mine], 4, seed=3)

    assert adjusted_rand_score(data.subclass[mine], cluster) == 1
    scores = silhouettes(data.x[mine], seed=3, most=7)
    assert estimated(scores) == 4
    # Mean cosines of a sample to other clusters scatter by up to 1/√D, of which the largest counts.
    assert scores[4] == pytest.approx(1 / (1 + alpha**2), abs=2 / np.sqrt(400))


def test_one_gaussian_has_no_structure():
    x = np.eye(1, 50) + 0.3 * np.random.default_rng(0).standard_normal((300, 50)) / np.sqrt(50)

    assert estimated(silhouettes(x, seed=0, most=5)) == 1
    assert estimated({}) == 1


def test_clusters_are_of_directions():
    # Directions at 0 (one, and a hundred times as long), 50 and 100 degrees (ten each): by angles
    # the long one belongs to those at 50; by lengths it would be alone.
    angle = np.radians(np.repeat([0.0, 50.0, 100.0], [1, 10, 10]))
    length = np.repeat([100.0, 1.0], [1, 20])[:, None]

    label = clustered(length * np.stack([np.cos(angle), np.sin(angle)], axis=1), 2, seed=0)

    assert adjusted_rand_score(np.repeat([0, 1], [11, 10]), label) == 1


@pytest.mark.parametrize("clusters", [(4, 2), pytest.param("estimate", marks=pytest.mark.slow)])
def test_a_file_without_subclasses_is_clustered(tmp_path, clusters):
    data = mixture(alpha=0.2)
    path = tmp_path / "mine.npz"
    np.savez(path, X=data.x, y=data.labels("sign"))

    split = read_npz(path, clusters, seed=1)
    train, centers = split.train, split.centers

    assert adjusted_rand_score(data.subclass, train.subclass) == 1
    assert centers.label.tolist() == [1, 1, 1, 1, -1, -1]
    assert centers.origin == "means of clusters"
    np.testing.assert_allclose(
        centers.mu, [train.x[train.subclass == k].mean(axis=0) for k in range(6)]
    )
    assert read_npz(path).centers.origin == "class means"


FILE = """
data = {{kind = "file", path = "{path}", clusters = {clusters}}}
network = {{width = 30, power = 3, init_scale = 1e-6}}
flow = {{end_time = 150.0}}
"""


@pytest.mark.slow
def test_neurons_are_tracked_against_clusters(tmp_path):
    data = mixture(D=60, alpha=0.1)
    np.savez(tmp_path / "mine.npz", X=data.x, y=data.labels("sign"))
    text = FILE.format(path=tmp_path / "mine.npz", clusters='"estimate"')

    run = gflow.simulate(gflow.parse_scenario(text))

    assert run.centers.K == 6 and run.record["cosine"].shape[2] == 8
    center, _ = run.evidence.mean_cosines(-1)
    assert center > np.cos(np.radians(10))


def test_subclasses_and_clusters_together_are_a_mistake(tmp_path):
    data = mixture(n=60)
    path = tmp_path / "mine.npz"
    np.savez(path, X=data.x, y=data.labels("sign"), subclass=data.subclass)

    with pytest.raises(DataError, match=r'`data.clusters` must be "none" where the file has an'):
        read_npz(path, "estimate")


def test_fewer_samples_than_clusters_are_a_mistake():
    with pytest.raises(DataError, match="at least as many samples as clusters, but has 3 for 5"):
        clustered(np.eye(3), 5, seed=0)


def test_without_scikit_learn_it_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.cluster", None)

    with pytest.raises(DataError, match=r"pip install 'gflow\[clusters\]'"):
        clustered(np.eye(3), 2, seed=0)


@pytest.mark.parametrize("clusters", ["[3]", "[0, 2]", '"many"', "[1, 2, 3]"])
def test_other_clusters_are_told(clusters):
    with pytest.raises(ScenarioError, match=r"`data\.clusters` must be") as caught:
        gflow.parse_scenario(FILE.format(path="a.npz", clusters=clusters))

    assert '"none" or "estimate" or a list of 2 integers >= 1, but is' in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


SMALL = """
data = {dimension = 30, subclasses = 5, positive_subclasses = 3, noise = 0.1, samples = 100}
network = {width = 10, power = 3, init_scale = 1e-3}
flow = {end_time = 5.0}
"""


def test_the_command_says_it_and_draws_it(tmp_path):
    path = tmp_path / "small.toml"
    path.write_text(SMALL)

    result = CliRunner().invoke(
        cli.app, ["data", "premise", str(path), "--out", str(tmp_path / "f")]
    )
    plain = CliRunner().invoke(cli.app, ["data", "premise", str(path), "--json", "--no-clusters"])

    assert result.exit_code == Exit.OK, result.output
    assert "subclasses        5 labeled, 2 and 3 per class" in result.output
    assert "clusters          class 1: 3 " in result.output
    assert {file.name for file in (tmp_path / "f").iterdir()} == {"premise.pdf", "premise.png"}
    values = json.loads(plain.output)
    assert values["subclasses"] == 5 and "clusters" not in values


def test_without_scikit_learn_the_command_says_the_rest(tmp_path, monkeypatch):
    path = tmp_path / "small.toml"
    path.write_text(SMALL)
    monkeypatch.setitem(sys.modules, "sklearn.cluster", None)

    result = CliRunner().invoke(cli.app, ["data", "premise", str(path)])
    estimated = CliRunner().invoke(cli.app, ["data", "premise", str(path), "--clusters"])

    assert result.exit_code == Exit.OK and "5 labeled" in result.output
    assert "clusters          not looked for" in result.output
    assert estimated.exit_code == Exit.BAD_INPUT and "gflow[clusters]" in estimated.stderr


def test_a_class_of_one_subclass_has_no_pairs_within_it(tmp_path):
    data = mixture(K=2, K1=1, n=40)

    cosines = premise(data.x, data.subclass, data.labels("sign"), seed=0, clusters=False)

    assert "of no pair" in premise_lines(cosines)[2]
    assert len(save(premise_figure(cosines), tmp_path, "premise")) == 2
