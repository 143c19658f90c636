"""Downloading MNIST."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from gflow.data.kinds.mnist import FILES, is_published, unpacked
from gflow.data.make.download import LARGE, Published, fetch
from gflow.errors import DataError

MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
"""Addresses of folders with the gzipped files."""


def download_mnist(
    folder: Path, mirrors: Sequence[str] = MIRRORS, tell: Callable[[str], None] = print
) -> None:
    """Download the four files, except those that are already in a folder.

    **Arguments:**

    - `folder`: created if it does not exist.
    - `mirrors`: addresses that end in a slash, tried in turn.
    - `tell`: called with lines on each file.

    **Raises:** `DataError` if no mirror has a file as published.
    """
    for name in FILES:
        zipped = f"{name}.gz"
        addresses = tuple(f"{mirror}{zipped}" for mirror in mirrors)
        file = Published(zipped, addresses, LARGE, partial(_is_whole, name))
        fetch(file, folder, "put the files into a folder and set data.path", tell)


def _is_whole(name: str, path: Path) -> bool:
    """Whether a file is as published; one that was truncated is not."""
    try:
        return is_published(name, unpacked(path))
    except DataError:
        return False
