"""The searches of the published code, step by step as they were run, to be held against ours.

One idea: both move inputs along gradients of a network only, and these lie in the span of its
neurons, so the same iterates are followed in a few dimensions.  They are weak on purpose (theory
T2, T3): both divide by ‖g‖ + 1e-7, where g is the gradient of a mean over the samples.

**Source:** code of Min and Vidal, ICML 2024; theory E1.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy.linalg import orth

from gflow.network.condense import Population
from gflow.network.prelu import Network, positive_power
from gflow.robustness.cast import casts_of

PUBLISHED_RADII = np.linspace(0, 1.5, 15)
"""Attack radii of the published curve."""

FLOOR = 1e-7
"""Added to the length of every gradient."""

ATTACK_STEP, ASCENT_STEP, ITERATIONS = 0.1, 0.01, 2000

BATCHES, POINTS = 10, 1000
"""Batches of the distance estimator, and points in each."""


def published_accuracy(
    network: Network | Population,
    x: Float[np.ndarray, "n D"],
    y: Float[np.ndarray, " n"],
    R: Float[np.ndarray, " B"],
    iterations: int = ITERATIONS,
) -> Float[np.ndarray, " B"]:
    """Share of samples right after the published l2 attack, at each radius.

    From δ = 0, δ ← the projection of δ + 0.1 g/(‖g‖ + 1e-7) to the ball, g the gradient of the
    mean exponential loss; the last iterate counts.

    **Arguments:**

    - `network`: f with its true scale, condensed to few neurons.
    - `x`, `y`: samples and their labels ±1; the mean is over all of them.
    - `R`: radii.
    - `iterations`: 2000 in the published code.
    """
    f = _few(network)
    basis = orth(f.u.T)
    with jax.enable_x64(True):
        place, label = jnp.asarray(x @ basis), jnp.asarray(y, float)
        u, c = jnp.asarray(f.u @ basis), jnp.asarray(f.s * f.m)
        margins = [
            _attacked(place, label, u, c, jnp.asarray(r, float), p=f.p, iterations=iterations)
            for r in R
        ]
    return np.array([float((np.asarray(margin) > 0).mean()) for margin in margins])


@partial(jax.jit, static_argnames=("p", "iterations"))
def _attacked(
    x: Float[Array, "n d"],
    y: Float[Array, " n"],
    u: Float[Array, "q d"],
    c: Float[Array, " q"],
    R: Float[Array, ""],
    p: float,
    iterations: int,
) -> Float[Array, " n"]:
    """y f(x + δ) at the last iterate."""

    def step(_, delta):
        z = (x + delta) @ u.T
        margin = y * (positive_power(z, p) @ c)
        force = -jnp.exp(-margin) * y / len(y)
        g = force[:, None] * (p * (positive_power(z, p - 1) * c[None]) @ u)
        delta = delta + ATTACK_STEP * g / (jnp.linalg.norm(g, axis=1, keepdims=True) + FLOOR)
        size = jnp.linalg.norm(delta, axis=1, keepdims=True)
        return delta * jnp.minimum(1.0, R / jnp.maximum(size, 1e-300))

    delta = jax.lax.fori_loop(0, iterations, step, jnp.zeros_like(x))
    return y * (positive_power((x + delta) @ u.T, p) @ c)


def published_distance(
    network: Network | Population,
    target: Network | Population,
    x: Float[np.ndarray, "n D"],
    seed: int,
    iterations: int = ITERATIONS,
) -> float:
    """The published estimate of inf_c sup_{‖x‖=1} |c f(x) - F(x)|.

    c by least squares over samples; from uniform points of the sphere, x ← x + 0.01 g/(‖g‖ + 1e-7),
    renormalized, g the gradient of the mean of (c f - F)² over the batch; the largest |c f - F| at
    the last iterate.  A point of the sphere is its coordinates in the span, and a length across it.

    **Arguments:**

    - `network`, `target`: f and F.
    - `x`: fresh samples for c.
    - `seed`: of the points.
    - `iterations`: 2000 in the published code.
    """
    f, F = _few(network), _few(target)
    mine, theirs = f(x), F(x)
    scale = float(mine @ theirs / (mine @ mine)) if (mine != 0).any() else 0.0
    basis = orth(np.concatenate([f.u, F.u]).T)
    D, d = basis.shape
    rng = np.random.default_rng(seed)
    found = []
    with jax.enable_x64(True):
        parts = [
            (jnp.asarray(one.u @ basis), jnp.asarray(k * one.s * one.m), one.p)
            for one, k in ((f, scale), (F, -1.0))
        ]
        (u, c, p), (v, b, q) = parts
        for _ in range(BATCHES):
            points = rng.standard_normal((POINTS, d))
            across = np.sqrt(rng.chisquare(D - d, size=(POINTS, 1))) if d < D else 0 * points[:, :1]
            start = np.concatenate([points, across], axis=1)
            start /= np.linalg.norm(start, axis=1, keepdims=True)
            found.append(_climbed(jnp.asarray(start), u, c, v, b, p=p, q=q, iterations=iterations))
    return float(max(found))


@partial(jax.jit, static_argnames=("p", "q", "iterations"))
def _climbed(
    start: Float[Array, "n e"],
    u: Float[Array, "h d"],
    c: Float[Array, " h"],
    v: Float[Array, "k d"],
    b: Float[Array, " k"],
    p: float,
    q: float,
    iterations: int,
) -> Float[Array, ""]:
    """Largest |c f - F| at the last iterate."""

    def gap(x):
        inside = x[:, :-1]
        return positive_power(inside @ u.T, p) @ c + positive_power(inside @ v.T, q) @ b

    def step(_, x):
        g = jax.grad(lambda x: (gap(x) ** 2).mean())(x)
        x = x + ASCENT_STEP * g / (jnp.linalg.norm(g, axis=1, keepdims=True) + FLOOR)
        return x / jnp.linalg.norm(x, axis=1, keepdims=True)

    return jnp.abs(gap(jax.lax.fori_loop(0, iterations, step, start))).max()


def _few(network: Network | Population) -> Population:
    """The network with its true scale, of few neurons."""
    whole = network if isinstance(network, Population) else Population.of(network)
    return casts_of(whole.distinct)[-1].leader.unscaled()
