"""Unbalanced neurons in the light-cone chart: the flow of weights, at any scale (theory D1, T8)."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from questions import SMALL
from scipy.special import gamma
from systems import polar, random_problem, system

from gflow.errors import ScenarioError
from gflow.flow.resumption import Resumption
from gflow.flow.trajectory import Reason
from gflow.judges.conservation import judge_balancedness
from gflow.judges.finding import Verdict
from gflow.measure.balance import imbalance
from gflow.network.lightcone import LightconeNeurons, lightcone
from gflow.network.neurons import CartesianNeurons
from gflow.runs import store
from gflow.runs.continuation import continue_run
from gflow.runs.experiment import simulate
from gflow.scenario import parse_scenario

EPS = np.finfo(np.float64).eps
SOLVER = 1e-9
"""Tolerance of one step; a flow of a hundred steps is right to a hundred times that."""

CONSTANTS = ("log_plus", "log_minus", "sign_plus", "sign_minus")

BALANCE = {"wide": 0.6, "steep": 1.7, "balanced": 1.0}
"""|v_j|/‖w_j‖ at the start: Δ > 0, Δ < 0, Δ = 0."""


def _random(slope, **sizes):
    x, y, w, sign, rng = random_problem(**sizes)
    return x, y, w, sign * slope * np.linalg.norm(w, axis=1), rng


def _weights(neurons):
    """w and v of any chart."""
    u, r, o, s = (
        np.asarray(a)
        for a in (neurons.direction, neurons.log_norm, neurons.log_output, neurons.sign)
    )
    return np.exp(r)[:, None] * u, s * np.exp(o)


@pytest.mark.parametrize("log_eps", [0.0, -3.0])
@pytest.mark.parametrize("balance", BALANCE)
def test_the_chart_gives_back_the_weights_it_was_made_of(balance, log_eps):
    _, _, w, v, _ = _random(BALANCE[balance])

    weights = _weights(lightcone(w, v, log_eps))

    for a, b in zip(weights, (w, v), strict=True):
        assert np.abs(a - np.exp(log_eps) * b).max() < 100 * EPS * np.abs(b).max()


@pytest.mark.parametrize(
    "slope",
    [pytest.param(0.1, marks=pytest.mark.slow), 0.6, pytest.param(1.7, marks=pytest.mark.slow)],
)
def test_the_flow_is_the_cartesian_one(slope):
    x, y, w, v, rng = _random(slope, h=5, size=0.3)
    plain = system(CartesianNeurons(jnp.asarray(w), jnp.asarray(v)), x, y, 3)
    expected = plain.follow([1.0, 4.0], SOLVER).state.weights

    start = lightcone(w, v, 0.0)
    end = system(start, x, y, 3).follow([1.0, 4.0], SOLVER).state.weights

    allowed = 100 * SOLVER * float(jnp.abs(expected.w).max() + jnp.abs(expected.v).max())
    for a, b in zip(_weights(end), (expected.w, expected.v), strict=True):
        assert np.abs(a - b).max() < allowed
    points = rng.standard_normal((20, 5))
    gap = end.network(3.0)(points) - expected.network(3.0)(points)
    assert float(jnp.abs(gap).max()) < allowed * np.linalg.norm(points, axis=1).max() ** 3
    # Output weights may change their sign on the way, steep ones never do.
    changed = np.asarray(end.sign) != np.sign(v)
    assert changed.any() == (slope < 1)


@pytest.mark.parametrize("slope", [0.1, 1.0, 1.7])
def test_the_imbalance_is_conserved_to_the_last_bit(slope):
    x, y, w, v, _ = _random(slope, h=5, size=0.3)
    start = lightcone(w, v, 0.0)

    end = system(start, x, y, 3).follow([1.0, 4.0], 1e-3).state.weights

    for name in CONSTANTS:
        assert np.array_equal(getattr(end, name), getattr(start, name))
    delta = imbalance(np.asarray(end.log_norm)[None], np.asarray(end.log_output)[None])[0]
    largest = np.maximum(np.linalg.norm(w, axis=1), np.exp(np.asarray(end.log_norm)))
    assert np.abs(delta - (1 - slope**2) * np.sum(w**2, axis=1)).max() < 100 * EPS * (
        slope**2 * largest.max() ** 2 + largest.max() ** 2
    )


@pytest.mark.parametrize("relative", [0.0, 1e-12, -1e-12, 1e-30])
def test_nearly_balanced_neurons_follow_the_polar_flow(relative):
    # From one first step on both take the same steps, up to rounding.  The slope differs from ±1 by
    # Δ/2ρ² <= 1e-12, times e^{2·0.4} for the neuron that shrinks; rates and times are of order 1.
    x, y, w, v, _ = _random(1.0, h=5, size=0.3)
    rho, begin = np.linalg.norm(w, axis=1), Resumption(first_step=1e-3)
    flow = system(polar(w, np.log(rho), np.sign(v)), x, y, 3)
    other = flow.follow([1.0, 4.0], SOLVER, start=begin).state

    start = lightcone(w, v, 0.0, delta=relative * rho**2)
    end = system(start, x, y, 3).follow([1.0, 4.0], SOLVER, start=begin).state

    assert np.isfinite(np.asarray(start.log_minus)).all()
    assert (np.asarray(start.sign_plus * start.sign_minus) == np.sign(relative)).all()
    gaps = (
        end.weights.direction - other.weights.direction,
        end.weights.log_norm - other.weights.log_norm,
        end.weights.log_output - other.weights.log_norm,
        end.dissipated - other.dissipated,
    )
    assert max(float(jnp.abs(gap).max()) for gap in gaps) < SOLVER


@pytest.mark.slow
@pytest.mark.parametrize(("p", "u0"), [(3.0, 0.04), (2.5, 0.05)])
def test_a_neuron_without_output_weight_aligns_late(p, u0):
    # T8, κ = π_k = 1 and f = 0: (1 - u²)^{-1/2} ∝ cosh^p I exactly, and cosine 0.99 is reached at
    # t̂ = p t ≈ √p (√π/2) Γ((p-1)/2)/Γ(p/2) u0^{1-p}; a balanced start needs u0^{2-p}/(p-2).
    law = np.sqrt(p * np.pi) / 2 * gamma((p - 1) / 2) / gamma(p / 2) * u0 ** (1 - p)
    w, v = np.array([[u0, np.sqrt(1 - u0**2)]]), np.zeros(1)
    flow = system(lightcone(w, v, np.log(1e-100)), [[1.0, 0.0]], [1.0], p)

    trajectory = flow.follow(np.array([0.5, 0.97, 1.03]) * law / p, SOLVER)

    states = trajectory.observations.weights
    u, boost = np.asarray(states.direction)[:, 0, 0], np.asarray(states.boost)[:, 0]
    scheduled = u[np.asarray(trajectory.scheduled)]
    assert scheduled[2] < 0.99 < scheduled[3]
    early = u < 0.9
    left = -0.5 * np.log1p(-(u[early] ** 2)) + 0.5 * np.log1p(-(u0**2))
    assert np.abs(left - p * np.log(np.cosh(boost[early]))).max() < 100 * SOLVER


@pytest.mark.parametrize("balance", ["wide", "steep"])
def test_no_scale_is_too_small(balance):
    # f = 0 at both scales, so directions and boosts do not know which one it is.
    x, y, w, v, _ = _random(BALANCE[balance], h=5, size=0.3)
    v[0] = 0.0 if balance == "wide" else v[0]

    tiny, small = (
        system(lightcone(w, v, np.log(eps)), x, y, 3).follow([0.3, 1.0], SOLVER).state
        for eps in (1e-300, 1e-200)
    )

    for leaf in jax.tree.leaves(tiny):
        assert np.isfinite(np.asarray(leaf)).all()
    assert np.isfinite(np.asarray(tiny.weights.network(3.0).log_mass)).all()
    assert jnp.abs(tiny.weights.direction - small.weights.direction).max() < 100 * SOLVER
    assert jnp.abs(tiny.weights.boost - small.weights.boost).max() < 100 * SOLVER
    moved = tiny.weights.log_norm - small.weights.log_norm - np.log(1e-100)
    assert jnp.abs(moved).max() < 100 * SOLVER


@pytest.mark.parametrize("side", [1.0, -1.0])
def test_a_neuron_that_shrinks_to_nothing_ends_the_flow(side):
    # One sample of the other class along u, f = 0, p = 1: Φ = -side, so I = -side·t and
    # ρ = 0 at |I| = ½ log|P/M| = ½ log 5 for |v| = 3/2 ‖w‖.
    flow = system(
        lightcone(np.array([[1.0, 0.0]]), np.array([1.5 * side]), np.log(1e-100)),
        [[1.0, 0.0]],
        [-side],
        1,
    )

    trajectory = flow.follow([0.5, 4.0], SOLVER)

    assert trajectory.outcome.reason is Reason.NOT_FINITE
    assert trajectory.outcome.t == pytest.approx(np.log(5) / 2, abs=100 * SOLVER)
    assert "light-cone chart a neuron with |v_j| > ‖w_j‖ whose ‖w_j‖ reached zero" in (
        trajectory.outcome.text
    )
    assert np.isfinite(np.asarray(trajectory.state.weights.log_norm)).all()


@pytest.mark.slow
def test_a_neuron_that_turns_while_it_shrinks_ends_the_flow_too():
    # Samples of the other class all around: Φ = -Σ|u_k|³/4 < 0 wherever it turns.
    x = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    start = lightcone(np.array([[0.8, 0.3]]), np.array([2.0]), np.log(1e-100))

    trajectory = system(start, x, -np.ones(4), 3).follow([50.0], 1e-6)

    assert trajectory.outcome.reason is Reason.NOT_FINITE


TOLERANCE = 1e-6


def unbalanced(chart, eps):
    lines = [f'chart = "{chart}"', f"tolerance = {TOLERANCE}", 'precision = "float64"']
    text = SMALL.replace("init_scale = 1e-6", f"init_scale = {eps}\nbalanced = false")
    return parse_scenario(text.replace("[flow]", "\n".join(["[flow]", *lines])))


@pytest.fixture(scope="module")
def run():
    return simulate(unbalanced("lightcone", 1e-3))


@pytest.mark.slow
def test_an_unbalanced_scenario_gives_the_same_answer_in_both_charts(run):
    plain = simulate(unbalanced("cartesian", 1e-3))

    a, b = (r.record["center_output"].values[-1] for r in (run, plain))
    assert run.outcome.reason is Reason.END_TIME
    assert np.abs(a - b).max() < 100 * TOLERANCE * np.abs(b).max()


@pytest.mark.slow
def test_an_unbalanced_run_is_stored_judged_and_continued(run, tmp_path):
    store.save(run, folder := tmp_path / "run")
    stored = store.load(folder)

    assert isinstance(stored.state.weights, LightconeNeurons)
    for a, b in zip(*map(jax.tree.leaves, (stored.state, run.state)), strict=True):
        assert np.array_equal(a, b)
    opinion = judge_balancedness(stored.evidence)
    assert opinion.verdict is Verdict.HOLDS and "light-cone" in opinion.reason
    assert continue_run(stored, 250.0).outcome.t == 250


def test_an_absolute_tolerance_has_no_place_in_the_chart():
    text = SMALL.replace("[flow]", '[flow]\nchart = "lightcone"\nabsolute_tolerance = 1e-13')

    with pytest.raises(ScenarioError, match=r'flow\.chart = "lightcone".*remove it'):
        parse_scenario(text)


@pytest.mark.slow
def test_an_unbalanced_scenario_may_start_at_any_scale():
    run = simulate(unbalanced("lightcone", 1e-300))

    assert run.outcome.complete and np.isfinite(run.record["log_output"]).all()
    assert float(run.record["log_norm"].max()) < np.log(1e-250)
