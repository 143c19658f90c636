"""The tolerance of a step, and errors in units of it."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree


class Tolerance(eqx.Module):
    """Relative and absolute tolerance; arrays, so that another does not compile anew (final)."""

    rtol: Float[Array, ""]
    atol: Float[Array, ""]

    @property
    def of_outputs(self) -> Float[Array, ""]:
        """Error of an output that a step may make, absolute below 1 and relative beyond."""
        return jnp.maximum(self.rtol, self.atol)

    def scaled(self, error: PyTree, a: PyTree, b: PyTree) -> PyTree:
        """The error between states a and b in units of the tolerance, number by number."""

        def scaled(wrong: Array, p: Array, q: Array) -> Array:
            return wrong / (self.atol + self.rtol * jnp.maximum(jnp.abs(p), jnp.abs(q)))

        return jax.tree.map(scaled, error, a, b)
