"""How many neurons a flow is integrated with: all of them, or fewer that are folded.

The loop asks a width for its field and for all original neurons, and whether it can be narrower; it
never knows which neuron stands for which.
"""

import abc
from dataclasses import dataclass, replace
from typing import Any, cast

import jax.numpy as jnp
import numpy as np

from gflow.flow.field import AbstractField, FlowState
from gflow.flow.fold import Fold, Passage, fold_further
from gflow.flow.folding import Folding
from gflow.flow.left_out import NOTHING_LEFT_OUT, LeftOut
from gflow.flow.polar_field import PolarField
from gflow.flow.reach import Reach
from gflow.flow.samples import Samples
from gflow.network.weights import AbstractWeights


class AbstractWidth(abc.ABC):
    """The neurons that are integrated, and how they stand for all of them (abstract)."""

    field: AbstractField
    """Moves the integrated neurons."""

    @abc.abstractmethod
    def narrower(self, passage: Passage) -> "tuple[AbstractWidth, FlowState] | None":
        """The state in fewer neurons; None where that gains nothing."""

    @abc.abstractmethod
    def whole(self, weights: Any) -> Any:
        """All original weights, from those that are integrated."""

    @abc.abstractmethod
    def left_out(self, state: FlowState) -> LeftOut:
        """What the width may have changed, at an integrated state."""

    @abc.abstractmethod
    def arrays(self) -> dict[str, np.ndarray]:
        """For a checkpoint."""

    @abc.abstractmethod
    def restored(
        self, arrays: dict[str, np.ndarray], state: FlowState
    ) -> "tuple[AbstractWidth, FlowState]":
        """The width that `arrays` came from, and a state of its shape, given one of full width."""


@dataclass(frozen=True)
class FullWidth(AbstractWidth):
    """Every neuron by itself (final)."""

    field: AbstractField

    def narrower(self, passage: Passage) -> None:
        return None

    def whole(self, weights: AbstractWeights) -> AbstractWeights:
        return weights

    def left_out(self, state: FlowState) -> LeftOut:
        return NOTHING_LEFT_OUT

    def arrays(self) -> dict[str, np.ndarray]:
        return {}

    def restored(
        self, arrays: dict[str, np.ndarray], state: FlowState
    ) -> tuple[AbstractWidth, FlowState]:
        return self, state


@dataclass(frozen=True)
class FoldedWidth(AbstractWidth):
    """Neurons of one direction integrated as one (final)."""

    field: PolarField
    folding: Folding
    fold: Fold

    def narrower(self, passage: Passage) -> "tuple[FoldedWidth, FlowState] | None":
        further = fold_further(self.folding, passage, self.field.p, self.fold)
        return None if further is None else (self._folded(further[0]), further[1])

    def whole(self, weights: Any) -> Any:
        return self.folding.unfold(weights)

    def left_out(self, state: FlowState) -> LeftOut:
        return self.folding.left_out(state, self.field.p)

    def arrays(self) -> dict[str, np.ndarray]:
        return self.folding.arrays()

    def restored(
        self, arrays: dict[str, np.ndarray], state: FlowState
    ) -> tuple[AbstractWidth, FlowState]:
        folding = Folding.from_arrays(arrays)
        if folding.is_none:
            return replace(self, folding=folding), state
        return self._folded(folding), FlowState.begin(folding.padding())

    def _folded(self, folding: Folding) -> "FoldedWidth":
        """Weigh the error of a step by how many neurons each integrated one stands for."""
        field = replace(self.field, share=jnp.asarray(folding.share))
        return replace(self, field=field, folding=folding)


def width_of(
    field: AbstractField, weights: Any, samples: Samples, fold: Fold | None
) -> AbstractWidth:
    """The width that a flow begins with: full, and folded later on where that is possible."""
    if fold is None or not field.foldable:
        return FullWidth(field)
    polar = replace(cast(PolarField, field), reach=Reach.of(samples))
    return FoldedWidth(polar, Folding.none(weights), fold)
