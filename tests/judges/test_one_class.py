"""Data of one class: laws and radii in closed form, and what judges say of a flow on it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from evidences import evidence_of

from gflow.data.mixture import orthonormal_centers
from gflow.errors import DataError
from gflow.judges.catalogue import check
from gflow.judges.conjecture import targets
from gflow.judges.finding import Verdict
from gflow.laws.critical_radii import critical_radii, learned_radius, quadratic_distance
from gflow.laws.timescales import late_margin
from gflow.measure.alignment import mean_own_cosines, target
from gflow.measure.distance import distance
from gflow.network.reference import average_classifier, subclass_classifier
from gflow.robustness.minimum_norm import minimum_norm
from gflow.robustness.model_margin import OutputMargin
from gflow.robustness.model_witness import in_double
from gflow.robustness.norm import Norm
from gflow.robustness.radius import radii
from gflow.scenario import parse_scenario

TEXT = """
data = {dimension = 20, subclasses = 3, positive_subclasses = 3, noise = 0.05, samples = 90, test_samples = 30}
network = {width = 20, power = 3, init_scale = 1e-5}
flow = {end_time = 400}
"""  # noqa: E501


def one_class(sign, D=6):
    return orthonormal_centers(D, 3, 3 if sign > 0 else 0, "axes", rng=np.random.default_rng(0))


def test_neurons_of_the_absent_class_have_no_target():
    # For p > 2 they used to be sent to the first center.
    label, sign = np.array([1, 1]), np.array([1, -1])
    cosine = np.array([[0.2, 0.9, 0.7, np.nan], [0.9, 0.1, 0.7, np.nan]])

    assert target(cosine, sign, label, 3.0).tolist() == [1, 3]
    assert target(cosine, sign, label, 1.0).tolist() == [2, 3]
    assert mean_own_cosines(cosine, sign, label, np.array([0.75, 0.25])) == pytest.approx(
        (0.75 * 0.9 - 0.25, 0.75 * 0.7 - 0.25)
    )


@pytest.mark.parametrize("p", [1.0, 1.5, 2.0, 3.0])
@pytest.mark.parametrize("sign", [1, -1])
def test_a_center_of_one_class_falls_where_all_its_neurons_are_silent(sign, p):
    # {y F^(p) <= 0} is the cone x_k <= 0 for all k, at distance 1 from every center.
    centers = one_class(sign)

    measured = radii(subclass_classifier(centers, p), centers.mu, centers.label.astype(float), 0)

    assert critical_radii(np.ones(3), centers.label, p) == pytest.approx(np.ones(3))
    assert (measured.certified <= 1 + 1e-9).all() and (measured.certified >= 1 / 2).all()
    assert (measured.attacked >= 1 - 1e-9).all() and (measured.attacked <= 1.02).all()
    if p >= 2:
        assert learned_radius(Norm.L2, p, centers.K1, centers.K2)[0 if sign > 0 else 1] == 1.0


def test_relu_centers_of_one_class_fall_at_one_over_root_k():
    centers = one_class(1)

    measured = radii(average_classifier(centers), centers.mu, np.ones(3), 0)

    np.testing.assert_allclose(measured.attacked, 3**-0.5, rtol=1e-6)
    assert learned_radius(Norm.L2, 1.0, 3, 0)[0] == pytest.approx(3**-0.5)


@pytest.mark.parametrize("p", [2.0, 3.0])
@pytest.mark.parametrize("sign", [1, -1])
def test_samples_of_one_class_fall_at_the_length_of_their_awake_part(sign, p):
    centers, rng = one_class(sign), np.random.default_rng(1)
    x = centers.mu[rng.integers(3, size=40)] + 0.2 * rng.standard_normal((40, 6))
    y = np.full(40, float(sign))
    exact = np.linalg.norm(np.maximum(x[:, :3], 0), axis=1)

    measured = radii(subclass_classifier(centers, p), x, y, 0)

    np.testing.assert_allclose(quadratic_distance(x, y, centers), exact, rtol=1e-12)
    assert (measured.certified <= exact * (1 + 1e-9)).all()
    assert (measured.attacked >= exact * (1 - 1e-9)).all()
    # The cone is smooth where one coordinate is awake, and an attack is a bound anywhere.
    assert (measured.attacked <= 1.02 * exact).all()


@pytest.mark.parametrize("norm", [Norm.L1, Norm.L2, Norm.LINF])
def test_no_radius_of_one_class_is_longer_than_its_sample(norm):
    # f(0) = 0, so that no two-layer network is right beyond ‖x‖.
    rng = np.random.default_rng(2)
    centers = one_class(1)
    x = centers.mu[rng.integers(3, size=20)] + 0.3 * rng.standard_normal((20, 6))

    measured = radii(subclass_classifier(centers, 3.0), x, np.ones(20), 0, norm=norm)

    assert (measured.attacked <= np.asarray(norm.size(x)) * (1 + 1e-9)).all()
    assert (measured.certified <= measured.attacked).all()


@pytest.mark.parametrize("p", [1.0, 3.0])
def test_targets_of_one_class_have_neurons_of_one_sign(p):
    centers = one_class(-1)
    network = subclass_classifier(centers, p)

    assert set(np.asarray(network.sign).tolist()) == {-1.0}
    assert len(average_classifier(centers).sign) == 1
    assert late_margin(p, 0, 3) == pytest.approx(1 / (2 * 3**0.5) if p == 1 else 1 / 6)


@pytest.fixture(scope="module")
def runs():
    """Flows on one class, by power and sign."""
    made = {}
    for p in (1, 3):
        for K1 in (3, 0):
            made[p, K1] = evidence_of(TEXT, network__power=p, data__positive_subclasses=K1)
    return made


@pytest.mark.parametrize("K1", [3, 0])
@pytest.mark.parametrize("p", [1, 3])
def test_what_one_class_does_not_contradict_is_judged(runs, p, K1):
    verdicts = {row.id: row.verdict for row in check(runs[p, K1])}

    assert Verdict.FAILS not in verdicts.values()
    for name in ("energy-balance", "ei-law", "late-rates", "margin", "conjecture-1", "alignment"):
        assert verdicts[name] is Verdict.HOLDS, name


@pytest.mark.parametrize("name", ["late-gap", "critical-radii", "robust-accuracy", "bayes"])
def test_what_needs_two_classes_says_so(runs, name):
    (row,) = check(runs[1, 3], [name])

    assert row.verdict is Verdict.OUTSIDE
    assert "it needs two classes" in row.opinion.reason


def test_nothing_of_one_class_is_left_without_a_number(runs):
    for (p, _), run in runs.items():
        assert np.isfinite(run.target_cosine).all() and np.isfinite(run.target_chord).all()
        assert np.isfinite(run.mean_cosines(len(run.times) - 1)).all()
        # The network is not the mirrored target.
        own, _ = targets(run)
        assert distance(run.network, own, 0).upper < 0.1, p
        assert all("nan" not in row.opinion.measured for row in check(run))


@pytest.mark.parametrize("outputs", ["classes", "subclasses"])
def test_several_outputs_need_several_classes(outputs):
    text = TEXT.replace("power = 3", f'power = 3, kind = "vector", outputs = "{outputs}"')
    with pytest.raises(DataError, match=r'`network.outputs` must be "sign" for data of one class'):
        evidence_of(text)


def test_one_class_may_be_unbalanced_only_with_several_subclasses():
    one = "data.subclasses=1", "data.positive_subclasses=1", "data.imbalance=2"
    with pytest.raises(Exception, match="must be 1 with one subclass per class"):
        parse_scenario(TEXT, overrides=one)
    two = "data.subclasses=2", "data.positive_subclasses=0", "data.imbalance=2"
    assert parse_scenario(TEXT, overrides=two).data.positive_subclasses == 0


def test_a_model_that_is_never_negative_errs_at_the_origin():
    # {f <= 0} is the cone x_k <= 0, k < 3, and gradients vanish toward it.
    def f(x):
        return (jnp.maximum(x[:, :3], 0) ** 3).sum(axis=1)

    def attacked(x):
        return minimum_norm(OutputMargin(f), x, np.ones(len(x), x.dtype), Norm.L2, steps=50)

    x = np.abs(np.random.default_rng(3).standard_normal((8, 4)))
    first = attacked(x.astype(np.float32))
    found = in_double(f, x, np.ones(8), first, lambda rows: attacked(x[rows]), norm=Norm.L2)

    exact, longest = np.linalg.norm(x[:, :3], axis=1), np.linalg.norm(x, axis=1)
    for attack_ in (first, found):
        assert (attack_.radius <= longest * (1 + 1e-6)).all()
    assert (found.radius >= exact * (1 - 1e-12)).all()
    with jax.enable_x64(True):
        assert not (np.asarray(f(jnp.asarray(x + found.perturbation))) > 0).any()
