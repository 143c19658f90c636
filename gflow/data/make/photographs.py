"""Features of photographs in one folder per category, such as Caltech-101 and Caltech-256.

The features of a category are stored as soon as they are computed, so if a long computation is
interrupted, the same command continues it; the file of all features appears only when complete.

Needs pillow, part of the extra `gflow[images]`.
"""

import hashlib
import json
import os
import shutil
import zipfile
import zlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, UInt8

from gflow.data.kinds.features import LEAST
from gflow.data.make.extractors import SIDE, Extractor
from gflow.errors import DataError

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp")
"""Suffixes of image files, in lower or upper case."""

BATCH = 32
"""Images per call of the extractor."""

_SHORT, _NAMED = 256, 10


class Category(NamedTuple):
    """The features of a folder of images."""

    x: Float[np.ndarray, "n D"]
    files: tuple[str, ...]
    """File of each row of `x`, relative to the folder of all categories."""
    broken: tuple[str, ...]
    """Images that cannot be decoded."""


def write_features(
    folder: Path,
    out: Path,
    extract: Extractor,
    tag: str,
    *,
    skip_broken: bool = False,
    tell: Callable[[str], None] = print,
) -> None:
    """Compute the features of all photographs and store them in the format of `features` data.

    Categories are folders, in the order of their names.  Images are scaled to 256 pixels along the
    short side (bicubic), of which the central 224 x 224 are used.

    **Arguments:**

    - `folder`: a folder with one folder of images per category.
    - `out`: npz file to write, with `x` float32, `y` category, `names` and `files`.
    - `extract`: returns the features of a batch of images.
    - `tag`: identifies the extractor; stored features of another one are not reused.
    - `skip_broken`: whether to leave out images that cannot be decoded.
    - `tell`: called with one line per category.

    **Raises:** `DataError` for a folder without categories, categories with too few images, or
    images that cannot be decoded, all of them counted and the first ten named; features that were
    computed stay in `out`.parts for the next attempt.
    """
    _pillow()
    names = _categories(folder)
    parts = out.with_name(f"{out.name}.parts")
    parts.mkdir(parents=True, exist_ok=True)

    # Compute category by category, so that an interrupted command loses at most one of them.
    categories = []
    for i, name in enumerate(names):
        part = parts / f"{i:04d}.npz"
        category, is_stored = _category(folder, name, part, extract, tag=tag)
        categories.append(category)
        tell(
            f"{i + 1} of {len(names)}: {name}, {len(category.files)} images"
            + (f", {len(category.broken)} cannot be decoded" if category.broken else "")
            + (", already computed" if is_stored else "")
        )

    # Report what is wrong only now, all at once, with everything computed in store.
    broken = [file for category in categories for file in category.broken]
    if broken and not skip_broken:
        raise DataError(
            f"{folder}: every image must be decodable, but {len(broken)} are not "
            f"({_listed(broken)}); repair them, or leave them out with --skip-broken. The features "
            f"of the others stay in {parts}."
        )
    few = [n for n, one in zip(names, categories, strict=True) if len(one.files) < LEAST]
    if few:
        raise DataError(
            f"{folder}: every category must have at least {LEAST} images, but {len(few)} have "
            f"fewer ({_listed(few)}); remove these folders."
        )

    # The file of all features replaces the parts.
    _whole(out, names, categories)
    shutil.rmtree(parts)
    skipped = f"; {len(broken)} images that cannot be decoded are left out" if broken else ""
    total = sum(len(category.files) for category in categories)
    tell(f"{out}: {total} images of {len(names)} categories{skipped}")


