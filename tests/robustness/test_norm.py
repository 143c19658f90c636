"""Norms: each says all that depends on it, so a new one works everywhere at once."""

import jax.numpy as jnp
import numpy as np
import pytest
from networks import Ridges, network

from gflow.robustness.bracket import measure_radii
from gflow.robustness.norm import NORMS, Norm


class Scaled(Norm):
    """A multiple of another norm."""

    def __new__(cls, inner, factor):
        return super().__new__(cls, f"{factor} {inner}")

    def __init__(self, inner, factor):
        self.inner, self.factor, self.euclidean = inner, factor, False

    @property
    def dual(self):
        return Scaled(self.inner.dual, 1 / self.factor)

    def size(self, delta):
        return self.factor * self.inner.size(delta)

    def steepest(self, g):
        return self.inner.steepest(g) / self.factor

    def step(self, g):
        return self.inner.step(g) / self.factor

    def projected(self, delta, R):
        return self.inner.projected(delta, R / self.factor)

    def largest_l2(self, D):
        return self.inner.largest_l2(D) / self.factor

    def rate(self, own, other, p):
        return self.inner.rate(own, other, p) / self.factor

    def center_radii(self, K):
        raise NotImplementedError


@pytest.fixture(scope="module")
def f():
    rng = np.random.default_rng(0)
    return network(rng.standard_normal((6, 5)), rng.lognormal(size=6), [1, -1, 1, -1, 1, -1], 3.0)


def as_a_mere_function(f):
    return Ridges(f.direction, f.sign * f.mass, f.p)


def samples(f):
    x = np.random.default_rng(1).standard_normal((12, 5))
    return x, np.where(np.asarray(f(x)) > 0, 1.0, -1.0)


@pytest.mark.parametrize("inner", [norm for norm in NORMS.values() if not norm.euclidean])
@pytest.mark.parametrize("certifiable", [True, False])
def test_radii_in_a_norm_of_twice_the_size_are_twice_as_large(f, inner, certifiable):
    x, y = samples(f)
    model = f if certifiable else as_a_mere_function(f)
    twice = Scaled(inner, 2.0)

    radii = measure_radii(model, x, y, [inner, twice], seed=0).radii

    # Scaling by two is exact; what is taken off for rounding is relative to the norm.
    np.testing.assert_allclose(radii[twice].attacked, 2 * radii[inner].attacked, rtol=1e-6)
    np.testing.assert_allclose(
        radii[twice].certified, 2 * radii[inner].certified, rtol=1e-9, atol=1e-9
    )
    assert np.isfinite(radii[inner].attacked).any()
    assert (radii[inner].certified > 0).any() == certifiable


@pytest.mark.parametrize("norm", NORMS.values())
def test_the_rate_of_a_norm_is_never_exceeded(norm):
    rng = np.random.default_rng(2)
    own, other = rng.standard_normal((3, 4)), rng.standard_normal((5, 4))
    delta = rng.standard_normal((20_000, 4))
    delta /= norm.size(delta)[:, None]

    for p in (1.0, 1.5, 3.0):
        sides = (np.maximum(z, 0) for z in (-delta @ own.T, delta @ other.T))
        losses = sum(np.linalg.norm(side, ord=p, axis=1) for side in sides)
        assert losses.max() <= norm.rate(own, other, p) * (1 + 1e-12)


@pytest.mark.parametrize("norm", NORMS.values())
def test_the_dual_norm_is_the_slope_of_the_steepest_step(norm):
    g = np.random.default_rng(3).standard_normal((10, 7))

    step = norm.steepest(g)

    np.testing.assert_allclose(norm.size(step), 1, rtol=1e-12)
    np.testing.assert_allclose((g * step).sum(axis=1), norm.dual.size(g), rtol=1e-12)
    np.testing.assert_allclose(norm.size(norm.step(jnp.asarray(g))), 1, rtol=1e-12)


@pytest.mark.parametrize("norm", NORMS.values())
def test_a_norm_is_its_name(norm):
    assert NORMS[str(norm)] is norm and {norm: 1}[str(norm)] == 1 and f"{norm}" == str(norm)
    assert norm.dual.dual is norm
    assert len(set(NORMS)) == len({one.sign for one in NORMS.values()}) == len(NORMS)


def test_radii_of_a_model_that_certifies_nothing_are_attacked_only(f):
    x, y = samples(f)

    certified, bare = (
        measure_radii(model, x, y, [Norm.L2], seed=0).radii["l2"]
        for model in (f, as_a_mere_function(f))
    )

    assert certified.certified.max() > 0 and (bare.certified == 0).all()
    # The attack that knows the neurons is at least as good, up to float32.
    assert (bare.attacked >= certified.certified * (1 - 1e-5)).all()


def test_a_norm_is_certified_by_its_rate_where_rotations_count(f):
    x, y = samples(f)
    twice = Scaled(Norm.L2, 2.0)

    radii = measure_radii(f, x, y, [Norm.L2, twice], seed=0).radii

    assert (radii[twice].certified <= 2 * radii[Norm.L2].attacked * (1 + 1e-9)).all()
    assert radii[twice].certified.max() > 0
