"""A network and the few neurons that stand for it.

One idea: what is bounded neuron by neuron can be bounded group by group, if it is known how far
each neuron is from its leader and how much is left out.  With fewer neurons less is lost to sums of
bounds, with wider groups more to their width, so certificates try several casts and take the best.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from gflow.network.folded import folded
from gflow.network.population import Population, population_of
from gflow.network.prelu import Network
from gflow.robustness.norm import Norm

FEW = 40
"""Neurons that an attack can afford."""

# (angle, rest_share) of ever coarser casts.
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
    """The folded network."""
    group: Int[np.ndarray, " h"]
    """The leader of each neuron; -1 for the rest."""
    rest: float
    """Σ m_j over the rest, in units of e^{log_scale}."""
    turning_error: float
    """Upper bound on what turning neurons to their leaders changes of f on the unit ball."""

    @classmethod
    def alone(cls, network: Network | Population) -> "Cast":
        """Every neuron stands for itself."""
        f = population_of(network).distinct
        f = f.take(f.m > 0)
        return cls(f, f, np.arange(len(f.m)), 0.0, 0.0)

    def spread(self, norm: Norm) -> Float[np.ndarray, " q"]:
        """η: the largest ‖u_j - ū‖* in each group, the most a δ of size 1 tells them apart."""
        led = self.group >= 0
        chord = norm.dual.size(self.whole.u[led] - self.leader.u[self.group[led]])
        widest = np.zeros(len(self.leader.m))
        np.maximum.at(widest, self.group[led], chord)
        return widest


def casts_of(f: Population) -> list[Cast]:
    """Casts of ever fewer leaders, `FEW` at most; only the coarsest if all of them have more."""
    alone = Cast.alone(f)
    casts = [alone]
    for angle, rest_share in _COARSER:
        fewer = folded(alone.whole, angle, rest_share)
        cast = Cast(
            alone.whole, fewer.population, fewer.membership, fewer.rest, fewer.turning_error
        )
        if len(cast.leader.m) < len(casts[-1].leader.m):
            casts.append(cast)
    return [cast for cast in casts if len(cast.leader.m) <= FEW] or casts[-1:]
