"""Neurons integrated as one: what it changes, what bounds it, and that nothing is lost."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from systems import mixture, polar, system

from gflow.flow.field import FlowState
from gflow.flow.fold import LOOSEST, Fold, allowance
from gflow.flow.left_out import LeftOut
from gflow.flow.losses import LOSSES
from gflow.flow.polar_field import PolarField
from gflow.flow.reach import Reach
from gflow.flow.resumption import Resumption
from gflow.network.folded import groups
from gflow.network.population import Population

ANGLE = 1e-3


def folded(flow, times, tolerance, fold, **rest):
    """Integrate with folding; the probe sees what has the same shape at any width."""
    probe = lambda t, state: state.dissipated  # noqa: E731
    return flow.follow(times, tolerance, probe=probe, fold=fold, **rest)


def network(trajectory, p):
    return trajectory.state.weights.network(p)


@pytest.fixture(scope="module")
def pair():
    """A flow at full width, and folded."""
    with jax.enable_x64(True):
        flow = mixture(3.0)
        return (
            flow.follow([150.0], 1e-6),
            folded(flow, [150.0], 1e-6, Fold(ANGLE, hold=True)),
        )


def test_a_folded_flow_is_the_full_one_within_its_certificate(pair):
    full, short = pair

    assert short.effort.work < 0.8 * short.effort.evaluations
    x = np.random.default_rng(1).standard_normal((500, 20))
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    gap = np.abs(network(full, 3.0)(x) - network(short, 3.0)(x)).max()
    # The bound is a share of the mass; the solver may be wrong by a hundred tolerances of it.
    mass = float(network(full, 3.0).mass.sum())
    assert gap <= (short.left_out.total + 100 * 1e-6) * mass


def test_every_original_neuron_is_still_known(pair):
    full, short = pair

    assert short.state.weights.direction.shape == (64, 20)
    a, b = (np.asarray(trajectory.state.weights.log_norm) for trajectory in pair)
    # Neurons heavier than the mean of their sign differ from their leader by ANGLE at most, so
    # rates by its square.
    sign, mass = np.asarray(full.state.weights.sign), np.exp(2 * a)
    heavy = np.zeros(64, bool)
    for s in (1.0, -1.0):
        heavy |= (sign == s) & (mass > mass[sign == s].mean())
    assert 0 < heavy.sum() <= 64 - short.left_out.neurons
    assert np.abs(a - b)[heavy].max() < 1e-3
    u, v = (np.asarray(trajectory.state.weights.direction) for trajectory in pair)
    assert np.linalg.norm(u - v, axis=1)[heavy].max() < ANGLE


def test_held_mass_is_bounded_by_what_it_would_have_become(pair):
    full, short = pair

    assert short.left_out.neurons > 0
    a, b = (np.asarray(trajectory.state.weights.log_norm) for trajectory in pair)
    missed = np.abs(a - b) > 1e-2
    assert missed.any()  # or there is nothing to bound
    share = np.asarray(network(full, 3.0).mass)
    assert share[missed].sum() / share.sum() <= short.left_out.held


def test_a_continuation_is_folded_before_its_first_step(pair):
    # At t = 150 the 64 neurons have few directions; at full width the start alone would be an
    # evaluation worth 1, and each of a step's six another.
    _, short = pair
    flow = mixture(3.0)._replace(weights=short.state.weights)
    start = Resumption(150.0, 0.0, short.next_step)

    tail = folded(flow, [151.0], 1e-6, Fold(ANGLE, hold=True), start=start)

    assert tail.effort.work <= tail.effort.evaluations / 2
    assert tail.state.weights.direction.shape == (64, 20)


def test_what_was_held_before_goes_on_growing_in_a_continuation():
    # Held mass of share 1e-6 may have grown e²-fold by the end of the tail.
    both = LeftOut(1e-4, 1e-6, 5).plus(LeftOut(2e-4, 3e-6, 4), 2.0)

    assert both.folded == pytest.approx(3e-4)
    assert both.held == pytest.approx(1e-6 * np.e**2 + 3e-6)
    assert both.neurons == 5


@pytest.mark.slow
def test_neurons_of_equal_direction_are_folded_without_any_loss():
    rng = np.random.default_rng(0)
    u, sign = rng.standard_normal((2, 6)), np.array([1.0, -1.0])
    few = system(polar(u, -8.0, sign), np.eye(2, 6), [1, -1], 3)
    many = system(
        polar(np.repeat(u, 32, axis=0), -8.0 - np.log(32) / 2, np.repeat(sign, 32)),
        np.eye(2, 6), [1, -1], 3,
    )  # fmt: skip

    a = few.follow([60.0], 1e-7)
    b = folded(many, [60.0], 1e-7, Fold(0.0, hold=False))

    assert b.left_out.folded < 1e-14 and b.effort.work < b.effort.evaluations
    x = rng.standard_normal((50, 6))
    assert np.allclose(network(a, 3.0)(x), network(b, 3.0)(x), rtol=1e-5, atol=0)


@pytest.mark.parametrize("p", [1.0, 1.5, 3.0])
@pytest.mark.parametrize("loss", ["exponential", "half_square"])
def test_no_neuron_grows_faster_than_the_bound(p, loss):
    flow = mixture(p, loss=loss)
    field = PolarField(LOSSES[loss], p, None, Reach.of(flow.samples))
    # The rows that could break it: centers, averages, samples; small and grown neurons.
    rows = np.concatenate([np.eye(4, 20), np.eye(4, 20)[:3].sum(0)[None], flow.samples.x[0]])
    u = np.concatenate([rows / np.linalg.norm(rows, axis=1, keepdims=True)] * 2)
    sign = np.repeat([1.0, -1.0], len(u) // 2)
    for log_norm in (-20.0, 0.0, 0.8):
        state = FlowState.begin(polar(u, log_norm, sign))
        speed = field(jnp.zeros(()), state, flow.samples)
        rate = 2 * np.asarray(speed.weights.log_norm)
        bound = np.where(sign > 0, speed.growth[0], speed.growth[1])
        assert (rate <= bound * (1 + 1e-12)).all()


@pytest.mark.parametrize("p", [1.0, 3.0])
def test_the_bound_on_growth_is_attained_without_noise(p):
    # At μ̄₊ (p = 1) and at μ_k (p = 3) the growth is 2 κ π m^{1-p/2}, and so is the bound.
    flow = mixture(p, alpha=0.0)
    field = PolarField(LOSSES["exponential"], p, None, Reach.of(flow.samples))
    best = np.eye(4, 20)[:3].sum(0) if p == 1 else np.eye(4, 20)[0]
    speed = field(jnp.zeros(()), FlowState.begin(polar([best], -30.0, [1])), flow.samples)

    expected = 2 / 4 * (np.sqrt(3) if p == 1 else 1)
    assert 2 * float(speed.weights.log_norm[0]) == pytest.approx(expected, rel=1e-12)
    assert float(speed.growth[0]) == pytest.approx(expected, rel=1e-12)


@pytest.mark.slow
def test_padding_neurons_change_nothing():
    # 70 neurons of 10 directions become 10 and 6 that contribute nothing.  The solver steps by the
    # same errors, so only rounding tells the two apart, and it by at most a hundred tolerances.
    rng = np.random.default_rng(3)
    few = mixture(3.0, h=10)
    twice = np.repeat(np.asarray(few.weights.direction), 7, axis=0)
    sign = np.repeat(np.asarray(few.weights.sign), 7)
    many = few._replace(weights=polar(twice, -16.0 - np.log(7) / 2, sign))

    a = few.follow([40.0], 1e-5)
    b = folded(many, [40.0], 1e-5, Fold(0.0, hold=False))

    assert b.effort.work < b.effort.evaluations / 2
    x = rng.standard_normal((50, 20))
    assert np.allclose(network(a, 3.0)(x), network(b, 3.0)(x), rtol=1e-3, atol=0)


def test_a_light_neuron_may_join_from_farther_within_the_same_bound():
    angles = np.array([0.0, 5e-4, 2e-3, 2e-3, 5e-2, 0.2])
    u = np.stack([np.cos(angles), np.sin(angles), 0 * angles], axis=1)
    mass = np.array([1.0, 1.0, 1.0, 0.1, 1e-3, 1e-6])
    population = Population(u, mass, np.ones(6), 1.0, 0.0)
    mean = mass.mean()

    allowed = allowance(population, np.full(6, 1 / 6), ANGLE)
    member = groups(population, allowed, 0.0)

    # Heavy ones within ANGLE, light ones within ANGLE × mean/mass, none beyond LOOSEST.
    assert allowed.tolist() == pytest.approx([ANGLE] * 3 + [ANGLE * mean / 0.1] + [LOOSEST] * 2)
    assert member.tolist() == [0, 0, 1, 0, 0, 2]
    assert mass[3:5] @ angles[3:5] < ANGLE * mass.sum()
