"""The subclasses of a sample as a neuron sees them: K weighted points and their blur.

Around its mean a sample of a Gaussian subclass is Gaussian, of variance τ²(1 - 1/N) per coordinate
and independent of the mean; τ_k is the sample's root mean square.
"""

from collections.abc import Iterator

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array, Float, Int

from gflow.errors import DataError

_ROUNDING = 1e-12
"""Noise below this share of a subclass mean is none."""


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
        K, D = len(np.unique(subclass)), x.shape[1]
        if K > D:
            raise DataError(
                f"`subclass` must name at most as many subclasses as dimensions, but names {K} in "
                f'{D} dimensions; try flow.method = "direct".'
            )
        columns = map(np.array, zip(*_pieces(x, y, subclass, omega), strict=True))
        mean, label, pi, tau = columns
        left, _, right = np.linalg.svd(mean, full_matrices=False)
        _, place = np.unique(subclass, return_inverse=True)
        return cls(*jax.device_put((mean, left @ right, tau, label, pi, place)))

    def total(self, values: Float[Array, " n"]) -> Float[Array, " K"]:
        """Sum over the samples of each subclass."""
        return jax.ops.segment_sum(values, self.of_sample, self.pi.shape[0])


def _pieces(
    x: Float[np.ndarray, "n D"],
    y: Float[np.ndarray, " n"],
    subclass: Int[np.ndarray, " n"],
    omega: Float[np.ndarray, " n"],
) -> Iterator[tuple]:
    """Mean, label, weight and blur of each subclass."""
    for k in np.unique(subclass):
        mine = subclass == k
        w = omega[mine] / omega[mine].sum()
        mean = w @ x[mine]
        tau = float(np.sqrt(w @ ((x[mine] - mean) ** 2).mean(axis=1)))
        if tau <= _ROUNDING * np.linalg.norm(mean):
            tau = 0.0
        yield mean, float(y[mine][0]), omega[mine].sum(), tau
