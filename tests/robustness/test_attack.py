"""Attacks on any differentiable model: closed forms, brute force, and a library's attacks."""

import equinox as eqx
import foolbox
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from networks import Ridges

from gflow.laws.critical_radii import critical_radii
from gflow.network.population import Population
from gflow.network.prelu import Network
from gflow.robustness.attack import attack
from gflow.robustness.ball_attack import ball_attack, random_starts
from gflow.robustness.minimum_norm import minimum_norm, minimum_norm_of_classes, rivals
from gflow.robustness.model_margin import OutputMargin, RatioMargin
from gflow.robustness.norm import NORMS, Norm
from gflow.robustness.radius import radii
from gflow.robustness.square_attack import square_attack

LAST_STEP = 1e-3
"""A walk ends with steps of R/10⁴, along a boundary that bends by a quadratic of that much."""


class Linear(eqx.Module):
    """Outputs W x + b."""

    W: jax.Array
    b: jax.Array

    def __call__(self, x):
        return x @ self.W.T + self.b[None]


def linear(outputs, D, seed):
    rng = np.random.default_rng(seed)
    return Linear(jnp.asarray(rng.standard_normal((outputs, D))),
                  jnp.asarray(rng.standard_normal(outputs)))  # fmt: skip


def classified(f, n, D, seed):
    """Samples with the labels that a model gives them, and one that it does not."""
    x = np.random.default_rng(seed).standard_normal((n, D))
    y = np.array(f(jnp.asarray(x)).argmax(axis=1))
    y[0] = (y[0] + 1) % f.b.shape[0]
    return x, y


def ridges_of_classes(K, K1, p, D, seed=0):
    """Unequal neurons at orthonormal centers, and the centers with their labels."""
    rng = np.random.default_rng(seed)
    mu = np.linalg.qr(rng.standard_normal((D, K)))[0].T
    label, m = np.where(np.arange(K) < K1, 1, -1), rng.uniform(0.8, 1.2, K)
    return Ridges(jnp.asarray(mu), jnp.asarray(label * m), p), mu, label.astype(float), m


@pytest.mark.parametrize("norm", NORMS.values())
def test_the_shortest_perturbation_of_a_linear_model_is_its_margin_over_a_dual_norm(norm):
    f = linear(4, 12, seed=1)
    x, y = classified(f, 30, 12, seed=2)
    W, z = np.asarray(f.W), np.asarray(f(jnp.asarray(x)))
    own = z[np.arange(30), y]
    steepness = np.asarray(norm.dual.size(W[y][:, None] - W[None]))
    with np.errstate(invalid="ignore", divide="ignore"):
        exact = np.nanmin((own[:, None] - z) / steepness, axis=1)  # its own class is 0/0

    shortest = minimum_norm_of_classes(f, x, y, norm)

    assert shortest.radius[0] == 0 and np.all(shortest.perturbation[0] == 0)
    near = exact[1:] < np.asarray(norm.size(x[1:]))  # half of the longest that is tried
    assert near.sum() > 15
    np.testing.assert_allclose(shortest.radius[1:][near], exact[1:][near], rtol=LAST_STEP)
    assert (shortest.radius[1:] >= exact[1:] * (1 - 1e-12)).all()


@pytest.mark.parametrize("p", [1.0, 1.5, 3.0])
def test_centers_fall_at_their_critical_radius(p):
    f, mu, label, m = ridges_of_classes(6, 4, p, D=20)
    exact = critical_radii(m, label.astype(int), p)

    shortest = minimum_norm(
        OutputMargin(f), mu, label, Norm.L2, toward=rivals(mu, label, mu, label)
    )

    np.testing.assert_allclose(shortest.radius, exact, rtol=LAST_STEP)


@pytest.mark.slow
@pytest.mark.parametrize("norm", NORMS.values())
@pytest.mark.parametrize("p", [1.0, 3.0])
def test_it_finds_what_the_attack_that_knows_the_neurons_finds(p, norm):
    f, mu, label, m = ridges_of_classes(5, 3, p, D=20)
    rng = np.random.default_rng(3)
    k = rng.integers(5, size=60)
    x, y = mu[k] + 0.3 / np.sqrt(20) * rng.standard_normal((60, 20)), label[k]
    known = attack(Network(f.u, jnp.log(jnp.asarray(m)), jnp.asarray(label), p), x, y, 0, norm=norm)

    shortest = minimum_norm(OutputMargin(f), x, y, norm, toward=rivals(x, y, mu, label))

    ratio = shortest.radius / known.radius
    # A step in l1 is one entry of the input, and a walk by such steps may end early.
    assert (np.median(ratio) if norm == Norm.L1 else ratio.max()) < 1.01


