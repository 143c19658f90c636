"""One suite over all charts and losses: each is the gradient flow of plain weights.

A chart is a map from its coordinates to plain weights, written here without gflow; whatever the
chart, it takes the velocity to minus the gradient that jax takes of the loss in plain weights.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from systems import ALL_LOSSES, MemoryCheckpoint, plain_loss, polar, system

from gflow.flow.charts import FIELDS
from gflow.network.deep import DeepNetwork
from gflow.network.lightcone import lightcone
from gflow.network.neurons import CartesianNeurons
from gflow.network.vector import VectorNeurons

EPS = np.finfo(np.float64).eps
D, H = 6, 5


class Chart:
    """Weights in a chart, the plain weights they are, and what is known of their flow."""

    first = staticmethod(lambda at: at.direction)
    """The leaf that turns with the inputs."""
    outputs = 1
    normalized = True
    input_normalized = False
    depth = 1

    @property
    def losses(self):
        """The default first."""
        one = ("exponential", "logistic", "half_square", "square")
        return one if self.outputs == 1 else ("cross_entropy",)


class Polar(Chart):
    def weights(self, p, w, v):
        return polar(w, np.log(np.linalg.norm(w, axis=1)), np.sign(v[0]))

    def plain(self, at):
        return jnp.exp(at.log_norm)[:, None] * at.direction, (at.sign * jnp.exp(at.log_norm))[None]


class Lightcone(Chart):
    def __init__(self, slope):
        self.slope = slope  # |v_j|/‖w_j‖

    def weights(self, p, w, v):
        # Boosts below the one at which ‖w_j‖ = 0 for the steep neurons.
        sign = np.sign(v[0])
        start = lightcone(w, sign * self.slope * np.linalg.norm(w, axis=1), 0.0)
        return eqx.tree_at(lambda at: at.boost, start, jnp.asarray(np.linspace(0, 0.4, H) * sign))

    def plain(self, at):
        plus = at.sign_plus * jnp.exp(at.log_plus + at.boost)
        minus = at.sign_minus * jnp.exp(at.log_minus - at.boost)
        return (plus + minus)[:, None] / 2 * at.direction, (plus - minus)[None] / 2


class Cartesian(Chart):
    first = staticmethod(lambda at: at.w)

    def __init__(self, normalized):
        self.normalized = normalized

    def weights(self, p, w, v):
        return CartesianNeurons(jnp.asarray(w), jnp.asarray(v[0]), 1.0 if self.normalized else p)

    def plain(self, at):
        return at.w, at.v[None]


class Vector(Chart):
    def __init__(self, outputs, input_normalized=False):
        self.outputs, self.input_normalized = outputs, input_normalized

    def weights(self, p, w, v):
        u, a = (z / np.linalg.norm(z, axis=1, keepdims=True) for z in (w, v[: self.outputs].T))
        bias = jnp.asarray(v[: self.outputs].sum(axis=1)) if self.outputs > 1 else None
        r = np.log(np.linalg.norm(w, axis=1))
        return VectorNeurons(
            *map(jnp.asarray, (u, a, r)), bias, input_normalized=self.input_normalized
        )

    def plain(self, at):
        size = jnp.exp(at.log_norm)[:, None]
        layers = size * at.direction, (size * at.output).T
        return layers if at.bias is None else (*layers, at.bias)


class Module(Chart):
    first = staticmethod(lambda at: at.hidden[0])

    def __init__(self, depth, outputs):
        self.depth, self.outputs, self.input_normalized = depth, outputs, depth > 1

    def weights(self, p, w, v):
        hidden = (w, *np.resize(v, (self.depth - 1, H, H)))
        return DeepNetwork(
            tuple(map(jnp.asarray, hidden)), jnp.asarray(v[: self.outputs]), None, p,
            input_normalized=self.input_normalized,
        )  # fmt: skip

    def plain(self, at):
        return *at.hidden, at.output


CHARTS = {
    "polar": Polar(),
    "lightcone, wide": Lightcone(0.6),
    "lightcone, steep": Lightcone(1.7),
    "lightcone, balanced": Lightcone(1.0),
    "cartesian": Cartesian(normalized=True),
    "cartesian, not normalized": Cartesian(normalized=False),
    "vector, one output": Vector(1),
    "vector": Vector(3),
    "vector, inputs normalized": Vector(3, input_normalized=True),
    "module, one layer": Module(1, 1),
    "module": Module(2, 3),
}
POWERS = (1.0, 1.5, 2.0, 2.5, 3.0, 4.0)
EVERY = [(name, p, chart.losses[0]) for name, chart in CHARTS.items() for p in POWERS] + [
    (name, 3.0, loss) for name, chart in CHARTS.items() for loss in chart.losses[1:]
]
"""Every chart at every power (it is in the gates), and with every loss (it is in the forces)."""

ONCE = [(name, 3.0, chart.losses[0]) for name, chart in CHARTS.items()]
FEW = [case for case in EVERY if case[0] == "polar" or case[1] in (1.0, 2.5, 3.0)]
"""Every power in one chart, and in all charts 1, 3 and one that is no integer."""


def slow_unless(fast):
    """Every case; slow, unless it is one of these."""
    return [case if case in fast else pytest.param(*case, marks=pytest.mark.slow) for case in EVERY]


def drawn(name, p, loss, *, n=23, rows=6, size=0.8, order=None, q=None):
    """A flow of a chart, the loss of its plain weights, and the inputs, turned and in order."""
    chart, rng = CHARTS[name], np.random.default_rng(1)
    size = size if chart.normalized else 0.5 * size
    x, w = rng.standard_normal((n, D)), size * rng.standard_normal((H, D))
    v = size * rng.standard_normal((3, H))
    y = rng.integers(3, size=n) * 1.0 if chart.outputs > 1 else rng.choice([-1.0, 1.0], n)
    omega, order = rng.random(n) / n, np.arange(n) if order is None else order
    q = np.eye(D) if q is None else q
    weights = chart.weights(p, w @ q.T, v)
    flow = system(weights, (x @ q.T)[order], y[order], p, loss=loss, omega=omega[order], rows=rows)

    def loss_of(plain):
        biased = getattr(weights, "bias", None) is not None
        layers, bias = (plain[:-1], plain[-1][None]) if biased else (plain, 0.0)
        return plain_loss(
            layers, bias, x, y, omega, p=p, loss=loss, normalized=chart.normalized,
            input_normalized=chart.input_normalized,
        )  # fmt: skip

    return chart, flow, loss_of, x


def close(values, expected, allowed):
    for a, b in zip(*map(jax.tree.leaves, (values, expected)), strict=True):
        assert np.abs(np.asarray(a) - np.asarray(b)).max(initial=0) < allowed


def largest(tree):
    return max(float(jnp.abs(leaf).max()) for leaf in jax.tree.leaves(tree))


def test_every_chart_and_every_loss_is_in_the_suite():
    charts = {drawn(*case)[1].weights.chart for case in ONCE}

    assert charts == FIELDS.keys() and {loss for *_, loss in EVERY} == ALL_LOSSES.keys()


@pytest.mark.parametrize(("name", "p", "loss"), slow_unless(FEW))
def test_velocity_is_minus_the_gradient_in_plain_weights(name, p, loss):
    chart, flow, loss_of, _ = drawn(name, p, loss)

    speed = flow.velocity()

    plain, moved = jax.jvp(chart.plain, (flow.weights,), (speed.weights,))
    gradient = jax.grad(loss_of)(plain)
    # Sums of some hundred products of the size of the gradient.
    allowed = 1000 * EPS * max(largest(gradient), largest(speed.weights))
    close(moved, jax.tree.map(jnp.negative, gradient), allowed)
    # No part of it leads off the chart.
    tangent = jax.jvp(lambda at: at.projected(), (flow.weights,), (speed.weights,))[1]
    close(speed.weights, tangent, allowed)
    square = sum(float((leaf**2).sum()) for leaf in jax.tree.leaves(gradient))
    assert float(speed.dissipated) == pytest.approx(square, rel=1e-12)


@pytest.mark.parametrize(("name", "p", "loss"), [*ONCE, ("polar", 1.0, "exponential")])
def test_velocity_turns_with_the_inputs(name, p, loss):
    q = np.linalg.qr(np.random.default_rng(3).standard_normal((D, D)))[0]
    first = CHARTS[name].first

    straight, turned = (drawn(name, p, loss, q=q)[1].velocity().weights for q in (None, q))

    turned = eqx.tree_at(first, turned, first(turned) @ q)
    close(turned, straight, 1000 * EPS * largest(straight))


@pytest.mark.parametrize(
    ("name", "p", "loss", "rows"),
    [(*case, 4) for case in ONCE] + [(*ONCE[0], rows) for rows in (1, 22, 23, 1000)],
)
def test_velocity_does_not_depend_on_how_rows_are_cut_and_ordered(name, p, loss, rows):
    order = np.random.default_rng(4).permutation(23)

    whole = drawn(name, p, loss)[1].velocity()
    cut = drawn(name, p, loss, rows=rows, order=order)[1].velocity()

    close(cut, whole, 1000 * EPS * largest(whole))


TIMES = [1.0, 3.0]


def followed(flow, p, checkpoint=None):
    # Kinks cost order at p < 2 (theory T12).
    tolerance, min_step = (1e-8, 0.0) if p >= 2 else (1e-6, 1e-4)
    return flow.follow(TIMES, tolerance, min_step=min_step, checkpoint=checkpoint), tolerance


@pytest.mark.parametrize(("name", "p", "loss"), slow_unless(ONCE))
def test_a_flow_conserves_what_it_should(name, p, loss):
    # Four samples in six dimensions: some directions are orthogonal to all of them.
    chart, flow, loss_of, x = drawn(name, p, loss, n=4, rows=3, size=0.5)

    trajectory, tolerance = followed(flow, p)

    assert trajectory.outcome.complete
    start, end = chart.plain(flow.weights), chart.plain(trajectory.state.weights)
    size = max(1.0, largest(start), largest(end))
    # Weights move by far more than what is allowed below, so that conservation says something.
    allowed = 100 * tolerance * size ** max(2, p)
    assert largest(jax.tree.map(jnp.subtract, end, start)) > 10 * allowed
    # The loss loses what the motion dissipates (theory D2d).
    lost = float(loss_of(start) - loss_of(end))
    assert float(trajectory.state.dissipated) == pytest.approx(lost, rel=1000 * tolerance)

    def invariants(w, *more):
        # Balance of every neuron, or of layers (theory D2a), and what no sample pulls at (D2b).
        outer = more[: chart.depth]
        if len(outer) > 1:
            squares = [(layer**2).sum() for layer in (w, *outer)]
            yield jnp.diff(jnp.stack(squares))
        else:
            rate = 1 if chart.normalized else p
            yield (w**2).sum(axis=1) - rate * (outer[0] ** 2).sum(axis=0)
        rho = jnp.linalg.norm(w, axis=1, keepdims=True)
        e = np.linalg.svd(x)[2][4:]
        yield (w @ e.T) * (rho ** (p - 1) if chart.normalized else 1)

    close(list(invariants(*end)), list(invariants(*start)), allowed)


@pytest.mark.parametrize(("name", "p", "loss"), ONCE)
def test_a_flow_that_was_killed_ends_equal_to_the_bit(name, p, loss):
    _, flow, _, _ = drawn(name, p, loss, n=4, rows=3, size=0.5)
    checkpoint = MemoryCheckpoint(at=4)

    whole, _ = followed(flow, p, checkpoint)
    rest, _ = followed(flow, p, MemoryCheckpoint(arrays=checkpoint.arrays))

    assert checkpoint.arrays is not None and rest.effort == whole.effort
    arrays = (jax.tree.leaves((end.times, end.observations, end.state)) for end in (whole, rest))
    for a, b in zip(*arrays, strict=True):
        assert np.array_equal(a, b)
