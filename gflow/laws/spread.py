"""The force on a subclass whose samples have different outputs, and the fitting law it gives.

With noise the samples of a subclass have outputs z S, S = σ(1 + aξ)^p with ξ normal, where z is the
output at its center.  So the force of theory D8 is replaced by the mean of |g(zS)| S, and what a
finite number of samples leaves of that mean is the error of the law.
"""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.polynomial.hermite_e import hermegauss
from scipy.special import expit

from gflow.flow.losses import AbstractNamedLoss

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(24)
_NORMAL, _DENSITY = hermegauss(48)
_DENSITY = _DENSITY / _DENSITY.sum()
_CHUNK = 4096


class Spread(NamedTuple):
    """Outputs z S of the samples of a subclass, S = σ(1 + aξ)^p, ξ normal."""

    a: float
    """Standard deviation of ⟨u, x⟩ over its mean: τ at a center, τ√m at the average of m; 0
    without noise."""
    p: float
    """Power of the activation."""


class MeanForce(NamedTuple):
    """Mean over the samples of a subclass, at given outputs of its center."""

    force: Float[np.ndarray, "*T"]
    """ḡ(z) = E |g(zS)| S."""
    deviation: Float[np.ndarray, "*T"]
    """Standard deviation of |g(zS)| S over its mean: that of N samples is √N times less."""
    loss: Float[np.ndarray, "*T"]
    """E ℓ(zS)."""


def mean_force(z: Float[np.ndarray, "*T"], loss: AbstractNamedLoss, spread: Spread) -> MeanForce:
    """Force and loss of a subclass with output z at its center, averaged over its samples.

    For the exponential loss ḡ ≈ e^{-z} e^{(paz)²/2}, with a deviation of about pa|1 - z|.

    **Arguments:**

    - `z`: |f(μ_k)|.
    - `loss`: of one sample.
    - `spread`: of the outputs of its samples.

    **Source:** theory D8.
    """
    pull, value, weight = _samples(z, loss, spread)
    mean = pull @ weight
    with np.errstate(invalid="ignore", divide="ignore"):
        deviation = _deviation(pull / mean[..., None], weight)
    return MeanForce(mean, deviation, value @ weight)


def _samples(
    z: Float[np.ndarray, "*T"], loss: AbstractNamedLoss, spread: Spread
) -> tuple[Float[np.ndarray, "*T q"], Float[np.ndarray, "*T q"], Float[np.ndarray, " q"]]:
    """|g(zS)| S and ℓ(zS) at the nodes of a Gauss-Hermite rule, and their weights."""
    # Without spread one node is enough.
    normal, weight = (_NORMAL, _DENSITY) if spread.a else (np.zeros(1), np.ones(1))
    S = np.maximum(1 + spread.a * normal, 0) ** spread.p
    g, value = _force_and_loss(z[..., None] * S, loss)
    return g * S, value, weight


def _force_and_loss(
    output: Float[np.ndarray, "*T q"], loss: AbstractNamedLoss
) -> tuple[Float[np.ndarray, "*T q"], Float[np.ndarray, "*T q"]]:
    """g and ℓ at label 1, by one compiled program for any number of outputs."""
    missing = -output.size % _CHUNK
    chunks = np.append(output, np.zeros(missing)).reshape(-1, _CHUNK)
    with jax.enable_x64(True):
        both = [np.asarray(_evaluated(loss, jax.device_put(chunk))) for chunk in chunks]
    g, value = np.concatenate(both, axis=1)[:, : output.size]
    return g.reshape(output.shape), value.reshape(output.shape)


@eqx.filter_jit
def _evaluated(loss: AbstractNamedLoss, output: Float[Array, " c"]) -> Float[Array, "2 c"]:
    y = jnp.ones_like(output)
    return jnp.stack([loss.force(y, output), loss.value(y, output)])


def _deviation(
    x: Float[np.ndarray, "*T q"], weight: Float[np.ndarray, " q"]
) -> Float[np.ndarray, "*T"]:
    return np.sqrt((x - (x @ weight)[..., None]) ** 2 @ weight)


def half_moment(u: Float[np.ndarray, "*T"], tau: float, p: float) -> Float[np.ndarray, "*T"]:
    """E σ(u + τξ)^p, ξ normal: what noise of τ per coordinate makes of a cosine u.

    **Source:** theory D4.
    """
    return np.maximum(u[..., None] + tau * _NORMAL, 0) ** p @ _DENSITY


class Rise(NamedTuple):
    """How the potential has risen from its first output on, and what samples change of that.

    Deviations are those of one sample, to first order; the mean of N has √N times less.
    """

    potential: Float[np.ndarray, " T"]
    """ψ(z) - ψ(z[0]), ψ(z) = ∫ dz/(z ḡ(z)): 2π√m t by the law."""
    deviation: Float[np.ndarray, " T"]
    """Relative standard deviation of the time that this takes."""
    loss_deviation: Float[np.ndarray, " T"]
    """Relative standard deviation of the loss times that time, in which an excess of force now and
    before cancels."""


def rise(z: Float[np.ndarray, " T"], loss: AbstractNamedLoss, spread: Spread) -> Rise:
    """The potential of outputs over that of the first one, by Gauss-Legendre rules.

    **Arguments:**

    - `z`: outputs in the order of time, positive, and below the z at which ḡ is 0.
    - `loss`, `spread`: as for `mean_force`.

    **Returns:** a `Rise`; at the first output its deviations are those of the moment.

    **Source:** theory D8.
    """
    # In log z, or where the force vanishes at 1 in log z/(1-z), 1/ḡ has no pole to integrate over.
    edges = np.log(z / (1 - z)) if loss.saturates else np.log(z)
    half = np.diff(edges)[:, None] / 2
    at = edges[:-1, None] + half * (1 + _NODES)
    outputs, pace = (expit(at), expit(-at)) if loss.saturates else (np.exp(at), 1.0)
    pull, _, weight = _samples(outputs, loss, spread)
    mean = pull @ weight
    spent = half * pace * _WEIGHTS / mean
    passed = np.append(0.0, np.cumsum(spent.sum(axis=1)))

    # Of every sample: its force over the mean, averaged over the time passed, and its loss.
    now, value, _ = _samples(z, loss, spread)
    weighted = np.cumsum(np.einsum("in,inq->iq", spent / mean, pull), axis=0)
    average = now / (now @ weight)[:, None]
    moved = passed[1:] != 0
    average[1:][moved] = weighted[moved] / passed[1:][moved, None]
    share = value / (value @ weight)[:, None]
    return Rise(passed, _deviation(average, weight), _deviation(share - average, weight))
