"""Angles and lengths of rows of vectors, in numpy."""

import numpy as np
from jaxtyping import Float


def largest_singular(rows: Float[np.ndarray, "q D"]) -> float:
    """Largest singular value, 0 without rows."""
    return float(np.sqrt(max(np.linalg.eigvalsh(smaller_gram(rows)).max(initial=0), 0)))


def smaller_gram(rows: Float[np.ndarray, "q D"]) -> Float[np.ndarray, "r r"]:
    """The smaller of the two Gram matrices of rows; both have the same nonzero eigenvalues."""
    return rows @ rows.T if len(rows) < rows.shape[1] else rows.T @ rows


def angle_between(
    u: Float[np.ndarray, "*s D"], v: Float[np.ndarray, "*s D"]
) -> Float[np.ndarray, "*s"]:
    """Angle of unit vectors in radians, as 2 asin(‖u - v‖/2): accurate however small."""
    chord = np.linalg.norm(u - v, axis=-1)
    return 2 * np.arcsin(np.minimum(chord / 2, 1))
