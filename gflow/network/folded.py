"""Fewer neurons for nearly the same function, with a bound on the change.

Neurons of one sign that point the same way act as one.  Folding them turns some, and the lightest
are left out; sup |f - f_folded| over the unit ball is at most `turning_error + rest` (theory D9).
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int

from gflow.network.geometry import angle_between, largest_singular
from gflow.network.population import Population, population_of
from gflow.network.prelu import Network, lipschitz

# Rounding of a cosine; angles below its square root, 4e-8, count as none.
_COSINE_ROUNDING = 1e-15


@dataclass(frozen=True, eq=False)
class Folded:
    """A smaller population, and what it lost."""

    whole: Population
    """All neurons."""
    population: Population
    """The leaders, in the units (`log_scale`) of the population they come from."""
    membership: Int[np.ndarray, " h"]
    """Index of the leader of each neuron; -1 for the rest."""
    rest: float
    """Total contribution of the neurons left out, in units of e^{log_scale}."""

    @cached_property
    def turning_error(self) -> float:
        """`turning_bound` of neurons to their leaders, in units of e^{log_scale}."""
        grouped = self.membership >= 0
        members, leader = self.whole.take(grouped), self.population.u[self.membership[grouped]]
        return turning_bound(members.p, members.m, members.u, leader)

    @property
    def error(self) -> float:
        """Upper bound on sup |f - f_folded| over the unit ball, in units of e^{log_scale}."""
        return self.turning_error + self.rest


def folded(network: Network | Population, angle: float, rest_share: float) -> Folded:
    """Fold neurons of one sign and direction, and leave out the lightest.

    The lightest neurons, together at most `rest_share` of Σ_j m_j, become the rest.  Of the others
    the heaviest is a leader; every neuron of its sign within `angle` joins it; the heaviest left
    is the next leader.  A group becomes one neuron with the summed contribution and the
    direction of Σ_j m_j u_j.  The change of f is bounded by `turning_bound` and the rest,

        sup_{‖x‖<=1} |f(x) - f_folded(x)| <= turning_error + rest .

    **Arguments:**

    - `network`: any network; -inf or huge negative log-contributions are welcome.
    - `angle`: radians, >= 0; angles below 4e-8 count as none.
    - `rest_share`: in [0, 1], dimensionless.

    **Returns:** a `Folded`, heaviest leader first.  A network that is zero gives no neuron.  One
    population folds once for each angle and share.

    **Source:** theory D9.
    """
    population = population_of(network)
    folds = population.folds
    if (angle, rest_share) not in folds:
        folds[angle, rest_share] = _folded(population, angle, rest_share)
    return folds[angle, rest_share]


def _folded(population: Population, angle: float, rest_share: float) -> Folded:
    heavy = _heavy(population.m, rest_share)
    membership = np.full(len(population.m), -1)
    membership[heavy] = _led(population.take(heavy), min(angle, np.pi))
    grouped = membership >= 0
    leaders = _leaders(population.take(grouped), membership[grouped])
    return Folded(population, leaders, membership, float(population.m[~grouped].sum()))


def turning_bound(
    p: float,
    m: Float[np.ndarray, " q"],
    u: Float[np.ndarray, "q D"],
    v: Float[np.ndarray, "q D"],
) -> float:
    """Upper bound on sup_{‖x‖<=1} Σ_j m_j |σ(<u_j, x>)^p - σ(<v_j, x>)^p| for unit u_j, v_j.

    The smaller of L_p Σ_j m_j th_j, th_j the angle from u_j to v_j, which is sharp when all turn
    alike (theory D9), and p √(Σ_j m_j) s with s the largest singular value of the rows
    √m_j (u_j - v_j), which is sharper when they turn every which way: |σ(a)^p - σ(b)^p| <=
    p |a - b| for a, b <= 1, then Cauchy-Schwarz.
    """
    alike = lipschitz(p) * float(m @ angle_between(u, v))
    rows = np.sqrt(m)[:, None] * (u - v)
    return min(alike, p * float(np.sqrt(m.sum())) * largest_singular(rows))


def _heavy(m: Float[np.ndarray, " h"], rest_share: float) -> Bool[np.ndarray, " h"]:
    """All but the lightest neurons, which together hold at most `rest_share` of the mass.

    Neurons of contribution 0 are always among the lightest.
    """
    order = np.argsort(m, kind="stable")
    light = np.cumsum(m[order]) <= rest_share * m.sum()
    heavy = np.ones(len(m), bool)
    heavy[order[light]] = False
    return heavy


def _led(population: Population, angle: float) -> Int[np.ndarray, " h"]:
    """Leader of each neuron, in order of contribution, each neuron within `angle` of it."""
    # Whom neuron j may lead: of its own sign, within the angle.
    cosine = population.u @ population.u.T
    near = (cosine >= np.cos(angle) - _COSINE_ROUNDING) & np.equal.outer(population.s, population.s)

    # The heaviest neuron without a leader becomes one, and takes all near ones that have none.
    group = np.full(len(population.m), -1)
    leaders = 0
    for j in np.argsort(-population.m, kind="stable"):
        if group[j] < 0:
            group[near[j] & (group < 0)] = leaders
            group[j] = leaders
            leaders += 1
    return group


def _leaders(population: Population, group: Int[np.ndarray, " h"]) -> Population:
    """One neuron per group: summed contribution, direction of Σ m_j u_j."""
    if not len(group):
        return population
    order = np.argsort(group, kind="stable")
    first = np.flatnonzero(np.diff(group[order], prepend=-1))
    m, u = population.m[order], population.u[order]
    mass, total = (np.add.reduceat(part, first, axis=0) for part in (m, m[:, None] * u))
    length = np.linalg.norm(total, axis=1, keepdims=True)

    # Where the sum vanishes any direction of the group will do; its first neuron's is at hand.
    u = np.divide(total, length, out=u[first], where=length > 0)
    return replace(population, u=u, m=mass, s=population.s[order[first]])
