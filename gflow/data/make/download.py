"""Downloading a published file from the first mirror that has it.

A file gets its name only after its content was checked against the published one, so every file
that exists later is complete.  A mirror that sends a web page, a part of the file, something else
or nothing costs a bounded time, and is named.
"""

import errno
import hashlib
import http.client
import time
import urllib.request
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from gflow.errors import DataError

SILENCE = 30.0
"""Seconds that a mirror may say nothing."""

PATIENCE = 600.0
"""Seconds that the download of a file, or of 100 MB of a larger one, may take from one mirror."""

LARGE = 100_000_000
"""Bytes of a large file, after each of which there is a line of progress."""

_CHUNK = 1 << 20
_PAGE = (b"<!doctype", b"<html", b"<?xml")
_FULL = (errno.ENOSPC, errno.EDQUOT)


@dataclass(frozen=True)
class Published:
    """A file that mirrors offer, and how to know it."""

    name: str
    mirrors: tuple[str, ...]
    """Addresses of the file, tried in turn."""
    largest: int
    """Bytes of the file; an answer with more is another one."""
    is_whole: Callable[[Path], bool]
    """Whether the content of a file is the published one."""

    @property
    def patience(self) -> float:
        """Seconds that the download may take from one mirror."""
        return PATIENCE * max(1.0, self.largest / LARGE)


def has_md5(path: Path, md5: str) -> bool:
    """Whether the content of a file has an MD5 checksum, in hexadecimal digits."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False))
    return digest.hexdigest() == md5


def fetch(file: Published, folder: Path, cure: str, tell: Callable[[str], None] = print) -> Path:
    """A published file in a folder, downloaded unless it is there.

    **Arguments:**

    - `file`: what to download.
    - `folder`: created if it does not exist.
    - `cure`: what else the user may do, for the message.
    - `tell`: called with one line on the file, one on each mirror that fails, and lines of progress
        for a large file.

    **Returns:** its path.

    **Raises:** `DataError` if no mirror has the file as published, naming each and why.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path, failures = folder / file.name, []
    if path.is_file() and file.is_whole(path):
        tell(f"{path}: exists")
        return path
    part = path.with_name(f"{path.name}.part")
    for mirror in file.mirrors:
        try:
            failure = _failure(mirror, file, part, tell)
            if not failure:
                part.replace(path)
                tell(f"{path}: downloaded and checked")
                return path
        finally:
            part.unlink(missing_ok=True)
        failures.append(f"{mirror}: {failure}")
        tell(f"{failures[-1]}; not used")
    raise DataError(
        f"{file.name}: must be available from one of {len(failures)} mirrors, but is not "
        f"({'; '.join(failures)}); try again, or {cure}."
    )


def _failure(mirror: str, file: Published, part: Path, tell: Callable[[str], None]) -> str:
    """What is wrong with what a mirror sends; empty if the file is now at `part`."""
    try:
        request = urllib.request.Request(mirror, headers={"User-Agent": "gflow"})
        with (
            part.open("wb") as out,
            closing(urllib.request.urlopen(request, timeout=SILENCE)) as answer,
        ):
            _receive(answer, out, file, tell)
    except (OSError, ValueError, http.client.HTTPException) as error:
        # What the machine lacks, the next mirror lacks as well.
        if isinstance(error, OSError) and error.errno in _FULL:
            raise
        return str(error) or type(error).__name__
    return "" if file.is_whole(part) else "content differs from the published file"


def _receive(answer: Any, out: BinaryIO, file: Published, tell: Callable[[str], None]) -> None:
    """Write what a mirror sends, as long as it can be the file.

    **Raises:** `ValueError` or `TimeoutError` if it cannot.
    """
    last, count = time.monotonic() + file.patience, 0
    # `read1` returns what has arrived, `read` would wait for all of it.
    while more := answer.read1(_CHUNK):
        if not count and more.lstrip().lower().startswith(_PAGE):
            raise ValueError("it sends a web page instead")
        out.write(more)
        count += len(more)
        if time.monotonic() > last:
            raise TimeoutError(f"only {count:,} bytes arrived in {file.patience:g} s")
        if count > file.largest:
            raise ValueError(f"it sends more than {file.largest:,} bytes")
        if count // LARGE > (count - len(more)) // LARGE:
            tell(f"{file.name}: {count / 1e6:.0f} of {file.largest / 1e6:.0f} MB")
    promised = int(answer.headers.get("Content-Length") or count)
    if not count or count < promised:
        what = f"only {count:,} of {promised:,} bytes" if promised else "nothing"
        raise ValueError(f"it sends {what}")
