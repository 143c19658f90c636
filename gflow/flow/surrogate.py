"""The velocity of neurons among the subclasses of a sample: a closed form and a slow remainder.

To a neuron a Gaussian subclass is one blurred point, whose pull is known without a sample (theory
D4) up to the force with which the subclass pulls now.  What an exact velocity has beyond that is
the sampling error of each subclass: small, and as slow as directions turn and as log t passes, so
that a few exact velocities and a polynomial through them give it at all times in between (theory
D16),

    G_j = p Σ_k c_k M_{p-1}(<u_j, m_k>) m_k + S R_j ,    c_k = ρ_k π_k g(y_k, f̄_k + β_k F) ,
    Φ_j =   Σ_k c_k M_p(<u_j, m_k>)         + S P_j ,    S = Σ_k |c_k| ,

with the remainder ρ, β, R, P. The expected output of a subclass is f̄_k = Σ_j s_j m_j M_p(<u_j, m_k>),
and F = Σ_j m_j is the size that outputs can have.
"""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import ndtr
from jax.scipy.stats.norm import pdf
from jaxtyping import Array, Float, Int

from gflow.flow.blurred import Mixture
from gflow.flow.field import AbstractNeuronField, FlowState
from gflow.flow.losses import AbstractScalarLoss
from gflow.flow.moments import gauss_moments
from gflow.flow.pull import tangent
from gflow.flow.samples import Samples, product
from gflow.network.prelu import Network, positive_power

_ROUNDING = 1e-10
"""Share of a vector below which what projection leaves of it is rounding."""


class Subclasses(eqx.Module):
    """The subclasses of a sample as K weighted, blurred points (final)."""

    mean: Float[Array, "K D"]
    """Mean m_k."""
    axes: Float[Array, "K D"]
    """Orthonormal; of all such rows the closest to the means."""
    tau: Float[Array, " K"]
    """Standard deviation τ_k of the noise per coordinate."""
    label: Float[Array, " K"]
    """y_k, +1 or -1."""
    pi: Float[Array, " K"]
    """Weight π_k in the loss."""
    of_sample: Int[Array, " n"]
    """Subclass of each sample."""

    @classmethod
    def of(
        cls,
        x: Float[np.ndarray, "n D"],
        y: Float[np.ndarray, " n"],
        subclass: Int[np.ndarray, " n"],
        omega: Float[np.ndarray, " n"],
    ) -> "Subclasses":
        """The subclasses of samples x with labels y = ±1 and weights ω in the loss.

        **Raises:** `DataError` for more subclasses than dimensions.
        """
        mixture = Mixture.of(x, y, subclass, omega)
        left, _, right = np.linalg.svd(mixture.mean, full_matrices=False)
        arrays = mixture.mean, left @ right, mixture.tau, mixture.label, mixture.pi
        _, place = np.unique(subclass, return_inverse=True)
        return cls(*map(jnp.asarray, (*arrays, place)))

    def total(self, values: Float[Array, " n"]) -> Float[Array, " K"]:
        """Sum over the samples of each subclass."""
        return jax.ops.segment_sum(values, self.of_sample, self.pi.shape[0])


class Remainder(eqx.Module):
    """What an exact velocity has beyond the closed form, at one time or at several (final)."""

    force: Float[Array, "*m K"]
    """ρ_k, the force of a subclass over that at its mean output."""
    offset: Float[Array, "*m K"]
    """β_k, its mean output less the expected one f̄_k, over F."""
    climb: Float[Array, "*m h D"]
    """R_j, orthogonal to u_j at its time."""
    phi: Float[Array, "*m h"]
    """P_j."""
    outputs: Float[Array, "*m n"]
    """(f(x_i) - f̄_k)/F of each sample i of subclass k."""


class _ClosedForm(NamedTuple):
    """The velocity but for R and P, in any isometric coordinates."""

    pull: Float[Array, "h d"]
    phi: Float[Array, " h"]
    size: Float[Array, ""]
    """S."""


def closed_form(
    network: Network,
    loss: AbstractScalarLoss,
    subclasses: Subclasses,
    mean: Float[Array, "K d"],
    *,
    force: Float[Array, " K"],
    offset: Float[Array, " K"],
) -> _ClosedForm:
    """What blurred points at `mean` do to neurons, given their ρ and β.

    S is Σ_k π_k κ for a loss that saturates, whose forces vanish before the remainder does.
    """
    gate, value = half_moments(network.p, network.direction @ mean.T, subclasses.tau)
    f = value.T @ (network.sign * network.mass) + offset * jnp.sum(network.mass)
    c = force * subclasses.pi * loss.force(subclasses.label, f)
    size = loss.kappa * jnp.sum(subclasses.pi) if loss.saturates else jnp.sum(jnp.abs(c))
    return _ClosedForm(network.p * (gate * c[None]) @ mean, value @ c, size)


