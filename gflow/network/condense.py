"""Fewer neurons for nearly the same function, with a bound on the change.

One idea: neurons of one sign that point the same way act as one.  Folding them turns some, and the
lightest are left out; sup |f - f_condensed| over the unit ball is at most `turning_error + rest`
(theory D9).

Everything here runs on the host in float64 and compiles nothing.  Masses are relative to
e^{log_scale}, so a network at initialization scale 1e-300 is as good as any other.
"""

from dataclasses import dataclass, replace

import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, Int

from gflow.errors import DataError
from gflow.network.prelu import Network, host_power, lipschitz

# Rounding of a cosine; angles below its square root, 4e-8, count as none.
_COSINE_ROUNDING = 1e-15


@dataclass(frozen=True)
class Population:
    """A network on the host: f(x) = e^{log_scale} Σ_j s_j m_j σ(<u_j, x>)^p."""

    u: Float[np.ndarray, "h D"]
    """Unit directions u_j; zero where a neuron contributes nothing."""
    m: Float[np.ndarray, " h"]
    """Contributions m_j in units of e^{log_scale}."""
    s: Float[np.ndarray, " h"]
    """Signs, +1 or -1."""
    p: float
    """Power of the activation."""
    log_scale: float
    """log of the unit of `m`; 0 for a network that is zero."""

    @classmethod
    def of(cls, network: Network) -> "Population":
        """The population of a network, its largest contribution scaled to 1.

        **Raises:** `DataError` if a neuron that contributes is not a finite direction.
        """
        u, log_mass, s = (
            np.asarray(a, np.float64) for a in (network.direction, network.log_mass, network.sign)
        )
        if np.isnan(log_mass).any() or not np.isfinite(u[log_mass > -np.inf]).all():
            raise DataError(
                "`network` must be finite, but has a direction or contribution that is not a "
                "number; did its training diverge?"
            )
        largest = log_mass.max(initial=-np.inf)
        log_scale = float(largest) if np.isfinite(largest) else 0.0
        m = np.exp(log_mass - log_scale)
        norm = np.linalg.norm(u, axis=1, keepdims=True)
        alive = (m > 0)[:, None] & (norm > 0)
        unit = np.divide(u, norm, out=np.zeros_like(u), where=alive)
        return cls(unit, m, s, float(network.p), log_scale)

    def __call__(self, x: Float[np.ndarray, "n D"]) -> Float[np.ndarray, " n"]:
        """Output at `x` in units of e^{log_scale}."""
        z = x @ self.u.T
        return (host_power(z, self.p - 1) * z) @ (self.s * self.m)

    def value_and_gradient(
        self, x: Float[np.ndarray, "n D"]
    ) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, "n D"]]:
        """Output at `x` and its gradient in `x`, in units of e^{log_scale}."""
        z = x @ self.u.T
        weighted = host_power(z, self.p - 1) * (self.s * self.m)
        return (weighted * z).sum(axis=1), self.p * (weighted @ self.u)

    def unscaled(self) -> "Population":
        """The same function with contributions in units of 1, where they may underflow."""
        return replace(self, m=self.m * np.exp(self.log_scale), log_scale=0.0)

    @property
    def distinct(self) -> "Population":
        """The same function with neurons of one sign and exactly one direction folded.

        A flow that folds its neurons leaves many of those; none is turned, so nothing is lost.
        """
        places: dict[tuple[float, bytes], int] = {}
        keys = zip(self.s.tolist(), self.u, strict=True)
        group = np.array([places.setdefault((s, u.tobytes()), len(places)) for s, u in keys], int)
        first = np.unique(group, return_index=True)[1]
        m = np.bincount(group, weights=self.m, minlength=len(first))
        return replace(self, u=self.u[first], m=m, s=self.s[first])

    def take(self, index: Bool[np.ndarray, " h"] | Int[np.ndarray, " q"]) -> "Population":
        """The neurons that `index` (positions or a mask) selects."""
        return replace(self, u=self.u[index], m=self.m[index], s=self.s[index])

    @property
    def certifiable(self) -> bool:
        """As of a `Network`."""
        return True

    @property
    def network(self) -> Network:
        """The same function as a `Network`."""
        with np.errstate(divide="ignore"):
            log_mass = np.log(self.m) + self.log_scale
        return Network(jnp.asarray(self.u), jnp.asarray(log_mass), jnp.asarray(self.s), self.p)


def population_of(network: Network | Population) -> Population:
    """The population of a network; a population as it is."""
    return network if isinstance(network, Population) else Population.of(network)


