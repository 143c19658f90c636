"""Folded neurons: which join, what is lost, and that the loss is bounded."""

import jax.numpy as jnp
import numpy as np
import pytest

from gflow.errors import DataError
from gflow.measure.ascent import ascend
from gflow.network.folded import folded, turning_bound
from gflow.network.geometry import angle_between
from gflow.network.population import Population
from gflow.network.prelu import Network, lipschitz

POWERS = [1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 4.0]


def network(u, m, s, p, log_scale=0.0):
    u = np.asarray(u) / np.linalg.norm(u, axis=1, keepdims=True)
    log_mass = np.log(m) + log_scale
    return Network(jnp.asarray(u), jnp.asarray(log_mass), jnp.asarray(s, float), float(p))


def bundles(rng, p, width, log_scale=0.0):
    """Six bundles of five neurons in nine dimensions, of either sign and uneven mass."""
    axes = np.repeat(rng.standard_normal((6, 9)), 5, axis=0)
    u = axes / np.linalg.norm(axes, axis=1, keepdims=True) + width * rng.standard_normal((30, 9))
    return network(u, rng.exponential(size=30), np.repeat([1, -1, 1, -1, 1, -1], 5), p, log_scale)


@pytest.mark.parametrize("p", POWERS)
@pytest.mark.parametrize("width", [1e-3, 0.03, 0.2])
def test_no_input_sees_more_than_turning_error_and_rest(p, width):
    # Theory D9: sup over the unit ball of |f - f_folded| <= turning_error + rest.  The ascent
    # looks for the worst input; it must not find one beyond the bound.
    rng = np.random.default_rng(0)
    full = Population.of(bundles(rng, p, width))
    few = folded(full, angle=8 * width, rest_share=0.02)
    leaders = few.population

    def change(x):
        (f, df), (g, dg) = full.value_and_gradient(x), leaders.value_and_gradient(x)
        sign = np.sign(f - g)
        return sign * (f - g), sign[:, None] * (df - dg)

    starts = rng.standard_normal((200, 9))
    starts = np.concatenate([starts, full.u, -full.u])
    _, worst = ascend(change, starts / np.linalg.norm(starts, axis=1, keepdims=True), 200)

    assert len(leaders.m) < 30
    assert 0 < worst.max() <= few.error


@pytest.mark.parametrize("p", POWERS)
def test_one_turned_neuron_reaches_the_lipschitz_constant(p):
    # sup |σ(<u, x>)^p - σ(<v, x>)^p| = L_p th (1 + O(th)), attained near cos φ u - sin φ e with
    # tan φ = 1/√(p-1) (theory D9).
    th, phi = 1e-4, np.arctan2(1, np.sqrt(p - 1))
    u, v = np.array([[1.0, 0.0]]), np.array([[np.cos(th), np.sin(th)]])
    x = np.array([np.cos(phi), np.sin(phi)])

    change = abs(max(u[0] @ x, 0) ** p - max(v[0] @ x, 0) ** p)

    assert turning_bound(p, np.ones(1), u, v) == pytest.approx(lipschitz(p) * th, rel=1e-7)
    assert lipschitz(p) * th * (1 - p**2 * th) <= change <= lipschitz(p) * th


def test_lipschitz_constants_of_theory():
    # Theory D9 prints 1, 1, 1.1547, 1.2990 for p = 1, 2, 3, 4.
    assert [round(lipschitz(p), 4) for p in (1.0, 2.0, 3.0, 4.0)] == [1, 1, 1.1547, 1.299]


def test_scattered_turns_cost_less_than_their_sum():
    # n neurons turned by th into n orthogonal directions: the rows √m (u_j - v_j) have norm at
    # most 2 sin(th/2) √m each and are near orthogonal, so the bound is about √n th, not n th.
    n, th = 64, 1e-3
    v = np.tile(np.eye(1, n + 1), (n, 1))
    u = np.cos(th) * v + np.sin(th) * np.eye(n + 1)[1:]

    assert turning_bound(1.0, np.ones(n), u, v) == pytest.approx(np.sqrt(n) * th, rel=1e-2)


def test_angles_are_accurate_however_small():
    u = np.array([[1.0, 0.0]])
    for th in (1e-12, 1e-6, 0.1, 3.0):
        v = np.array([[np.cos(th), np.sin(th)]])
        assert angle_between(u, v)[0] == pytest.approx(th, rel=1e-12)


