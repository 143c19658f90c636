"""A flow by few exact velocities: the closed form, the remainder, and the flow itself.

Oracles are the exact velocity, tight direct integrations and quadratures.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from systems import MemoryCheckpoint, polar, system

from gflow.flow.field import FlowState
from gflow.flow.frame import Frame
from gflow.flow.history import History
from gflow.flow.moments import gauss_moments, half_moments
from gflow.flow.multirate import SMALL, multirate
from gflow.flow.observer import Observer
from gflow.flow.remainder import Remainder, read_remainder
from gflow.flow.schedule import Schedule
from gflow.flow.stepper import Controls
from gflow.flow.subclasses import Subclasses
from gflow.flow.surrogate import Surrogate
from gflow.flow.trajectory import Reason
from gflow.network.lightcone import lightcone
from gflow.network.neurons import CartesianNeurons
from gflow.runs.experiment import simulate
from gflow.scenario import parse_scenario

EPS = np.finfo(float).eps
LABELS = np.array([1.0, 1.0, 1.0, -1.0, -1.0])
CHARTS = ["polar", "lightcone", "cartesian"]


def problem(
    p=3.0, n=400, D=40, h=40, alpha=0.1, log_eps=-16.0, *, chart="polar", loss="exponential"
):
    """Five subclasses of unequal sizes, and random neurons, in any chart."""
    rng = np.random.default_rng(0)
    subclass = np.sort(rng.choice(5, size=n, p=[0.1, 0.2, 0.3, 0.2, 0.2]))
    x = np.eye(5, D)[subclass] + alpha / np.sqrt(D) * rng.standard_normal((n, D))
    w, sign = rng.standard_normal((h, D)), rng.choice([-1.0, 1.0], h)
    weights = {
        "polar": lambda: polar(w, log_eps, sign),
        "lightcone": lambda: lightcone(w, 0.5 * np.linalg.norm(w, axis=1) * sign, log_eps),
        "cartesian": lambda: CartesianNeurons(
            jnp.asarray(np.exp(log_eps) * w),
            jnp.asarray(np.exp(log_eps) * np.linalg.norm(w, axis=1) * sign),
        ),
    }[chart]()
    y = LABELS[subclass]
    flow = system(weights, x, y, p, loss)
    return flow, Subclasses.of(x, y, subclass, np.full(n, 1 / n))


def few(flow, subclasses, times, tolerance=1e-3, **rest):
    """Integrate by few exact velocities, and observe every state."""
    plain = flow.weights.chart == "cartesian"
    controls = Controls(
        solver="tsit5",
        rtol=tolerance if plain else 0.0,
        atol=tolerance * min(float(flow.weights.scale), 1.0) * 1e-3 if plain else tolerance,
        min_step=0.0,
        max_steps=rest.pop("max_steps", 400),
    )
    looks = {name: rest.pop(name) for name in Observer._fields if name in rest}
    return multirate(
        flow.field,
        flow.weights,
        flow.samples,
        subclasses,
        Schedule(np.asarray(times, float)),
        controls=controls,
        observer=Observer(**{"probe": lambda t, state, outputs=None: state} | looks),
        **rest,
    )


def angles(a, b):
    """Angles between the directions of two populations, and the masses of the second."""
    cosine = np.sum(np.asarray(a.direction) * np.asarray(b.direction), axis=-1)
    return np.arccos(np.clip(cosine, -1, 1)), np.exp(np.asarray(b.log_mass))


def by_mass(a, b):
    """Mean angle between the directions of two populations, by mass."""
    angle, mass = angles(a, b)
    return float(mass @ angle / mass.sum())


@pytest.mark.parametrize("p", [1.0, 2.0, 3.0, 4.0])
def test_moments_by_recursion_are_those_by_quadrature(p):
    a = jnp.asarray(np.linspace(-1, 1, 41)[:, None] * np.ones(3))
    tau = jnp.asarray([0.0, 0.05, 0.5])

    pair = half_moments(p, a, tau)

    # The recursion adds terms of size |a|^q and (q τ²)^{q/2}, q <= 4, each to rounding.
    for moment, by_quadrature in zip(
        pair, gauss_moments((p - 1, p), a, jnp.broadcast_to(tau[None], a.shape)), strict=True
    ):
        np.testing.assert_allclose(moment, by_quadrature, atol=100 * EPS)


@pytest.mark.parametrize(
    ("chart", "p", "loss"),
    [(chart, p, "exponential") for chart in CHARTS for p in (1.0, 3.0)]
    + [("polar", 1.5, "logistic"), ("lightcone", 3.0, "square")],
)
def test_where_the_remainder_is_read_the_surrogate_is_exact(chart, p, loss):
    flow, subclasses = problem(p, h=12, log_eps=-1.0, chart=chart, loss=loss)
    state = FlowState.begin(flow.weights)
    remainder = read_remainder(flow.field, subclasses, flow.samples, state).remainder
    history = History.begin(jnp.asarray(2.0), remainder, 2, jnp.asarray(1.0))
    surrogate = Surrogate.of(flow.field, subclasses, history, flow.weights.vectors)

    velocity = surrogate(jnp.asarray(2.0), surrogate.reduced(state), None)

    exact = flow.field(jnp.asarray(2.0), state, flow.samples)
    lifted = velocity.weights.with_vectors(surrogate.frame.lift(velocity.weights.vectors))
    for one, other in zip(jax.tree.leaves(lifted), jax.tree.leaves(exact.weights), strict=True):
        np.testing.assert_allclose(one, other, atol=1e4 * EPS * float(jnp.abs(other).max() + 1))
    assert float(velocity.dissipated) == pytest.approx(float(exact.dissipated), rel=1e-10)


def test_the_remainder_is_the_sampling_error_of_a_subclass():
    # The mean of N samples is off its expectation by 1/√N: 16 times as many, a fourth.
    share = {}
    for n in (1000, 16_000):
        flow, subclasses = problem(3.0, n=n, alpha=0.5)
        state = FlowState.begin(flow.weights)
        reading = read_remainder(flow.field, subclasses, flow.samples, state)
        share[n] = float(reading.rest / reading.pull)

    # The ratio of two mean squares over 40 neurons in 40 dimensions scatters by a tenth.
    assert share[1000] / share[16_000] == pytest.approx(4, rel=0.3)


def test_the_polynomial_through_m_times_is_exact_for_polynomials_in_the_clock():
    clock = lambda t: np.log1p(t / 7)  # noqa: E731
    at = lambda t: 3 - 2 * clock(t) + clock(t) ** 2  # noqa: E731

    def remainder(t):
        one = jnp.full(1, at(t))
        return Remainder(one, one, one[None], one, one)

    history = History.begin(jnp.asarray(0.0), remainder(0.0), 3, jnp.asarray(7.0))
    for t in (1.0, 4.0, 20.0):
        history = history.then(jnp.asarray(t), remainder(t))

    for t in (0.5, 4.0, 90.0):
        value = history.weights(jnp.asarray(t)) @ history.remainder.force
        np.testing.assert_allclose(value, at(t), rtol=1e3 * EPS)
    assert float(jnp.sum(history.first(2).weights(jnp.asarray(50.0)))) == pytest.approx(1)


def test_a_frame_keeps_all_lengths():
    rng = np.random.default_rng(1)
    axes = jnp.asarray(np.linalg.qr(rng.standard_normal((20, 4)))[0].T)
    vectors = jnp.asarray(rng.standard_normal((3, 7, 20)))
    # One vector that lies in the axes, and one that repeats another.
    vectors = vectors.at[1, 0].set(axes[2]).at[2, 1].set(2 * vectors[0, 1])

    frame = Frame.of(axes, vectors)

    for vector in vectors:
        np.testing.assert_allclose(frame.lift(frame.reduce(vector)), vector, atol=1e3 * EPS)
        lengths = jnp.linalg.norm(frame.reduce(vector), axis=1)
        np.testing.assert_allclose(lengths, jnp.linalg.norm(vector, axis=1), rtol=1e3 * EPS)


@pytest.mark.parametrize(
    ("p", "chart"),
    [
        (3.0, "polar"),
        pytest.param(3.0, "lightcone", marks=pytest.mark.slow),
        pytest.param(3.0, "cartesian", marks=pytest.mark.slow),
        (1.0, "polar"),
        pytest.param(1.0, "lightcone", marks=pytest.mark.slow),
        pytest.param(1.0, "cartesian", marks=pytest.mark.slow),
    ],
)
def test_few_velocities_give_the_flow_of_many(p, chart):
    times = np.geomspace(3.0, 1000.0, 12)
    flow, subclasses = problem(p, chart=chart, log_eps=-6.0)

    trajectory = few(flow, subclasses, times, max_steps=2000)
    direct = flow.follow(times, tolerance=1e-6 if p > 1 else 1e-5)

    # The mean error of a step is the tolerance, at p = 1 up to twice that (theory D16), where the
    # rough ones of some ten steps add up; errors contract where the field is smooth.  One neuron
    # may have √h of a mean error.
    scheduled = np.flatnonzero(trajectory.scheduled)
    np.testing.assert_array_equal(trajectory.times[scheduled][1:], times)
    allowed = (1 if p > 1 else 20) * 1e-3
    at = {t: i for i, t in enumerate(direct.times)}
    for i in scheduled[1:]:
        now = observed(trajectory, i)
        then = observed(direct, at[trajectory.times[i]])
        assert by_mass(now, then) < allowed
        assert worst_contributing(now, then) < np.sqrt(40) * allowed
    assert trajectory.effort.evaluations < direct.effort.evaluations / 8


def observed(trajectory, i):
    """The weights at one recorded time."""
    return jax.tree.map(lambda leaf: jnp.asarray(leaf[i]), trajectory.observations).weights


def worst_contributing(a, b):
    """Largest angle between the directions of the neurons that carry 99.9 % of the mass."""
    angle, mass = angles(a, b)
    heaviest = np.argsort(-mass)
    count = np.searchsorted(np.cumsum(mass[heaviest]), 0.999 * mass.sum()) + 1
    return float(angle[heaviest[:count]].max())


@pytest.mark.parametrize(
    ("power", "init_scale", "most"),
    [
        (3, 1e-7, 16),
        pytest.param(1, 1e-7, 100, marks=pytest.mark.slow),
        pytest.param(3, 1e-300, 24, marks=pytest.mark.slow),
    ],
)
def test_the_number_of_velocities_is_small_at_every_scale(power, init_scale, most):
    # At p = 1, where rounding moves it, a fifth of the 504 of the direct loop.
    scenario = parse_scenario(MIXTURE.format(power=power, init_scale=init_scale))

    run = simulate(scenario)

    assert run.outcome.complete
    assert run.effort.evaluations <= most


MIXTURE = """
name = "ten-subclasses"
[data]
dimension = 1000
subclasses = 10
positive_subclasses = 6
samples = 2000
noise = 0.1
[network]
width = 200
power = {power}
init_scale = {init_scale}
[flow]
end_time = 16000
method = "multirate"
"""


@pytest.mark.slow
def test_the_error_falls_with_the_tolerance():
    flow, subclasses = problem(3.0)
    direct = flow.follow([300.0], tolerance=1e-9)

    errors, evaluations = [], []
    for tolerance in (1e-1, 1e-3, 1e-5):
        trajectory = few(flow, subclasses, [300.0], tolerance)
        errors.append(by_mass(trajectory.state.weights, direct.state.weights))
        evaluations.append(trajectory.effort.evaluations)

    # Error per step goes like the tolerance; at order 2, evaluations like its cube root.
    assert errors[1] < errors[0] / 10 and errors[2] < errors[1] / 10
    assert evaluations[2] < evaluations[1] * 100 ** (1 / 3) * 2


def test_outputs_in_between_are_those_of_the_state():
    flow, subclasses = problem(3.0)

    def probe(t, state, outputs=None):
        exact = state.weights.observe(flow.samples.x, flow.samples.n, 3.0).outputs
        known = exact if outputs is None else outputs
        return {"known": known.unscaled, "exact": exact.unscaled}

    trajectory = few(flow, subclasses, [40.0, 80.0, 300.0], probe=probe)

    known, exact = trajectory.observations["known"], trajectory.observations["exact"]
    # Outputs are off by the tolerance relative to the largest.
    assert np.abs(known - exact).max() < 1e-3 * np.abs(exact).max()


@pytest.mark.parametrize("at", [1, 4, 7])
def test_a_killed_flow_ends_equal_to_the_bit(at):
    flow, subclasses = problem(3.0)
    times = [10.0, 40.0, 300.0]
    whole = few(flow, subclasses, times)
    saved = MemoryCheckpoint(at)
    few(flow, subclasses, times, checkpoint=saved)

    resumed = few(flow, subclasses, times, checkpoint=MemoryCheckpoint(0, saved.arrays))

    assert saved.arrays is not None
    contents = lambda flow: jax.tree.leaves((flow.times, flow.observations, flow.state))  # noqa: E731
    for one, other in zip(contents(whole), contents(resumed), strict=True):
        np.testing.assert_array_equal(one, other)
    assert whole.effort == resumed.effort and whole.outcome == resumed.outcome


def test_a_rule_ends_it_at_the_first_look_beyond():
    flow, subclasses = problem(3.0)
    masses = lambda t, state, outputs=None: jnp.sum(jnp.exp(state.weights.log_mass))  # noqa: E731
    stop = lambda mass: Reason.END_LOSS if mass > 0.5 else None  # noqa: E731

    trajectory = few(flow, subclasses, [300.0], probe=masses, stop=stop)

    assert trajectory.outcome.reason is Reason.END_LOSS
    assert trajectory.observations[-1] > 0.5 and (trajectory.observations[:-1] <= 0.5).all()
    assert trajectory.outcome.t == trajectory.times[-1] < 300


def test_it_keeps_what_it_has_when_the_budget_is_used_up_or_it_is_stopped_by_hand():
    flow, subclasses = problem(3.0)

    def watch(t, now):
        if t > 20:
            raise KeyboardInterrupt

    short = few(flow, subclasses, [300.0], max_steps=4)
    stopped = few(flow, subclasses, [300.0], watch=watch)

    assert short.outcome.reason is Reason.MAX_STEPS and len(short.times) >= 2
    assert stopped.outcome.reason is Reason.INTERRUPTED and stopped.times[-1] > 20


def test_nan_ends_it():
    flow, subclasses = problem(3.0)
    broken = eqx.tree_at(lambda s: s.x, flow.samples, flow.samples.x.at[0, 0, 0].set(np.nan))

    trajectory = few(flow._replace(samples=broken), subclasses, [300.0])

    assert trajectory.outcome.reason is Reason.NOT_FINITE and not trajectory.outcome.complete


def test_it_is_refused_where_the_closed_form_is_poor():
    # Subclasses that say nothing of the samples: the remainder is all there is.
    flow, _ = problem(3.0)
    x = np.asarray(flow.samples.x).reshape(-1, 40)
    y = np.asarray(flow.samples.y).reshape(-1)
    poor = Subclasses.of(x, y, (y > 0).astype(int), np.full(len(y), 1 / len(y)))

    trajectory = few(flow, poor, [300.0], largest=SMALL)

    assert trajectory.outcome.reason is Reason.NO_SURROGATE and trajectory.outcome.t == 0
