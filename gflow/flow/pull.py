"""What the samples do to neurons of one output: the pull G_j on each, in one pass."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from gflow.flow.losses import AbstractLoss
from gflow.flow.outputs import Outputs, rounding_of
from gflow.flow.samples import Samples, product
from gflow.network.prelu import Network, positive_power


def pull_on(
    network: Network, loss: AbstractLoss, samples: Samples
) -> tuple[Float[Array, "h D"], Outputs]:
    """G_j = p Σ_i ω_i g_i σ(<u_j, x_i>)^{p-1} x_i for every neuron, and the outputs.

    Rows are visited in blocks, so no temporary is larger than one block by h. The products run in
    the precision of the samples; everything else runs in the precision of the state.
    """
    u = network.direction.astype(samples.x.dtype)
    mass = (network.sign * network.mass).astype(samples.x.dtype)
    # An output is a sum over h neurons of p-th powers of a sum over D coordinates.
    total_mass, terms = jnp.sum(network.mass), u.shape[0] + network.p * u.shape[1]

    def block(carry: tuple[Float[Array, "h D"], Outputs], rows: tuple[Array, ...]):
        (total, before), (x, y, omega, length) = carry, rows
        z = product(x, u.T)
        gate = positive_power(z, network.p - 1)
        f = (gate * jnp.maximum(z, 0)) @ mass
        f = f.astype(y.dtype)
        g = loss.force(y, f)
        gated = gate * (omega * g).astype(z.dtype)[:, None]
        length = length**network.p
        rounding = rounding_of(total_mass * length, terms, x.dtype)
        now = Outputs.of(loss, y, f, omega, force=g, length=length, rounding=rounding)
        return (total + product(gated.T, x), jax.tree.map(jnp.add, before, now)), None

    start = jnp.zeros_like(u), Outputs.none(samples.y.dtype)
    rows = (samples.x, samples.y, samples.omega, samples.length)
    (total, outputs), _ = jax.lax.scan(block, start, rows)
    return network.p * total.astype(network.direction.dtype), outputs


def tangent(a: Float[Array, "h d"], u: Float[Array, "h d"]) -> Float[Array, "h d"]:
    """The part of each row of `a` orthogonal to the unit vector in that row of `u`."""
    return a - jnp.sum(a * u, axis=1, keepdims=True) * u
