"""Live progress: a bar on a terminal, plain lines elsewhere."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from gflow.runs import watch
from gflow.runs.watch import Watch
from gflow.runs.workers import Announce
from gflow.scenario import Scenario

_SECONDS_BETWEEN_LINES = 5.0


@contextmanager
def announcer(console: Console) -> Iterator[Announce]:
    """How the progress of each point is shown: live bars on a terminal, else lines now and then."""
    if not console.is_terminal:
        yield lambda label, scenario: _lines(console, label or scenario.name)
        return
    columns = (
        TextColumn("[bold]{task.description}"),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[text]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as bars:
        yield lambda label, scenario: _bar(bars, label, scenario)


def describe(progress: watch.Progress) -> str:
    """Flow time, phase, loss and remaining time in one line."""
    left = remaining(progress)
    return (
        f"t = {progress.t:.4g} of {progress.end_time:.4g}, {progress.phase}, "
        f"loss {progress.loss:.3g}, {'' if left is None else f'about {left:.0f} s left'}"
    ).rstrip(", ")


def remaining(progress: watch.Progress) -> float | None:
    """Seconds left if the remaining scheduled times cost what the past ones did; None at first."""
    if progress.fraction <= 0:
        return None
    return progress.seconds * (1 - progress.fraction) / progress.fraction


def _bar(bars: Progress, label: str, scenario: Scenario) -> Watch:
    task = bars.add_task(label or scenario.name, total=1.0, text="compiling")

    def update(progress: watch.Progress) -> None:
        bars.update(task, completed=progress.fraction, text=describe(progress))

    return update


def _lines(console: Console, name: str) -> Watch:
    last = time.monotonic()

    def line(progress: watch.Progress) -> None:
        nonlocal last
        if time.monotonic() - last >= _SECONDS_BETWEEN_LINES or progress.fraction == 1:
            last = time.monotonic()
            console.print(f"{name}: {describe(progress)}", highlight=False, soft_wrap=True)

    return line
