"""A network on the host, in float64 and without compiling anything.

Masses are relative to e^{log_scale}, so a network at initialization scale 1e-300 is as good as any
other.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, Int

from gflow.data.checks import check_not_negative, check_numbers, check_signs
from gflow.errors import DataError
from gflow.network.prelu import Network, host_power

if TYPE_CHECKING:
    from gflow.network.folded import Folded


@dataclass(frozen=True, eq=False)
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

    def __post_init__(self):
        check_numbers(u=self.u, log_scale=self.log_scale)
        check_not_negative(m=self.m)
        check_signs(s=self.s)
        if not 1 <= self.p < np.inf:
            raise DataError(f"`p` must be finite and at least 1, but is {self.p:g}; 1 is ReLU.")

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

    @cached_property
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

    @cached_property
    def folds(self) -> "dict[tuple[float, float], Folded]":
        """What `gflow.network.folded.folded` has computed of it, by angle and share."""
        return {}

    def take(self, index: Bool[np.ndarray, " h"] | Int[np.ndarray, " q"]) -> "Population":
        """The neurons that `index` (positions or a mask) selects."""
        return replace(self, u=self.u[index], m=self.m[index], s=self.s[index])

    @property
    def certifiable(self) -> bool:
        """As of a `Network`."""
        return True

    @property
    def network(self) -> Network:
        """The same function as a `Network`, in double precision wherever it is asked for."""
        with np.errstate(divide="ignore"):
            log_mass = np.log(self.m) + self.log_scale
        with jax.enable_x64(True):
            return Network(jnp.asarray(self.u), jnp.asarray(log_mass), jnp.asarray(self.s), self.p)


def population_of(network: Network | Population) -> Population:
    """The population of a network; a population as it is."""
    return network if isinstance(network, Population) else Population.of(network)
