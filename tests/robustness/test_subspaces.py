"""Radii of perturbations that are confined to a subspace, against closed forms and grids."""

import jax.numpy as jnp
import numpy as np
import pytest
from networks import Ridges, axes, network, noisy, rotated

from gflow.network.population import population_of
from gflow.network.reference import average_classifier, subclass_classifier
from gflow.robustness.bracket import measure_radii
from gflow.robustness.norm import Norm, l2_within
from gflow.robustness.radius import radii
from gflow.robustness.subspace import FARTHEST, SUBSPACES, Subspace


def ideal(centers, p):
    return average_classifier(centers) if p < 2 else subclass_classifier(centers, p)


def random_network(D, h, p, seed):
    rng = np.random.default_rng(seed)
    signs = np.where(np.arange(h) % 2, -1.0, 1.0)
    f = network(rng.standard_normal((h, D)), rng.lognormal(size=h), signs, p)
    x = rng.standard_normal((12, D))
    return f, x, np.where(population_of(f)(x) > 0, 1.0, -1.0)


def output(f, x):
    """Σ_j s_j m_j σ(<u_j, x>)^p, written out."""
    g = population_of(f)
    return np.maximum(x @ g.u.T, 0) ** g.p @ (g.s * g.m)


def test_a_subspace_and_its_complement_share_all_dimensions():
    rows = np.random.default_rng(0).standard_normal((3, 7))
    rows = np.concatenate([rows, rows[:1] + rows[1:2], 1e-8 * rows[2:]])

    span, rest = Subspace.spanned(rows), Subspace.orthogonal(rows)

    assert (span.d, rest.d) == (3, 4)
    assert np.abs(np.concatenate([span.basis, rest.basis], axis=1).T @ span.basis)[3:].max() < 1e-14
    assert np.abs(span.projected(rows) - rows).max() < 1e-13
    assert Subspace.orthogonal(np.eye(7)).d == 0 and Subspace.spanned(np.zeros((1, 7))).d == 0


@pytest.mark.parametrize("p", [1.0, 1.5, 2.0, 3.0])
def test_on_the_manifold_radii_are_those_of_all_space(p):
    # Neurons lie in the span of the centers, so what is orthogonal to it only costs length.
    centers = rotated(4, 2, 9)
    f, x, y = ideal(centers, p), centers.mu, centers.label.astype(float)

    within = SUBSPACES["centers"](x, centers)
    inside, free = radii(f, x, y, 0, within=within), radii(f, x, y, 0)

    expected = 0.5 if p < 2 else 0.5**0.5
    assert np.abs(free.certified - expected).max() < 1e-6
    assert np.abs(inside.certified - expected).max() < 1e-6
    assert np.abs(inside.attacked - expected).max() < 1e-6


@pytest.mark.parametrize("p", [1.0, 3.0])
def test_off_the_manifold_nothing_flips_F(p):
    centers = rotated(4, 2, 9)
    f, x, y = ideal(centers, p), centers.mu, centers.label.astype(float)

    off = radii(f, x, y, 0, within=SUBSPACES["off_samples"](x, centers))

    assert np.isinf(off.attacked).all()
    assert (off.certified >= FARTHEST * (1 - 1e-8)).all()


def test_a_subspace_of_one_point_flips_only_what_is_wrong():
    centers = rotated(4, 2, 9)
    y = centers.label * np.array([1.0, 1.0, 1.0, -1.0])

    none = radii(ideal(centers, 3.0), centers.mu, y, 0, within=Subspace.orthogonal(np.eye(9)))

    assert none.dimension == 0
    assert none.certified.tolist() == none.attacked.tolist() == [np.inf, np.inf, np.inf, 0.0]


@pytest.mark.parametrize("p", [1.0, 2.0, 3.0])
@pytest.mark.parametrize(("K", "K1"), [(4, 2), (10, 6)])
def test_along_the_difference_of_classes_centers_fall_at_the_laws_of_D26(p, K, K1):
    centers = rotated(K, K1, 15)
    f, x, y = ideal(centers, p), centers.mu, centers.label.astype(float)

    along = radii(f, x, y, 0, within=SUBSPACES["class_difference"](x, centers))

    opposite = np.where(y > 0, K - K1, K1)
    law = K**-0.5 if p < 2 else K**0.5 / (1 + opposite ** (1 / p))
    assert np.abs(along.certified - law).max() < 1e-6
    assert np.abs(along.attacked - law).max() < 1e-6
    assert (along.certified <= along.attacked).all()


def test_without_opposite_neurons_in_reach_a_line_is_certified_to_its_end():
    # f = x_1 - x_2 on the positive quadrant: along the third axis nothing changes.
    f = network(np.eye(2, 3), [1.0, 0.5], [1, -1], 1.0)

    line = radii(
        f, np.array([[1.0, 1.0, 0.0]]), np.ones(1), 0, within=Subspace.spanned(np.eye(3)[2:])
    )

    assert np.isinf(line.attacked[0]) and line.certified[0] > 0.999 * FARTHEST


