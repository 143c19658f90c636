"""What each loss says of itself, over all of them and a toy that is registered here."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import logsumexp
from systems import Quartic

from gflow.flow.losses import LOSSES, CrossEntropy, Exponential, register_loss

EPS = np.finfo(float).eps
Y, F = np.array([1.0, -1.0, 1.0, -1.0]), np.array([0.3, 0.7, -2.0, -0.1])


every_loss = pytest.mark.parametrize(
    "loss", [*LOSSES.values(), Quartic()], ids=lambda loss: loss.name
)


@every_loss
def test_the_force_is_minus_the_slope_of_the_value(loss):
    slope = jax.grad(lambda f: loss.value(jnp.asarray(Y), f).sum())(jnp.asarray(F))

    force = np.asarray(loss.force(jnp.asarray(Y), jnp.asarray(F)))

    assert np.abs(force + np.asarray(slope)).max() < 10 * EPS * np.abs(force).max()


@every_loss
def test_kappa_is_the_force_on_a_network_that_is_zero(loss):
    force = np.asarray(loss.force(jnp.asarray(Y), jnp.zeros(4)))

    assert force == pytest.approx(loss.kappa * Y, rel=4 * EPS)


@every_loss
def test_the_change_of_the_force_has_all_digits(loss):
    # At ordinary outputs it is the difference; at tiny ones the derivative, where a difference
    # would be rounding.
    zero = np.asarray(loss.force(jnp.asarray(Y), jnp.zeros(4)))
    difference = np.asarray(loss.force(jnp.asarray(Y), jnp.asarray(F))) - zero
    assert loss.force_change(Y, F) == pytest.approx(difference, abs=100 * EPS)

    slope = jax.jvp(
        lambda f: loss.force(jnp.asarray(Y), f), (jnp.zeros(4),), (jnp.asarray(F),)
    )[1]  # fmt: skip
    change = loss.force_change(Y, 1e-20 * F)
    assert change == pytest.approx(1e-20 * np.asarray(slope), rel=10 * EPS)


@every_loss
def test_a_loss_saturates_where_its_force_vanishes_at_the_label(loss):
    at_label = np.asarray(loss.force(jnp.asarray(Y), jnp.asarray(Y)))

    assert (np.abs(at_label).max() == 0) == loss.saturates


def test_losses_are_found_by_their_own_names_and_none_twice():
    assert {name: loss.name for name, loss in LOSSES.items()} == {name: name for name in LOSSES}
    with pytest.raises(ValueError, match="already one called 'exponential'; choose another"):
        register_loss(Exponential())


def test_cross_entropy_is_that_of_a_softmax():
    rng = np.random.default_rng(3)
    f, y = rng.standard_normal((9, 4)) * 5, rng.integers(4, size=9)
    expected = logsumexp(f, axis=1) - f[np.arange(9), y]

    loss, at, label = CrossEntropy(), jnp.asarray(f), jnp.asarray(y, float)

    np.testing.assert_allclose(loss.value(label, at), expected, rtol=1e-12)
    slope = jax.grad(lambda f: loss.value(label, f).sum())(at)
    np.testing.assert_allclose(loss.force(label, at), -slope, atol=100 * EPS)
