"""Where an integration begins, at the start of a flow or later on."""

from typing import NamedTuple


class Resumption(NamedTuple):
    """Where an integration begins."""

    t: float = 0.0
    """Flow time."""
    dissipated: float = 0.0
    """Energy dissipated until then."""
    first_step: float | None = None
    """Length of the first step; None to search for one."""
