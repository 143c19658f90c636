"""What every kind of data provides: its keys, sizes and files, how it is read, what is known of it.

A kind is a table of a scenario file, so that one file holds everything about it; `gflow.data.kinds`
lists them.  Neither imports jax.
"""

import abc
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

import numpy as np
from jaxtyping import Float, Int
from pydantic import Field

from gflow.data.centers import Centers
from gflow.data.dataset import Dataset, Grain, Split
from gflow.data.labels import Length, classes_of, prepared, signs_of
from gflow.random import stream
from gflow.table import DISTINCT, LAX, Table, rule


class Sizes(NamedTuple):
    """Sizes, as a table or the header of a file gives them."""

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
    """What is known of data beyond the samples; by default nothing is."""

    noise: float | None = None
    """Noise α = ‖x - μ‖ of the distribution of subclasses; None if it can only be measured."""
    tau: float | None = None
    """α/√D, the noise per coordinate of Gaussian subclasses."""
    drawn: int | None = None
    """Number of training samples drawn from a known distribution; None if it is unknown."""
    test_drawn: int = 0
    """Number of test samples drawn from it."""
    imbalance: float = 1.0
    """Size of the largest subclass over the smallest, as the scenario sets it."""
    shuffled: bool = False
    """Whether test samples are in random order, so that the first ones represent all."""
    scale: Scale = "centers"
    """How long inputs are, by which informative attack radii are chosen."""
    picture: tuple[int, int] | None = None
    """Rows and columns of an input, if it is a gray image."""
    label_noise: float | None = None
    """Noise σ of real labels that are linear in the inputs besides; None if that is not known."""


class TeacherNeurons(NamedTuple):
    """Neurons v_k σ(<w_k, x>)^p/‖w_k‖^{p-1} whose sum gives labels."""

    w: Float[np.ndarray, "K D"]
    v: Float[np.ndarray, " K"]

    @property
    def mass(self) -> Float[np.ndarray, " K"]:
        """v_k ‖w_k‖, with its sign."""
        return self.v * np.linalg.norm(self.w, axis=1)


FlippedShare = Annotated[float, Field(ge=0, le=0.5)]
"""A share of samples whose label is flipped; beyond one half the labels would be the other ones."""


class AbstractData(Table, abc.ABC):
    """Where samples come from (abstract)."""

    grains: ClassVar[tuple[Grain, ...]]
    """The labels that a network can be trained on."""

    kind: Any = None
    flip: FlippedShare | Annotated[tuple[FlippedShare, ...], Field(strict=False, min_length=1)] = (
        Field(
            default=0.0,
            description="share of training samples, chosen at random, whose label is flipped: to "
            "the other sign, or to any other class or subclass; or a list of one share for each "
            "subclass",
            examples=[0.1],
        )
    )

    @property
    @abc.abstractmethod
    def sizes(self) -> Sizes:
        """Sizes of the data; of a file only the header is read.

        **Raises:** `DataError` for a file whose header cannot be read.
        """

    @property
    @abc.abstractmethod
    def files(self) -> tuple[Path, ...]:
        """The files that samples are read from; empty if they are drawn or come with gflow.

        **Raises:** `DataError` if one of several files is missing.
        """

    @property
    @abc.abstractmethod
    def facts(self) -> Facts:
        """What is known of the data beyond the samples."""

    @property
    def has_classes(self) -> bool:
        """Whether labels are classes, and not real numbers."""
        return True

    def teacher_neurons_of(self, seed: int) -> TeacherNeurons | None:
        """The neurons that gave the labels; None where there are none or nobody knows."""
        return None

    def training(self, seed: int) -> Split:
        """What a network is trained on: `read`, with the training labels that `flip` says flipped.

        **Raises:** `DataError` for files and arrays that cannot be used.
        """
        split = self.read(seed)
        train = split.train.with_flips(self.flip, stream(seed, "flips"))
        strays = split.centers.strays + (0 if train.flipped is None else int(train.flipped.sum()))
        return replace(split, train=train, centers=replace(split.centers, strays=strays))

    @abc.abstractmethod
    def read(self, seed: int) -> Split:
        """Training samples, test and validation samples if any, and centers.

        **Raises:** `DataError` for files and arrays that cannot be used.
        """

    @abc.abstractmethod
    def read_test(self, seed: int) -> Dataset | None:
        """The test samples alone, read as cheaply as possible.

        **Raises:** `DataError` for files and arrays that cannot be used.
        """


