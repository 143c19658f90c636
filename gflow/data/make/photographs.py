"""Features of photographs in one folder a category, such as Caltech-101 and Caltech-256.

One idea: a category is done or not.  Its features are stored as soon as they are there, so whatever
stops a long computation, the same command goes on from there; the file of all features appears
once it is whole.

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
"""Names of files that are taken for images end so, in small or capital letters."""

BATCH = 32
"""Images in one call of the extractor."""

_SHORT, _NAMED = 256, 10


class Category(NamedTuple):
    """The features of a folder of images."""

    x: Float[np.ndarray, "n D"]
    files: tuple[str, ...]
    """Of the rows of `x`, relative to the folder of all categories."""
    broken: tuple[str, ...]
    """Images that do not decode."""


def write_features(
    folder: Path,
    out: Path,
    extract: Extractor,
    tag: str,
    skip_broken: bool = False,
    tell: Callable[[str], None] = print,
) -> None:
    """Compute the features of all photographs, and store them as `features` data read them.

    Categories are the folders in the order of their names. Images are scaled to 256 pixels along
    the short side (bicubic) and cut to the 224 in the middle.

    **Arguments:**

    - `folder`: with a folder of images for each category.
    - `out`: npz file, with `x` float32, `y` category, `names`, and `files`.
    - `extract`: gives features of a batch of images.
    - `tag`: of the extractor; what another one computed is not used again.
    - `skip_broken`: leave out images that do not decode.
    - `tell`: called with a line for each category.

    **Raises:** `DataError` for a folder without categories, categories with too few images, or
    images that do not decode, all of them counted and the first ten named; features that were
    computed are kept in `out`.parts for the next attempt.
    """
    _pillow()
    names = _categories(folder)
    parts = out.with_name(f"{out.name}.parts")
    parts.mkdir(parents=True, exist_ok=True)
    found = []
    for i, name in enumerate(names):
        one, was_there = _category(folder, name, parts / f"{i:04d}.npz", extract, tag)
        found.append(one)
        tell(
            f"{i + 1} of {len(names)}: {name}, {len(one.files)} images"
            + (f", {len(one.broken)} do not decode" if one.broken else "")
            + (", was there" if was_there else "")
        )
    broken = [file for one in found for file in one.broken]
    if broken and not skip_broken:
        raise DataError(
            f"{folder}: every image must decode, but {len(broken)} do not ({_listed(broken)}); "
            f"repair them, or leave them out with --skip-broken. Features of the others are kept "
            f"in {parts}."
        )
    few = [name for name, one in zip(names, found, strict=True) if len(one.files) < LEAST]
    if few:
        raise DataError(
            f"{folder}: every category must have at least {LEAST} images, but {len(few)} have "
            f"fewer ({_listed(few)}); take these folders out."
        )
    _whole(out, names, found)
    shutil.rmtree(parts)
    skipped = f"; {len(broken)} images that do not decode are left out" if broken else ""
    total = sum(len(one.files) for one in found)
    tell(f"{out}: {total} images of {len(names)} categories{skipped}")


def read_photograph(path: Path) -> UInt8[np.ndarray, "s s 3"]:
    """The middle 224 x 224 pixels of an image whose short side is scaled to 256.

    **Raises:** for what does not decode whatever pillow raises; `DataError` if it is not there.
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
            f"{folder}: must be a folder with a folder for each category, but is none; try the "
            "folder that was unpacked."
        )
    names = sorted(one.name for one in folder.iterdir() if one.is_dir() and _images(one))
    if len(names) < 2:
        raise DataError(
            f"{folder}: must have a folder of images for each of two categories or more, but has "
            f"{len(names)}; images are files that end in {', '.join(SUFFIXES)}."
        )
    return names


def _images(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)


def _category(
    folder: Path, name: str, part: Path, extract: Extractor, tag: str
) -> tuple[Category, bool]:
    """The features of a category, and whether they were there."""
    images = _images(folder / name)
    key = _key(folder, images, tag)
    kept = _kept(part, key)
    if kept is not None:
        return kept, True
    rows, files, broken = [], [], []
    for begin in range(0, len(images), BATCH):
        batch = []
        for path in images[begin : begin + BATCH]:
            file = str(path.relative_to(folder))
            try:
                batch.append(read_photograph(path))
                files.append(file)
            except Exception:  # pillow has many ways to say that it cannot
                broken.append(file)
        if batch:
            rows.append(_checked(extract(np.stack(batch)), len(batch)))
    x = np.concatenate(rows) if rows else np.zeros((0, 0), np.float32)
    one = Category(x, tuple(files), tuple(broken))
    _store(part, x=x, files=np.array(files, str), broken=np.array(broken, str), key=np.array(key))
    return one, False


def _checked(x: Any, n: int) -> Float[np.ndarray, "n D"]:
    """What an extractor gave, if it is features."""
    x = np.asarray(x)
    if x.ndim != 2 or len(x) != n or not np.issubdtype(x.dtype, np.number):
        raise DataError(
            f"the extractor must give a row of features for each image, shape ({n}, D), but gave "
            f"{x.dtype} with shape {x.shape}; mend its `extract`."
        )
    if not np.isfinite(x).all():
        raise DataError(
            "the extractor must give finite features, but some are nan or inf; mend its `extract`."
        )
    return x.astype(np.float32)


def _key(folder: Path, images: Sequence[Path], tag: str) -> str:
    """Changes with the extractor and with the images."""
    seen = [(str(p.relative_to(folder)), p.stat().st_size, p.stat().st_mtime_ns) for p in images]
    return hashlib.sha256(json.dumps([tag, seen]).encode()).hexdigest()


def _kept(part: Path, key: str) -> Category | None:
    damaged = OSError, ValueError, KeyError, zipfile.BadZipFile, zlib.error
    with suppress(*damaged), np.load(part, allow_pickle=False) as file:
        if str(file["key"]) == key:
            names = (tuple(file[kind].tolist()) for kind in ("files", "broken"))
            return Category(file["x"], *names)
    return None


def _whole(out: Path, names: Sequence[str], found: Sequence[Category]) -> None:
    widths = {one.x.shape[1] for one in found}
    if len(widths) > 1:
        raise DataError(
            f"the extractor must give as many features for all images, but gave {sorted(widths)}; "
            "mend its `extract`."
        )
    _store(
        out,
        x=np.concatenate([one.x for one in found]),
        y=np.repeat(np.arange(len(found)), [len(one.files) for one in found]),
        names=np.array(names, str),
        files=np.array([file for one in found for file in one.files], str),
    )


def _store(path: Path, **arrays: np.ndarray) -> None:
    """An npz file, all or nothing."""
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
