"""A network and the few neurons that stand for it.

One idea: what is bounded neuron by neuron can be bounded group by group, if it is known how far
each neuron is from its leader and how much is left out.  Fewer neurons have less to lose, and wider
groups lose it faster, so a certificate is given several casts and keeps the best.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from gflow.network.condense import Population, condense
from gflow.network.prelu import Network
from gflow.robustness.norm import Norm

FEW = 40
"""Neurons that an attack can afford."""

_COARSER = (
    *((angle, 1e-12) for angle in (1e-6, 1e-4, 1e-3, 1e-2, 0.03, 0.1)),
    *((0.1, share) for share in (1e-9, 1e-6, 1e-4, 1e-2)),
)


@dataclass(frozen=True)
class Cast:
    """A network, the few neurons that stand for it, and how far each neuron is from its leader."""

    whole: Population
    """All neurons, without those of no contribution."""
    leader: Population
    """The condensed network."""
    group: Int[np.ndarray, " h"]
    """The leader of each neuron; -1 for the rest."""
    rest: float
    """Σ m_j over the rest, in units of e^{log_scale}."""
    merged: float
    """Upper bound on what turning neurons to their leaders changes of f on the unit ball."""

    @classmethod
    def alone(cls, network: Network | Population) -> "Cast":
        """Every neuron stands for itself."""
        f = network if isinstance(network, Population) else Population.of(network)
        f = f.distinct
        f = f.take(f.m > 0)
        return cls(f, f, np.arange(len(f.m)), 0.0, 0.0)

    def spread(self, norm: Norm) -> Float[np.ndarray, " q"]:
        """η: the largest ‖u_j - ū‖* in each group, which is what a δ of size 1 sees of it."""
        free = self.group >= 0
        chord = norm.dual.size(self.whole.u[free] - self.leader.u[self.group[free]])
        widest = np.zeros(len(self.leader.m))
        np.maximum.at(widest, self.group[free], chord)
        return widest


def casts_of(f: Population) -> list[Cast]:
    """Ever fewer neurons, `FEW` at most, that stand for the network; the coarsest otherwise."""
    alone = Cast.alone(f)
    casts = [alone]
    for angle, rest_share in _COARSER:
        found = condense(alone.whole, angle, rest_share)
        cast = Cast(alone.whole, found.population, found.membership, found.rest, found.merge_error)
        if len(cast.leader.m) < len(casts[-1].leader.m):
            casts.append(cast)
    return [cast for cast in casts if len(cast.leader.m) <= FEW] or casts[-1:]
