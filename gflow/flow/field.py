"""The velocity of a population of neurons under gradient flow, in each chart.

One idea: with Z = X Uᵀ everything a neuron feels is one vector,

    G_j = p Σ_i ω_i g_i σ(<u_j, x_i>)^{p-1} x_i ,
    Φ_j = <G_j, u_j>/p = Σ_i ω_i g_i σ(<u_j, x_i>)^p ,

so a velocity is two matrix products in every chart (theory D1):

    polar:      du_j/dt = s_j (G_j - <G_j, u_j> u_j) ,                dr_j/dt = s_j Φ_j
    Cartesian:  dw_j/dt = v_j ‖w_j‖^{q-1} (G_j - (p-q) Φ_j u_j) ,    dv_j/dt = ‖w_j‖^q Φ_j

with the degree q = 1 of the normalized activation; without normalization q = p, and the radial part
drops out.

Rows are visited in blocks, so no temporary is larger than one block by h.  The products run in the
precision of the samples; everything else runs in the precision of the state.
"""

import abc
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Real

from gflow.flow.losses import AbstractLoss
from gflow.network.neurons import (
    CartesianNeurons,
    PolarNeurons,
)
from gflow.network.prelu import Network, positive_power
from gflow.network.weights import AbstractWeights


class Samples(eqx.Module):
    """Weighted samples, cut into B blocks of b rows; rows that fill the last block weigh 0."""

    x: Float[Array, "B b D"]
    """Inputs, in the precision of the matrix products."""
    y: Real[Array, "B b"]
    """Labels: ±1, or classes."""
    omega: Float[Array, "B b"]
    """Weights ω_i in the loss L = Σ_i ω_i ℓ(y_i, f(x_i))."""
    n: int = eqx.field(static=True)
    """Number of samples, without the filling rows."""

    @classmethod
    def blocked(
        cls,
        x: Float[np.ndarray, "n D"],
        y: Real[np.ndarray, " n"],
        omega: Float[np.ndarray, " n"],
        rows: int,
        dtype: str,
    ) -> "Samples":
        """Cut samples into blocks of at most `rows` rows, as even as they go."""
        n = x.shape[0]
        blocks = -(-n // rows)
        size = -(-n // blocks)
        fill = blocks * size - n
        # Rows that fill a block repeat the last one, and weigh nothing.
        wide = np.pad(x.astype(dtype), ((0, fill), (0, 0)), mode="edge")
        wide = wide.reshape(blocks, size, x.shape[1])
        labels = np.pad(y, (0, fill), mode="edge").reshape(blocks, size)
        weights = np.pad(omega, (0, fill)).reshape(blocks, size)
        return cls(jnp.asarray(wide), jnp.asarray(labels), jnp.asarray(weights), n)

    def outputs(self, network: Network) -> Float[Array, " n"]:
        """f(x_i) for every sample, by one pass over the blocks."""
        u = network.direction.astype(self.x.dtype)
        mass = (network.sign * network.mass).astype(self.x.dtype)

        def block(_, x: Float[Array, "b D"]):
            return None, positive_power(_product(x, u.T), network.p) @ mass

        _, f = jax.lax.scan(block, None, self.x)
        return f.reshape(-1)[: self.n].astype(network.direction.dtype)


class Reach(eqx.Module):
    """How fast a neuron could grow at most, whatever its direction (theory D11)."""

    spectral: Float[Array, "2"]
    """Λ₊, Λ₋: largest eigenvalue of Σ ω_i x_i x_iᵀ over the samples of each class."""
    radius: Float[Array, ""]
    """max ‖x_i‖."""

    def growth(self, force: "Force", p: float) -> Float[Array, "2"]:
        """Upper bounds on d log m_j/dt = 2 s_j Φ_j for neurons of sign + and -.

        With weights a_i = ω_i σ(s g_i) and Λ_s the largest eigenvalue of Σ a_i x_i x_iᵀ,
        Φ(u) <= max‖x‖^{p-2} Λ_s for p >= 2 and (Σ a_i)^{1-p/2} Λ_s^{p/2} below (Hölder).
        """
        largest = force.peak @ self.spectral
        if p >= 2:
            return 2 * self.radius ** (p - 2) * largest
        return 2 * force.total ** (1 - p / 2) * largest ** (p / 2)


class Force(eqx.Module):
    """The forces g_i at one moment, as far as `Reach` needs them; rows: sign of a neuron."""

    peak: Float[Array, "2 2"]
    """max_i σ(s g_i), a column for each class of samples."""
    total: Float[Array, "2"]
    """Σ_i ω_i σ(s g_i)."""

    @classmethod
    def none(cls, dtype) -> "Force":
        return cls(jnp.zeros((2, 2), dtype), jnp.zeros(2, dtype))

    def with_rows(
        self, g: Float[Array, " b"], y: Float[Array, " b"], omega: Float[Array, " b"]
    ) -> "Force":
        """These and the forces of another block; rows of weight 0 do not count."""
        toward = jnp.stack([jnp.maximum(g, 0), jnp.maximum(-g, 0)])
        mine = jnp.stack([y > 0, y < 0]) & (omega > 0)[None]
        peak = jnp.max(jnp.where(mine[None], toward[:, None], 0), axis=2)
        return Force(jnp.maximum(self.peak, peak), self.total + toward @ omega)


class FlowState(eqx.Module):
    """What is integrated: the weights, the energy they have dissipated, and a bound."""

    weights: Any
    """An `AbstractWeights`; each field knows which."""
    dissipated: Float[Array, ""]
    """∫₀ᵗ ‖dθ/dt‖² dt; equals L(0) - L(t) along an exact flow (theory D2d)."""
    growth: Float[Array, "2"]
    """At most this much has any log m_j of sign + or - grown; 0 in a field without `Reach`."""

    @classmethod
    def begin(cls, neurons: AbstractWeights, dissipated: float = 0.0) -> "FlowState":
        """The state at the start of an integration."""
        dtype = neurons.dtype
        return cls(neurons, jnp.asarray(dissipated, dtype), jnp.zeros(2, dtype))

    def projected(self) -> "FlowState":
        return FlowState(self.weights.projected(), self.dissipated, self.growth)


class AbstractField(eqx.Module):
    """dθ/dt = -∇L(θ) in one chart, as a diffrax vector field with the samples as `args`."""

    loss: eqx.AbstractVar[AbstractLoss]
    p: eqx.AbstractVar[float]

    @abc.abstractmethod
    def __call__(self, t: Float[Array, ""], state: FlowState, args: Samples) -> FlowState:
        """Velocity of `state`."""

    @abc.abstractmethod
    def error_norm(self, error: FlowState) -> Float[Array, ""]:
        """Root mean square over neurons of one neuron's error, unless a chart says otherwise.

        diffrax's default is an RMS over all leaves, in which h log-norms would be outvoted by
        h·D direction entries.
        """

    @abc.abstractmethod
    def scale(self, neurons: AbstractWeights) -> Float[Array, ""]:
        """Smallest length in the chart that an absolute error is to be held against."""


def polar_velocity(
    neurons: PolarNeurons,
    pull: Float[Array, "h D"],
    phi: Float[Array, " h"],
    growth: Float[Array, "2"] | None = None,
) -> FlowState:
    """du_j/dt = s_j (G_j - <G_j, u_j> u_j) and dr_j/dt = s_j Φ_j, whatever field gives G and Φ.

    **Arguments:**

    - `neurons`: on the sphere.
    - `pull`: G_j; what it has along u_j does not count.
    - `phi`: Φ_j.
    - `growth`: bounds on d log m_j/dt of either sign; None to bound nothing.

    **Source:** theory D1.
    """
    u, s = neurons.direction, neurons.sign
    du = s[:, None] * (pull - jnp.sum(pull * u, axis=1)[:, None] * u)
    dr = s * phi
    speed = jnp.exp(2 * neurons.log_norm) * (2 * dr**2 + jnp.sum(du**2, axis=1))
    growth = jnp.zeros(2, dr.dtype) if growth is None else growth
    return FlowState(PolarNeurons(du, dr, jnp.zeros_like(s)), jnp.sum(speed), growth)


def polar_error(error: FlowState, share: Float[Array, " h"] | None = None) -> Float[Array, ""]:
    """√(mean_j (|du_j|² + dr_j²)), each neuron weighted by its share; None for equal shares."""
    assert isinstance(error.weights, PolarNeurons)
    each = jnp.sum(error.weights.direction**2, axis=1) + error.weights.log_norm**2
    return jnp.sqrt(jnp.mean(each) if share is None else jnp.sum(share * each))


class PolarField(AbstractField):
    """Gradient flow of a balanced population as directions and log-norms (final)."""

    loss: AbstractLoss
    p: float = eqx.field(static=True)
    share: Float[Array, " h"] | None = None
    """Share of each neuron in the error of a step; None for equal shares."""
    reach: Reach | None = None
    """What bounds growth; None to bound nothing."""

    def __call__(self, t: Float[Array, ""], state: FlowState, args: Samples) -> FlowState:
        neurons = state.weights.projected()
        assert isinstance(neurons, PolarNeurons)
        pull, force = pull_on(neurons.network(self.p), self.loss, args)
        phi = jnp.sum(pull * neurons.direction, axis=1) / self.p
        growth = None if self.reach is None else self.reach.growth(force, self.p)
        return polar_velocity(neurons, pull, phi, growth)

    def error_norm(self, error: FlowState) -> Float[Array, ""]:
        return polar_error(error, self.share)

    def scale(self, neurons: AbstractWeights) -> Float[Array, ""]:
        return jnp.ones(())


class CartesianField(AbstractField):
    """Gradient flow of any population as plain weights, normalized or not (final)."""

    loss: AbstractLoss
    p: float = eqx.field(static=True)

    def __call__(self, t: Float[Array, ""], state: FlowState, args: Samples) -> FlowState:
        neurons = state.weights
        assert isinstance(neurons, CartesianNeurons)
        u, v, q = neurons.direction, neurons.v, neurons.degree
        pull, _ = pull_on(neurons.network(self.p), self.loss, args)
        phi = jnp.sum(pull * u, axis=1) / self.p
        gain = positive_power(neurons.norm, q - 1)
        dw = (v * gain)[:, None] * (pull - (self.p - q) * phi[:, None] * u)
        dv = neurons.norm * gain * phi
        speed = jnp.sum(dw**2) + jnp.sum(dv**2)
        return FlowState(CartesianNeurons(dw, dv, q), speed, jnp.zeros(2, dv.dtype))

    def error_norm(self, error: FlowState) -> Float[Array, ""]:
        """Root mean square over neurons of one neuron's error; the largest without normalization.

        There one neuron may become the network while the others lie where they started, and its
        error would drown in a mean.
        """
        assert isinstance(error.weights, CartesianNeurons)
        D = error.weights.w.shape[1]
        each = (jnp.sum(error.weights.w**2, axis=1) + error.weights.v**2) / (D + 1)
        return jnp.sqrt(jnp.mean(each) if error.weights.degree == 1 else jnp.max(each))

    def scale(self, neurons: AbstractWeights) -> Float[Array, ""]:
        assert isinstance(neurons, CartesianNeurons)
        return jnp.exp(jnp.min(neurons.log_norm))


def _product(a: Float[Array, "i k"], b: Float[Array, "k j"]) -> Float[Array, "i j"]:
    return jnp.matmul(a, b, precision=jax.lax.Precision.HIGHEST)


def pull_on(
    network: Network, loss: AbstractLoss, samples: Samples
) -> tuple[Float[Array, "h D"], Force]:
    """G_j for every neuron, and the forces, by one pass over the blocks of rows."""
    u = network.direction.astype(samples.x.dtype)
    mass = (network.sign * network.mass).astype(samples.x.dtype)

    def block(carry: tuple[Float[Array, "h D"], Force], rows: tuple[Array, Array, Array]):
        (total, force), (x, y, omega) = carry, rows
        z = _product(x, u.T)
        gate = positive_power(z, network.p - 1)
        f = (gate * jnp.maximum(z, 0)) @ mass
        g = loss.force(y, f.astype(y.dtype))
        gated = gate * (omega * g).astype(z.dtype)[:, None]
        return (total + _product(gated.T, x), force.with_rows(g, y, omega)), None

    start = jnp.zeros_like(u), Force.none(samples.y.dtype)
    (total, force), _ = jax.lax.scan(block, start, (samples.x, samples.y, samples.omega))
    return network.p * total.astype(network.direction.dtype), force
