"""Where samples may come from: a mixture, a caller's arrays, digits, images or features.

One idea: the kind of the data says which keys there are; real data with labels of several classes
share most of theirs.
"""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from gflow.scenario.table import DISTINCT, LAX, Table


class MixtureData(Table):
    """Samples of a mixture of K Gaussian subclasses around equiangular centers (final)."""

    kind: Literal["mixture"] = Field(default="mixture", description="where samples come from")
    dimension: int = Field(ge=2, description="input dimension", examples=[1000])
    subclasses: int = Field(ge=2, description="number of subclasses of both classes", examples=[10])
    positive_subclasses: int = Field(
        ge=1, description="number of subclasses of the positive class", examples=[6]
    )
    noise: float = Field(
        ge=0,
        description="within-subclass scale, dimensionless: ‖x - μ‖ ≈ noise",
        examples=[0.1],
    )
    samples: int = Field(ge=1, description="number of training samples", examples=[2000])
    test_samples: int = Field(default=2000, ge=0, description="number of test samples; 0 for none")
    counts: Literal["balanced", "multinomial"] = Field(
        default="balanced",
        description="samples per subclass: as even as they go, or drawn uniformly; with imbalance, "
        "by its law instead",
    )
    imbalance: float = Field(
        default=1.0,
        ge=1,
        description="largest subclass over smallest, in expectation if drawn; sizes fall "
        "geometrically from the first to the last subclass of each class",
        examples=[4.0],
    )
    centers: Literal["axes", "rotated"] = Field(
        default="axes", description="subclass centers: the first coordinate axes, or a random frame"
    )
    center_angle: float = Field(
        default=90.0,
        gt=0,
        le=90,
        description="angle between any two centers, degrees; below 90 they share a direction",
        examples=[60.0],
    )


class FileData(Table):
    """A caller's own samples in an npz file (final)."""

    kind: Literal["file"] = Field(default="file", description="where samples come from")
    path: Path = Field(
        strict=False,
        description="npz file with arrays X and y, relative to the scenario file",
        examples=["samples.npz"],
    )
    clusters: (
        Literal["none", "estimate"]
        | Annotated[
            tuple[Annotated[int, Field(ge=1)], ...], Field(strict=False, min_length=2, max_length=2)
        ]
    ) = Field(
        default="none",
        description="where the file has no subclasses: clusters of directions in their place, so "
        "many of the class +1 and of -1, or as many as silhouettes suggest",
        examples=[[6, 4]],
    )


class RealData(Table):
    """What all data with labels of several classes may ask for (abstract)."""

    samples: int = Field(
        default=0, ge=0, description="training samples, as even over subclasses as they go; 0: all"
    )
    test_samples: int = Field(
        default=0, ge=0, description="test samples, as even over subclasses as they go; 0 for all"
    )
    classes: (
        Annotated[int, Field(ge=2)]
        | Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(strict=False, min_length=2)]
    ) = Field(
        default=10,
        description="the class of a subclass (digit, kind of image, category) is its index modulo "
        "this, 2 for parity; or the class of each subclass",
        examples=[2],
    )
    positive: (
        Annotated[tuple[Annotated[int, Field(ge=0)], ...], LAX, DISTINCT, Field(min_length=1)]
        | None
    ) = Field(
        default=None,
        description="classes with the sign +1 for a network of one output, the others are -1; "
        "else the odd ones",
        examples=[[1, 3, 5, 7, 9]],
    )
    centered: bool = Field(
        default=True, description="whether the mean training input is taken off every input"
    )
    length: Literal["given", "mean", "unit"] = Field(
        default="given",
        description="lengths of inputs: as they are, divided by their mean, or 1 each",
    )


class DigitData(RealData):
    """MNIST: images of handwritten digits (final)."""

    kind: Literal["mnist"] = Field(default="mnist", description="where samples come from")
    path: Path | None = Field(
        default=None,
        strict=False,
        description="folder with the IDX files, relative to the scenario file; else $GFLOW_DATA, "
        "then where `gflow data mnist` puts them",
    )
    extract: bool = Field(
        default=False, description="whether to take the 3000 and 1000 digits that come with gflow"
    )
    split: Literal["official", "published"] = Field(
        default="official",
        description="60,000 and 10,000 images, or as in the experiments of 2024 the first 50,000 "
        "training images and the other 10,000",
    )

    @property
    def picture(self) -> tuple[int, int]:
        """Rows and columns of the gray image that a sample is."""
        return 28, 28


class ImageData(RealData):
    """CIFAR-10: color images of ten kinds of things (final)."""

    kind: Literal["cifar10"] = Field(default="cifar10", description="where samples come from")
    path: Path | None = Field(
        default=None,
        strict=False,
        description="folder with the binary files, relative to the scenario file; else "
        "cifar-10-batches-bin in $GFLOW_DATA",
    )


class FeatureData(RealData):
    """Features of a pretrained network, labeled by category (final)."""

    kind: Literal["features"] = Field(default="features", description="where samples come from")
    path: Path | None = Field(
        default=None,
        strict=False,
        description="npz file with x, y and names, relative to the scenario file; else the "
        "features of 800 photographs that come with gflow",
    )
    test_share: float = Field(
        default=0.2, gt=0, lt=1, description="share of every category that is tested on"
    )