def mean_outputs(
    network: Network, subclasses: Subclasses
) -> tuple[Float[Array, " K"], Float[Array, ""]]:
    """f̄_k, the expected output of each subclass, and F."""
    value = half_moments(network.p, network.direction @ subclasses.mean.T, subclasses.tau)[1]
    return value.T @ (network.sign * network.mass), jnp.sum(network.mass)


def half_moments(
    p: float, a: Float[Array, "h K"], tau: Float[Array, " K"]
) -> tuple[Float[Array, "h K"], Float[Array, "h K"]]:
    """M_{p-1}(a) and M_p(a), for whole p by the recursion M_q = a M_{q-1} + (q-1) τ² M_{q-2}.

    The recursion loses relative digits where a moment is negligible; the remainder has them.

    **Source:** theory D4.
    """
    tau = jnp.broadcast_to(tau[None], a.shape)
    if p != int(p):
        return gauss_moments((p - 1, p), a, tau)
    b = a / jnp.where(tau > 0, tau, 1)
    before = jnp.where(tau > 0, ndtr(b), (a > 0).astype(a.dtype))
    now = jnp.maximum(a * before + jnp.where(tau > 0, tau * pdf(b), 0), 0)
    for q in range(2, int(p) + 1):
        before, now = now, jnp.maximum(a * now + (q - 1) * tau**2 * before, 0)
    return before, now


@eqx.filter_jit
def read_remainder(
    field: AbstractNeuronField, subclasses: Subclasses, samples: Samples, state: FlowState
) -> tuple[Remainder, Float[Array, ""]]:
    """The remainder at a state, by one exact velocity, and its share of the motion of directions.

    **Source:** theory D16.
    """
    neurons = state.weights.projected()
    network, loss = neurons.network(field.p), field.loss
    u, k = network.direction, subclasses.of_sample
    y, omega = (a.reshape(-1)[: samples.n] for a in (samples.y, samples.omega))
    # Outputs in units of the largest mass, so that none underflows however small the network is.
    top = jnp.max(network.log_mass)
    pull, output = _exact(network, loss, samples, top)
    unit = eqx.tree_at(lambda net: net.log_mass, network, network.log_mass - top)
    f, F = mean_outputs(unit, subclasses)
    offset = (subclasses.total(omega * output) / subclasses.pi - f) / F
    # Forces: exact, and at the mean output of each subclass.
    exact = subclasses.total(omega * loss.force(y, jnp.exp(top) * output))
    plain = subclasses.pi * loss.force(subclasses.label, jnp.exp(top) * (f + offset * F))
    force = jnp.where(plain == 0, 1.0, exact / jnp.where(plain == 0, 1.0, plain))
    form = closed_form(network, loss, subclasses, subclasses.mean, force=force, offset=offset)
    # The rest of what the neurons feel.
    rest = tangent(pull - form.pull, u)
    share = jnp.linalg.norm(rest) / jnp.linalg.norm(tangent(pull, u))
    remainder = Remainder(
        force=force,
        offset=offset,
        climb=rest / form.size,
        phi=(jnp.sum(pull * u, axis=1) / field.p - form.phi) / form.size,
        outputs=(output - f[k]) / F,
    )
    return remainder, share


def _exact(
    network: Network, loss: AbstractScalarLoss, samples: Samples, top: Float[Array, ""]
) -> tuple[Float[Array, "h D"], Float[Array, " n"]]:
    """G_j, and e^{-top} f(x_i), in one pass over the blocks."""
    u = network.direction.astype(samples.x.dtype)
    mass = (network.sign * jnp.exp(network.log_mass - top)).astype(samples.x.dtype)

    def block(total: Float[Array, "h D"], rows: tuple[Array, Array, Array]):
        x, y, omega = rows
        z = product(x, u.T)
        gate = positive_power(z, network.p - 1)
        output = ((gate * jnp.maximum(z, 0)) @ mass).astype(y.dtype)
        g = loss.force(y, jnp.exp(top) * output)
        gated = gate * (omega * g).astype(z.dtype)[:, None]
        return total + product(gated.T, x), output

    blocks = (samples.x, samples.y, samples.omega)
    total, output = jax.lax.scan(block, jnp.zeros_like(u), blocks)
    pull = network.p * total.astype(network.direction.dtype)
    return pull, output.reshape(-1)[: samples.n]


