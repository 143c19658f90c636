"""Flows from a caller's weights, against an integration of (W, v) without a line of gflow."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from own import Logistic, weights
from questions import SMALL
from scipy.integrate import solve_ivp

import gflow
from gflow.errors import DataError, ScenarioError
from gflow.network.neurons import PolarNeurons
from gflow.runs.given import received

TIGHT = ("flow.tolerance=1e-8", "flow.precision=float64", "flow.end_time=12.0")


def question(*overrides, text=SMALL):
    return gflow.parse_scenario(text, overrides=overrides)


def simulate(scenario, W, v, **rest):
    return gflow.simulate(scenario, neurons=(W, v), progress=False, **rest)


def integrated(scenario, W, v):
    """(W, v) at the end time: DOP853 on plain weights, f = Σ_j v_j ‖w_j‖^{1-p} σ(<w_j, x>)^p."""
    train, p = scenario.data.read(scenario.seed).train, scenario.network.power
    x, y = train.x.astype(float), train.targets("sign").astype(float)
    h, D = W.shape

    def velocity(_, theta):
        w, v = theta[: h * D].reshape(h, D), theta[h * D :]
        rho, z = np.linalg.norm(w, axis=1), np.maximum(x @ w.T, 0)
        value = rho ** (1 - p) * z**p
        g = y * np.exp(-y * (value @ v)) / len(y)
        radial = ((1 - p) * rho**-2 * (g @ value))[:, None] * w
        dw = v[:, None] * (radial + p * (rho ** (1 - p) * g[:, None] * z ** (p - 1)).T @ x)
        return np.concatenate([dw.ravel(), g @ value])

    start = np.concatenate([np.asarray(W, float).ravel(), np.asarray(v, float)])
    end = solve_ivp(velocity, (0, scenario.flow.end_time), start, "DOP853", rtol=1e-11, atol=1e-13)
    return end.y[: h * D, -1].reshape(h, D), end.y[h * D :, -1]


@pytest.mark.parametrize(
    ("balanced", "chart", "expected"),
    [
        pytest.param(True, "polar", "polar", marks=pytest.mark.slow),
        (False, "polar", "lightcone"),
        pytest.param(False, "cartesian", "cartesian", marks=pytest.mark.slow),
    ],
)
def test_own_weights_end_where_an_independent_integration_ends(balanced, chart, expected):
    scenario = question(*TIGHT, f'flow.chart="{chart}"')
    W, v = weights(balanced=balanced)

    run = simulate(scenario, W, v)

    assert run.scenario.chart == expected and run.scenario.network.balanced == balanced
    end = run.at(run.outcome.t)
    W_end, v_end = integrated(scenario, W, v)
    # A step errs by 1e-8 relative to a neuron, over some 50 steps of a flow that expands.
    size = np.abs(W_end).max()
    assert np.abs(end.W - W_end).max() < 1e-5 * size
    assert np.abs(end.v - v_end).max() < 1e-5 * size
    assert np.abs(W_end - W).max() > 0.1 * size  # it did move


@pytest.mark.slow
def test_weights_of_single_precision_start_where_they_are():
    W, v = (a.astype(np.float32) for a in weights())
    scenario = question("flow.end_time=1.0", 'record.groups=["neurons", "centers", "directions"]')

    start = simulate(scenario, jnp.asarray(W), jnp.asarray(v)).at(0.0)

    assert start.neurons.chart == "polar"
    # |v| is ‖w‖ up to the rounding of single precision, with which it was computed.
    np.testing.assert_allclose(start.W, W, rtol=1e-14)
    np.testing.assert_allclose(start.v, v, rtol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("balanced", [True, False])
def test_directions_do_not_depend_on_a_vanishing_scale(balanced):
    # While f is negligible, du/dt = s (G - <G, u> u), whatever ‖w‖ (theory D1).
    scenario = question(
        "flow.end_time=20.0", "flow.method=direct", 'record.groups=["neurons", "directions"]'
    )
    W, v = weights(size=1.0, balanced=balanced)

    small, tiny = (simulate(scenario, scale * W, scale * v) for scale in (1e-100, 1e-200))

    for t in (0.0, 10.0, 20.0):
        a, b = small.at(t), tiny.at(t)
        assert a.t == b.t
        # The logarithm of 1e-200 is rounded by 460 units of the last digit.
        np.testing.assert_allclose(b.u, a.u, atol=1e-10)
        np.testing.assert_allclose(b.log_norm - a.log_norm, np.log(1e-100), atol=1e-10)


def test_weights_below_any_float_start_from_their_logarithms():
    W, v = weights(size=1.0)
    norm = np.linalg.norm(W, axis=1)
    rows = PolarNeurons(*map(jnp.asarray, (W / norm[:, None], np.log(norm) - 650, np.sign(v))))
    population = gflow.Population(W / norm[:, None], norm**2, np.sign(v), 3.0, -1300.0)
    scenario = question("flow.end_time=1.0", 'record.groups=["neurons", "directions"]')

    for neurons in (rows, population):
        start = gflow.simulate(scenario, neurons=neurons, progress=False).at(0.0)

        np.testing.assert_allclose(start.u, W / norm[:, None], rtol=1e-14)
        np.testing.assert_allclose(start.log_norm, np.log(norm) - 650, rtol=1e-14)
        assert np.exp(2 * start.log_norm).max() == 0  # no float holds a contribution


@pytest.mark.slow
def test_the_start_of_a_scenario_given_back_is_the_same_flow_and_another_question():
    scenario = question('record.groups=["neurons", "centers", "directions"]')
    own = gflow.simulate(scenario, progress=False)

    again = gflow.simulate(scenario, neurons=own.at(0.0).neurons, progress=False)

    assert again.record.identical(own.record)
    assert again.scenario.digest() != own.scenario.digest()
    # All that is asked of given neurons is true of random ones, here.
    verdicts = [{one.id: one.verdict for one in gflow.check(run)} for run in (own, again)]
    assert verdicts[0] == verdicts[1]


def test_a_loss_of_ones_own_is_followed_and_no_law_of_another_is_judged():
    scenario = question('flow.loss="logistic"', "flow.method=direct")
    named, own = (
        gflow.simulate(scenario, loss=loss, progress=False) for loss in (None, Logistic())
    )

    np.testing.assert_array_equal(own.record["loss"], named.record["loss"])
    np.testing.assert_array_equal(own.record["cosine"], named.record["cosine"])
    assert own.scenario.flow.loss == "given" and own.scenario.flow.given.startswith("Logistic ")
    judged = {one.id: str(one.verdict) for one in gflow.check(own)}
    # What holds under any loss, and what is about no network.
    assert {judged.pop(id) for id in ("balancedness", "energy-balance", "bayes")} == {"HOLDS"}
    assert set(judged.values()) == {"OUTSIDE"}


class Wrong(Logistic):
    """A force that is not the slope of its value."""

    def force(self, y, f):
        return y * jax.nn.sigmoid(-2 * y * f)


class Negative(Logistic):
    """A loss without a lower bound."""

    def value(self, y, f):
        return -0.5 * y * f

    def force(self, y, f):
        return 0.5 * y + 0 * f


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (Logistic, r"`loss` must be a .*AbstractScalarLoss, but is .*; try Logistic\(\)"),
        (Logistic(2.0), "`loss.kappa` must be the size of the force at f = 0, but is 0.5 where"),
        (Wrong(), "`loss.force` must be minus the slope of `loss.value`, but is"),
        (Negative(), "`loss.value` must be finite and at least 0, but is"),
    ],
)
def test_a_loss_that_contradicts_itself_is_refused(loss, message):
    with pytest.raises(ScenarioError, match=message):
        received(None, loss, None, question())


W0, V0 = weights()


@pytest.mark.parametrize(
    ("neurons", "message"),
    [
        (W0, r"`neurons` must be \(W, v\)"),
        ((W0.T, V0), r"`W` must have shape \(h, D\), D = 20, but has \(20, 6\); try W.T"),
        ((W0, V0[:, None]), r"`v` must have shape \(6,\), but has \(6, 1\); try v.reshape"),
        ((W0 * np.nan, V0), r"`W` must be finite, but is not in row 0 and 5 more"),
        ((W0 * (np.arange(6) != 2)[:, None], V0), "no row of zeros.* has in row 2; drop"),
        ((W0 + 0j, V0), "`W` must be real numbers, but is complex128"),
        ((1e9 * W0, 1e9 * V0), "root mean square within 1e-300 and 1000, but it is"),
        (gflow.Population(W0 / np.linalg.norm(W0, axis=1)[:, None], V0**2, np.sign(V0), 1.0, 0.0),
         "must have the power of the scenario, network.power = 3, but the population has p = 1"),
    ],
)  # fmt: skip
def test_weights_that_cannot_be_are_refused(neurons, message):
    with pytest.raises(DataError, match=message):
        received(neurons, None, None, question())


def test_a_simulation_under_vmap_says_what_to_do_instead():
    def end(W):
        return gflow.simulate(question(), neurons=(W, jnp.asarray(V0)), progress=False)

    with pytest.raises(DataError, match=r"traced by jax .*\[vary\].*flow_of"):
        jax.vmap(end)(jnp.stack([jnp.asarray(W0)] * 2))


def test_plain_weights_too_small_for_their_squares_are_refused():
    scenario = question('flow.chart="cartesian"')
    with pytest.raises(DataError, match=r"norms >= 1e-140 as plain weights.*lightcone"):
        gflow.simulate(scenario, neurons=(W0 * np.geomspace(1e-150, 1, 6)[:, None], V0))
