"""Outputs of a network in a unit of their own, so that none underflows however small they are."""

from collections.abc import Callable

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float


class ScaledOutputs(eqx.Module):
    """f(x_i) = e^{log_unit} · `values`, with values of about 1 however small the weights (final).

    At initialization scale ε a network of depth two has outputs of ε², which is no number of single
    precision below ε = 1e-19, and none of double precision below 1e-154; their signs and ratios
    are still right.
    """

    values: Float[Array, "*n"]
    """Outputs in units of e^{log_unit}."""
    log_unit: Float[Array, "*networks"]
    """log of the unit, one number per network."""

    @classmethod
    def plain(cls, values: Float[Array, "*n"]) -> "ScaledOutputs":
        """Outputs in units of 1."""
        return cls(values, jnp.zeros((), values.dtype))

    def map(self, function: Callable[[Array], Array]) -> "ScaledOutputs":
        """A function of outputs that is homogeneous of degree 1, in the same unit."""
        return ScaledOutputs(function(self.values), self.log_unit)

    @property
    def unscaled(self) -> Float[Array, "*n"]:
        """f(x_i), which is 0 where it underflows."""
        return jnp.exp(self.log_unit) * self.values
