"""Degrees and escapes of layers against networks and integrations that are written out anew."""

from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

from gflow.laws.layers import Layering, escape_exponent, layer_degrees

WIDTH = 7


def outputs(weights, x, p, normalized, skip, norm):
    """f - b of pReLU layers: σ(<w, z>)^p/‖w‖^(p-1), over ‖z‖^(p-1) if inputs are normalized."""
    *hidden, output = weights
    z = x
    for i, w in enumerate(hidden):
        if i and norm:
            z = z - z.mean(axis=1, keepdims=True)
            z = z / jnp.sqrt((z**2).mean(axis=1, keepdims=True))
        after = jnp.maximum(z @ w.T, 0) ** p / jnp.linalg.norm(w, axis=1)[None] ** (p - 1)
        if normalized:
            after = after / jnp.linalg.norm(z, axis=1)[:, None] ** (p - 1)
        z = z + after if i and skip else after
    return z @ output[0]


def rates(layering, seed=0):
    """<W_l, ∂f/∂W_l>/(f - b) at one input, which Euler's identity makes the degree."""
    rng = np.random.default_rng(seed)
    sizes = [5, *[WIDTH] * layering.hidden_layers, 1]
    weights = [jnp.asarray(rng.standard_normal((b, a))) for a, b in pairwise(sizes)]
    x = jnp.asarray(rng.standard_normal((1, 5)))
    _, p, normalized, skip, norm = layering

    def one(weights):
        return outputs(weights, x, p, normalized, skip, norm)[0]

    slopes = jax.grad(one)(weights)
    return [float((w * s).sum() / one(weights)) for w, s in zip(weights, slopes, strict=True)]


CASES = [
    Layering(hidden, p, input_normalized=normalized, skip=skip, layer_norm=norm)
    for hidden in (1, 2, 4)
    for p in (1.0, 2.0, 3.0)
    for normalized in (False, True)
    for skip in (False, True)
    for norm in (False, True)
]


@pytest.mark.parametrize("layering", CASES, ids=str)
def test_degrees_are_those_of_autodiff(layering):
    degrees = layer_degrees(layering)
    each = np.array([rates(layering, seed) for seed in range(3)])

    for degree, measured in zip(degrees, each.T, strict=True):
        if degree is None:
            # No degree: the rate depends on the weights.
            assert np.ptp(measured) > 1e-3
        else:
            # Rounding of sums of some ten terms that may cancel to 1e-3 of their size.
            assert measured == pytest.approx(degree, abs=1e-9)


def test_degrees_compound_downward():
    assert layer_degrees(Layering(3, 3.0)) == (9.0, 3.0, 1.0, 1.0)
    assert layer_degrees(Layering(3, 2.0, layer_norm=True)) == (0.0, 0.0, 1.0, 1.0)


def reduced_escape(degrees, eps):
    """T at which layers of these degrees, all at ε, reach 1: ρ_l dρ_l/dt = q_l Π_k ρ_k^{q_k}."""
    q = np.array(degrees, float)

    # In log ρ and in the time s with dt = ds ρ²/Π, so that a power law is a smooth curve.
    def velocity(_, state):
        log_rho = state[:-1]
        square = np.exp(2 * log_rho.min())
        rate = q * square / np.exp(2 * log_rho)
        return [*rate, square * np.exp(-q @ log_rho)]

    def grown(_, state):
        return np.max(state[:-1])

    grown.terminal = True
    start = [*np.full(len(q), np.log(eps)), 0.0]
    path = solve_ivp(velocity, (0, 1e4), start, events=grown, rtol=1e-10, atol=1e-12)
    return float(path.y_events[0][0, -1])