def test_copies_become_one_neuron_of_the_same_function():
    rng = np.random.default_rng(1)
    u = np.repeat(rng.standard_normal((3, 5)), [1, 2, 4], axis=0)
    full = network(u, rng.exponential(size=7), [1, -1, -1, 1, 1, 1, 1], 3)
    few = folded(full, angle=0.0, rest_share=0.0)
    x = rng.standard_normal((20, 5))

    assert sorted(np.bincount(few.membership)) == [1, 2, 4]
    assert few.error < 1e-14
    np.testing.assert_allclose(few.population.network(x), full(x), rtol=1e-12, atol=1e-13)


def test_distinct_neurons_are_the_same_function_and_nothing_is_turned():
    rng = np.random.default_rng(2)
    u = np.repeat(rng.standard_normal((3, 5)), [2, 1, 4], axis=0)
    u[6] += 1e-12  # as good as parallel, but another direction
    full = Population.of(network(u, rng.exponential(size=7), [1, -1, -1, 1, 1, -1, 1], 3))
    few = full.distinct
    x = rng.standard_normal((20, 5))

    # Two of one direction and other signs; one; of the last four two share both, one has another
    # sign, one another direction.
    assert len(few.m) == 2 + 1 + 3
    assert {row.tobytes() for row in few.u} == {row.tobytes() for row in full.u}
    np.testing.assert_allclose(few(x), full(x), rtol=0, atol=1e-13 * full.m.sum())


def test_neurons_of_opposite_sign_stay_apart():
    few = folded(network(np.ones((2, 3)), [1.0, 2.0], [1, -1], 1), 0.5, 0.0)

    assert sorted(few.membership) == [0, 1]


def test_membership_accounts_for_every_neuron_and_all_mass():
    full = bundles(np.random.default_rng(2), 3, 0.05)
    few = folded(full, angle=0.4, rest_share=0.05)
    m, member = np.asarray(full.mass) / np.exp(few.population.log_scale), few.membership
    leaders = few.population

    assert len(np.unique(member[member >= 0])) == len(leaders.m)
    assert few.rest == pytest.approx(m[member < 0].sum(), rel=1e-12)
    assert 0 < few.rest <= 0.05 * m.sum()
    assert m[member < 0].max() <= m[member >= 0].min()
    for k in range(len(leaders.m)):
        mine = member == k
        mean = m[mine] @ np.asarray(full.direction)[mine]
        assert leaders.m[k] == pytest.approx(m[mine].sum(), rel=1e-12)
        assert leaders.u[k] == pytest.approx(mean / np.linalg.norm(mean), abs=1e-14)
        assert (np.asarray(full.sign)[mine] == leaders.s[k]).all()


@pytest.mark.parametrize("log_scale", [-1400.0, 300.0])
def test_folding_does_not_see_the_scale(log_scale):
    # Contributions at initialization scale 1e-304 are e^{-1400}: far below the smallest float.
    unit, scaled = (
        folded(bundles(np.random.default_rng(3), 3, 0.05, shift), 0.4, 0.01)
        for shift in (0.0, log_scale)
    )

    # log m + log_scale loses |log_scale| units of the last place.
    rounding = 1e3 * np.finfo(float).eps
    assert np.array_equal(unit.membership, scaled.membership)
    assert scaled.rest == pytest.approx(unit.rest, rel=rounding)
    assert scaled.turning_error == pytest.approx(unit.turning_error, rel=rounding)
    shift = scaled.population.network.log_mass - unit.population.network.log_mass
    np.testing.assert_allclose(shift, log_scale, rtol=rounding)


def test_a_network_that_is_zero_folds_to_nothing():
    # A Cartesian neuron that died has no direction: its row is nan and its mass 0.
    zero = Network(jnp.full((3, 4), jnp.nan), jnp.full(3, -jnp.inf), jnp.ones(3), 3.0)
    few = folded(zero, 0.1, 0.0)

    assert few.population.u.shape == (0, 4)
    assert few.error == 0
    assert list(few.membership) == [-1, -1, -1]


def test_a_network_that_diverged_is_refused():
    bad = Network(jnp.full((1, 2), jnp.nan), jnp.zeros(1), jnp.ones(1), 1.0)

    with pytest.raises(DataError, match="must be finite"):
        folded(bad, 0.1, 0.0)
