"""How many neurons a flow is integrated with: all of them, or fewer that are folded.

The loop asks a width for its field and for all original neurons, and whether it can be narrower; it
never knows which neuron stands for which.
"""

from dataclasses import dataclass, replace
from typing import Any

import jax.numpy as jnp
import numpy as np

from gflow.flow.field import FlowState
from gflow.flow.fold import Fold, Passage, fold_further
from gflow.flow.folding import Folding
from gflow.flow.left_out import NOTHING_LEFT_OUT, LeftOut
from gflow.flow.reach import Reach
from gflow.flow.samples import Samples


@dataclass(frozen=True)
class Width:
    """The neurons that are integrated, and how they stand for all of them."""

    field: Any
    """An `AbstractField`, which moves the integrated neurons."""
    fold: Fold | None = None
    """How neurons are folded; None where each is integrated by itself for ever."""
    folding: Folding | None = None
    """Which neuron stands for which; None as for `fold`."""

    @classmethod
    def full(cls, field: Any, weights: Any, samples: Samples, fold: Fold | None) -> "Width":
        """The width that a flow begins with; it is folded later on where that is possible."""
        if fold is None or not field.foldable:
            return cls(field)
        return cls(replace(field, reach=Reach.of(samples)), fold, Folding.none(weights))

    def narrower(self, passage: Passage) -> "tuple[Width, FlowState] | None":
        """The state in fewer neurons; None where that gains nothing."""
        if self.folding is None or self.fold is None:
            return None
        further = fold_further(self.folding, passage, self.field.p, self.fold)
        return None if further is None else (self._folded(further[0]), further[1])

    def whole(self, weights: Any) -> Any:
        """All original weights, from those that are integrated."""
        return weights if self.folding is None else self.folding.unfold(weights)

    def left_out(self, state: FlowState) -> LeftOut:
        """What the width may have changed, at an integrated state."""
        if self.folding is None:
            return NOTHING_LEFT_OUT
        return self.folding.left_out(state, self.field.p)

    def arrays(self) -> dict[str, np.ndarray]:
        """For a checkpoint."""
        return {} if self.folding is None else self.folding.arrays()

    def restored(
        self, arrays: dict[str, np.ndarray], state: FlowState
    ) -> "tuple[Width, FlowState]":
        """The width that `arrays` came from, and a state of its shape, given one of full width."""
        if self.folding is None:
            return self, state
        folding = Folding.from_arrays(arrays)
        if folding.is_none:
            return replace(self, folding=folding), state
        return self._folded(folding), FlowState.begin(folding.padding())

    def _folded(self, folding: Folding) -> "Width":
        """Weigh the error of a step by how many neurons each integrated one stands for."""
        field = replace(self.field, share=jnp.asarray(folding.share))
        return replace(self, field=field, folding=folding)
