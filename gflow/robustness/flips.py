"""The shortest flips of samples so far, each confirmed by the whole network."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.linalg import orth

from gflow.network.population import Population
from gflow.robustness.attack import Attack
from gflow.robustness.lines import Samples
from gflow.robustness.norm import Norm
from gflow.robustness.witness import factors_on


@dataclass
class Flips:
    """The shortest flips so far that the whole network confirms; 0 where there is none."""

    samples: Samples
    radius: Float[np.ndarray, " n"]
    delta: Float[np.ndarray, "n D"]

    @classmethod
    def at_origin(
        cls,
        whole: Population,
        x: Float[np.ndarray, "n D"],
        y: Float[np.ndarray, " n"],
        norm: Norm,
    ) -> "Flips":
        """Perturbations to the origin, since f(0) = 0 is wrong."""
        samples = Samples.of(whole.take(whole.m > 0), x, y, norm)
        return cls(samples, np.asarray(norm.size(x), float), -x)

    @classmethod
    def unknown(
        cls, whole: Population, x: Float[np.ndarray, "n D"], y: Float[np.ndarray, " n"], norm: Norm
    ) -> "Flips":
        """No perturbation, where the origin is out of reach: they lie in a subspace."""
        samples = Samples.confined(whole.take(whole.m > 0), x, y, norm)
        return cls(samples, np.full(len(x), np.inf), np.zeros(x.shape))

    def offer(
        self, delta: Float[np.ndarray, "r D"], rows: Int[np.ndarray, " r"] | None = None
    ) -> Bool[np.ndarray, " r"]:
        """Take perturbations where they flip, lengthened until they do, at a shorter distance.

        **Returns:** which of them flip.
        """
        rows = np.arange(len(self.radius)) if rows is None else rows
        factor = factors_on(self.samples.take(rows), delta)
        flips = np.isfinite(factor)
        delta = np.where(flips, factor, 0)[:, None] * delta
        size = np.where(flips, self.samples.norm.size(delta), np.inf)
        shorter = size < self.radius[rows]
        self.radius[rows[shorter]], self.delta[rows[shorter]] = size[shorter], delta[shorter]
        return flips

    def witness(self, unit: Float[np.ndarray, "n 1"], span: Float[np.ndarray, "q D"]) -> Attack:
        """Perturbations in units of the inputs, in a basis of a span if all of them lie in it."""
        radius, delta = self.radius * unit[:, 0], self.delta * unit
        basis = orth(span.T)
        coordinates = delta @ basis
        if basis.shape[1] < len(basis) and np.allclose(
            coordinates @ basis.T, delta, rtol=0, atol=1e-14 * unit
        ):
            return Attack(radius, coordinates, basis)
        return Attack(radius, delta, None)
