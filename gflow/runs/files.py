"""Files and folders that are written completely or not at all.

One idea: everything is written beside its place and renamed into it, so a process that is killed,
or a disk that is full, leaves what was there before.
"""

import ctypes
import errno
import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from gflow.errors import RecordError


def write_bytes(path: Path, data: bytes | memoryview) -> None:
    """Write a file, all or nothing.

    **Raises:** `RecordError` if it cannot be written; an older file is then still there.
    """
    temporary = _beside(path, "partial")
    with writing(path):
        try:
            temporary.write_bytes(data)
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file, all or nothing."""
    write_bytes(path, text.encode("utf-8"))


def write_json(path: Path, value: object) -> None:
    """Write plain values as JSON, all or nothing."""
    write_text(path, to_json(value))


def checksum(path: Path) -> str:
    """sha256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def staged(folder: Path) -> Iterator[Path]:
    """A new folder to write into, which takes the place of `folder` at the end of the context.

    **Raises:** `RecordError` if it cannot be written; an older folder is then as it was.
    """
    stage = _beside(folder, "partial")
    with writing(folder):
        try:
            stage.mkdir(parents=True)
            yield stage
            _move_into_place(stage, folder)
        finally:
            shutil.rmtree(stage, ignore_errors=True)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn an error of the system on writing `path` into a `RecordError`."""
    try:
        yield
    except OSError as error:
        raise RecordError(
            f"{path}: must be written, but cannot be ({error.strerror or error}); free space or "
            "permit writing there, or copy the folder. What was stored before is as it was."
        ) from error


def sweep(folder: Path) -> None:
    """Clean up after killed writers of `folder`; call it only while nobody writes."""
    for path in _relics(folder):
        if path.suffix == ".old" and not folder.exists():
            os.replace(path, folder)
        elif path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def identity(folder: Path) -> tuple[int, int] | None:
    """Tells a folder from one that has taken its place; None if there is no folder."""
    with suppress(OSError):
        stat = folder.stat()
        return stat.st_ino, stat.st_ctime_ns
    return None


def is_being_replaced(folder: Path) -> bool:
    """Whether a folder is missing only for the moment in which another takes its place."""
    return not folder.exists() and any(path.suffix == ".old" for path in _relics(folder))


def _relics(folder: Path) -> list[Path]:
    """Folders that stood, or were to stand, in the place of `folder`."""
    folder = Path(os.path.abspath(folder))
    start = f".{folder.name}."
    if not folder.parent.is_dir():
        return []
    names = (name for name in os.listdir(folder.parent) if name.startswith(start))
    return [folder.parent / name for name in names if name.endswith((".partial", ".old"))]


def _move_into_place(stage: Path, folder: Path) -> None:
    """Move `stage` to `folder`; an older folder is then at `stage`, to be removed."""
    while True:
        # The usual case: there is no folder yet.
        try:
            os.rename(stage, folder)
            return
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
        if _exchange(stage, folder):
            return
        # Where the file system cannot swap two folders, readers wait while one is missing. Another
        # writer may be faster than either rename; then all is tried again.
        old = _beside(folder, "old")
        with suppress(FileNotFoundError):
            os.rename(folder, old)
        with suppress(OSError):
            os.rename(stage, folder)
            shutil.rmtree(old, ignore_errors=True)
            return
        shutil.rmtree(old, ignore_errors=True)


def _exchange(one: Path, other: Path) -> bool:
    """Swap two folders atomically; False where the system cannot."""
    if os.name != "posix":
        return False
    swap = getattr(ctypes.CDLL(None), "renameat2", None)
    here, exchange = -100, 2  # AT_FDCWD, RENAME_EXCHANGE
    return swap is not None and not swap(
        here, os.fsencode(one.absolute()), here, os.fsencode(other.absolute()), exchange
    )


def _beside(path: Path, kind: str) -> Path:
    """A unique hidden name in the same folder."""
    path = Path(os.path.abspath(path))  # "." has no name
    return path.with_name(f".{path.name}.{os.getpid()}-{uuid.uuid4().hex[:8]}.{kind}")


def to_json(value: object) -> str:
    """Plain values as JSON that a person can read."""
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
