"""How far a class is from one neuron, against plain arithmetic and gradients by autodiff."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gflow.measure.rank_one import ClassWeights, kkt_residual, mass_excess, rank_excess

RNG = np.random.default_rng(1)
ROUNDING = 1e-13


def test_the_excess_of_mass_is_what_its_definition_says():
    m = RNG.uniform(0.1, 1.0, 6)

    assert mass_excess(np.log(m)) == pytest.approx(m.sum() ** 2 / (m**2).sum() - 1, rel=ROUNDING)
    assert mass_excess(np.zeros(4)) == pytest.approx(3)
    assert mass_excess(np.array([-700.0])) == 0


def test_the_excess_of_mass_keeps_its_digits_beside_a_heavy_neuron():
    # 2 m_2/m_1, up to its square; the definition gives 0 in double precision.
    assert mass_excess(np.log([0.1, 1e-30])) == pytest.approx(2e-29, rel=ROUNDING)


@pytest.mark.parametrize("eps", [0.3, 1e-3, 1e-6])
def test_the_excess_of_rank_is_that_of_singular_values(eps):
    w = np.concatenate([RNG.standard_normal((1, 7)), eps * RNG.standard_normal((5, 7))])
    s = np.linalg.svd(w, compute_uv=False)

    # A decomposition rounds each s_i by 2e-16 s_1.
    expected = (s[1:] ** 2).sum() / s[0] ** 2
    assert rank_excess(w) == pytest.approx(expected, rel=1e-14 / eps + 1e-3 * eps)


def test_the_excess_of_rank_keeps_its_digits_where_singular_values_do_not():
    q = np.linalg.qr(RNG.standard_normal((7, 7)))[0]

    assert rank_excess(np.diag([1.0, 1e-12, 3e-13]) @ q[:3]) == pytest.approx(1.09e-24, rel=1e-3)


@pytest.mark.parametrize("p", [2.0, 3.0, 4.5])
def test_the_kkt_residual_is_the_angle_to_the_gradient(p):
    x, pull = RNG.standard_normal((5, 4)), RNG.standard_normal(5)
    weights = ClassWeights(RNG.standard_normal((3, 4)), RNG.uniform(0.5, 1, 3))

    def size(w, v):
        return (jnp.maximum(w @ x.T, 0) ** p @ pull) @ v

    with jax.enable_x64(True):
        gradient = jax.grad(size, (0, 1))(*map(jnp.asarray, weights))
    g, theta = (np.concatenate([np.ravel(a) for a in pair]) for pair in (gradient, weights))
    cosine = g @ theta / np.linalg.norm(g) / np.linalg.norm(theta)
    assert kkt_residual(weights, x, pull, p) == pytest.approx(np.sqrt(1 - cosine**2), rel=1e-12)


@pytest.mark.parametrize("p", [2.0, 3.0])
def test_one_grown_neuron_at_a_sample_is_a_kkt_point(p):
    grown = ClassWeights(np.sqrt(p) * np.eye(1, 4), np.ones(1))

    assert kkt_residual(grown, np.eye(4), np.full(4, 0.25), p) < ROUNDING
