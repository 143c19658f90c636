"""Ending a flow between two steps, where nothing of it is lost.

An exception raised in a signal handler would strike anywhere, in the middle of a step too.  So a
flow that is to stop is told so by an event, which it looks at after every step.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

stopping = threading.Event()
"""Set in a process whose flow is to stop after the step it is in."""

_under_way = threading.Event()


@contextmanager
def between_steps() -> Iterator[None]:
    """A flow that calls `look` after every step."""
    _under_way.set()
    try:
        yield
    finally:
        _under_way.clear()


def is_under_way() -> bool:
    """Whether a flow of this process will see `stopping` at the end of its step."""
    return _under_way.is_set()


def look() -> None:
    """Raise `KeyboardInterrupt` if the flow is to stop."""
    if stopping.is_set():
        raise KeyboardInterrupt