@pytest.mark.slow
@pytest.mark.parametrize("norm", NORMS.values())
def test_no_point_of_a_fine_grid_of_the_plane_is_closer(norm):
    rng = np.random.default_rng(0)
    u, m = jnp.asarray(rng.standard_normal((8, 2))), jnp.asarray(rng.standard_normal(8))
    f = Ridges(u, m, 1.0)
    x = rng.standard_normal((20, 2))
    y = np.sign(np.asarray(f(jnp.asarray(x))))
    side = np.linspace(-4, 4, 801)
    delta = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
    size = np.asarray(norm.size(delta))

    shortest = minimum_norm(OutputMargin(f), x, y, norm, toward=rivals(x, y, x, y))

    for one, label, radius in zip(x, y, shortest.radius, strict=True):
        wrong = label * np.asarray(f(jnp.asarray(one + delta))) <= 0
        # The grid is 0.01 wide: its closest wrong point is that much farther than the boundary.
        assert radius < size[wrong].min(initial=np.inf) + 1e-9


@pytest.mark.slow
@pytest.mark.parametrize("norm", NORMS.values())
def test_what_is_found_flips_and_is_as_long_as_it_says(norm):
    f, mu, label, _ = ridges_of_classes(5, 3, 3.0, D=15)
    x = (mu + 0.05 * np.random.default_rng(0).standard_normal(mu.shape)).astype(np.float32)
    label = label.astype(np.float32)

    shortest = minimum_norm(OutputMargin(f), x, label, norm, toward=rivals(x, label, x, label))

    delta = shortest.perturbation.astype(np.float32)
    assert (label * np.asarray(f(jnp.asarray(x + delta))) <= 1e-6).all()  # float32
    np.testing.assert_allclose(np.asarray(norm.size(delta)), shortest.radius, rtol=1e-6)


def test_without_an_error_anywhere_nothing_is_found():
    f = Ridges(jnp.eye(3), jnp.ones(3), 2.0)
    x = np.abs(np.random.default_rng(0).standard_normal((4, 3))) + 10

    shortest = minimum_norm(OutputMargin(lambda x: f(x) + 1), x, np.ones(4), Norm.L2)

    assert np.isinf(shortest.radius).all() and (shortest.perturbation == 0).all()


@pytest.mark.slow
@pytest.mark.parametrize("norm", NORMS.values())
def test_within_a_ball_a_linear_margin_falls_by_the_dual_norm(norm):
    f = linear(1, 30, seed=4)
    x = np.random.default_rng(5).standard_normal((20, 30))
    y, R = np.where(np.arange(20) % 2, 1.0, -1.0), np.linspace(0.1, 2, 20)
    lowest = y * np.asarray(f(jnp.asarray(x)))[:, 0] - R * float(norm.dual.size(f.W)[0])

    at, radius = jnp.asarray(x), jnp.asarray(R)
    starts = random_starts(at, radius, norm, 2, key=jax.random.key(0))
    reached = ball_attack(
        OutputMargin(lambda x: f(x)[:, 0]), at, jnp.asarray(y), radius, norm=norm, starts=starts
    )

    size = np.asarray(norm.size(reached.delta))
    assert (size <= R * (1 + 1e-12)).all()
    # In l1 the last halved step is R/500 over two of thirty entries.
    np.testing.assert_allclose(np.asarray(reached.margin), lowest, atol=0.02 * R.max(), rtol=0)
    assert (np.asarray(reached.margin) >= lowest - 1e-9).all()


def test_without_gradients_a_linear_margin_falls_as_far_in_linf():
    f = linear(1, 20, seed=6)
    x = np.random.default_rng(7).standard_normal((10, 20))
    y, R = np.ones(10), np.full(10, 0.5)
    lowest = np.asarray(f(jnp.asarray(x)))[:, 0] - 0.5 * np.abs(np.asarray(f.W)).sum()

    reached = square_attack(
        OutputMargin(lambda x: f(x)[:, 0]),
        jnp.asarray(x),
        jnp.asarray(y),
        jnp.asarray(R),
        key=jax.random.key(0),
    )

    # Every vertex is tried one sign at a time: 1000 draws of 20 entries miss one with e^{-25}.
    np.testing.assert_allclose(np.asarray(reached.margin), lowest, rtol=1e-5)


