"""What the samples do to neurons of one output: the pull G_j on each, in one pass."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from gflow.flow.losses import AbstractLoss
from gflow.flow.outputs import Outputs, rounding_of
from gflow.flow.samples import Samples, product
from gflow.network.prelu import Network, positive_power


class Pull(NamedTuple):
    """What the samples do to neurons, and their outputs."""

    vectors: Float[Array, "h D"]
    """G_j."""
    values: Float[Array, " n"]
    """f(x_i), of the network that was given."""
    outputs: Outputs
    """Their sums."""


def pull_on(
    network: Network,
    loss: AbstractLoss,
    samples: Samples,
    log_scale: Float[Array, ""] | float = 0.0,
) -> Pull:
    """G_j = p Σ_i ω_i g_i σ(<u_j, x_i>)^{p-1} x_i for every neuron, and the outputs.

    Rows are visited in blocks, so no temporary is larger than one block by h. The products run in
    the precision of the samples, with forces in units of the largest of a block, which may be no
    number of that precision; everything else runs in the precision of the state.

    **Arguments:**

    - `log_scale`: of the factor by which the outputs that forces answer to are larger than those of
        `network`, so that the latter need not underflow.
    """
    u = network.direction.astype(samples.x.dtype)
    mass = (network.sign * network.mass).astype(samples.x.dtype)
    # An output is a sum over h neurons of p-th powers of a sum over D coordinates.
    scale = jnp.exp(log_scale)
    total_mass, terms = scale * jnp.sum(network.mass), u.shape[0] + network.p * u.shape[1]

    def block(carry: tuple[Float[Array, "h D"], Outputs], rows: tuple[Array, ...]):
        (total, before), (x, y, omega, length) = carry, rows
        z = product(x, u.T)
        gate = positive_power(z, network.p - 1)
        value = ((gate * jnp.maximum(z, 0)) @ mass).astype(y.dtype)
        f = scale * value
        g = loss.force(y, f)
        force = omega * g
        unit = power_of_two(jnp.max(jnp.abs(force)))
        gated = gate * (force / unit).astype(z.dtype)[:, None]
        length = length**network.p
        rounding = rounding_of(total_mass * length, terms, x.dtype)
        now = Outputs.of(loss, y, f, omega, force=g, length=length, rounding=rounding)
        pulled = unit * product(gated.T, x).astype(total.dtype)
        return (total + pulled, jax.tree.map(jnp.add, before, now)), value

    start = jnp.zeros_like(network.direction), Outputs.none(samples.y.dtype)
    rows = (samples.x, samples.y, samples.omega, samples.length)
    (total, outputs), value = jax.lax.scan(block, start, rows)
    return Pull(network.p * total, value.reshape(-1)[: samples.n], outputs)


def power_of_two(size: Float[Array, ""]) -> Float[Array, ""]:
    """The power of 2 at or below a positive `size`, by which nothing is rounded; 1 for 0."""
    least = jnp.finfo(size.dtype).tiny  # smaller numbers are 0 to a compiled program
    exponent = jnp.frexp(jnp.maximum(size, least))[1] - 1
    return jnp.ldexp(jnp.ones_like(size), jnp.where(size > 0, exponent, 0))


def tangent(a: Float[Array, "h d"], u: Float[Array, "h d"]) -> Float[Array, "h d"]:
    """The part of each row of `a` orthogonal to the unit vector in that row of `u`."""
    return a - jnp.sum(a * u, axis=1, keepdims=True) * u
