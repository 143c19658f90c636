"""What folding and holding neurons may have changed of a network."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class LeftOut:
    """Upper bounds on what folding changed of f on the unit ball, as shares of Σ_j m_j."""

    folded: float
    """What turning neurons into groups changes; it bounds the turning itself, and later differences
    as long as the directions of a group contract alike (theory D11)."""
    held: float
    """Mass that the held neurons could have reached by now, over Σ m_j."""
    neurons: int
    """Number of held neurons."""

    @property
    def total(self) -> float:
        """Both together."""
        return self.folded + self.held

    def plus(self, tail: "LeftOut", growth: float) -> "LeftOut":
        """What a flow and its continuation left out.

        A neuron held before may be off by its whole bound, which goes on growing with it.

        **Arguments:**

        - `tail`: of the continuation.
        - `growth`: at most this much any log m_j grew in it.
        """
        held = self.held * float(np.exp(growth)) + tail.held
        return LeftOut(self.folded + tail.folded, held, max(self.neurons, tail.neurons))

    def __str__(self) -> str:
        return f"folding <= {self.folded:.1e}, {self.neurons} held <= {self.held:.1e} of the mass"


NOTHING_LEFT_OUT = LeftOut(0.0, 0.0, 0)
