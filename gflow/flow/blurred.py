"""The population field: a mixture of Gaussians seen as K blurred points in K + 1 dimensions.

One idea: while the network is negligible a subclass acts on a neuron only through the coordinate of
the neuron along the subclass mean, so the expected field is closed in the coordinates of u in the
span of the means m_k and the length of the rest (theory D4),

    E G(u) = p κ Σ_k π_k y_k M_{p-1}(<u, m_k>) m_k + radial ,    M_q(a) = E σ(a + τ_k G)^q .

The rest keeps its direction.  With the means of the sample itself this is the expectation given
these means, and the tilt of order α/√N off the centers is in the field already.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from gflow.errors import DataError
from gflow.flow.field import AbstractField, FlowState
from gflow.flow.losses import AbstractLoss
from gflow.flow.moments import gauss_moments
from gflow.flow.polar_field import polar_error, polar_velocity
from gflow.flow.samples import Samples
from gflow.network.neurons import PolarNeurons

_ROUNDING = 1e-12
"""Noise below this share of a subclass mean, and parts of a unit vector below this, are none."""


@dataclass(frozen=True)
class Mixture:
    """What the population field knows of a sample: K weighted points and their blur."""

    mean: Float[np.ndarray, "K D"]
    """Mean m_k of each subclass; K <= D, need not be orthonormal."""
    label: Float[np.ndarray, " K"]
    """Class y_k of each subclass, +1 or -1."""
    pi: Float[np.ndarray, " K"]
    """Weight π_k of each subclass in the loss."""
    tau: Float[np.ndarray, " K"]
    """Standard deviation τ_k of the noise around the mean, per coordinate."""
    count: Float[np.ndarray, " K"]
    """Number of samples of each subclass; inf for the population itself."""

    def __post_init__(self):
        K, D = self.mean.shape
        if K > D:
            raise DataError(
                f"`mean` must have at most as many rows as columns, but has K = {K} and D = {D}; "
                'use the exact flow, flow.start = "sample".'
            )

    @classmethod
    def of(
        cls,
        x: Float[np.ndarray, "n D"],
        y: Float[np.ndarray, " n"],
        subclass: Int[np.ndarray, " n"],
        omega: Float[np.ndarray, " n"],
    ) -> "Mixture":
        """The mixture that a sample is drawn from, given the sample's own subclass means.

        Around its mean a sample of a Gaussian subclass is Gaussian, of variance τ²(1 - 1/N) per
        coordinate and independent of the mean; τ_k is the sample's root mean square.

        **Arguments:**

        - `x`, `y`, `omega`: samples, labels ±1, weights ω_i in the loss.
        - `subclass`: index of each sample's subclass; absent ones are left out.
        """
        return cls(*map(np.array, zip(*_pieces(x, y, subclass, omega), strict=True)))


def _pieces(
    x: Float[np.ndarray, "n D"],
    y: Float[np.ndarray, " n"],
    subclass: Int[np.ndarray, " n"],
    omega: Float[np.ndarray, " n"],
) -> Iterator[tuple]:
    """Mean, label, weight, blur and number of samples of each subclass."""
    for k in np.unique(subclass):
        mine = subclass == k
        w = omega[mine] / omega[mine].sum()
        mean = w @ x[mine]
        tau = float(np.sqrt(w @ ((x[mine] - mean) ** 2).mean(axis=1)))
        if tau <= _ROUNDING * np.linalg.norm(mean):
            tau = 0.0
        yield mean, float(y[mine][0]), omega[mine].sum(), tau, 1 / (w @ w)


class Frame(eqx.Module):
    """Reduced coordinates of h neurons in D dimensions, K + 1 numbers each (final)."""

    axes: Float[Array, "K D"]
    """Orthonormal; of all such rows the closest to the subclass means."""
    outside: Float[Array, "h D"]
    """Unit direction of the part of each neuron orthogonal to the axes; 0 if there is none."""

    @classmethod
    def of(cls, neurons: PolarNeurons, mean: Float[np.ndarray, "K D"]) -> "Frame":
        """The frame of a mixture for the neurons of a start."""
        left, _, right = np.linalg.svd(mean, full_matrices=False)
        axes = left @ right
        u = np.asarray(neurons.direction)
        rest = u - (u @ axes.T) @ axes
        rest = rest - (rest @ axes.T) @ axes  # once more, or rounding is as large as a small rest
        length = np.linalg.norm(rest, axis=1, keepdims=True)
        outside = np.divide(rest, length, out=np.zeros_like(rest), where=length > _ROUNDING)
        return cls(jnp.asarray(axes), jnp.asarray(outside))

    def points(self, mixture: Mixture) -> Samples:
        """The points of a mixture in reduced coordinates."""
        mean = np.pad(mixture.mean @ np.asarray(self.axes).T, ((0, 0), (0, 1)))
        return Samples.blocked(mean, mixture.label, mixture.pi, len(mean), dtype="float64")

    def reduce(self, neurons: PolarNeurons) -> PolarNeurons:
        """Coordinates along the axes, and the length of the rest."""
        u = neurons.direction
        rest = jnp.sum(u * self.outside, axis=1, keepdims=True)
        reduced = jnp.concatenate([u @ self.axes.T, rest], axis=1)
        return replace(neurons, direction=reduced).projected()

    def lift(self, neurons: PolarNeurons) -> PolarNeurons:
        """The neurons in D dimensions whose reduction this is."""
        inside, rest = neurons.direction[:, :-1], neurons.direction[:, -1:]
        u = inside @ self.axes + rest * self.outside
        return replace(neurons, direction=u)


class PopulationField(AbstractField):
    """Flow of a balanced population among K blurred points while f is negligible (final).

    Its samples are the points m_k in reduced coordinates; at τ = 0 it is `PolarField` at f = 0.
    """

    loss: AbstractLoss
    p: float = eqx.field(static=True)
    foldable: ClassVar[bool] = False
    leaps: ClassVar[bool] = True
    tau: Float[Array, " K"]
    """Blur of each point."""

    def __call__(self, t: Float[Array, ""], state: FlowState, args: Samples) -> FlowState:
        neurons = state.weights.projected()
        return polar_velocity(neurons, *self.pull(neurons.direction, args))

    def error_norm(
        self, error: FlowState, state: FlowState | None = None, gain: Float[Array, ""] | float = 1.0
    ) -> Float[Array, ""]:
        return polar_error(error)

    def pull(
        self, u: Float[Array, "h d"], points: Samples
    ) -> tuple[Float[Array, "h d"], Float[Array, " h"]]:
        """The pull on a neuron at direction u, and its Φ.

        The expectation of G less its radial noise part, p κ Σ_k π_k y_k M_{p-1}(<u, m_k>) m_k, and
        Φ(u) = κ Σ_k π_k y_k M_p(<u, m_k>).
        """
        gate, value = self.moments((self.p - 1, self.p), u @ means(points).T)
        force = self.force(points)
        return self.p * (gate * force[None]) @ means(points), value @ force

    def moments(
        self, orders: tuple[float, ...], along: Float[Array, "h K"]
    ) -> tuple[Float[Array, "h K"], ...]:
        """M_q(<u_j, m_k>) for each order q."""
        return gauss_moments(orders, along, jnp.broadcast_to(self.tau, along.shape))

    def force(self, points: Samples) -> Float[Array, " K"]:
        """κ π_k y_k."""
        y, pi = points.y.reshape(-1), points.omega.reshape(-1)
        return pi * self.loss.force(y, jnp.zeros_like(y))


def means(points: Samples) -> Float[Array, "K d"]:
    """The K points m_k, one per row."""
    return points.x.reshape(-1, points.x.shape[-1])
