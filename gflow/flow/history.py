"""The remainder at the last few exact velocities, and the polynomial through them.

It is built on the host, by numpy, so that no program is compiled for it.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from gflow.flow.remainder import Remainder


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
        times, repeated = jax.tree.map(
            lambda a: jax.device_put(np.broadcast_to(a, (m, *np.shape(a)))), (t, remainder)
        )
        return cls(times, repeated, jax.device_put(np.asarray(1)), unit)

    def first(self, count: int) -> "History":
        """Only the last `count` times."""
        known = jax.device_put(np.minimum(self.known, count))
        return eqx.tree_at(lambda h: h.known, self, known)

    def then(self, t: Float[Array, ""], remainder: Remainder) -> "History":
        """A later time, in front of the others; the oldest is forgotten."""
        times, shifted = jax.tree.map(_in_front, (t, remainder), (self.times, self.remainder))
        known = jax.device_put(np.minimum(np.asarray(self.known) + 1, len(times)))
        return History(times, shifted, known, self.unit)

    def weights(self, t: Float[Array, ""]) -> Float[Array, " m"]:
        """Weight of each known time in the polynomial at time t."""
        now, nodes = jnp.log1p(t / self.unit), jnp.log1p(self.times / self.unit)
        i = jnp.arange(nodes.shape[0])
        other = (i[None] < self.known) & (i[:, None] != i[None])
        gap = jnp.where(other, nodes[:, None] - nodes[None], 1.0)
        factor = jnp.where(other, (now - nodes[None]) / gap, 1.0)
        return jnp.where(i < self.known, jnp.prod(factor, axis=1), 0.0)


def _in_front(new: Array, old: Array) -> Array:
    return jax.device_put(np.concatenate([np.asarray(new)[None], np.asarray(old)[:-1]]))
