"""The right to write a run folder: one process at a time, visible to all others.

One idea: the kernel holds the lock (flock), so it ends with its process however that ends, and a
killed process leaves none behind.  The process writes its progress into the lock file, where
`gflow status` and waiting processes read it.
"""

import json
import os
import platform
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

from gflow.errors import RecordError

try:
    import fcntl
except ImportError:  # Windows, where all that needs no lock works
    fcntl = None

_SIZE = 512
"""Bytes of a lock file that has been written to; nobody reads half of one write."""

INTERVAL = 0.2
"""Seconds between two looks at a lock."""


class Lock:
    """The right to write one run folder, until it is released (final)."""

    def __init__(self, path: Path, descriptor: int):
        self._path = path
        self._descriptor = descriptor

    def publish(self, progress: Mapping[str, object]) -> None:
        """Let other processes know the progress of this one."""
        text = json.dumps({"pid": os.getpid(), "host": platform.node(), **progress})
        # On a full disk the flow goes on, and others do not see how far.
        with suppress(OSError):
            os.pwrite(self._descriptor, text.ljust(_SIZE).encode("utf-8"), 0)

    def __enter__(self) -> "Lock":
        return self

    def __exit__(self, *_: object) -> None:
        # Remove the file before releasing it: whoever opened it meanwhile gets the lock of a file
        # that is no longer in its place, and tries again.
        self._path.unlink(missing_ok=True)
        os.close(self._descriptor)


def acquire(folder: Path) -> Lock | None:
    """Take the right to write a run folder; None if another process or thread has it.

    **Raises:** `RecordError` where the folder's file system has no locks or cannot be written.
    """
    path = _path(folder)
    if fcntl is None:
        raise RecordError(
            f"{path}: must be locked, but this system has no fcntl; run gflow on Linux, macOS or "
            "the Windows Subsystem for Linux, or call `gflow.simulate`, which stores nothing."
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        while True:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
                return None
            # The holder before may have removed the file between our two calls.
            if _is_in_place(descriptor, path):
                return Lock(path, descriptor)
            os.close(descriptor)
    except OSError as error:
        raise RecordError(
            f"{path}: must be lockable, but is not ({error.strerror}); use a folder you can write "
            "to, on a file system with locks, with --out."
        ) from None


@contextmanager
def held(folder: Path, patient: bool = True) -> Iterator[Lock | None]:
    """The lock of a run folder; None if another process has it and `patient` is False."""
    lock = acquire(folder)
    while lock is None and patient:
        time.sleep(INTERVAL)
        lock = acquire(folder)
    with lock or nullcontext():
        yield lock


def holder(folder: Path) -> dict[str, Any] | None:
    """The last progress of the process that has the lock; None if no process has it."""
    if fcntl is None:
        return None
    try:
        descriptor = os.open(_path(folder), os.O_RDONLY)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _progress(os.pread(descriptor, _SIZE, 0))
    finally:
        os.close(descriptor)
    return None


def _progress(data: bytes) -> dict[str, Any]:
    """What was written into a lock; empty if nothing was yet."""
    with suppress(ValueError, TypeError):
        return dict(json.loads(data))
    return {}


def _is_in_place(descriptor: int, path: Path) -> bool:
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    return False


def _path(folder: Path) -> Path:
    folder = Path(os.path.abspath(folder))  # "." has no name
    return folder.with_name(f".{folder.name}.lock")