@pytest.mark.parametrize(
    "degrees",
    [(1, 1, 1), (2, 1), (1, 1, 1, 1), (4, 2, 1, 1), (3, 1), (1,), (2.5, 1), (1, 1), (2,), (1.5,)],
)
def test_layers_in_proportion_escape_by_their_degrees_alone(degrees):
    # From equal sizes, so that layers first move to the proportions √q_l that they then keep.
    eps = np.array([1e-4, 1e-5, 1e-6])
    times = np.array([reduced_escape(degrees, e) for e in eps])
    total, exponent = sum(degrees), escape_exponent([float(q) for q in degrees])

    if total == 2:
        # T = log(1/ε)/(2c): the same for each decade, up to ε².
        assert exponent == 0
        assert np.ptp(np.diff(times)) < 1e-6 * times[-1]
    elif total < 2:
        # T = (1 - ε^{2-Q})/((2-Q) c).
        assert exponent == 0
        assert times[-1] / times[0] - 1 < 3 * eps[0] ** (2 - total)
    else:
        slope = -np.diff(np.log(times)) / np.diff(np.log(eps))
        assert slope == pytest.approx([exponent] * 2, abs=3 * eps[0] ** (total - 2) + 1e-8)


def deep_escape(activation, slope_of, small, eps):
    """When the loss of a three-layer network, with gradients by hand, has fallen to 90 %."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((12, 4))
    y = np.sign(x[:, 0] + 0.5 * x[:, 1])[:, None]
    sizes = [4, 6, 6, 1]
    weights = [
        (eps if layer in small else 1) * np.sqrt(2 / a) * rng.standard_normal((b, a))
        for layer, (a, b) in enumerate(pairwise(sizes))
    ]

    def outputs(weights):
        inner = [x @ weights[0].T]
        for w in weights[1:]:
            inner.append(activation(inner[-1]) @ w.T)
        return inner

    def velocity(weights):
        inner = outputs(weights)
        back, slopes = (y - inner[-1]) / len(x), []
        for layer in (2, 1, 0):
            slopes.insert(0, back.T @ (activation(inner[layer - 1]) if layer else x))
            back = (back @ weights[layer]) * (slope_of(inner[layer - 1]) if layer else 1)
        return slopes

    # Heun's method, whose steps change no layer by more than 1 %; kinks are stepped over.
    t = 0.0
    while ((y - outputs(weights)[-1]) ** 2).mean() > 0.9:
        first = velocity(weights)
        sizes = zip(weights, first, strict=True)
        dt = 0.01 * min(np.linalg.norm(w) / np.linalg.norm(s) for w, s in sizes)
        second = velocity([w + dt * s for w, s in zip(weights, first, strict=True)])
        weights = [w + dt * (a + b) / 2 for w, a, b in zip(weights, first, second, strict=True)]
        t += dt
    return t


LINEAR = (lambda a: a, np.ones_like)
RELU = (lambda a: np.maximum(a, 0), lambda a: (a > 0).astype(float))


@pytest.mark.parametrize("kind", [LINEAR, RELU], ids=["linear", "relu"])
@pytest.mark.parametrize("small", [(0,), (0, 2), (1, 2), (0, 1, 2)], ids=str)
def test_a_deep_network_of_its_own_escapes_by_its_small_layers(kind, small):
    eps = np.array([1e-2, 3e-3, 1e-3]) / (100 if len(small) == 1 else 1)

    times = np.array([deep_escape(*kind, small, e) for e in eps])

    if len(small) == 2:
        # Straight in log 1/ε once directions have aligned.
        slopes = -np.diff(times) / np.diff(np.log(eps))
        assert slopes[1] == pytest.approx(slopes[0], rel=0.1)
    else:
        # Off by O(ε), by a tenth at ε = .01 for one layer, and by steps of 1 %.
        slopes = -np.diff(np.log(times)) / np.diff(np.log(eps))
        assert slopes == pytest.approx([len(small) - 2 if len(small) > 2 else 0] * 2, abs=0.03)
        assert escape_exponent([1.0] * len(small)) == max(len(small) - 2, 0)


@pytest.mark.parametrize("p", [1.5, 2.0, 3.0])
def test_two_layers_without_normalization_escape_by_the_power_less_one(p):
    # Prediction P24: v σ(<w, x>)^p has degree p in w and 1 in v.
    assert escape_exponent((p, 1.0)) == p - 1


@pytest.mark.parametrize("degrees", [(), (-1.0, 2.0)])
def test_an_exponent_needs_degrees(degrees):
    with pytest.raises(ValueError, match="`degrees` must be numbers >= 0, at least one"):
        escape_exponent(degrees)
