"""Data of kind "antipodal": with every sample (x, y) its mirror image (-x, -y).

An odd set of labels is all that makes a ReLU network learn like a linear one at half the speed, so
labels may be linear or random, and the mirror images may be left out for comparison.
"""

from typing import Literal

import numpy as np
from pydantic import Field

from gflow.data.centers import Centers
from gflow.data.dataset import Dataset, Split
from gflow.data.kind import AbstractDrawnData, Facts
from gflow.random import stream
from gflow.table import rule


class AntipodalData(AbstractDrawnData):
    """Gaussian inputs of length about 1 with linear or random labels, in pairs (final)."""

    grains = ("sign",)

    kind: Literal["antipodal"] = Field(default="antipodal", description="where samples come from")
    labels: Literal["linear", "random"] = Field(
        default="linear",
        description="labels: the sign of a random linear function of the input, or random ones",
    )
    paired: bool = Field(
        default=True, description="whether with every sample (x, y) there is (-x, -y)"
    )

    @property
    def subclass_count(self) -> int:
        return 2

    @property
    def facts(self) -> Facts:
        return Facts(scale="features")

    def read(self, seed: int) -> Split:
        train = self._draw(self.samples, seed, "train")
        centers = Centers(train.means, np.array(train.sign), "class means")
        return Split(train, self.read_test(seed), centers)

    def read_test(self, seed: int) -> Dataset | None:
        return self._draw(self.test_samples, seed, "test") if self.test_samples else None

    def _draw(self, n: int, seed: int, name: str) -> Dataset:
        rng, D = stream(seed, name), self.dimension
        drawn = n // 2 if self.paired else n
        x = rng.standard_normal((drawn, D)) / np.sqrt(D)
        teacher = stream(seed, "teacher").standard_normal(D)
        y = np.where(
            (x @ teacher if self.labels == "linear" else rng.random(drawn) - 0.5) > 0, 1, -1
        )
        if self.paired:
            x, y = np.concatenate([x, -x]), np.concatenate([y, -y])
        return Dataset.of_signs(x, y)


@rule("data.samples", "data.paired", "data.test_samples")
def _whole_pairs(data: AntipodalData) -> str | None:
    if data.paired and data.samples % 2:
        return (
            f"must be even (samples come in pairs), but is {data.samples}; try "
            f"{data.samples + 1}, or set data.paired = false."
        )


@rule("data.test_samples", "data.paired")
def _whole_pairs_to_test(data: AntipodalData) -> str | None:
    if data.paired and data.test_samples % 2:
        return (
            f"must be even (samples come in pairs), but is {data.test_samples}; try "
            f"{data.test_samples + 1}, or set data.paired = false."
        )
