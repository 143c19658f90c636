"""When a trajectory is looked at, by what, and what is made of it.

One idea: flow and descent measure nothing; they call values of these types at the times of a
schedule and between them.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Array, Float, PyTree

from gflow.flow.field import FlowState
from gflow.flow.trajectory import Reason


class Schedule(NamedTuple):
    """Flow times that the solver steps onto, increasing; the last one is the end."""

    times: Float[np.ndarray, " T"]

    def after(self, t: float) -> "Schedule":
        """The times later than `t`."""
        return Schedule(self.times[self.times > t * (1 + 1e-9)])


Probe = Callable[[Float[Array, ""], FlowState], PyTree]
"""What to observe of a state at a time; traced."""

Portrait = Callable[[Any], dict[str, Array]]
"""What to record of all neurons besides, at recorded times only; traced."""

Stop = Callable[[PyTree], Reason | None]
"""Reads an observation and says whether to end, and why."""

Notable = Callable[[PyTree, PyTree], bool]
"""Whether an observation differs so much from the last recorded one that it is recorded, too."""

Watch = Callable[[float, PyTree], None]
"""Called with time and observation at every accepted step, for progress."""
