"""What K blurred points do to neurons, without a sample (theory D4)."""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from gflow.flow.losses import AbstractNamedLoss, AbstractScalarLoss
from gflow.flow.moments import half_moments
from gflow.flow.subclasses import Subclasses
from gflow.network.prelu import Network


class ClosedForm(NamedTuple):
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
) -> ClosedForm:
    """What blurred points at `mean` do to neurons, given their ρ and β.

    S is Σ_k π_k κ for a loss that saturates, whose forces vanish before the remainder does.
    """
    gate, value = half_moments(network.p, network.direction @ mean.T, subclasses.tau)
    f = value.T @ (network.sign * network.mass) + offset * jnp.sum(network.mass)
    c = force * subclasses.pi * loss.force(subclasses.label, f)
    assert isinstance(loss, AbstractNamedLoss), "no other has a surrogate"
    size = loss.kappa * jnp.sum(subclasses.pi) if loss.saturates else jnp.sum(jnp.abs(c))
    return ClosedForm(network.p * (gate * c[None]) @ mean, value @ c, size)