class AbstractDrawnData(AbstractData):
    """Samples that are drawn from a distribution, and need no file (abstract)."""

    dimension: int = Field(ge=2, description="input dimension", examples=[1000])
    samples: int = Field(ge=1, description="number of training samples", examples=[2000])
    test_samples: int = Field(default=2000, ge=0, description="number of test samples; 0 for none")

    @property
    @abc.abstractmethod
    def subclass_count(self) -> int:
        """K."""

    @property
    def sizes(self) -> Sizes:
        return Sizes(self.samples, self.test_samples, self.dimension, self.subclass_count, 2)

    @property
    def files(self) -> tuple[Path, ...]:
        return ()

    def facts_of_blobs(self, noise: float, imbalance: float = 1.0) -> Facts:
        """What laws may assume of Gaussian subclasses with noise α around known centers."""
        return Facts(
            noise=noise,
            tau=noise / self.dimension**0.5,
            drawn=self.samples,
            test_drawn=self.test_samples,
            imbalance=imbalance,
        )


class AbstractStoredData(AbstractData):
    """Samples that exist already, of which some are trained on (abstract)."""

    per_subclass: Annotated[int, Field(ge=1)] | None = Field(
        default=None,
        description="number of training samples of each subclass, chosen at random; by default all",
        examples=[20],
    )
    validation_share: Annotated[float, Field(gt=0, lt=1)] | None = Field(
        default=None,
        description="fraction of the training samples of every subclass that is held out, before "
        "some of the others are chosen, to validate on; by default none",
        examples=[0.1],
    )


class AbstractRealData(AbstractStoredData):
    """Data with labels of several classes (abstract)."""

    grains = ("sign", "classes", "subclasses")

    samples: int = Field(
        default=0,
        ge=0,
        description="number of training samples, even over subclasses; 0 for all",
    )
    test_samples: int = Field(
        default=0, ge=0, description="number of test samples, even over subclasses; 0 for all"
    )
    classes: (
        Annotated[int, Field(ge=2)]
        | Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(strict=False, min_length=2)]
    ) = Field(
        default=10,
        description="number of classes, the class of a subclass (digit, kind of image, category) "
        "being its index modulo this (2 is parity); or a list of the class of each subclass",
        examples=[2],
    )
    positive: Annotated[tuple[Annotated[int, Field(ge=0)], ...], LAX, DISTINCT] | None = Field(
        default=None,
        description="classes with sign +1 for a network with one output, the others having -1; "
        "by default the odd ones; all or none for one class only",
        examples=[[1, 3, 5, 7, 9]],
    )
    centered: bool = Field(
        default=True,
        description="whether the mean training input is subtracted from every input",
    )
    length: Length = Field(
        default="given",
        description="lengths of inputs: as given, divided by their mean, or 1 each",
    )

    def labeled(
        self,
        x: Float[np.ndarray, "n D"],
        subclass: Int[np.ndarray, " n"],
        names: tuple[str, ...],
        class_of: tuple[int, ...] | None = None,
    ) -> Dataset:
        """Samples with the signs that the table gives to classes.

        `class_of` is the class of each subclass; by default that of `classes`.
        """
        if class_of is None:
            class_of = classes_of(range(len(names)), self.classes)
        return Dataset(x, subclass, names, class_of, signs_of(class_of, self.positive))

    def read_test(self, seed: int) -> Dataset | None:
        return self.read(seed).test

    def split_of(self, train: Dataset, test: Dataset, seed: int) -> Split:
        """The numbers of samples that the table sets, centered and scaled, and subclass means."""
        train, held_out = train.divided(self.validation_share, stream(seed, "validation"))
        if self.per_subclass is None:
            train = train.subset(self.samples, stream(seed, "train"))
        else:
            train = train.of_each(self.per_subclass, stream(seed, "train"))
        test = test.subset(self.test_samples, stream(seed, "test"))
        sets = [train, test] if held_out is None else [train, test, held_out]
        train, test, *validation = prepared(sets, self.centered, self.length)
        centers = Centers(train.means, np.asarray(train.sign), "subclass means")
        return Split(train, test, centers, *validation)

    def sizes_of(self, n: int, m: int, D: int, K: int) -> Sizes:
        """Sizes with the numbers of samples that the table sets, of those that there are."""
        left = n - round(n * (self.validation_share or 0))
        chosen = self.samples or K * (self.per_subclass or 0) or left
        return Sizes(chosen, self.test_samples or m, D, K, self.class_count)

    @property
    def class_count(self) -> int:
        """C."""
        return self.classes if isinstance(self.classes, int) else max(self.classes) + 1


@rule("data.per_subclass", "data.samples")
def _one_number_of_samples(data: AbstractRealData) -> str | None:
    if data.per_subclass is not None and data.samples:
        return (
            f"must be left out where `data.samples` says how many there are, but is "
            f"{data.per_subclass} with samples = {data.samples}; remove one of them."
        )
