"""How gradient descent steps."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How to descend."""

    method: Literal["sgd", "adam"]
    step_size: float
    """η."""
    batch: int
    """Samples in a batch; 0 for all of them."""
    momentum: float
    """β of SGD, 0 for none."""
    epochs: int | None
    """Passes through the samples after which to end; None for no such end."""
    seed: int
    """Of the batches."""
    time_of_step: float
    """Flow time that a step is worth: η, with momentum η/(1-β)."""

    def batches(self, n: int) -> int:
        """Steps in an epoch of `n` samples."""
        return max(n // self.batch, 1) if self.batch else 1
