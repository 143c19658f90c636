"""MNIST from the net: checked, complete, or not there at all.

One idea: a file is written under its name only once its content is the published one, so whatever
is found later is whole.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from gflow.data.kinds.mnist import FILES, is_published, unpacked
from gflow.errors import DataError

MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
"""Folders on the net that hold the gzipped files."""


def download_mnist(
    folder: Path, mirrors: Sequence[str] = MIRRORS, tell: Callable[[str], None] = print
) -> None:
    """Fetch the four files that are not in a folder yet.

    **Arguments:**

    - `folder`: made if it is not there.
    - `mirrors`: addresses that end in a slash, tried in turn.
    - `tell`: called with a line for each file.

    **Raises:** `DataError` if pooch is not installed, or if no mirror gives a file as published.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name in FILES:
        path = folder / f"{name}.gz"
        if path.is_file() and _is_whole(name, path):
            tell(f"{path}: is there")
            continue
        _fetch(name, path, mirrors)
        tell(f"{path}: fetched and checked")


def _is_whole(name: str, path: Path) -> bool:
    """Whether a file is there as published; one that was cut short is fetched again."""
    try:
        return is_published(name, unpacked(path))
    except DataError:
        return False


def _fetch(name: str, path: Path, mirrors: Sequence[str]) -> None:
    try:
        import pooch
    except ImportError:
        raise DataError(
            "pooch must be installed to fetch files, but is not; try pip install 'gflow[data]', or "
            "put the files into a folder of your own and set data.path."
        ) from None
    told = []
    for mirror in mirrors:
        part = path.with_suffix(".part")
        try:
            pooch.retrieve(mirror + path.name, None, part.name, part.parent)
            if is_published(name, unpacked(part)):
                part.replace(path)
                return
            told.append(f"{mirror}: another content than published")
        except (OSError, ValueError, DataError) as error:
            told.append(f"{mirror}: {error}")
        finally:
            part.unlink(missing_ok=True)
    raise DataError(
        f"{path.name}: must be fetched from one of {len(mirrors)} mirrors, but none gave it "
        f"({'; '.join(told)}); try again, or put the files into a folder and set data.path."
    )
