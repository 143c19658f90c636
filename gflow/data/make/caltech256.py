"""Downloading the photographs of Caltech-256.

Of the archive the photographs themselves are used, `001.ak47/001_0001.jpg` and so on: a few of
its folders hold other files and copies, which no count of the data set includes.

**Source:** Griffin, Holub and Perona, Caltech-256, data.caltech.edu/records/nyy15-4j048 (CC BY
4.0); the checksum is the one that the record gives.
"""

import re
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from gflow.data.make.archive import Archive, unpack

FOLDER = "256_ObjectCategories"
"""Name of the folder with one folder per category."""

_NAME = f"{FOLDER}.tar"

ARCHIVE = Archive(
    _NAME,
    (
        f"https://data.caltech.edu/records/nyy15-4j048/files/{_NAME}?download=1",
        "https://drive.google.com/u/0/uc?id=1r6o0pSROcV1_VwT4oSjA2FBUSCWGuxLK&export=download"
        "&confirm=y",
    ),
    md5="67b4f42ca05d46448c6bb8ecd2220f6d",
    size=1_183_006_720,
)
"""The photographs."""

CATEGORIES, PHOTOGRAPHS = 257, 30_607
"""Counts of the whole data set; the last category is clutter."""

_PHOTOGRAPH = re.compile(r"(\d{3})\.[^/]+/\1_\d{4}\.jpg")


def download_caltech256(
    folder: Path, archive: Archive = ARCHIVE, tell: Callable[[str], None] = print
) -> None:
    """Download the archive and unpack its photographs, unless a folder has them all.

    **Arguments:**

    - `folder`: the folder of all categories; created if it does not exist.
    - `archive`: what to download.
    - `tell`: called with lines on what is there and what is missing.

    **Raises:** `DataError` if no mirror has the archive as published.
    """
    categories, photographs = counts(folder)
    if (categories, photographs) != (CATEGORIES, PHOTOGRAPHS):
        tell(
            f"{folder}: {PHOTOGRAPHS - photographs:,} of {PHOTOGRAPHS:,} photographs and "
            f"{CATEGORIES - categories} of {CATEGORIES} categories missing"
        )
        unpack(archive, folder, _place, tell)
        categories, photographs = counts(folder)
    tell(f"{folder}: {photographs:,} photographs of {categories} categories")


def counts(folder: Path) -> tuple[int, int]:
    """Numbers of categories and of photographs in a folder."""
    paths = [path.relative_to(folder) for path in folder.glob("*/*.jpg")]
    photographs = [path for path in paths if _PHOTOGRAPH.fullmatch(path.as_posix())]
    return len({path.parent for path in photographs}), len(photographs)


def _place(member: PurePosixPath) -> PurePosixPath | None:
    if not member.parts or member.parts[0] != FOLDER:
        return None
    inside = member.relative_to(FOLDER)
    return inside if _PHOTOGRAPH.fullmatch(str(inside)) else None
