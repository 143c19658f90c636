"""One vector for a class: closed forms of theory D26, bounds, and an optimizer of its own."""

import jax.numpy as jnp
import numpy as np
import pytest
from networks import Ridges, network, noisy, rotated

from gflow.network.population import population_of
from gflow.network.reference import average_classifier, subclass_classifier
from gflow.robustness.bracket import measure_radii
from gflow.robustness.norm import Norm
from gflow.robustness.universal_attack import universal


def vectors(f, x, y, share=1.0):
    return measure_radii(f, x, y, [Norm.L2], seed=0, share=share).universal


def ideal(centers, p):
    return average_classifier(centers) if p < 2 else subclass_classifier(centers, p)


def wrong(f, x, y):
    g = population_of(f)
    return y * (np.maximum(x @ g.u.T, 0) ** g.p @ (g.s * g.m)) <= 0


@pytest.mark.parametrize("p", [1.0, 2.0, 3.0])
def test_one_vector_for_the_centers_is_as_long_as_the_law_says(p):
    K, K1 = 5, 3
    centers = rotated(K, K1, 8)

    pair = vectors(ideal(centers, p), centers.mu, centers.label.astype(float))

    for one in pair:
        n = K1 if one.label > 0 else K - K1
        law = K**-0.5 if p < 2 else (n / (n + 1)) ** 0.5
        assert law - 1e-6 < one.certified <= law < one.attacked + 1e-15
        assert one.attacked < law + 1e-6


def test_between_one_and_two_opposite_centers_rise_together():
    # theory D26: √(nc/(n + c)) with c = K_o^(1 - 2/p), of neurons at centers.
    centers, p = rotated(5, 3, 8), 1.5
    f = subclass_classifier(centers, p)

    for one in vectors(f, centers.mu, centers.label.astype(float)):
        n, opposite = (3, 2) if one.label > 0 else (2, 3)
        c = opposite ** (1 - 2 / p)
        law = (n * c / (n + c)) ** 0.5
        assert law - 1e-6 < one.certified <= law <= one.attacked < law + 1e-6


@pytest.mark.parametrize("p", [1.0, 3.0])
@pytest.mark.parametrize("share", [1.0, 0.9])
def test_a_vector_flips_its_share_and_no_shorter_one_is_certified_away(p, share):
    centers = rotated(4, 2, 20)
    x, y = noisy(centers, 0.2, 80, 0)
    f = ideal(centers, p)

    pair = vectors(f, x, y, share)

    for one in pair:
        mine = x[y == one.label]
        assert wrong(f, mine + one.vector, one.label).mean() >= share
        assert np.isclose(np.linalg.norm(one.vector), one.attacked, rtol=1e-12)
        assert one.certified <= one.attacked < 1.1 * one.certified


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("p", [1.0, 1.5, 3.0])
def test_between_both_ends_lies_the_shortest_vector_of_a_grid(p, seed):
    rng = np.random.default_rng(seed)
    signs = np.repeat([1.0, -1.0], 4)
    f = network(rng.standard_normal((8, 3)), rng.lognormal(size=8), signs, p)
    x = rng.standard_normal((10, 3))
    g = population_of(f)

    def output(x):
        return np.maximum(x @ g.u.T, 0) ** p @ (g.s * g.m)

    y = np.where(output(x) > 0, 1.0, -1.0)
    none = dict(certified=np.zeros(10), known=np.zeros((10, 3)), seed=0)
    for one in universal(g.distinct, x, y, 1.0, **none):
        mine = x[y == one.label]

        # A grid of all directions of space, each to its first length that flips all.
        ways = rng.standard_normal((4000, 3))
        ways /= np.linalg.norm(ways, axis=1, keepdims=True)
        t = np.linspace(0, 4, 161)[1:]
        at = mine[:, None, None] + t[:, None, None] * ways
        all_flip = (one.label * output(at.reshape(-1, 3)) <= 0).reshape(len(mine), -1).all(axis=0)
        lengths = np.where(all_flip.reshape(len(t), -1).any(axis=1), t, np.inf)
        assert one.certified <= lengths.min()
        # What the search finds is no longer than what the grid does.
        assert one.attacked <= lengths.min() * (1 + 1e-6)


def test_a_mere_function_has_a_vector_too():
    # <w, x>: the class falls at the largest <w, x>/‖w‖ of its samples.
    w = np.array([1.0, 2.0, -0.5])
    x = np.random.default_rng(0).standard_normal((20, 3))
    f = Ridges(jnp.asarray(np.stack([w, -w])), jnp.array([1.0, -1.0]), 1.0)

    for one in vectors(f, x, np.sign(x @ w)):
        law = np.abs(x @ w)[np.sign(x @ w) == one.label].max() / np.linalg.norm(w)
        assert law * (1 - 1e-9) <= one.attacked < law * (1 + 1e-4)
        assert one.certified == 0


def test_without_l2_no_vector_is_looked_for():
    with pytest.raises(ValueError, match="`norms` must hold l2"):
        measure_radii(ideal(rotated(2, 1, 4), 3.0), np.eye(4), np.ones(4), [], seed=0, share=1.0)
