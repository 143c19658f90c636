"""Subspaces that perturbations may be confined to: the span of the data, its complement, a line.

Whatever is asked of data is a matter of rank.  Singular values below `RANK` of the largest count as
0, since samples are stored in single precision, and noise of that size spans nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Real
from scipy.linalg import orth

from gflow.data.centers import Centers
from gflow.data.checks import check_finite
from gflow.scenario.words import SUBSPACES as WORDS

RANK = 1e-6
"""Smallest singular value that counts, in units of the largest."""

FARTHEST = 1e6
"""Longest perturbation within a subspace, in units of ‖x‖.

Beyond it rounding decides: what a neuron sees of a δ is known to 3e-12 ‖δ‖.
"""


@dataclass(frozen=True)
class Subspace:
    """A linear subspace of R^D."""

    basis: Float[np.ndarray, "D d"]
    """Orthonormal; d = 0 where there is nothing but the origin."""

    @classmethod
    def spanned(cls, rows: Real[np.ndarray, "k D"]) -> "Subspace":
        """The span of some vectors."""
        return cls(_basis_of(rows))

    @classmethod
    def orthogonal(cls, rows: Real[np.ndarray, "k D"]) -> "Subspace":
        """What is orthogonal to some vectors."""
        basis = _basis_of(rows)
        return cls(np.linalg.qr(basis, mode="complete")[0][:, basis.shape[1] :])

    @property
    def d(self) -> int:
        """Its dimension."""
        return self.basis.shape[1]

    def seen_by(self, rows: Float[np.ndarray, "h D"]) -> "Subspace":
        """The part that is not orthogonal to some vectors: all of which a neuron sees anything."""
        return Subspace(self.basis @ orth(self.basis.T @ rows.T))

    def projected(self, rows: Float[np.ndarray, "n D"]) -> Float[np.ndarray, "n D"]:
        """The closest points of the subspace."""
        return rows @ self.basis @ self.basis.T


def _basis_of(rows: Real[np.ndarray, "k D"]) -> Float[np.ndarray, "D r"]:
    """An orthonormal basis of the span of some vectors."""
    rows = np.asarray(rows, np.float64)
    check_finite(rows, "`rows`")
    _, sizes, vectors = np.linalg.svd(rows, full_matrices=False)
    return vectors[sizes > RANK * sizes.max(initial=0)].T


Choice = Callable[[Real[np.ndarray, "n D"], Centers], Subspace]
"""A subspace, chosen from training samples and centers."""

SUBSPACES: dict[str, Choice] = {}
"""Every subspace by its name in files."""


def register_subspace(name: str, choice: Choice) -> None:
    """Make a subspace available as a value of `robustness.within`.

    **Raises:** `ValueError` if another one has this name.
    """
    WORDS.register(SUBSPACES, name, choice)


def _along(rows: Callable[[Centers], Float[np.ndarray, " D"]]) -> Choice:
    return lambda x, centers: Subspace.spanned(rows(centers)[None])


for _name, _choice in {
    "samples": lambda x, centers: Subspace.spanned(x),
    "off_samples": lambda x, centers: Subspace.orthogonal(x),
    "centers": lambda x, centers: Subspace.spanned(centers.mu),
    "off_centers": lambda x, centers: Subspace.orthogonal(centers.mu),
    "class_difference": _along(lambda centers: centers.label @ centers.mu),
    "positive_average": _along(lambda centers: centers.averages[0]),
    "negative_average": _along(lambda centers: centers.averages[1]),
}.items():
    register_subspace(_name, _choice)
