"""How gradient descent steps."""

from dataclasses import dataclass
from typing import Literal

from gflow.scenario.step_sizes import StepSizes, batches


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How to descend."""

    method: Literal["sgd", "adam"]
    step_size: float
    """η, the largest."""
    batch: int
    """Samples in a batch; 0 for all of them."""
    momentum: float
    """β of SGD, 0 for none."""
    epochs: int | None
    """Passes through the samples after which to end; None for no such end."""
    seed: int
    """Of the batches."""
    time_of_step: float
    """Flow time that a step of the largest size is worth: η, with momentum η/(1-β)."""
    sizes: StepSizes
    """s_k: step k has the size η s_k."""

    def time(self, steps: int) -> float:
        """Flow time that the first steps are worth together."""
        return self.sizes.total(steps) * self.time_of_step

    def batches(self, n: int) -> int:
        """Steps in an epoch of `n` samples."""
        return batches(n, self.batch)
