"""How the outputs of a subclass answer to its noise: linearly in expectation, and a small rest.

Of all functions that are linear in the noise ξ_i of the samples x_i = m_k + ξ_i of a subclass,

    f̄_k + <g_k, ξ_i> ,
    f̄_k = Σ_j s_j m_j M_p(<u_j, m_k>) ,   g_k = p Σ_j s_j m_j M_{p-1}(<u_j, m_k>) u_j ,

is the closest to its outputs (Stein's lemma), and it costs no pass over neurons and samples.  The
rest, over the network's mass F = Σ_j m_j, is read with an exact velocity and interpolated in
between (theory D16).
"""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from gflow.flow.moments import half_moments
from gflow.flow.samples import Samples, product
from gflow.flow.subclasses import Subclasses
from gflow.network.prelu import Network


class Response(eqx.Module):
    """Expected outputs of K subclasses and how noise changes them; one network or L (final)."""

    mean: Float[Array, "*L K"]
    """f̄_k."""
    gradient: Float[Array, "*L K D"]
    """g_k."""
    mass: Float[Array, "*L"]
    """F."""

    def on(self, samples: Samples, subclasses: Subclasses) -> Float[Array, "L n"]:
        """f̄_k + <g_k, ξ_i> of L networks for every sample, by one pass over the samples."""
        L, K = self.mean.shape
        constant = self.mean - jnp.sum(self.gradient * subclasses.mean[None], axis=-1)
        columns = self.gradient.reshape(L * K, -1).T.astype(samples.x.dtype)
        slope = jax.lax.map(lambda x: product(x, columns), samples.x)
        slope = slope.reshape(-1, L, K)[: samples.n]
        own = jnp.take_along_axis(slope, subclasses.of_sample[:, None, None], axis=2)[..., 0]
        return constant[:, subclasses.of_sample] + own.T.astype(constant.dtype)


def expected_output(
    network: Network, subclasses: Subclasses, mean: Float[Array, "K d"]
) -> tuple[Float[Array, " K"], Float[Array, "h K"]]:
    """f̄_k, and what u_j counts in g_k, in any isometric coordinates of neurons and means."""
    gate, value = half_moments(network.p, network.direction @ mean.T, subclasses.tau)
    signed = network.sign * network.mass
    return value.T @ signed, network.p * gate * signed[:, None]
