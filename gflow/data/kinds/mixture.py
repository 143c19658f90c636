"""Data of kind "mixture": samples drawn from K Gaussian subclasses around equiangular centers.

Training and test samples are drawn from separate streams of the seed, so test samples can be drawn
again at any time without the training samples.
"""

from typing import Literal

from pydantic import Field

from gflow.data.centers import Centers
from gflow.data.dataset import Dataset, Split
from gflow.data.kind import AbstractDrawnData, Facts
from gflow.data.mixture import equiangular_centers, sample_mixture
from gflow.random import stream
from gflow.table import rule


class MixtureData(AbstractDrawnData):
    """Samples of a mixture of K Gaussian subclasses around equiangular centers (final)."""

    grains = ("sign", "classes", "subclasses")

    kind: Literal["mixture"] = Field(default="mixture", description="where samples come from")
    subclasses: int = Field(ge=1, description="number of subclasses in both classes", examples=[10])
    positive_subclasses: int = Field(
        ge=0,
        description="number of subclasses in the positive class; all or none for one class only",
        examples=[6],
    )
    noise: float = Field(
        ge=0,
        description="noise within subclasses, dimensionless: ‖x - μ‖ ≈ noise",
        examples=[0.1],
    )
    counts: Literal["balanced", "multinomial"] = Field(
        default="balanced",
        description="samples per subclass: as even as possible or drawn uniformly; with imbalance, "
        "in proportion to the sizes it gives",
    )
    imbalance: float = Field(
        default=1.0,
        ge=1,
        description="size of the largest subclass over the smallest, in expectation if drawn; "
        "sizes decrease geometrically from the first to the last subclass of each class",
        examples=[4.0],
    )
    centers: Literal["axes", "rotated"] = Field(
        default="axes", description="subclass centers: the first coordinate axes, or a random frame"
    )
    center_angle: float = Field(
        default=90.0,
        gt=0,
        le=90,
        description="angle between any two centers, degrees; below 90 they share a component",
        examples=[60.0],
    )

    @property
    def subclass_count(self) -> int:
        return self.subclasses

    @property
    def facts(self) -> Facts:
        return self.facts_of_blobs(self.noise, self.imbalance)

    def read(self, seed: int) -> Split:
        centers = self._centers(seed)
        return Split(
            self._draw(centers, self.samples, seed, "train"), self.read_test(seed), centers
        )

    def read_test(self, seed: int) -> Dataset | None:
        if not self.test_samples:
            return None
        return self._draw(self._centers(seed), self.test_samples, seed, "test")

    def _centers(self, seed: int) -> Centers:
        return equiangular_centers(
            self.dimension,
            self.subclasses,
            self.positive_subclasses,
            self.centers,
            angle=self.center_angle,
            rng=stream(seed, "centers"),
        )

    def _draw(self, centers: Centers, n: int, seed: int, name: str) -> Dataset:
        return sample_mixture(
            centers,
            n,
            self.noise,
            self.counts,
            rng=stream(seed, name),
            imbalance=self.imbalance,
        )


@rule("data.positive_subclasses", "data.subclasses")
def _part_of_subclasses(data: MixtureData) -> str | None:
    K, K1 = data.subclasses, data.positive_subclasses
    if K1 > K:
        return (
            f"must be <= `data.subclasses`, but positive_subclasses = {K1} and subclasses = {K}; "
            f"try {K // 2}, or {K} for one class only."
        )


@rule("data.subclasses", "data.dimension", "data.center_angle")
def _room_for_centers(data: MixtureData) -> str | None:
    K, D = data.subclasses, data.dimension
    if K > D and data.center_angle == 90:
        return (
            f"must be <= `data.dimension` (centers are orthonormal), but subclasses = {K} and "
            f"dimension = {D}; try dimension = {K}."
        )
    elif K >= D and data.center_angle < 90:
        return (
            "must be < `data.dimension` (below 90 degrees the centers need one more dimension), "
            f"but subclasses = {K}, dimension = {D} and center_angle = {data.center_angle:g}; try "
            f"dimension = {K + 1}."
        )


@rule("data.imbalance", "data.subclasses", "data.positive_subclasses")
def _something_to_outweigh(data: MixtureData) -> str | None:
    K, K1 = data.subclasses, data.positive_subclasses
    if data.imbalance > 1 and max(K1, K - K1) == 1:
        return (
            "must be 1 with one subclass per class (sizes vary within a class), but is "
            f"{data.imbalance:g} with subclasses = {K}; remove it, or raise data.subclasses."
        )


@rule("data.samples", "data.subclasses")
def _samples_of_every_subclass(data: MixtureData) -> str | None:
    K, n = data.subclasses, data.samples
    if n < K:
        return (
            f"must be >= `data.subclasses` (every subclass needs a sample), but samples = {n} and "
            f"subclasses = {K}; try {K}."
        )


@rule("data.test_samples", "data.subclasses")
def _test_samples_of_every_subclass(data: MixtureData) -> str | None:
    K, m = data.subclasses, data.test_samples
    if 0 < m < K:
        return (
            f"must be 0 or >= `data.subclasses`, but test_samples = {m} and subclasses = {K}; try "
            f"{K}."
        )
