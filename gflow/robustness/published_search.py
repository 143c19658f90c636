"""The searches of the published code, step by step as they were run, to be held against ours.

Both move inputs along gradients of a network only, and these lie in the span of its
neurons, so the same iterates are followed in a few dimensions.  They are weak on purpose (theory
T2, T3): both divide by ‖g‖ + 1e-7, where g is the gradient of a mean over the samples.

**Source:** code of Min and Vidal, ICML 2024; theory E1.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy.linalg import orth

from gflow.data.checks import check_finite, check_not_negative, check_samples
from gflow.network.population import Population, population_of
from gflow.network.prelu import Network, positive_power
from gflow.robustness.cast import casts_of

PUBLISHED_RADII = np.linspace(0, 1.5, 15)
"""Attack radii of the published curve."""

PUBLISHED_DISTANCES = {1.0: {0.01: 0.028, 0.3: 0.090}, 3.0: {0.01: 0.8e-5, 0.3: 2.7e-5}}
"""Ends of the published curves of estimates, by power and noise α: sup |c f - F| or |c f - F^(3)|,
not divided by the supremum of the target; read by eye."""

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
    *,
    iterations: int = ITERATIONS,
) -> Float[np.ndarray, " B"]:
    """Share of samples right after the published l2 attack, at each radius.

    From δ = 0, δ ← the projection of δ + 0.1 g/(‖g‖ + 1e-7) to the ball, g the gradient of the
    mean exponential loss; the last iterate counts.

    **Arguments:**

    - `network`: f with its true scale, folded to few neurons.
    - `x`, `y`: samples and their labels ±1; the mean is over all of them.
    - `R`: radii.
    - `iterations`: 2000 in the published code.
    """
    check_samples(x, y)
    check_not_negative(R=R)
    f = _few(network)
    basis = orth(f.u.T)
    with jax.enable_x64(True):
        flat = _Flat.of(f, basis)
        place, label = jnp.asarray(x @ basis), jnp.asarray(y, float)
        margins = [
            _attacked(flat, place, label, jnp.asarray(r, float), iterations=iterations) for r in R
        ]
    return np.array([float((np.asarray(margin) > 0).mean()) for margin in margins])


class _Flat(eqx.Module):
    """A network in coordinates of the span of its neurons (final)."""

    u: Float[Array, "q d"]
    c: Float[Array, " q"]
    """Signed contributions."""
    p: float = eqx.field(static=True)

    @classmethod
    def of(cls, f: Population, basis: Float[np.ndarray, "D d"], factor: float = 1.0) -> "_Flat":
        return cls(jnp.asarray(f.u @ basis), jnp.asarray(factor * f.s * f.m), f.p)

    def __call__(self, x: Float[Array, "n d"]) -> Float[Array, " n"]:
        """Output at x."""
        return positive_power(x @ self.u.T, self.p) @ self.c


@eqx.filter_jit
def _attacked(
    f: _Flat,
    x: Float[Array, "n d"],
    y: Float[Array, " n"],
    R: Float[Array, ""],
    *,
    iterations: int,
) -> Float[Array, " n"]:
    """y f(x + δ) at the last iterate."""

    def step(_: Array, delta: Float[Array, "n d"]) -> Float[Array, "n d"]:
        z = (x + delta) @ f.u.T
        margin = y * (positive_power(z, f.p) @ f.c)
        force = -jnp.exp(-margin) * y / len(y)
        g = force[:, None] * (f.p * (positive_power(z, f.p - 1) * f.c[None]) @ f.u)
        delta = delta + ATTACK_STEP * g / (jnp.linalg.norm(g, axis=1, keepdims=True) + FLOOR)
        size = jnp.linalg.norm(delta, axis=1, keepdims=True)
        return delta * jnp.minimum(1.0, R / jnp.maximum(size, 1e-300))

    delta = jax.lax.fori_loop(0, iterations, step, jnp.zeros_like(x))
    return y * f(x + delta)


def published_distance(
    network: Network | Population,
    target: Network | Population,
    x: Float[np.ndarray, "n D"],
    seed: int,
    *,
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
    check_finite(x, "`x`")
    f, F = _few(network), _few(target)
    mine, theirs = f(x), F(x)
    scale = float(mine @ theirs / (mine @ mine)) if (mine != 0).any() else 0.0
    basis = orth(np.concatenate([f.u, F.u]).T)
    D, d = basis.shape
    rng = np.random.default_rng(seed)
    largest = []
    with jax.enable_x64(True):
        ours, goal = _Flat.of(f, basis, scale), _Flat.of(F, basis, -1.0)
        for _ in range(BATCHES):
            # Uniform on the sphere: d normal coordinates, and the length of the D - d others.
            points = rng.standard_normal((POINTS, d))
            across = np.sqrt(rng.chisquare(D - d, size=(POINTS, 1))) if d < D else 0 * points[:, :1]
            start = np.concatenate([points, across], axis=1)
            start /= np.linalg.norm(start, axis=1, keepdims=True)
            largest.append(_climbed(ours, goal, jnp.asarray(start), iterations))
    return float(max(largest))


@eqx.filter_jit
def _climbed(
    f: _Flat, goal: _Flat, start: Float[Array, "n e"], iterations: int
) -> Float[Array, ""]:
    """Largest |f + goal| at the last iterate."""

    def gap(x: Float[Array, "n e"]) -> Float[Array, " n"]:
        return f(x[:, :-1]) + goal(x[:, :-1])

    def step(_: Array, x: Float[Array, "n e"]) -> Float[Array, "n e"]:
        g = jax.grad(lambda x: (gap(x) ** 2).mean())(x)
        x = x + ASCENT_STEP * g / (jnp.linalg.norm(g, axis=1, keepdims=True) + FLOOR)
        return x / jnp.linalg.norm(x, axis=1, keepdims=True)

    return jnp.abs(gap(jax.lax.fori_loop(0, iterations, step, start))).max()


def _few(network: Network | Population) -> Population:
    """The network with its true scale, of few neurons."""
    return casts_of(population_of(network).distinct)[-1].leader.unscaled()
