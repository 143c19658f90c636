"""`flow_of`: what of a module moves, what stays, and what is said of how it ended."""

import warnings
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gflow
from gflow.errors import DataError, GflowWarning
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


class Given(eqx.Module):
    """Whatever a function makes of slopes and inputs."""

    a: jax.Array
    of: Callable = eqx.field(static=True)

    def __call__(self, x):
        return self.of(x, self.a)


def given(of):
    return Given(jnp.zeros(2), of)


REFUSALS = [
    # Data.
    (dict(data=(X[0], Y)), "inputs must be an array of real numbers of shape (n, D), but have "
        "shape (2,)"),
    (dict(data=([[1.0], [1.0, 2.0]], Y)), "of shape (n, D), but their rows differ in length"),
    (dict(data=(X * 1j, Y)), "inputs must be an array of real numbers of shape (n, D), but are of "
        "type complex128"),
    (dict(data=(X[:0], Y[:0])), "inputs must not be empty, but have shape (0, 2)"),
    (dict(data=(np.full_like(X, np.inf), Y)), "inputs must be finite, but row 0 is not"),
    (dict(data=(X, Y[:, None])), "labels must be an array of real numbers of shape (n,), but have "
        "shape (2, 1)"),
    (dict(data=(X, ["a", "b"])), "of shape (n,), but are of type <U1"),
    (dict(data=(X, Y[:1])), "labels must be as many as inputs, 2, but are 1"),
    (dict(data=(X, [1.0, np.nan])), "`labels` must be finite, but labels[1] is nan"),
    # Times.
    (dict(times=[]), "`times` must increase, all of them finite and after 0, but is []"),
    (dict(times=np.array(3.0)), "all of them finite and after 0, but is 3.0"),
    (dict(times=[1.0, 0.5]), "`times` must increase, all of them finite and after 0, but is [1.0,"),
    (dict(times=[0.0, 1.0]), "all of them finite and after 0, but is [0.0, 1.0]; try [1.0, 10.0]."),
    (dict(times=[1.0, np.nan]), "all of them finite and after 0, but is [1.0, nan]"),
    (dict(times=[1.0, np.inf]), "all of them finite and after 0, but is [1.0, inf]"),
    (dict(times=["soon"]), "all of them finite and after 0, but is ['soon']"),
    # Settings.
    (dict(tolerance=0.0), "`tolerance` must be between 0 and 1, but is 0.0; try 1e-6."),
    (dict(tolerance=np.nan), "`tolerance` must be between 0 and 1, but is nan"),
    (dict(solver="euler"), "`solver` must be one of tsit5"),
    (dict(max_steps=0), "`max_steps` must be at least 1, but is 0"),
    # Module and loss.
    (dict(module=lambda x: x[:, 0]), "`module` must have a float array"),
    (dict(module=given(lambda x, a: x[0] @ a)), "one array with a row per sample, shape (2, …), "
        "but gives shape ()"),
    (dict(module=given(lambda x, a: (x @ a, x @ a))), "shape (2, …), but gives a tuple of 2"),
    (dict(module=given(lambda x, a: (x @ a).astype(complex))), "must give real outputs, but gives "
        "complex128"),
    (dict(module=given(lambda x, a: x @ a > 0)), "must give real outputs, but gives bool"),
    (dict(loss=lambda f, y: ((f - y) ** 2).mean()), "`loss` must give one number per sample, shape "
        "(2,), but gives shape ()"),
    (dict(loss=lambda f, y: (f[:, None] - y[None]) ** 2), "but gives shape (2, 2)"),
    (dict(loss=lambda f, y: None), "`loss` must give one number per sample, shape (2,), but gives "
        "a NoneType"),
    (dict(loss=lambda f, y: f.astype(complex)), "`loss` must give real numbers, but gives "
        "complex128"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "words"), REFUSALS, ids=[words for _, words in REFUSALS])
def test_what_cannot_flow_is_refused_with_a_cure(change, words):
    line = Masked(jnp.zeros(2), jnp.array([1, 1]))
    whole = dict(module=line, loss=half_square, data=(X, Y), times=TIMES)

    with pytest.raises((ValueError, DataError)) as caught:
        gflow.flow_of(**whole | change)

    text = str(caught.value)
    assert words in text and "; " in text and text.endswith(".")


def test_lists_and_arrays_of_any_kind_are_samples():
    line = Masked(jnp.zeros(2), jnp.array([1, 1]))

    for x, y in ((X.tolist(), Y.tolist()), (jnp.asarray(X), jnp.asarray(Y)), (X.astype(int), Y)):
        flow = gflow.flow_of(line, half_square, (x, y), jnp.asarray(TIMES), tolerance=1e-9)

        np.testing.assert_allclose(flow.modules[-1].a, DECAY[-1] * Y, atol=1e-7)


def test_random_keys_and_flags_are_passed_along():
    class Noisy(eqx.Module):
        a: jax.Array
        key: jax.Array
        on: np.ndarray

        def __call__(self, x):
            noise = jax.random.normal(self.key, (2,), x.dtype)
            return x @ self.a + jnp.where(self.on, noise, 0.0)

    module = Noisy(jnp.zeros(2), jax.random.key(0), np.array([False, False]))

    a, flow = slopes(module)

    np.testing.assert_allclose(a, np.outer(DECAY, Y), atol=1e-7)
    assert flow.modules[-1].key == module.key and flow.modules[-1].on.dtype == bool


def test_a_start_below_rounding_is_warned_of_and_only_that():
    def start(scale):
        return Masked(jnp.full(2, scale), jnp.array([1, 1]))

    with pytest.warns(GflowWarning, match="starts at a scale of 1e-20.*2e-16"):
        gflow.flow_of(start(1e-20), half_square, (X, Y), [1e-3])
    with warnings.catch_warnings():
        warnings.simplefilter("error", GflowWarning)
        gflow.flow_of(start(1e-12), half_square, (X, Y), [1e-3])
