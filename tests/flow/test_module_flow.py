"""`flow_of`: what of a module moves, what stays, and what is said of how it ended."""

import warnings

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gflow
from gflow.errors import GflowWarning
from gflow.flow.module_flow import ModuleOutcome
from gflow.flow.trajectory import Reason

X, Y = np.eye(2), np.array([2.0, 1.0])
"""One sample on each axis, so that slopes move alone: L = Σ_i (a_i - y_i)²/4."""

TIMES = [0.5, 2.0]
DECAY = 1 - np.exp(-np.array([0.0, *TIMES]) / 2)
"""A slope from 0 toward its label, in units of the label."""

FASTER = 1 - np.exp(-2 * np.array([0.0, *TIMES]))
"""The same with a factor of 2: the rate is 4 times as large, and the slope tends to y/2."""


def half_square(f, y):
    return (f - y) ** 2 / 2


class Masked(eqx.Module):
    """Slopes on some axes, with a factor that is no parameter."""

    a: jax.Array
    mask: object
    factor: object = 1.0

    def __call__(self, x):
        return x @ (self.a * jnp.asarray(self.mask, self.a.dtype)) * self.factor


def slopes(module):
    flow = gflow.flow_of(module, half_square, (X, Y), TIMES, tolerance=1e-9)
    return np.stack([np.asarray(one.a) for one in flow.modules]), flow


def test_arrays_of_integers_stay_and_can_be_given_again():
    for mask in ([1, 0], [0, 1]):
        a, flow = slopes(Masked(jnp.zeros(2), jnp.array(mask)))

        np.testing.assert_allclose(a, np.outer(DECAY, mask * Y), atol=1e-7)
        assert flow.modules[-1].mask.dtype == int


def test_a_mask_changed_in_place_is_another_mask_and_changes_no_module_of_before():
    mask = np.array([True, False])
    module = Masked(jnp.zeros(2), mask)
    _, first = slopes(module)
    mask[:] = [False, True]

    a, _ = slopes(module)

    np.testing.assert_allclose(a, np.outer(DECAY, [0.0, 1.0]), atol=1e-7)
    assert first.modules[-1].mask.tolist() == [True, False]


def test_an_object_changed_in_place_is_another_one():
    class Setting:
        factor = 1.0

    setting = Setting()

    class Scaled(eqx.Module):
        a: jax.Array
        setting: object

        def __call__(self, x):
            return x @ self.a * self.setting.factor

    module = Scaled(jnp.zeros(2), setting)
    slopes(module)
    setting.factor = 2.0

    np.testing.assert_allclose(slopes(module)[0], np.outer(FASTER, Y / 2), atol=1e-7)


class Turned(eqx.Module):
    """A complex number times the first axis less i times the second."""

    a: jax.Array
    part: object = jnp.real

    def __call__(self, x):
        return self.part(x.astype(complex) @ jnp.array([1.0, -1.0j]) * self.a)


def test_both_parts_of_complex_arrays_are_trained():
    a, _ = slopes(Turned(jnp.zeros((), complex)))

    # Re a is the slope on the first axis, Im a on the second.
    np.testing.assert_allclose(a, DECAY * (2 + 1j), atol=1e-7)


@pytest.mark.parametrize("factor", [2.0, np.float64(2.0)])
def test_numbers_that_are_no_arrays_are_not_trained(factor):
    a, flow = slopes(Masked(np.zeros(2), jnp.array([1, 1]), factor))

    np.testing.assert_allclose(a, np.outer(FASTER, Y / 2), atol=1e-7)
    assert flow.modules[-1].factor is factor


def test_a_flow_that_ended_early_ends_with_its_last_state():
    line = Masked(jnp.zeros(2), jnp.array([1, 1]))

    flow = gflow.flow_of(line, half_square, (X, Y), [100.0], tolerance=1e-9, max_steps=5)

    last = np.asarray(flow.modules[-1].a)
    assert flow.outcome.reason == "max_steps" and 0 < flow.times[-1] == flow.outcome.t < 100
    np.testing.assert_allclose(last, (1 - np.exp(-flow.times[-1] / 2)) * Y, atol=1e-7)
    assert flow.loss[-1] == pytest.approx(((last - Y) ** 2).sum() / 4)


def test_outcomes_name_arguments_and_no_key_of_a_scenario():
    for reason in (Reason.MAX_STEPS, Reason.NOT_FINITE, Reason.STALLED, Reason.INTERRUPTED):
        text = ModuleOutcome(reason, 1.0, 2.0, 3).text
        assert not any(f"{table}." in text for table in ("flow", "network", "train", "data")), text
    assert "`max_steps`" in ModuleOutcome(Reason.MAX_STEPS, 1.0, 2.0, 3).text


@pytest.mark.parametrize(
    ("module", "words"),
    [
        (lambda x: x[:, 0], "must have a float array"),
        (Turned(jnp.zeros((), complex), jnp.conj), "must give real outputs, but gives complex"),
    ],
)
def test_modules_that_cannot_flow_are_refused(module, words):
    with pytest.raises(ValueError, match=words):
        gflow.flow_of(module, half_square, (X, Y), TIMES)


def test_a_start_below_rounding_is_warned_of_and_only_that():
    def start(scale):
        return Masked(jnp.full(2, scale), jnp.array([1, 1]))

    with pytest.warns(GflowWarning, match="starts at a scale of 1e-20.*2e-16"):
        gflow.flow_of(start(1e-20), half_square, (X, Y), [1e-3])
    with warnings.catch_warnings():
        warnings.simplefilter("error", GflowWarning)
        gflow.flow_of(start(1e-12), half_square, (X, Y), [1e-3])
