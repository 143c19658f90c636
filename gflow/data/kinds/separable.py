"""Data of kind "separable": two classes, each in a cone so narrow that all samples agree.

Within a class inner products are positive, between classes at most 0, which is what the published
theorem on early alignment with separable data asks for (theory C2).
"""

from typing import Literal

import numpy as np
from jaxtyping import Float
from pydantic import Field

from gflow.data.centers import Centers
from gflow.data.dataset import Dataset, Split
from gflow.data.kind import AbstractDrawnData, Facts
from gflow.random import stream
from gflow.table import rule


class SeparableData(AbstractDrawnData):
    """Unit inputs around the axis of their class, orthogonally separable (final)."""

    grains = ("sign",)

    kind: Literal["separable"] = Field(default="separable", description="where samples come from")
    spread: float = Field(
        default=20.0,
        gt=0,
        lt=45,
        description="largest angle between a sample and the axis of its class, degrees",
    )
    axis_angle: float = Field(
        default=150.0,
        gt=90,
        le=180,
        description="angle between the axes of the two classes, degrees",
    )
    positive_samples: int = Field(
        default=0,
        ge=0,
        description="number of training samples with label +1; 0 for half of them",
        examples=[5],
    )

    @property
    def subclass_count(self) -> int:
        return 2

    @property
    def facts(self) -> Facts:
        return Facts()

    def read(self, seed: int) -> Split:
        positive = self.positive_samples or (self.samples + 1) // 2
        train = self._draw(self.samples, positive, seed, "train")
        centers = Centers(self._axes, np.array(train.sign), "given")
        return Split(train, self.read_test(seed), centers)

    def read_test(self, seed: int) -> Dataset | None:
        m = self.test_samples
        return self._draw(m, (m + 1) // 2, seed, "test") if m else None

    @property
    def _axes(self) -> Float[np.ndarray, "2 D"]:
        angle = np.radians(self.axis_angle)
        axes = np.eye(2, self.dimension)
        axes[1, :2] = np.cos(angle), np.sin(angle)
        return axes

    def _draw(self, n: int, positive: int, seed: int, name: str) -> Dataset:
        rng = stream(seed, name)
        y = np.where(np.arange(n) < positive, 1, -1)
        axis = self._axes[np.where(y > 0, 0, 1)]
        # A unit vector orthogonal to the axis, in a random direction.
        beside = rng.standard_normal((n, self.dimension))
        beside -= (beside * axis).sum(axis=1, keepdims=True) * axis
        beside /= np.linalg.norm(beside, axis=1, keepdims=True)
        angle = np.radians(self.spread) * rng.random((n, 1))
        return Dataset.of_signs(np.cos(angle) * axis + np.sin(angle) * beside, y)


@rule("data.axis_angle", "data.spread")
def _cones_apart(data: SeparableData) -> str | None:
    least = 90 + 2 * data.spread
    if data.axis_angle < least:
        return (
            f"must be >= 90 + 2 · `data.spread` = {least:g} (samples of different classes are at "
            f"right angles at least), but is {data.axis_angle:g}; try {least:g}, or a smaller "
            "data.spread."
        )


@rule("data.positive_samples", "data.samples")
def _samples_of_both_classes(data: SeparableData) -> str | None:
    if data.positive_samples >= data.samples:
        return (
            f"must be < `data.samples` (both classes need samples), but positive_samples = "
            f"{data.positive_samples} and samples = {data.samples}; try {data.samples // 2}."
        )


@rule("data.samples")
def _two_samples(data: SeparableData) -> str | None:
    if data.samples < 2:
        return f"must be >= 2 (both classes need samples), but is {data.samples}; try 20."
