"""Downloading MNIST.

A file gets its name only after its content was checked against the published one, so every file
that exists later is complete.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from gflow.data.kinds.mnist import FILES, is_published, unpacked
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
    - `tell`: called with one line per file.

    **Raises:** `DataError` if pooch is not installed, or if no mirror has a file as published.
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
    try:
        import pooch
    except ImportError:
        raise DataError(
            "pooch must be installed to download files, but is not; try pip install 'gflow[data]', "
            "or put the files into a folder of your own and set data.path."
        ) from None

    # Download beside the final name, which only a file with the published content gets.
    failures = []
    for mirror in mirrors:
        part = path.with_suffix(".part")
        try:
            pooch.retrieve(mirror + path.name, None, part.name, part.parent)
            if is_published(name, unpacked(part)):
                part.replace(path)
                return
            failures.append(f"{mirror}: content differs from the published file")
        except (OSError, ValueError, DataError) as error:
            failures.append(f"{mirror}: {error}")
        finally:
            part.unlink(missing_ok=True)
    raise DataError(
        f"{path.name}: must be available from one of {len(mirrors)} mirrors, but is not "
        f"({'; '.join(failures)}); try again, or put the files into a folder and set data.path."
    )
