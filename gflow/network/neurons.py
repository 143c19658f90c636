"""Populations of neurons with one output, in the charts in which their flow is integrated.

One idea: at balanced initialization, |v_j| = ‖w_j‖, a neuron *is* a direction, a log-norm and a
sign.  In this polar chart nothing depends on how small the initialization is.  The Cartesian chart
represents any initialization, and underflows below about 1e-150.

The mass of a neuron is |v_j| ‖w_j‖^q with its degree q: 1 where the activation divides by
‖w_j‖^{p-1}, p where it does not (theory D1).  Only the Cartesian chart allows degrees other than 1.
"""

import abc
import functools
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from gflow.network.prelu import Network, positive_power
from gflow.network.scaled_outputs import ScaledOutputs
from gflow.network.weights import AbstractFirstLayer, Observables, named_arrays
from gflow.scenario.networks import AbstractNetworkTable


class AbstractNeurons(AbstractFirstLayer):
    """h neurons (w_j, v_j) with one output, in some chart (abstract)."""

    aligns = True
    class_of = None

    @property
    @abc.abstractmethod
    def vectors(self) -> Float[Array, "h D"]:
        """The coordinates that are vectors of the input space, one of each neuron."""

    @abc.abstractmethod
    def with_vectors(self, vectors: Float[Array, "h d"]) -> "AbstractNeurons":
        """The same neurons with other vectors, perhaps in other coordinates."""

    @property
    def log_mass(self) -> Float[Array, " h"]:
        """log m_j, m_j = |v_j| ‖w_j‖^q with the degree q."""
        return _log_mass(self.degree, self.log_norm, self.log_output)

    def network(self, p: float) -> Network:
        """The function that these neurons compute with power `p`."""
        return Network(self.direction, self.log_mass, self.sign, p)

    def function(self, p: float) -> Network:
        return self.network(p)

    def card_rows(self, record: Mapping[str, Any]) -> dict[str, str]:
        return {}

    def observe(self, x: Float[Array, "B b D"], n: int, p: float) -> Observables:
        f = outputs_by_block(self.network(p), x, n)
        size = jnp.sum(jnp.exp(2 * self.log_norm)) + jnp.sum(jnp.exp(2 * self.log_output))
        return Observables(f, None, {"squared_norm": size})


class PolarNeurons(AbstractNeurons):
    """A balanced population, |v_j| = ‖w_j‖, as directions and log-norms (final)."""

    chart = "polar"
    degree = 1.0
    scale = 1.0

    direction: Float[Array, "h D"]
    """Unit vectors u_j = w_j/‖w_j‖."""
    log_norm: Float[Array, " h"]
    """r_j = log ‖w_j‖; initially near log ε, so nothing underflows."""
    sign: Float[Array, " h"]
    """+1 or -1: sign of v_j, constant along the flow."""

    def __init__(
        self,
        direction: Float[Array, "h D"],
        log_norm: Float[Array, " h"],
        sign: Float[Array, " h"],
    ):
        self.direction = direction
        self.log_norm = log_norm
        self.sign = sign

    def __check_init__(self):
        h = self.direction.shape[0]
        if self.log_norm.shape != (h,) or self.sign.shape != (h,):
            raise ValueError(
                f"`log_norm` and `sign` must have one entry per row of `direction` (h = {h}), but "
                f"have shapes {self.log_norm.shape} and {self.sign.shape}."
            )

    @property
    def log_output(self) -> Float[Array, " h"]:
        """log |v_j|, equal to `log_norm` because the population is balanced."""
        return self.log_norm

    @property
    def vectors(self) -> Float[Array, "h D"]:
        return self.direction

    def with_vectors(self, vectors: Float[Array, "h d"]) -> "PolarNeurons":
        return replace(self, direction=vectors)

    def projected(self) -> "PolarNeurons":
        norm = jnp.linalg.norm(self.direction, axis=1, keepdims=True)
        return eqx.tree_at(lambda neurons: neurons.direction, self, self.direction / norm)

    def arrays(self) -> dict[str, np.ndarray]:
        return named_arrays(direction=self.direction, log_norm=self.log_norm, sign=self.sign)

    @classmethod
    def from_arrays(
        cls, arrays: Mapping[str, np.ndarray], table: AbstractNetworkTable
    ) -> "PolarNeurons":
        return cls(*(jax.device_put(arrays[name]) for name in ("direction", "log_norm", "sign")))


