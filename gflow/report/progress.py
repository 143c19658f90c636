"""Live progress: bars on a terminal, a line in a notebook, else plain lines on stderr.

Whatever takes time has a name, the stage: a point that is computed, judging, drawing.
"""

import html
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any, NamedTuple

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Column

from gflow.runs import watch
from gflow.runs.watch import Stage, Watch
from gflow.runs.workers import Announce
from gflow.scenario import Scenario

SILENCE = 2.0
"""Seconds after which a stage that has said nothing is named, where there are no bars."""

_SECONDS_BETWEEN_LINES = 5.0
_SECONDS_BETWEEN_UPDATES = 0.2
_SECONDS_BETWEEN_REMINDERS = 10.0
_BAR_FROM = 80
"""Columns from which there is space for a bar."""


class Teller(NamedTuple):
    """How a person is told of what takes time."""

    announce: Announce
    """Called with label and scenario before a point is computed."""
    stage: Stage
    """Called with the name of the stage that begins."""


@contextmanager
def telling(console: Console) -> Iterator[Teller]:
    """Tell of progress until the end of the context: by bars, which then vanish, or by lines."""
    if console.quiet:
        yield Teller(lambda label, scenario: watch.unwatched, lambda stage: None)
    elif draws_bars(console):
        bars = _bars(console)
        with bars:
            teller = _Bars(bars)
            yield Teller(teller.announce, teller.stage)
    else:
        lines = _Lines(Console(stderr=True))
        try:
            yield Teller(lines.announce, lines.stage)
        finally:
            lines.ended.set()


def draws_bars(console: Console) -> bool:
    """Whether bars can move; in a cell of a notebook, which only asks for colors, they cannot."""
    return console.is_terminal and console.file.isatty()


@contextmanager
def telling_by_itself(progress: bool) -> Iterator[Teller]:
    """Tell of progress in a notebook and on a terminal; elsewhere, or if unwanted, say nothing."""
    if progress and is_notebook():
        line = _Cell()
        try:
            yield Teller(line.announce, line.stage)
        finally:
            line.clear()
    else:
        console = Console()
        console.quiet = not (progress and draws_bars(console))
        with telling(console) as teller:
            yield teller


def is_notebook() -> bool:
    """Whether this process is the kernel of a notebook."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return hasattr(shell, "kernel")


def describe(progress: watch.Progress) -> str:
    """Flow time, phase, loss and remaining time in one line."""
    left = remaining(progress)
    return (
        f"t = {progress.t:.4g} of {progress.end_time:.4g}, {progress.phase}, "
        f"loss {progress.loss:.3g}, {'' if left is None else f'about {left:.0f} s left'}"
    ).rstrip(", ")


def remaining(progress: watch.Progress) -> float | None:
    """Seconds left if the remaining times cost what the past ones did; None at both ends."""
    if not 0 < progress.fraction < 1:
        return None
    return progress.seconds * (1 - progress.fraction) / progress.fraction


def _bars(console: Console) -> Progress:
    rest = Column(no_wrap=True, overflow="ellipsis", ratio=1)
    columns = (
        SpinnerColumn(),
        TextColumn("[bold]{task.description}", table_column=Column(no_wrap=True)),
        *([BarColumn(bar_width=20)] if console.width >= _BAR_FROM else []),
        TextColumn("{task.fields[text]}", table_column=rest),
        TimeElapsedColumn(),
    )
    return Progress(*columns, console=console, transient=True, expand=True)


class _Bars:
    """One bar for each point that is computed now, and one for any other stage."""

    def __init__(self, bars: Progress):
        self.bars = bars
        self.current = self.bars.add_task("starting", total=None, text="")

    def announce(self, label: str, scenario: Scenario) -> Watch:
        """Show a bar for a point, and return what moves it."""
        self.bars.update(self.current, visible=False)
        task = self.bars.add_task(label or scenario.name, total=1.0, text="compiling")

        def update(progress: watch.Progress) -> None:
            """Show how far the point is."""
            text = describe(progress)
            self.bars.update(task, completed=progress.fraction, text=text)
            # Bars of points that are computed make room for the next.
            for other in self.bars.tasks:
                if other.id != task and other.finished:
                    self.bars.update(other.id, visible=False)

        return update

    def stage(self, text: str) -> None:
        for task in self.bars.tasks:
            self.bars.update(task.id, visible=False)
        self.current = self.bars.add_task(text, total=None, text="")


class _Lines:
    """A line now and then, and one for a stage that takes longer than `SILENCE`."""

    def __init__(self, console: Console):
        self.console = console
        self.ended = threading.Event()
        self.spoken = time.monotonic()
        self.name = "starting"
        threading.Thread(target=self._remind, daemon=True).start()

    def announce(self, label: str, scenario: Scenario) -> Watch:
        """Print a line for a point, and return what prints its progress."""
        name = label or scenario.name
        self.stage(f"{name}: compiling")
        last, is_done = time.monotonic(), False

        def line(progress: watch.Progress) -> None:
            """Print a line when enough time has passed, and at the end."""
            nonlocal last, is_done
            self.name = f"{name}: {progress.phase}"
            ends = progress.fraction == 1 and not is_done
            if ends or (time.monotonic() - last >= _SECONDS_BETWEEN_LINES and not is_done):
                last, is_done = time.monotonic(), ends
                self._say(f"{name}: {describe(progress)}")

        return line

    def stage(self, text: str) -> None:
        self.name = text

    def _say(self, text: str) -> None:
        self.spoken = time.monotonic()
        self.console.print(text, highlight=False, soft_wrap=True, markup=False)

    def _remind(self) -> None:
        """Name the stage once it has been silent for long, and again now and then."""
        told = ""
        while not self.ended.wait(SILENCE / 4):
            now, name = time.monotonic(), self.name
            patience = _SECONDS_BETWEEN_REMINDERS if name == told else SILENCE
            if now - self.spoken >= patience:
                told = name
                self._say(f"{name} ...")


class _Cell:
    """A line below the cell of a notebook that runs; it changes in place and then vanishes."""

    def __init__(self):
        # A notebook has IPython, which gflow does not need.
        display: Any = import_module("IPython.display").display
        self.handle: Any = display(_shown("starting"), raw=True, display_id=True)
        self.last = 0.0

    def announce(self, label: str, scenario: Scenario) -> Watch:
        name = label or scenario.name
        self.stage(f"{name}: compiling")

        def update(progress: watch.Progress) -> None:
            if time.monotonic() - self.last >= _SECONDS_BETWEEN_UPDATES:
                self.stage(f"{name}: {describe(progress)}")

        return update

    def stage(self, text: str) -> None:
        self.last = time.monotonic()
        self.handle.update(_shown(text), raw=True)

    def clear(self) -> None:
        self.handle.update(_shown(""), raw=True)


def _shown(text: str) -> dict[str, str]:
    """A text as a notebook shows it."""
    return {"text/plain": text, "text/html": f"<small>{html.escape(text)}</small>"}
