"""The times at which a trajectory is looked at."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float


class Schedule(NamedTuple):
    """Flow times that the solver steps onto, increasing; the last one is the end."""

    times: Float[np.ndarray, " T"]

    def after(self, t: float) -> "Schedule":
        """The times later than `t`."""
        return Schedule(self.times[self.times > t * (1 + 1e-9)])