class History(eqx.Module):
    """The remainder at the last few times, and the polynomial in log t through them (final)."""

    times: Float[Array, " m"]
    remainder: Remainder
    """At each of the times."""
    known: Int[Array, ""]
    """How many of them count; the rest are there so that every history has one shape."""
    unit: Float[Array, ""]
    """Time below which the polynomial is one in t."""

    @classmethod
    def begin(
        cls, t: Float[Array, ""], remainder: Remainder, m: int, unit: Float[Array, ""]
    ) -> "History":
        """One time, with room for `m`."""
        repeated = jax.tree.map(lambda a: jnp.broadcast_to(a, (m, *a.shape)), remainder)
        return cls(jnp.full(m, t), repeated, jnp.asarray(1), unit)

    def first(self, count: int) -> "History":
        """Only the last `count` times."""
        return eqx.tree_at(lambda h: h.known, self, jnp.minimum(self.known, count))

    def then(self, t: Float[Array, ""], remainder: Remainder) -> "History":
        """A later time, in front of the others; the oldest is forgotten."""
        front = lambda a, b: jnp.concatenate([b[None], a[:-1]])  # noqa: E731
        known = jnp.minimum(self.known + 1, self.times.shape[0])
        rest = jax.tree.map(front, self.remainder, remainder)
        return History(front(self.times, t), rest, known, self.unit)

    def weights(self, t: Float[Array, ""]) -> Float[Array, " m"]:
        """Weight of each known time in the polynomial at time t."""
        now, nodes = jnp.log1p(t / self.unit), jnp.log1p(self.times / self.unit)
        i = jnp.arange(nodes.shape[0])
        other = (i[None] < self.known) & (i[:, None] != i[None])
        gap = jnp.where(other, nodes[:, None] - nodes[None], 1.0)
        factor = jnp.where(other, (now - nodes[None]) / gap, 1.0)
        return jnp.where(i < self.known, jnp.prod(factor, axis=1), 0.0)

    @eqx.filter_jit
    def outputs(
        self, t: Float[Array, ""], network: Network, subclasses: Subclasses
    ) -> Float[Array, " n"]:
        """f(x_i) at time t, from the expected outputs of a network."""
        f, F = mean_outputs(network, subclasses)
        k = subclasses.of_sample
        return f[k] + F * (self.weights(t) @ self.remainder.outputs)


class Frame(eqx.Module):
    """Cartesian coordinates of h neurons in the span of what moves them, d = K + m + 1 each."""

    axes: Float[Array, "K D"]
    """Orthonormal, of all neurons."""
    own: Float[Array, "h q D"]
    """Orthonormal to each other and to the axes, or 0; of one neuron each."""

    @classmethod
    def of(cls, axes: Float[Array, "K D"], vectors: Float[Array, "q h D"]) -> "Frame":
        """The frame in which q vectors of each neuron have all their length, besides the axes."""
        own: list[Array] = []
        for vector in vectors:
            rest = vector
            for _ in range(2):  # once more, or rounding is as large as a small rest
                rest = rest - (rest @ axes.T) @ axes
                for unit in own:
                    rest = tangent(rest, unit)
            length = jnp.linalg.norm(rest, axis=1, keepdims=True)
            real = length > _ROUNDING * jnp.linalg.norm(vector, axis=1, keepdims=True)
            own.append(jnp.where(real, rest / jnp.where(real, length, 1.0), 0.0))
        return cls(axes, jnp.stack(own, axis=1))

    def reduce(self, vectors: Float[Array, "h D"]) -> Float[Array, "h d"]:
        """Coordinates of one vector of each neuron."""
        own = jnp.einsum("hqD,hD->hq", self.own, vectors)
        return jnp.concatenate([vectors @ self.axes.T, own], axis=1)

    def lift(self, reduced: Float[Array, "h d"]) -> Float[Array, "h D"]:
        """The vectors with these coordinates."""
        K = self.axes.shape[0]
        own = jnp.einsum("hq,hqD->hD", reduced[:, K:], self.own)
        return reduced[:, :K] @ self.axes + own


class SurrogateField(eqx.Module):
    """The velocity of neurons in a frame: closed form and interpolated remainder (final)."""

    field: AbstractNeuronField
    """The exact velocity, for its chart and loss."""
    subclasses: Subclasses
    history: History
    """The remainder, its R_j in the coordinates of the frame."""
    mean: Float[Array, "K d"]
    """Means in these coordinates."""

    @classmethod
    def of(
        cls, field: AbstractNeuronField, subclasses: Subclasses, history: History, frame: Frame
    ) -> "SurrogateField":
        """The field in the coordinates of `frame`."""
        q = frame.own.shape[1]
        mean = jnp.pad(subclasses.mean @ frame.axes.T, ((0, 0), (0, q)))
        climb = jax.vmap(frame.reduce)(history.remainder.climb)
        reduced = eqx.tree_at(lambda h: h.remainder.climb, history, climb)
        return cls(field, subclasses, reduced, mean)

    def __call__(self, t: Float[Array, ""], state: FlowState, args: None) -> FlowState:
        neurons = state.weights.projected()
        network = neurons.network(self.field.p)
        at, rest = self.history.weights(t), self.history.remainder
        form = closed_form(
            network,
            self.field.loss,
            self.subclasses,
            self.mean,
            force=at @ rest.force,
            offset=at @ rest.offset,
        )
        pull = form.pull + form.size * jnp.einsum("m,mhd->hd", at, rest.climb)
        climb = tangent(pull, network.direction)
        return self.field.velocity(neurons, climb, form.phi + form.size * (at @ rest.phi))
