"""What samples do to neurons, where forces are no numbers of single precision."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from evidences import evidence_of
from questions import SMALL
from scipy.optimize import brentq

from gflow.flow.losses import LOSSES
from gflow.flow.pull import power_of_two, pull_on
from gflow.flow.samples import Samples
from gflow.network.prelu import Network

N, D, H = 40, 4, 6
SIZE = 200.0
"""Of the largest output; e^88 is the largest number of single precision."""


def pull_in(dtype, p, label):
    """The pull of samples whose labels agree with the outputs (+1) or do not (-1)."""
    rng = np.random.default_rng(0)
    x, u = rng.standard_normal((N, D)), rng.standard_normal((H, D))
    u, sign = u / np.linalg.norm(u, axis=1, keepdims=True), np.where(rng.random(H) < 0.5, 1.0, -1.0)
    network = Network(jnp.asarray(u), jnp.zeros(H), jnp.asarray(sign), p)
    f = np.asarray(network(x))
    # Outputs of about one size, so that forces are.
    x = x * (SIZE / np.maximum(np.abs(f), 1e-3))[:, None] ** (1 / p)
    samples = Samples.blocked(x, label * np.sign(f), np.full(N, 1 / N), 16, dtype=dtype)
    return pull_on(network, LOSSES["exponential"], samples)


@pytest.mark.parametrize("p", [1.0, 2.5, 3.0])
@pytest.mark.parametrize("label", [1, -1])
def test_forces_beyond_single_precision_pull_as_in_double(p, label):
    with jax.enable_x64(True):
        single, double = (np.asarray(pull_in(t, p, label).vectors) for t in ("float32", "float64"))

    # An output of 200 in single precision changes its force by 200 times the rounding of a sum.
    rounding = SIZE * np.sqrt(H + p * D) * np.finfo(np.float32).eps
    assert np.isfinite(single).all() and np.abs(double).max() > 0
    assert np.abs(single - double).max() < rounding * np.abs(double).max()


def test_a_unit_rounds_nothing_and_is_never_0_or_infinite():
    with jax.enable_x64(True):
        for size in (1.0, 3.0, 0.99, 1e-300, np.finfo(float).tiny, 1e300, np.finfo(float).max):
            unit = float(jax.jit(power_of_two)(jnp.asarray(size)))
            assert np.frexp(unit)[0] == 0.5 and unit <= size < 2 * unit
        assert float(power_of_two(jnp.asarray(0.0))) == 1


@pytest.mark.parametrize("method", ["direct", "multirate"])
def test_a_flow_goes_on_where_its_forces_are_below_single_precision(method):
    # Without noise Ei(f(μ_k)) = 2 π_k t (theory D8) once the start no longer counts.
    t = 1e60
    flow = evidence_of(SMALL, data__noise=0, flow__end_time=t, flow__method=method)

    f = np.abs(flow.record["center_output"].values[-1])

    law = brentq(lambda z: log_ei(z) - np.log(2 * t / 3), 10, 300)
    assert np.abs(f / law - 1).max() < 10 * flow.scenario.flow.tolerance


def log_ei(z):
    """log Ei(z) for z > 10, by its asymptotic series to e^{-10}."""
    terms = np.cumprod(np.arange(1, 11) / z)
    return z - np.log(z) + np.log1p(terms.sum())
