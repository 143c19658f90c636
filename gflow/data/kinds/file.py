"""Data of kind "file": the user's own samples in an npz file.

A flow needs only inputs and labels.  Subclasses and centers matter to the theory alone, so they may
be missing and are then replaced by the best substitute that the arrays allow.
"""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from gflow.data.dataset import Dataset, Split
from gflow.data.kind import AbstractStoredData, Facts, Sizes
from gflow.data.npz import array_shapes, length_of, matrix_shape
from gflow.data.own_samples import read_npz
from gflow.table import rule


class FileData(AbstractStoredData):
    """The user's own samples in an npz file (final)."""

    grains = ("sign",)

    kind: Literal["file"] = Field(default="file", description="where samples come from")
    path: Path = Field(
        strict=False,
        description="npz file with arrays X and y, relative to the scenario file",
        examples=["samples.npz"],
    )
    labels: Literal["signs", "real"] = Field(
        default="signs",
        description="what the labels y are: the classes +1 and -1, or real numbers (regression)",
    )
    clusters: (
        Literal["none", "estimate"]
        | Annotated[
            tuple[Annotated[int, Field(ge=1)], ...], Field(strict=False, min_length=2, max_length=2)
        ]
    ) = Field(
        default="none",
        description="what replaces subclasses that the file lacks: nothing, clusters of directions "
        "(as many as silhouettes suggest), or given numbers of clusters of +1 and of -1",
        examples=[[6, 4]],
    )

    @property
    def sizes(self) -> Sizes:
        shapes = array_shapes(self.path)
        n, D = matrix_shape(self.path, shapes, "X")
        K = length_of(shapes, "centers", 2)
        left = n - round(n * (self.validation_share or 0))
        chosen = K * (self.per_subclass or 0) or left
        return Sizes(chosen, length_of(shapes, "X_test", 0), D, K, 2)

    @property
    def files(self) -> tuple[Path, ...]:
        return (self.path,)

    @property
    def facts(self) -> Facts:
        return Facts()

    @property
    def has_classes(self) -> bool:
        return self.labels == "signs"

    def read(self, seed: int) -> Split:
        return read_npz(
            self.path,
            self.clusters,
            seed,
            labels=self.labels,
            per_subclass=self.per_subclass,
            validation_share=self.validation_share,
        )

    def read_test(self, seed: int) -> Dataset | None:
        return self.read(seed).test


@rule("data.clusters", "data.labels")
def _clusters_are_of_classes(data: FileData) -> str | None:
    if data.clusters != "none" and not data.has_classes:
        return (
            'must be "none" for data.labels = "real", where there are no classes to cluster, but '
            f"is {data.clusters}; remove it."
        )


@rule("data.per_subclass", "data.labels")
def _subclasses_are_of_classes(data: FileData) -> str | None:
    if data.per_subclass is not None and not data.has_classes:
        return (
            'must be left out for data.labels = "real", where there are no subclasses, but is '
            f"{data.per_subclass}; remove it."
        )
