"""The progress of a flow, for those who watch it; jax is not imported here."""

from collections.abc import Callable
from typing import NamedTuple


class Progress(NamedTuple):
    """The progress of a flow."""

    t: float
    end_time: float
    fraction: float
    """Share of the scheduled times passed."""
    loss: float
    phase: str
    seconds: float
    """Wall time so far."""


Watch = Callable[[Progress], None]
"""Called after every accepted step, or from time to time by a worker."""

Stage = Callable[[str], object]
"""Called with the name of each stage that begins: judging, drawing, measuring radii."""


def unwatched(progress: Progress) -> None:
    """Do nothing."""


def unstaged(stage: str) -> None:
    """Do nothing when a stage begins."""