def read_photograph(path: Path) -> UInt8[np.ndarray, "s s 3"]:
    """The central 224 x 224 pixels of an image whose short side is scaled to 256.

    **Raises:** whatever pillow raises if the image cannot be decoded; `DataError` if pillow is not
    installed.
    """
    with _pillow().open(path) as image:
        scale = _SHORT / min(image.size)
        size = [max(round(length * scale), _SHORT) for length in image.size]
        whole = image.convert("RGB").resize(size, _pillow().Resampling.BICUBIC)
    left, top = ((length - SIDE) // 2 for length in size)
    return np.asarray(whole.crop((left, top, left + SIDE, top + SIDE)))


def _categories(folder: Path) -> list[str]:
    """Folders with at least one image, by name."""
    if not folder.is_dir():
        raise DataError(
            f"{folder}: must be a folder with one folder per category, but is not; try the "
            "folder that was unpacked."
        )
    names = sorted(one.name for one in folder.iterdir() if one.is_dir() and _images(one))
    if len(names) < 2:
        raise DataError(
            f"{folder}: must have a folder of images for each of at least two categories, but has "
            f"{len(names)}; add images, files that end in {', '.join(SUFFIXES)}."
        )
    return names


def _images(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)


def _category(
    folder: Path, name: str, part: Path, extract: Extractor, *, tag: str
) -> tuple[Category, bool]:
    """The features of a category, and whether they were stored before."""
    images = _images(folder / name)
    key = _key(folder, images, tag)
    stored = _stored(part, key)
    if stored is not None:
        return stored, True
    rows, files, broken = [], [], []
    for begin in range(0, len(images), BATCH):
        batch = []
        for path in images[begin : begin + BATCH]:
            file = str(path.relative_to(folder))
            try:
                batch.append(read_photograph(path))
                files.append(file)
            except Exception:  # pillow raises many kinds of errors
                broken.append(file)
        if batch:
            rows.append(_checked(extract(np.stack(batch)), len(batch)))
    x = np.concatenate(rows) if rows else np.zeros((0, 0), np.float32)
    _store(part, x=x, files=np.array(files, str), broken=np.array(broken, str), key=np.array(key))
    return Category(x, tuple(files), tuple(broken)), False


def _checked(x: Any, n: int) -> Float[np.ndarray, "n D"]:
    """What an extractor returned, if it is features of `n` images."""
    x = np.asarray(x)
    if x.ndim != 2 or len(x) != n or not np.issubdtype(x.dtype, np.number):
        raise DataError(
            f"the extractor must return one row of features per image, shape ({n}, D), but "
            f"returned {x.dtype} with shape {x.shape}; fix its `extract`."
        )
    if not np.isfinite(x).all():
        raise DataError(
            "the extractor must return finite features, but some are nan or inf; fix its `extract`."
        )
    return x.astype(np.float32)


def _key(folder: Path, images: Sequence[Path], tag: str) -> str:
    """A checksum of the extractor and of the images."""
    files = [(str(p.relative_to(folder)), p.stat().st_size, p.stat().st_mtime_ns) for p in images]
    return hashlib.sha256(json.dumps([tag, files]).encode()).hexdigest()


def _stored(part: Path, key: str) -> Category | None:
    """A stored category, unless it is missing, damaged or of other images or extractors."""
    damaged = OSError, ValueError, KeyError, zipfile.BadZipFile, zlib.error
    with suppress(*damaged), np.load(part, allow_pickle=False) as file:
        if str(file["key"]) == key:
            names = (tuple(file[kind].tolist()) for kind in ("files", "broken"))
            return Category(file["x"], *names)
    return None


def _whole(out: Path, names: Sequence[str], categories: Sequence[Category]) -> None:
    """Store the features of all categories."""
    widths = {one.x.shape[1] for one in categories}
    if len(widths) > 1:
        raise DataError(
            f"the extractor must return the same number of features for all images, but returned "
            f"{sorted(widths)}; fix its `extract`."
        )
    _store(
        out,
        x=np.concatenate([one.x for one in categories]),
        y=np.repeat(np.arange(len(categories)), [len(one.files) for one in categories]),
        names=np.array(names, str),
        files=np.array([file for one in categories for file in one.files], str),
    )


def _store(path: Path, **arrays: np.ndarray) -> None:
    """Write an npz file completely or not at all."""
    temporary = path.with_name(f".{path.name}.partial.npz")
    try:
        np.savez(temporary, allow_pickle=False, **arrays)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def _pillow() -> Any:
    try:
        from PIL import Image
    except ImportError:
        raise DataError(
            "pillow must be installed to read photographs, but is not; try pip install "
            "'gflow[images]'."
        ) from None
    return Image
