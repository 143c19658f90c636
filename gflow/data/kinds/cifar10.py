"""Data of kind "cifar10": color images of ten kinds of objects, in binary files.

A file consists of records, each a label and 3072 bytes, so its length shows whether it is complete.
The pickled version of the data set is not read.  Files are looked for in the folder that the
scenario names, or else in `$GFLOW_DATA` and in the download folder of `gflow data cifar10`.

**Source:** Krizhevsky, 2009; the layout is that of its "binary version".
"""

from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Int, UInt8
from pydantic import Field

from gflow.data.caches import places
from gflow.data.dataset import Split
from gflow.data.kind import AbstractRealData, Facts, Sizes
from gflow.errors import DataError

PIXELS = 3 * 32 * 32
"""Bytes of an image: red, green and blue planes, row by row."""

NAMES = (
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
)  # fmt: skip

TRAIN = tuple(f"data_batch_{i}.bin" for i in range(1, 6))
TEST = "test_batch.bin"

FOLDER = "cifar-10-batches-bin"
"""Name of the folder with the files."""


class ImageData(AbstractRealData):
    """CIFAR-10: color images of ten kinds of objects (final)."""

    kind: Literal["cifar10"] = Field(default="cifar10", description="where samples come from")
    path: Path | None = Field(
        default=None,
        strict=False,
        description="folder with the binary files, relative to the scenario file; by default "
        f"{FOLDER} in $GFLOW_DATA, then the download folder of `gflow data cifar10`",
    )

    @property
    def sizes(self) -> Sizes:
        return self.sizes_of(50_000, 10_000, PIXELS, len(NAMES))

    @property
    def files(self) -> tuple[Path, ...]:
        return image_files(self.path)

    @property
    def facts(self) -> Facts:
        return Facts(shuffled=True, scale="images" if self.length == "given" else "centers")

    def read(self, seed: int) -> Split:
        train, test = (
            self.labeled(one.pixels / 255.0, one.label, NAMES) for one in read_cifar(self.path)
        )
        return self.split_of(train, test, seed)


class Images(NamedTuple):
    """n images and their labels."""

    pixels: UInt8[np.ndarray, "n D"]
    label: Int[np.ndarray, " n"]


def read_cifar(folder: Path | None) -> tuple[Images, Images]:
    """Training and test images.

    **Arguments:**

    - `folder`: the folder with the six binary files; None for the usual places.

    **Raises:** `DataError` naming the file that is missing, truncated or altered.
    """
    *train, test = map(_read, image_files(folder))
    pixels, label = (np.concatenate(parts) for parts in zip(*train, strict=True))
    return Images(pixels, label), test


def image_files(folder: Path | None) -> tuple[Path, ...]:
    """The six files that `read_cifar` reads; those of a given `folder` need not exist.

    **Raises:** `DataError` if no folder is given and none of the usual places has all files.
    """
    searched = places(folder, FOLDER)
    for place in searched:
        if folder is not None or not missing(place):
            return tuple(place / name for name in (*TRAIN, TEST))
    raise DataError(
        f"the six files of the binary version of CIFAR-10 ({TRAIN[0]}, …, {TEST}) must be in one "
        f"folder, but are not in {', '.join(map(str, searched))}; run `gflow data cifar10`, or set "
        "data.path or $GFLOW_DATA."
    )


def missing(folder: Path) -> tuple[str, ...]:
    """Names of the files that a folder lacks."""
    return tuple(name for name in (*TRAIN, TEST) if not (folder / name).is_file())


def _read(path: Path) -> Images:
    try:
        data = np.frombuffer(path.read_bytes(), np.uint8)
    except OSError as error:
        raise DataError(
            f"{path}: must be a file of the binary version of CIFAR-10, but cannot be read "
            f"({error.strerror}); download it, or set data.path."
        ) from None
    if len(data) == 0 or len(data) % (1 + PIXELS):
        raise DataError(
            f"{path}: must hold records of {1 + PIXELS} bytes, but holds {len(data):,} bytes; it "
            "was truncated or is another version, so download it again."
        )
    records = data.reshape(-1, 1 + PIXELS)
    label = records[:, 0].astype(np.int64)
    if label.max() >= len(NAMES):
        raise DataError(
            f"{path}: must hold labels 0 to 9, but holds {int(label.max())}; download it again."
        )
    return Images(records[:, 1:], label)