class CartesianNeurons(AbstractNeurons):
    """Neurons of any balance, as plain weights (final)."""

    chart = "cartesian"

    w: Float[Array, "h D"]
    """Hidden weights w_j, one per row."""
    v: Float[Array, " h"]
    """Output weights v_j; their sign may change along the flow."""
    degree: float = eqx.field(static=True)
    """Degree q of a neuron's output in ‖w_j‖; 1 for the normalized activation."""

    def __init__(self, w: Float[Array, "h D"], v: Float[Array, " h"], degree: float = 1.0):
        self.w = w
        self.v = v
        self.degree = degree

    def __check_init__(self):
        if self.v.shape != (self.w.shape[0],):
            raise ValueError(
                f"`v` must have one entry per row of `w` (h = {self.w.shape[0]}), but has shape "
                f"{self.v.shape}."
            )

    @property
    def norm(self) -> Float[Array, " h"]:
        """ρ_j = ‖w_j‖."""
        return jnp.linalg.norm(self.w, axis=1)

    @property
    def scale(self) -> Float[Array, ""]:
        """‖w_j‖ of the smallest neuron."""
        return jnp.exp(jnp.min(self.log_norm))

    @property
    def direction(self) -> Float[Array, "h D"]:
        """Unit vectors w_j/‖w_j‖."""
        return self.w / self.norm[:, None]

    @property
    def log_norm(self) -> Float[Array, " h"]:
        """log ‖w_j‖."""
        return jnp.log(self.norm)

    @property
    def log_output(self) -> Float[Array, " h"]:
        """log |v_j|."""
        return jnp.log(jnp.abs(self.v))

    @property
    def sign(self) -> Float[Array, " h"]:
        """+1 or -1: current sign of v_j."""
        return jnp.where(self.v < 0, -1.0, 1.0).astype(self.v.dtype)

    @property
    def vectors(self) -> Float[Array, "h D"]:
        return self.w

    def with_vectors(self, vectors: Float[Array, "h d"]) -> "CartesianNeurons":
        return replace(self, w=vectors)

    def projected(self) -> "CartesianNeurons":
        return self

    def arrays(self) -> dict[str, np.ndarray]:
        return named_arrays(w=self.w, v=self.v)

    @classmethod
    def from_arrays(
        cls, arrays: Mapping[str, np.ndarray], table: AbstractNetworkTable
    ) -> "CartesianNeurons":
        return cls(jax.device_put(arrays["w"]), jax.device_put(arrays["v"]), table.degree)


@functools.partial(jax.jit, static_argnums=0)
def _log_mass(
    degree: float, log_norm: Float[Array, " h"], log_output: Float[Array, " h"]
) -> Float[Array, " h"]:
    return degree * log_norm + log_output


def outputs_by_block(network: Network, x: Float[Array, "B b D"], n: int) -> ScaledOutputs:
    """f(x_i) of the first `n` samples in one pass over the blocks, in the precision of `x`."""
    u, unit = network.direction.astype(x.dtype), network.log_unit
    mass = (network.sign * network.scaled(-unit).mass).astype(x.dtype)

    def block(_, rows: Float[Array, "b D"]):
        z = jnp.matmul(rows, u.T, precision=jax.lax.Precision.HIGHEST)
        return None, positive_power(z, network.p) @ mass

    _, f = jax.lax.scan(block, None, x)
    return ScaledOutputs(f.reshape(-1)[:n].astype(network.direction.dtype), unit)
