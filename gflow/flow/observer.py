"""What is observed of a trajectory on its way, when it ends, and who watches it.

Flow and descent measure nothing themselves; they call the functions of an `Observer` at the times
of a schedule and between them.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from jaxtyping import Array, PyTree

from gflow.flow.trajectory import Reason

Probe = Callable[..., PyTree]
"""What to observe of a time and a state, and of outputs f(x_i) where they are known; traced."""

Portrait = Callable[[Any], dict[str, Array]]
"""What to record of all neurons besides, at recorded times only; traced."""

Stop = Callable[[PyTree], Reason | None]
"""Reads an observation and says whether to end, and why."""

Notable = Callable[[PyTree, PyTree], bool]
"""Whether an observation differs so much from the last recorded one that it is recorded, too."""

Watch = Callable[[float, PyTree], None]
"""Called with time and observation at every accepted step, for progress."""


class Observer(NamedTuple):
    """What is observed of a trajectory, and what is made of it at once."""

    probe: Probe
    """What to observe; jitted by the loop, called at every accepted step."""
    portrait: Portrait | None = None
    """What to record besides of all neurons, at recorded times. The `probe` then gives a dictionary
    too, and sees the neurons as they are integrated, folded or not; the portrait always sees every
    original one."""
    stop: Stop = lambda observation: None
    """Whether to end, and why."""
    notable: Notable = lambda before, now: False
    """Whether an unscheduled step is worth recording, beyond the few that always are."""
    watch: Watch = lambda t, observation: None
    """Follows the progress."""
