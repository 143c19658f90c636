"""Few coordinates for many neurons: the span of what moves them."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from gflow.flow.pull import tangent

_ROUNDING = 1e-10
"""Share of a vector below which what projection leaves of it is rounding."""


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

    def combined(
        self, weight: Float[Array, "h K"], reduced: Float[Array, "h d"]
    ) -> Float[Array, "K D"]:
        """Σ_j weight_jk times the vector j with these coordinates, of every k."""
        inside, rest = jnp.split(reduced, [self.axes.shape[0]], axis=1)
        own = (weight.T[:, :, None] * rest[None]).reshape(weight.shape[1], -1)
        return (weight.T @ inside) @ self.axes + own @ self.own.reshape(own.shape[1], -1)