@pytest.mark.slow
@pytest.mark.parametrize("p", [1.0, 1.5, 2.0, 3.0])
@pytest.mark.parametrize("seed", range(3))
def test_along_a_line_brackets_hold_the_first_change_of_sign(p, seed):
    f, x, y = random_network(3, 7, p, seed)
    way = np.random.default_rng(seed).standard_normal(3)

    line = radii(f, x, y, 0, within=Subspace.spanned(way[None]))

    # Every sign change on a grid of places; within a step of it for the coarser ones farther off.
    way /= np.linalg.norm(way)
    t = np.concatenate([np.linspace(0, 20, 80_001), np.geomspace(20, 1e5, 20_000)])
    for i in range(len(x)):
        wrong = [y[i] * output(f, x[i] + sign * t[:, None] * way) <= 0 for sign in (1, -1)]
        first = min(t[bad.argmax()] if bad.any() else np.inf for bad in wrong)
        assert line.certified[i] <= first
        if first < 20:
            assert first - 3e-4 < line.certified[i] <= line.attacked[i] <= first + 1e-9


@pytest.mark.slow
@pytest.mark.parametrize("p", [1.0, 1.5, 3.0])
@pytest.mark.parametrize("seed", range(3))
def test_in_a_plane_brackets_hold_what_a_grid_of_directions_finds(p, seed):
    f, x, y = random_network(3, 6, p, seed)
    plane = Subspace.spanned(np.random.default_rng(seed).standard_normal((2, 3)))

    bracket, free = radii(f, x, y, 0, within=plane), radii(f, x, y, 0)

    angle = np.linspace(0, 2 * np.pi, 1440, endpoint=False)
    ways = np.stack([np.cos(angle), np.sin(angle)], axis=1) @ plane.basis.T
    t = np.linspace(0, 4, 401)[1:]
    for i in range(len(x)):
        at = x[i] + t[:, None, None] * ways
        wrong = (y[i] * output(f, at.reshape(-1, 3)) <= 0).reshape(len(t), -1).any(axis=1)
        found = t[wrong.argmax()] if wrong.any() else np.inf
        assert bracket.certified[i] <= found
        # One step of the grid, and no more, may lie between the grid and the truth.
        assert bracket.attacked[i] <= found * (1 + 1e-9)
    assert (bracket.certified <= bracket.attacked).all()
    assert (free.certified <= bracket.attacked).all()


@pytest.mark.parametrize("p", [1.0, 2.5])
@pytest.mark.parametrize("d", [1, 2, 5])
def test_perturbations_flip_and_lie_in_their_subspace(p, d):
    f, x, y = random_network(8, 12, p, seed=d)
    within = Subspace.spanned(np.random.default_rng(d).standard_normal((d, 8)))

    some = radii(f, x, y, 0, within=within)

    delta, flips = some.witness.perturbation, np.isfinite(some.attacked)
    size = np.linalg.norm(delta, axis=1)
    assert flips.any()
    assert (y * output(f, x + delta) <= 0)[flips].all()
    assert np.abs(size - some.attacked)[flips].max() < 1e-12 * size.max()
    outside = np.linalg.norm(delta - within.projected(delta), axis=1)
    assert (outside <= 1e-13 * size).all()


@pytest.mark.slow
def test_no_perturbation_of_certified_length_in_the_subspace_flips():
    centers = axes(4, 2, 20)
    x, y = noisy(centers, 0.2, 30, 0)
    rng = np.random.default_rng(1)
    u = np.repeat(centers.mu, 5, axis=0) + 0.05 * rng.standard_normal((20, 20))
    f = network(u, rng.lognormal(size=20), np.repeat(centers.label, 5), 3.0)
    right = y * output(f, x) > 0
    x, y = x[right], y[right]

    for within in (Subspace.orthogonal(centers.mu), Subspace.spanned(centers.mu)):
        some = radii(f, x, y, 0, within=within)

        assert (some.certified > 0).all()
        for length in (0.3, 1.0):
            c = rng.standard_normal((300, len(x), within.d))
            c *= (length * some.certified / np.linalg.norm(c, axis=2))[..., None]
            at = x + c @ within.basis.T
            assert (y * output(f, at.reshape(-1, 20)).reshape(300, -1) > 0).all()


def test_flips_within_a_subspace_count_in_all_of_space():
    f, x, y = random_network(5, 8, 3.0, seed=0)
    within = {"line": Subspace.spanned(np.eye(5)[:1]), "plane": Subspace.spanned(np.eye(5)[:2])}

    all_of_them = measure_radii(f, x, y, [Norm.L2], seed=0, within=within).radii

    free, line, plane = (all_of_them[n] for n in ("l2", "l2_line", "l2_plane"))
    assert (free.attacked <= plane.attacked).all()
    assert (plane.attacked <= line.attacked).all()
    assert (free.certified <= plane.certified).all()


def test_a_mere_function_is_attacked_within_a_subspace():
    # <w, x> flips within V at |<w, x>|/‖P w‖.
    w = np.array([1.0, 2.0, -0.5, 0.3])
    x = np.random.default_rng(0).standard_normal((6, 4))
    within = Subspace.spanned(np.random.default_rng(1).standard_normal((2, 4)))
    f = Ridges(jnp.asarray(np.stack([w, -w])), jnp.array([1.0, -1.0]), 1.0)

    found = measure_radii(f, x, np.sign(x @ w), [], seed=0, within={"plane": within})

    some = found.radii[l2_within("plane")]
    expected = np.abs(x @ w) / np.linalg.norm(within.projected(w[None]))
    near = expected < np.linalg.norm(x, axis=1)
    assert near.any()
    assert np.abs(some.attacked / expected - 1)[near].max() < 1e-3
    assert (some.attacked >= expected * (1 - 1e-9)).all()
    assert not some.certified.any()
    delta = some.witness.perturbation
    assert np.abs(delta - within.projected(delta)).max() < 1e-6
