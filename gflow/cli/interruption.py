"""Ctrl-C: acknowledged at once, obeyed after the step, and a second one ends the process.

While jax computes, Python runs no signal handler for seconds.  But it writes the number of a signal
into a pipe at once, and a thread that reads there can answer.
"""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from gflow.cli.guard import Exit
from gflow.runs import interrupt

STEPPING = "stopping after this step; the same command goes on from here (Ctrl-C again: at once)"
ELSEWHERE = "stopping; what was computed is kept (Ctrl-C again: at once)"


@contextmanager
def acknowledged(tell: Callable[[str], object]) -> Iterator[None]:
    """Answer Ctrl-C at once until the end of the context.

    A flow of this process ends after its step, as `gflow.runs.interrupt` says; anything else ends
    by `KeyboardInterrupt` as soon as Python can raise it.

    **Arguments:**

    - `tell`: called with the answer, from another thread.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    bell = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    handler = signal.signal(signal.SIGINT, _obey)
    interrupt.stopping.clear()
    threading.Thread(target=_answer, args=(reader, tell), daemon=True).start()
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
        signal.set_wakeup_fd(bell)
        os.close(writer)  # the thread reads the end of the pipe, and ends


def _obey(*_: object) -> None:
    if interrupt.is_under_way():
        interrupt.stopping.set()
    else:
        raise KeyboardInterrupt


def _answer(reader: int, tell: Callable[[str], object]) -> None:
    """Answer the first Ctrl-C, and end the process at the second."""
    with os.fdopen(reader, "rb", buffering=0) as signals:
        presses = 0
        while number := signals.read(1):
            presses += number[0] == signal.SIGINT
            if number[0] != signal.SIGINT:
                continue
            if presses > 1:
                # Locks are the kernel's, and files are written completely or not at all.
                sys.stderr.write("\x1b[?25h" if sys.stderr.isatty() else "")  # the cursor
                sys.stderr.flush()
                os._exit(Exit.INTERRUPTED)
            tell(STEPPING if interrupt.is_under_way() else ELSEWHERE)
