"""Data of kind "xor": blobs at ±μ_1 of class +1 and at ±μ_2 of class -1, an XOR at any angle.

No line separates the classes, and the two classes pull on one neuron from both sides of it.
"""

from typing import Literal

import numpy as np
from pydantic import Field

from gflow.data.centers import Centers
from gflow.data.dataset import Dataset, Split
from gflow.data.kind import AbstractDrawnData, Facts
from gflow.data.mixture import sample_mixture
from gflow.random import stream
from gflow.table import rule


class XorData(AbstractDrawnData):
    """A mixture of four Gaussian blobs around ±μ_1 and ±μ_2 (final)."""

    grains = ("sign", "classes", "subclasses")

    kind: Literal["xor"] = Field(default="xor", description="where samples come from")
    noise: float = Field(
        default=0.0,
        ge=0,
        description="noise within subclasses, dimensionless: ‖x - μ‖ ≈ noise",
        examples=[0.02],
    )
    angle: float = Field(
        default=90.0,
        gt=0,
        le=90,
        description="angle between μ_1 and μ_2, degrees; 90 is XOR",
        examples=[60.0],
    )

    @property
    def subclass_count(self) -> int:
        return 4

    @property
    def facts(self) -> Facts:
        return self.facts_of_blobs(self.noise)

    def read(self, seed: int) -> Split:
        return Split(self._draw(self.samples, seed, "train"), self.read_test(seed), self._centers)

    def read_test(self, seed: int) -> Dataset | None:
        return self._draw(self.test_samples, seed, "test") if self.test_samples else None

    @property
    def _centers(self) -> Centers:
        angle = np.radians(self.angle)
        mu = np.eye(2, self.dimension)
        mu[1, :2] = np.cos(angle), np.sin(angle)
        return Centers(np.stack([mu[0], -mu[0], mu[1], -mu[1]]), np.array([1, 1, -1, -1]), "given")

    def _draw(self, n: int, seed: int, name: str) -> Dataset:
        return sample_mixture(self._centers, n, self.noise, "balanced", rng=stream(seed, name))


@rule("data.samples")
def _samples_of_every_blob(data: XorData) -> str | None:
    if data.samples < 4:
        return f"must be >= 4 (every blob needs a sample), but is {data.samples}; try 40."


@rule("data.test_samples")
def _test_samples_of_every_blob(data: XorData) -> str | None:
    if 0 < data.test_samples < 4:
        return f"must be 0 or >= 4, but is {data.test_samples}; try 40."
