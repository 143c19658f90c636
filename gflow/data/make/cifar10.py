"""Downloading CIFAR-10.

**Source:** Krizhevsky, Learning multiple layers of features from tiny images, 2009; checksum of the
"binary version" as his page gives it.
"""

from collections.abc import Callable
from pathlib import Path, PurePosixPath

from gflow.data.kinds.cifar10 import FOLDER, PIXELS, TEST, TRAIN
from gflow.data.make.archive import Archive, unpack

_NAME = "cifar-10-binary.tar.gz"

ARCHIVE = Archive(
    _NAME,
    (
        f"https://www.cs.toronto.edu/~kriz/{_NAME}",
        f"https://storage.googleapis.com/s4tf-hosted-binaries/datasets/CIFAR10/{_NAME}",
    ),
    md5="c32a1d4ab5d03f1284b67883e8d87530",
    size=170_052_171,
)
"""The binary version."""

BYTES = 10_000 * (1 + PIXELS)
"""Bytes of each of its six files: 10,000 records."""


def download_cifar10(
    folder: Path, archive: Archive = ARCHIVE, tell: Callable[[str], None] = print
) -> None:
    """Download the archive and unpack its six binary files, unless a folder has them.

    **Arguments:**

    - `folder`: created if it does not exist.
    - `archive`: what to download.
    - `tell`: called with lines on what is there and what is missing.

    **Raises:** `DataError` if no mirror has the archive as published.
    """
    lacking = _lacking(folder)
    if lacking:
        tell(f"{folder}: {', '.join(lacking)} missing or incomplete")
        unpack(archive, folder, _place, tell)
    tell(f"{folder}: 50,000 images to train on and 10,000 to test on")


def _lacking(folder: Path) -> list[str]:
    """Names of the files that a folder lacks, or has only in part."""
    paths = [folder / name for name in (*TRAIN, TEST)]
    return [p.name for p in paths if not p.is_file() or p.stat().st_size != BYTES]


def _place(member: PurePosixPath) -> PurePosixPath | None:
    is_wanted = member.parent.name == FOLDER and member.name in (*TRAIN, TEST)
    return PurePosixPath(member.name) if is_wanted else None
