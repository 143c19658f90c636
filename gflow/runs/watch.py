"""How far a flow has come, for whoever watches it; jax is not imported here."""

from collections.abc import Callable
from typing import NamedTuple


class Progress(NamedTuple):
    """How far a flow has come."""

    t: float
    end_time: float
    fraction: float
    """Share of the scheduled times passed."""
    loss: float
    phase: str
    seconds: float
    """Wall time so far."""


Watch = Callable[[Progress], None]
"""Called after every accepted step, or now and then by a worker elsewhere."""


def unwatched(progress: Progress) -> None:
    """Nobody watches."""
