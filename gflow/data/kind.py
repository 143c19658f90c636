"""What a kind of data says of itself: its keys, sizes and files, how it is read, what is known.

A kind is a table of a scenario file, so one file holds everything about it; `gflow.data.kinds`
lists them. Nothing here or there imports jax.
"""

import abc
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

import numpy as np
from pydantic import Field

from gflow.data.centers import Centers
from gflow.data.dataset import Dataset, Grain, Split
from gflow.data.labels import Length, prepared
from gflow.random import stream
from gflow.table import DISTINCT, LAX, Table


class Sizes(NamedTuple):
    """Sizes as far as a table or the header of a file gives them."""

    n: int
    """Training samples."""
    m: int
    """Test samples."""
    D: int
    K: int
    C: int
    """Classes."""


Scale = Literal["centers", "images", "features"]
"""Inputs around unit centers, images with pixels from 0 to 1, or features of mean length 1."""


class Facts(NamedTuple):
    """What is known of data beyond the samples; the defaults say that nothing is."""

    noise: float | None = None
    """α = ‖x - μ‖ that subclasses were drawn with; None where it can only be measured."""
    tau: float | None = None
    """α/√D, the noise per coordinate of Gaussian subclasses."""
    drawn: int | None = None
    """Training samples drawn from a known distribution."""
    test_drawn: int = 0
    """Test samples drawn from it."""
    imbalance: float = 1.0
    """Largest subclass over smallest, as asked for."""
    shuffled: bool = False
    """Whether test samples are in no order, so that the first of them stand for all."""
    scale: Scale = "centers"
    """What lengths of inputs are like, by which attack radii worth reading are chosen."""
    picture: tuple[int, int] | None = None
    """Rows and columns of the gray image that an input is."""


class AbstractData(Table, abc.ABC):
    """Where samples come from (abstract)."""

    has_expectation: ClassVar[bool]
    """Whether the expectation of the flow over samples is known."""
    grains: ClassVar[tuple[Grain, ...]]
    """What a network can be trained on."""

    kind: Any = None

    @property
    @abc.abstractmethod
    def sizes(self) -> Sizes:
        """Sizes of the data; reads no more than the header of a file.

        **Raises:** `DataError` for a file whose header cannot be read.
        """

    @property
    @abc.abstractmethod
    def files(self) -> tuple[Path, ...]:
        """The files that samples are read from; none if they are drawn, or come with gflow.

        **Raises:** `DataError` if files of several are missing.
        """

    @property
    @abc.abstractmethod
    def facts(self) -> Facts:
        """What is known of the data beyond the samples."""

    @abc.abstractmethod
    def read(self, seed: int) -> Split:
        """Training samples, test samples if there are any, and centers.

        **Raises:** `DataError` for files and arrays that cannot be used.
        """

    @abc.abstractmethod
    def read_test(self, seed: int) -> Dataset | None:
        """The test samples alone, in the cheapest way there is.

        **Raises:** `DataError` for files and arrays that cannot be used.
        """


class AbstractRealData(AbstractData):
    """Data with labels of several classes (abstract)."""

    has_expectation = False
    grains = ("sign", "classes", "subclasses")

    samples: int = Field(
        default=0,
        ge=0,
        description="training samples, spread evenly over subclasses; 0 for all",
    )
    test_samples: int = Field(
        default=0, ge=0, description="test samples, spread evenly over subclasses; 0 for all"
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
        "otherwise the odd ones",
        examples=[[1, 3, 5, 7, 9]],
    )
    centered: bool = Field(
        default=True,
        description="whether the mean training input is subtracted from every input",
    )
    length: Length = Field(
        default="given",
        description="lengths of inputs: as they are, divided by their mean, or 1 each",
    )

    def split_of(self, train: Dataset, test: Dataset, seed: int) -> Split:
        """As many samples as asked for, centered and scaled; centers are the subclass means."""
        train = train.subset(self.samples, stream(seed, "train"))
        test = test.subset(self.test_samples, stream(seed, "test"))
        train, test = prepared(train, test, self.centered, self.length)
        return Split(train, test, Centers(train.means, np.asarray(train.sign), "subclass means"))

    @property
    def class_count(self) -> int:
        """C."""
        return self.classes if isinstance(self.classes, int) else max(self.classes) + 1
