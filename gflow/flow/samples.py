"""Weighted samples as the velocity reads them: in blocks of rows."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Real


class Samples(eqx.Module):
    """Weighted samples, cut into B blocks of b rows; rows that fill the last block weigh 0."""

    x: Float[Array, "B b D"]
    """Inputs, in the precision of the matrix products."""
    y: Real[Array, "B b"]
    """Labels: ±1, or classes."""
    omega: Float[Array, "B b"]
    """Weights ω_i in the loss L = Σ_i ω_i ℓ(y_i, f(x_i))."""
    length: Float[Array, "B b"]
    """‖x_i‖."""
    n: int = eqx.field(static=True)
    """Number of samples, without the rows that fill the last block."""

    @property
    def labels(self) -> tuple[Real[Array, " n"], Float[Array, " n"]]:
        """y_i and ω_i of the n samples alone."""
        y, omega = (a.reshape(-1)[: self.n] for a in (self.y, self.omega))
        return y, omega

    @classmethod
    def blocked(
        cls,
        x: Float[np.ndarray, "n D"],
        y: Real[np.ndarray, " n"],
        omega: Float[np.ndarray, " n"],
        rows: int,
        *,
        dtype: str,
    ) -> "Samples":
        """Cut samples into blocks of at most `rows` rows, as evenly as possible."""
        n = x.shape[0]
        blocks = -(-n // rows)
        size = -(-n // blocks)
        fill = blocks * size - n
        # Rows that fill a block repeat the last one, and weigh nothing.
        wide = np.pad(x.astype(dtype), ((0, fill), (0, 0)), mode="edge")
        length = np.sqrt(np.einsum("ij,ij->i", wide, wide, dtype=np.float64))
        wide = wide.reshape(blocks, size, x.shape[1])
        labels = np.pad(y, (0, fill), mode="edge").reshape(blocks, size)
        weights = np.pad(omega, (0, fill)).reshape(blocks, size)
        length = length.reshape(blocks, size).astype(weights.dtype)
        wide, labels, weights, length = jax.device_put((wide, labels, weights, length))
        return cls(wide, labels, weights, length, n)


def product(a: Float[Array, "i k"], b: Float[Array, "k j"]) -> Float[Array, "i j"]:
    """a b, in full precision on every device."""
    return jnp.matmul(a, b, precision=jax.lax.Precision.HIGHEST)
