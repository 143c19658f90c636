"""Downloading MNIST.

A file gets its name only after its content was checked against the published one, so every file
that exists later is complete.
"""

import http.client
import time
import urllib.request
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

from gflow.data.kinds.mnist import FILES, is_published, unpacked
from gflow.errors import DataError

MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
"""Addresses of folders with the gzipped files."""

SILENCE = 30.0
"""Seconds that a mirror may say nothing."""

PATIENCE = 600.0
"""Seconds that the download of one file may take from one mirror."""

LARGEST = 100_000_000
"""Bytes beyond which an answer is none of the files."""


def download_mnist(
    folder: Path, mirrors: Sequence[str] = MIRRORS, tell: Callable[[str], None] = print
) -> None:
    """Download the four files, except those that are already in a folder.

    **Arguments:**

    - `folder`: created if it does not exist.
    - `mirrors`: addresses that end in a slash, tried in turn.
    - `tell`: called with one line per file.

    **Raises:** `DataError` if no mirror has a file as published.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name in FILES:
        path = folder / f"{name}.gz"
        if path.is_file() and _is_whole(name, path):
            tell(f"{path}: exists")
            continue
        _fetch(name, path, mirrors)
        tell(f"{path}: downloaded and checked")


def _is_whole(name: str, path: Path) -> bool:
    """Whether an existing file is as published; one that was truncated is downloaded again."""
    try:
        return is_published(name, unpacked(path))
    except DataError:
        return False


def _fetch(name: str, path: Path, mirrors: Sequence[str]) -> None:
    # Write beside the final name, which only a file with the published content gets.
    failures = []
    for mirror in mirrors:
        part = path.with_suffix(".part")
        try:
            part.write_bytes(_content(mirror + path.name))
            if is_published(name, unpacked(part)):
                part.replace(path)
                return
            failures.append(f"{mirror}: content differs from the published file")
        except (OSError, ValueError, http.client.HTTPException, DataError) as error:
            failures.append(f"{mirror}: {error}")
        finally:
            part.unlink(missing_ok=True)
    raise DataError(
        f"{path.name}: must be available from one of {len(mirrors)} mirrors, but is not "
        f"({'; '.join(failures)}); try again, or put the files into a folder and set data.path."
    )


def _content(address: str) -> bytes:
    """What is at an address; a mirror that sends a few bytes now and then is given up."""
    last, data = time.monotonic() + PATIENCE, bytearray()
    with closing(urllib.request.urlopen(address, timeout=SILENCE)) as answer:
        # `read1` returns what has arrived, `read` would wait for all of it.
        while more := answer.read1(1 << 20):
            data += more
            if time.monotonic() > last:
                raise TimeoutError(f"only {len(data):,} bytes arrived in {PATIENCE:g} s")
            if len(data) > LARGEST:
                raise ValueError(f"it sends more than {LARGEST:,} bytes")
    return bytes(data)