@dataclass(frozen=True)
class Condensed:
    """A smaller population, and what it lost."""

    population: Population
    """The leaders, in the units (`log_scale`) of the population they come from."""
    multiplicity: Int[np.ndarray, " q"]
    """How many neurons each leader stands for."""
    membership: Int[np.ndarray, " h"]
    """Index of the leader of each neuron; -1 for the rest."""
    rest: float
    """Total contribution of the neurons left out, in units of e^{log_scale}."""
    turning_error: float
    """`turning_bound` of neurons to their leaders, in units of e^{log_scale}."""

    @property
    def network(self) -> Network:
        """The leaders as a `Network`."""
        return self.population.network

    @property
    def log_scale(self) -> float:
        """log of the unit of `rest` and `turning_error`: the largest log-contribution."""
        return self.population.log_scale

    @property
    def error(self) -> float:
        """Upper bound on sup |f - f_condensed| over the unit ball, in units of e^{log_scale}."""
        return self.turning_error + self.rest


def condense(
    network: Network | Population, angle: float | Float[np.ndarray, " h"], rest_share: float
) -> Condensed:
    """Fold neurons of one sign and direction, and leave out the lightest.

    The lightest neurons, together at most `rest_share` of Σ_j m_j, become the rest.  Of the others
    the heaviest is a leader; every neuron of its sign within `angle` joins it; the heaviest left
    is the next leader.  A group becomes one neuron with the summed contribution and the
    direction of Σ_j m_j u_j.  The change of f is bounded by `turning_bound` and the rest,

        sup_{‖x‖<=1} |f(x) - f_condensed(x)| <= turning_error + rest .

    **Arguments:**

    - `network`: any network; -inf or huge negative log-contributions are welcome.
    - `angle`: radians, >= 0; angles below 4e-8 count as none. One for all, or for each neuron
        how far it may be from its leader.
    - `rest_share`: in [0, 1], dimensionless.

    **Returns:** a `Condensed`, heaviest leader first.  A network that is zero gives no neuron.

    **Source:** theory D9.
    """
    population = population_of(network)
    membership = groups(population, angle, rest_share)
    grouped = membership >= 0
    members, group = population.take(grouped), membership[grouped]
    leaders = _leaders(members, group)
    return Condensed(
        leaders,
        np.bincount(group, minlength=len(leaders.m)),
        membership,
        float(population.m[~grouped].sum()),
        turning_bound(population.p, members.m, members.u, leaders.u[group]),
    )


def groups(
    population: Population, angle: float | Float[np.ndarray, " h"], rest_share: float
) -> Int[np.ndarray, " h"]:
    """Which leader each neuron belongs to, -1 for the rest; arguments as for `condense`."""
    heavy = _heavy(population.m, rest_share)
    allowed = np.broadcast_to(np.minimum(angle, np.pi), len(population.m))
    membership = np.full(len(population.m), -1)
    membership[heavy] = _led(population.take(heavy), allowed[heavy])
    return membership


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


def largest_singular(rows: Float[np.ndarray, "q D"]) -> float:
    """Largest singular value, 0 without rows."""
    gram = rows @ rows.T if len(rows) < rows.shape[1] else rows.T @ rows
    return float(np.sqrt(max(np.linalg.eigvalsh(gram).max(initial=0), 0)))


def angle_between(
    u: Float[np.ndarray, "*s D"], v: Float[np.ndarray, "*s D"]
) -> Float[np.ndarray, "*s"]:
    """Angle of unit vectors in radians, as 2 asin(‖u - v‖/2): accurate however small."""
    chord = np.linalg.norm(u - v, axis=-1)
    return 2 * np.arcsin(np.minimum(chord / 2, 1))


def _heavy(m: Float[np.ndarray, " h"], rest_share: float) -> Bool[np.ndarray, " h"]:
    """All but the lightest neurons, which together hold at most `rest_share` of the mass.

    Neurons of contribution 0 are always among the lightest.
    """
    order = np.argsort(m, kind="stable")
    light = np.cumsum(m[order]) <= rest_share * m.sum()
    heavy = np.ones(len(m), bool)
    heavy[order[light]] = False
    return heavy


def _led(population: Population, allowed: Float[np.ndarray, " h"]) -> Int[np.ndarray, " h"]:
    """Leader of each neuron, in order of contribution, each neuron within its `allowed` angle."""
    # Whom neuron j may lead: of its own sign, within the other's angle.
    cosine = population.u @ population.u.T
    near = (cosine >= np.cos(allowed) - _COSINE_ROUNDING) & np.equal.outer(
        population.s, population.s
    )

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
    count = group.max(initial=-1) + 1
    select = np.equal.outer(np.arange(count), group).astype(np.float64)
    total = (select * population.m) @ population.u
    length = np.linalg.norm(total, axis=1, keepdims=True)

    # Where the sum vanishes any direction of the group will do; its first neuron's is at hand.
    first = np.argmax(select, axis=1) if count else np.zeros(0, int)
    u = np.divide(total, length, out=population.u[first].copy(), where=length > 0)
    return replace(population, u=u, m=select @ population.m, s=population.s[first])