@pytest.mark.slow
def test_a_hidden_gradient_is_found_out_by_the_search_without_gradients():
    f = linear(1, 20, seed=8)
    x = np.random.default_rng(9).standard_normal((30, 20))
    y = np.sign(np.asarray(f(jnp.asarray(x)))[:, 0])
    steps = OutputMargin(lambda x: jnp.round(4 * f(x)[:, 0]) / 4.0)  # flat almost everywhere
    R, at, label = jnp.full(30, 1.0), jnp.asarray(x), jnp.asarray(y)

    by_gradient = ball_attack(steps, at, label, R, norm=Norm.LINF, starts=jnp.zeros((1, 30, 20)))
    by_values = square_attack(steps, at, label, R, key=jax.random.key(1))

    assert (np.asarray(by_gradient.margin) > 0).sum() > 20
    assert (np.asarray(by_values.margin) <= 0).all()


@pytest.mark.slow
@pytest.mark.parametrize("p", [1.0, 3.0])
def test_values_and_gradients_agree_on_which_samples_fall_in_linf(p):
    f, mu, label, _ = ridges_of_classes(4, 2, p, D=10)
    radius = minimum_norm(
        OutputMargin(f), mu, label, Norm.LINF, toward=rivals(mu, label, mu, label)
    ).radius
    at, y = jnp.asarray(mu), jnp.asarray(label)

    for share, falls in ((0.98, False), (1.05, True)):
        R = jnp.asarray(share * radius)
        starts = random_starts(at, R, Norm.LINF, 8, key=jax.random.key(1))
        by_values = square_attack(OutputMargin(f), at, y, R, key=jax.random.key(0), steps=4000)
        by_gradient = ball_attack(OutputMargin(f), at, y, R, norm=Norm.LINF, starts=starts)
        least = jnp.minimum(by_values.margin, by_gradient.margin)
        assert ((np.asarray(least) <= 0) == falls).all()


def test_the_ratio_of_logit_differences_has_the_sign_of_the_margin_and_no_scale():
    f = linear(5, 8, seed=10)
    x, y = classified(f, 40, 8, seed=11)

    at, label = jnp.asarray(x), jnp.asarray(y)
    margin, ratio = OutputMargin(f)(at, label), RatioMargin(f)(at, label)
    scaled = RatioMargin(lambda x: 1e3 * f(x))(at, label)

    assert (np.sign(margin) == np.sign(ratio)).all() and ratio[0] < 0
    np.testing.assert_allclose(scaled, ratio, rtol=1e-9)


def test_two_outputs_have_no_ratio():
    f = linear(2, 8, seed=12)

    with pytest.raises(ValueError, match=r"must have at least 3 outputs .* but has 2; try"):
        RatioMargin(f)(jnp.zeros((1, 8)), jnp.zeros(1))


def test_rivals_are_the_closest_samples_of_other_classes():
    pool, label = np.array([[0.0], [1.0], [2.0], [5.0]]), np.array([0, 1, 1, 2])

    ends = rivals(np.array([[0.2], [1.9]]), np.array([0, 1]), pool, label, count=2)

    # Means of the classes are 0, 1.5 and 5; each has two other classes.
    np.testing.assert_allclose(np.sort(ends[0, :, 0]), [0.8, 1.3, 1.8, 4.8])
    np.testing.assert_allclose(np.sort(ends[1, :, 0]), [-1.9, -1.9, 3.1, 3.1])


@pytest.mark.slow
@pytest.mark.parametrize(("norm", "name"), [
    (Norm.L2, "DDNAttack"), (Norm.L2, "L2DeepFoolAttack"), (Norm.LINF, "LinfDeepFoolAttack"),
])  # fmt: skip
@pytest.mark.parametrize("p", [1.0, 3.0])
def test_no_attack_of_foolbox_is_shorter_nor_inside_a_certified_radius(p, norm, name):
    f, mu, label, m = ridges_of_classes(5, 3, p, D=20)
    rng = np.random.default_rng(5)
    k = rng.integers(5, size=40)
    x, y = mu[k] + 0.2 / np.sqrt(20) * rng.standard_normal((40, 20)), label[k]
    network = Network(f.u, jnp.log(jnp.asarray(m)), jnp.asarray(label), p)
    ours = radii(Population.of(network), x, y, 0, norm=norm)
    model = foolbox.JAXModel(lambda x: jnp.stack([-f(x), f(x)], axis=1), bounds=(-10, 10))

    with jax.enable_x64(False), jax.numpy_dtype_promotion("standard"):
        _, clipped, wrong = getattr(foolbox.attacks, name)()(
            model, jnp.asarray(x), jnp.asarray(y > 0, int), epsilons=None
        )

    wrong, theirs = np.asarray(wrong), np.asarray(norm.size(np.asarray(clipped, float) - x))
    assert wrong.any()
    assert (theirs[wrong] >= 0.99 * ours.attacked[wrong]).all()
    assert (theirs[wrong] >= ours.certified[wrong] - 1e-5).all()  # float32
