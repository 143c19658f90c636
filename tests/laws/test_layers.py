"""Degrees of layers against autodiff of networks that are written out anew."""

from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gflow.laws.layers import Layering, layer_degrees

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
