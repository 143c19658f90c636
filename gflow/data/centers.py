"""The subclass centers and class averages that neurons are compared with.

Every alignment statement of the theory is about a cosine to one of K + 2 unit vectors, the centers
μ_1..μ_K and the class averages μ̄₊, μ̄₋.  They live here together with their origin, so that checks
can refuse centers that are not orthonormal.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from gflow.data.checks import check_numbers
from gflow.errors import DataError

ORTHONORMAL = 1e-9
"""Largest `Centers.orthonormality_error` at which centers pass for orthonormal."""


def unit_rows(rows: Float[np.ndarray, "n D"]) -> Float[np.ndarray, "n D"]:
    """Rows divided by their lengths; a zero row stays zero."""
    size = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(size > 0, size, 1)


@dataclass(frozen=True)
class Centers:
    """K subclass centers and the class each belongs to."""

    mu: Float[np.ndarray, "K D"]
    """Centers μ_k, one per row; orthonormal in the papers."""
    label: Int[np.ndarray, " K"]
    """Class y_k of each center, +1 or -1."""
    origin: str
    """"given", "subclass means", "means of clusters" or "class means"; of real labels also
    "teacher neurons" or "weighted means"."""
    class_of: tuple[int, ...] | None = None
    """Class of each center, 0..C-1, where there are more than two classes of several centers."""
    strays: int = 0
    """Number of training samples that lie around no center of their class: zero, or flipped."""

    def __post_init__(self):
        if self.label.shape != (self.mu.shape[0],):
            raise DataError(
                f"`label` must have one entry per center (K = {self.mu.shape[0]}), but has shape "
                f"{self.label.shape}; give one +1 or -1 per row of `mu`."
            )
        check_numbers(mu=self.mu)
        if not np.isin(self.label, (-1, 1)).all():
            raise DataError(
                f"`label` must hold only +1 and -1, but holds {sorted(set(self.label.tolist()))}; "
                "map the two classes to +1 and -1."
            )
        if not (np.linalg.norm(self.mu, axis=1) > 0).all():
            raise DataError(
                "`mu` must have no zero row, but has one; leave out subclasses without a center."
            )

    @property
    def noun(self) -> str:
        """What one center is called."""
        return "teacher neuron" if self.origin == "teacher neurons" else "center"

    @property
    def K(self) -> int:
        """Number of subclasses."""
        return self.mu.shape[0]

    @property
    def K1(self) -> int:
        """Number of positive subclasses."""
        return int((self.label > 0).sum())

    @property
    def K2(self) -> int:
        """Number of negative subclasses."""
        return self.K - self.K1

    @property
    def signs(self) -> tuple[int, ...]:
        """The classes that have subclasses, +1 first."""
        return tuple(sign for sign in (1, -1) if (self.label == sign).any())

    @property
    def D(self) -> int:
        """Input dimension."""
        return self.mu.shape[1]

    @property
    def averages(self) -> Float[np.ndarray, "2 D"]:
        """Unit class averages μ̄₊ and μ̄₋: normalized sums of the class's centers.

        The row of a class is zero if it has no subclasses, or centers that cancel.
        """
        return self._averages([self.label > 0, self.label < 0])

    @property
    def class_averages(self) -> Float[np.ndarray, "C D"]:
        """Unit averages of the centers of each class: μ̄₊ and μ̄₋, or one per class if C > 2."""
        if self.class_of is None:
            return self.averages
        classes = np.asarray(self.class_of)
        return self._averages([classes == c for c in range(classes.max() + 1)])

    def _averages(self, members: list[Bool[np.ndarray, " K"]]) -> Float[np.ndarray, "C D"]:
        sums = np.stack([self.mu[mine].sum(axis=0) for mine in members])
        # What is left of centers that cancel is rounding, which points nowhere.
        sizes = np.array([np.linalg.norm(self.mu[mine], axis=1).sum() for mine in members])
        cancels = np.linalg.norm(sums, axis=1) <= ORTHONORMAL * sizes
        return unit_rows(np.where(cancels[:, None], 0.0, sums))

    @property
    def lacks_average(self) -> bool:
        """Whether the average of a class has length 0, so that nothing has a cosine to it.

        A class without subclasses has no average that could be missed.
        """
        absent = self.class_of is None and len(self.signs) == 1
        return int(self.class_averages.any(axis=1).sum()) < len(self.class_averages) - absent

    @property
    def references(self) -> Float[np.ndarray, "R D"]:
        """The unit vectors to which cosines are recorded: μ_k/‖μ_k‖, then the class averages.

        With two classes there are R = K + 2 of them, the last two being μ̄₊ and μ̄₋.
        """
        return np.concatenate([unit_rows(self.mu), self.class_averages])

    @property
    def reference_names(self) -> tuple[str, ...]:
        """Names of the rows of `references`."""
        centers = (f"mu_{k + 1}" for k in range(self.K))
        if self.class_of is None:
            return (*centers, "average_plus", "average_minus")
        return (*centers, *(f"average_{c}" for c in range(max(self.class_of) + 1)))

    @property
    def largest_cosine(self) -> float:
        """max |cos| between two different centers; 0 if they are orthogonal."""
        unit = self.references[: self.K]
        return float(np.abs(unit @ unit.T - np.eye(self.K)).max())

    @property
    def orthonormality_error(self) -> float:
        """max |C Cᵀ - I|; 0 if the centers are orthonormal."""
        return float(np.abs(self.mu @ self.mu.T - np.eye(self.K)).max())

    @property
    def orthonormal(self) -> bool:
        """Whether all samples lie around centers that are orthonormal up to rounding."""
        return self.orthonormality_error <= ORTHONORMAL and not self.strays
