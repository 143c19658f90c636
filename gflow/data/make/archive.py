"""An archive of a data set: fetched, checked, unpacked, and removed.

Every file gets its name only once it is complete, so the same command continues after whatever
stopped it.
"""

import shutil
import tarfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

from gflow.data.make.download import Published, fetch, has_md5
from gflow.errors import DataError

Place = Callable[[PurePosixPath], PurePosixPath | None]
"""Where a member of an archive belongs, relative to the folder; None for one that is not used."""


@dataclass(frozen=True)
class Archive:
    """A tar archive with a published checksum."""

    name: str
    mirrors: Sequence[str]
    """Addresses of the file, tried in turn."""
    md5: str
    """Published MD5 checksum, in hexadecimal digits."""
    size: int
    """Bytes."""


def unpack(
    archive: Archive, folder: Path, place: Place, tell: Callable[[str], None] = print
) -> None:
    """Unpack an archive into a folder, fetched unless it is in that folder already.

    **Arguments:**

    - `archive`: what to unpack; the file is removed when all is unpacked.
    - `folder`: created if it does not exist; files of the right size that are in it are kept.
    - `place`: where members belong.
    - `tell`: called with lines on the archive.

    **Raises:** `DataError` if no mirror has the archive as published, or it cannot be unpacked.
    """
    file = Published(
        archive.name, tuple(archive.mirrors), archive.size, partial(has_md5, md5=archive.md5)
    )
    path = fetch(file, folder, f"put {archive.name} into {folder} first", tell)
    try:
        with tarfile.open(path) as tar:
            for member in tar:
                target = place(PurePosixPath(member.name))
                if member.isfile() and target is not None:
                    _write(tar, member, folder / target)
    except tarfile.TarError as error:
        raise DataError(f"{path}: must be an archive, but cannot be read ({error}).") from None
    path.unlink()


def _write(tar: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> None:
    """Store one member, completely or not at all."""
    if path.is_file() and path.stat().st_size == member.size:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    source = tar.extractfile(member)
    assert source is not None, "it is a regular file"
    try:
        with source, part.open("wb") as out:
            shutil.copyfileobj(source, out)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
