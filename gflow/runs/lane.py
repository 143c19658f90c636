"""A lane: a worker process on cores of its own.

One idea: each lane is a pool of one process, so when a process is lost it is known which task it
had, and the others are not affected.  A worker is pinned before anything imports jax or numpy,
since that is when they count the cores.  Only its parent ends it: Ctrl-C at the terminal does not
reach it, the parent's `stop` does, and it ends when the parent ends, however that happens.
A worker that is to stop is told so by `gflow.runs.interrupt.stopping`.
"""

import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from multiprocessing import connection, get_context, parent_process
from typing import Any

from gflow.runs.interrupt import stopping

GRACE = 15
"""Seconds after which a worker that was told to stop is killed; the kernel frees its locks."""


def share_cores(count: int) -> list[frozenset[int]]:
    """`count` equal shares of the cores of this process; single cores if there are fewer."""
    cores = usable_cores()
    size = max(len(cores) // count, 1)
    starts = [i * size % len(cores) for i in range(count)]
    return [frozenset(cores[start : start + size]) for start in starts]


def usable_cores() -> list[int]:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


class Lane:
    """A worker process, started when needed and replaced if it is lost (final)."""

    def __init__(self, cores: frozenset[int]):
        self.cores = cores
        self.stopped = False
        self._pool: ProcessPoolExecutor | None = None
        self._process = 0

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call a top-level function in the worker.

        **Returns:** its value.

        **Raises:** what the function raises; `BrokenProcessPool` if the worker was lost.
        """
        try:
            return self._started().submit(function, *arguments).result()
        except BrokenProcessPool:
            self._pool = None
            raise

    def stop(self) -> None:
        """End the worker: set `stopping` there, and kill it if it goes on."""
        self.stopped = True
        pool = self._pool
        if pool is not None:
            if self._process:
                with suppress(ProcessLookupError):
                    os.kill(self._process, signal.SIGTERM)
            pool.shutdown(wait=True, cancel_futures=True)

    def _started(self) -> ProcessPoolExecutor:
        if self._pool is None:
            self._process = 0
            self._pool = ProcessPoolExecutor(1, get_context("spawn"), _enter, (self.cores,))
            self._process = self._pool.submit(os.getpid).result()
        return self._pool


def _enter(cores: frozenset[int]) -> None:
    """Prepare a new worker process."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, cores)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _stop)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _stop(*_: object) -> None:
    stopping.set()
    signal.alarm(GRACE)


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)
