"""Data of kind "mnist": images of handwritten digits in IDX files.

A digit is a subclass and a class is a set of digits, so parity is one choice of classes among many,
and alignment is measured to the mean images of digits.

Files may be gzipped.  They are looked for in the folder that the scenario names, or else in
`$GFLOW_DATA` and in the download folder of `gflow data mnist`.  A few thousand digits come with the
package.

**Source:** LeCun, Cortes and Burges, the MNIST database of handwritten digits (CC BY-SA 3.0).
"""

import gzip
import hashlib
import zlib
from importlib import resources
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Int, UInt8
from pydantic import Field

from gflow.data.caches import places
from gflow.data.dataset import Split
from gflow.data.kind import AbstractRealData, Facts, Sizes
from gflow.errors import DataError

VALIDATION = 10_000
"""Number of training images, the last ones, that the published experiments test on."""

FILES = {
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
}
"""The files and the MD5 checksum of each, unpacked."""

FOLDER = "mnist"
"""Name of the folder with the files."""

_UINT8 = 0x08


class DigitData(AbstractRealData):
    """MNIST: images of handwritten digits (final)."""

    kind: Literal["mnist"] = Field(default="mnist", description="where samples come from")
    path: Path | None = Field(
        default=None,
        strict=False,
        description="folder with the IDX files, relative to the scenario file; by default "
        "$GFLOW_DATA, then the download folder of `gflow data mnist`",
    )
    extract: bool = Field(
        default=False, description="whether to use the 3000 and 1000 digits that come with gflow"
    )
    split: Literal["official", "published"] = Field(
        default="official",
        description="the official 60,000 and 10,000 images; or, as in the experiments of 2024, the "
        "first 50,000 training images and the other 10,000",
    )

    @property
    def sizes(self) -> Sizes:
        n, m = (3000, 1000) if self.extract else (60_000, 10_000)
        return self.sizes_of(n, m, 784, 10)

    @property
    def files(self) -> tuple[Path, ...]:
        return () if self.extract else digit_files(self.path)

    @property
    def facts(self) -> Facts:
        scale = "images" if self.length == "given" else "centers"
        return Facts(shuffled=True, scale=scale, picture=(28, 28))

    def read(self, seed: int) -> Split:
        train, test = (
            self.labeled(one.pixels / 255.0, one.digit, tuple("0123456789"))
            for one in read_digits(self.path, self.split, self.extract)
        )
        return self.split_of(train, test, seed)


class Digits(NamedTuple):
    """n images and the digits they show."""

    pixels: UInt8[np.ndarray, "n D"]
    digit: Int[np.ndarray, " n"]


def read_digits(
    folder: Path | None, split: Literal["official", "published"], extract: bool = False
) -> tuple[Digits, Digits]:
    """Training and test images.

    **Arguments:**

    - `folder`: the folder with the IDX files; None for `$GFLOW_DATA`, then the download folder.
    - `split`: "official", 60,000 and 10,000; or "published", the first 50,000 training images and
        the other 10,000, as in the experiments of 2024 (theory E2).
    - `extract`: whether to use the 3000 and 1000 images that come with gflow instead.

    **Raises:** `DataError` naming the file that is missing, truncated or altered.
    """
    if extract:
        return _packaged()
    home = digit_folder(folder)
    names = list(FILES)
    train = _pair(home, names[0], names[1])
    if split == "official":
        return train, _pair(home, names[2], names[3])
    count = len(train.digit) - VALIDATION
    return (
        Digits(train.pixels[:count], train.digit[:count]),
        Digits(train.pixels[count:], train.digit[count:]),
    )


def digit_folder(folder: Path | None) -> Path:
    """The first folder that has the four files: `folder` itself, or for None the usual places.

    **Raises:** `DataError` naming the folders that were searched.
    """
    searched = places(folder, FOLDER)
    for place in searched:
        if all(_existing(place, name) for name in FILES):
            return place
    raise DataError(
        f"the four IDX files of MNIST ({', '.join(FILES)}, each may end in .gz) must be in one "
        f"folder, but are not in {', '.join(map(str, searched))}; run `gflow data mnist`, set "
        "data.path or $GFLOW_DATA, or set data.extract = true for the digits that come with gflow."
    )


def digit_files(folder: Path | None) -> tuple[Path, ...]:
    """The four files that `read_digits` reads.

    **Raises:** `DataError` if they do not exist.
    """
    home = digit_folder(folder)
    return tuple(path for name in FILES if (path := _existing(home, name)))


def read_idx(path: Path) -> np.ndarray:
    """An array of bytes from a file in the IDX format, gzipped or not.

    **Raises:** `DataError` for a file that is of another format or truncated.
    """
    data = unpacked(path)
    begin = 4 + 4 * data[3] if len(data) > 3 else 4
    if len(data) < begin or data[:2] != b"\0\0" or data[2] != _UINT8:
        raise DataError(
            f"{path}: must be an IDX file of bytes, which begins with 0, 0, 8 and its shape, but "
            f"begins with {list(data[:3])} and has {len(data):,} bytes; download it again."
        )
    shape = np.frombuffer(data[4:begin], ">u4").astype(int)
    if len(data) != begin + shape.prod():
        raise DataError(
            f"{path}: must hold {begin + shape.prod():,} bytes by its header, but holds "
            f"{len(data):,}; it was truncated or altered, so download it again."
        )
    return np.frombuffer(data, np.uint8, offset=begin).reshape(shape)


def unpacked(path: Path) -> bytes:
    """The content of a file, decompressed if it is gzipped.

    **Raises:** `DataError` if it cannot be read.
    """
    try:
        data = path.read_bytes()
        return gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: must be readable, but is not ({error}); try again.") from None


def write_idx(path: Path, array: UInt8[np.ndarray, "..."]) -> None:
    """Store bytes in the IDX format, gzipped if the name ends in .gz."""
    head = bytes([0, 0, _UINT8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
    data = head + array.tobytes()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)


def is_published(name: str, data: bytes) -> bool:
    """Whether the unpacked content of a file is the published one."""
    return hashlib.md5(data, usedforsecurity=False).hexdigest() == FILES[name]


def _existing(folder: Path, name: str) -> Path | None:
    paths = (folder / f"{name}.gz", folder / name)
    return next((path for path in paths if path.is_file()), None)


def _pair(folder: Path, images: str, labels: str) -> Digits:
    paths = _existing(folder, images), _existing(folder, labels)
    assert paths[0] and paths[1], "digit_folder checks that they exist"
    pixels, digit = read_idx(paths[0]), read_idx(paths[1])
    if pixels.ndim != 3 or digit.ndim != 1 or len(pixels) != len(digit):
        raise DataError(
            f"{paths[0]}, {paths[1].name}: must be as many images as labels, but have shapes "
            f"{pixels.shape} and {digit.shape}; download them again."
        )
    if digit.max(initial=0) > 9:
        raise DataError(
            f"{paths[1]}: must hold digits 0 to 9, but holds {int(digit.max())}; download it again."
        )
    return Digits(pixels.reshape(len(pixels), -1), digit.astype(np.int64))


def _packaged() -> tuple[Digits, Digits]:
    with (
        resources.files("gflow.data").joinpath("extracts/digits.npz").open("rb") as file,
        np.load(file, allow_pickle=False) as arrays,
    ):
        return tuple(  # pyright: ignore[reportReturnType]
            Digits(arrays[f"pixels_{part}"], arrays[f"digit_{part}"].astype(np.int64))
            for part in ("train", "test")
        )
