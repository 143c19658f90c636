"""p-norms of positive parts, whatever the power: no z^p under- or overflows."""

import numpy as np
from jaxtyping import Float

from gflow.network.prelu import host_power


def positive_length(
    z: Float[np.ndarray, "*s"], p: float, axis: int = -1
) -> Float[np.ndarray, "*t"]:
    """(Σ_j σ(z_j)^p)^{1/p} along an axis; 0 where it is empty."""
    top, share = relative_to_largest(z, axis)
    return np.squeeze(top, axis) * host_power(share, p).sum(axis=axis) ** (1 / p)


def relative_to_largest(
    z: Float[np.ndarray, "*s"], axis: int = -1
) -> tuple[Float[np.ndarray, "*t"], Float[np.ndarray, "*s"]]:
    """The largest σ(z_j) along an axis, which is kept, and all σ(z_j) in units of it."""
    positive = np.maximum(z, 0)
    top = positive.max(axis=axis, keepdims=True, initial=0)
    return top, positive / np.where(top > 0, top, 1)
