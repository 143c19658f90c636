"""Populations of neurons, in the charts a flow can be integrated in.

One idea: at balanced initialization, |v_j| = ‖w_j‖, a neuron *is* a direction, a log-norm and a
sign.  In that polar chart nothing depends on how small the initialization is.  The Cartesian chart
holds any initialization, and underflows below about 1e-150.

What a neuron contributes is |v_j| ‖w_j‖^q with its degree q: 1 where the activation divides by
‖w_j‖^{p-1}, p where it does not (theory D1).  Only the Cartesian chart knows another than 1.
"""

import abc
from collections.abc import Callable
from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from gflow.network.prelu import Network


class AbstractWeights(eqx.Module):
    """Whatever a gradient flow moves: float arrays, and how they stay in their chart (abstract)."""

    chart: eqx.AbstractClassVar[str]
    """Name of the chart they live in."""

    @property
    @abc.abstractmethod
    def width(self) -> int:
        """Number of neurons that one evaluation of the velocity is for."""

    @property
    @abc.abstractmethod
    def dtype(self) -> jnp.dtype:
        """Precision of the state."""

    @abc.abstractmethod
    def projected(self) -> "AbstractWeights":
        """The same weights with rounding and truncation drift off their chart removed."""


class AbstractFirstLayer(AbstractWeights):
    """Weights of which h neurons read the inputs: what is recorded of neurons (abstract)."""

    direction: eqx.AbstractVar[Float[Array, "h D"]]
    log_norm: eqx.AbstractVar[Float[Array, " h"]]
    log_output: eqx.AbstractVar[Float[Array, " h"]]
    sign: eqx.AbstractVar[Float[Array, " h"]]
    degree: eqx.AbstractVar[float]

    @abc.abstractmethod
    def network(self, p: float) -> Callable:
        """Their outputs with power `p`, a function of inputs (n, D)."""

    @abc.abstractmethod
    def function(self, p: float) -> Callable:
        """The classifier they are with power `p`, a function of inputs (n, D)."""

    @property
    def width(self) -> int:
        """h."""
        return self.log_norm.shape[0]

    @property
    def dtype(self) -> jnp.dtype:
        """Precision of the state."""
        return self.log_norm.dtype


class AbstractNeurons(AbstractFirstLayer):
    """h neurons (w_j, v_j) of one output in some chart (abstract)."""

    @abc.abstractmethod
    def projected(self) -> "AbstractNeurons":
        """The same population with rounding and truncation drift off its chart removed."""

    @property
    def log_mass(self) -> Float[Array, " h"]:
        """log m_j, m_j = |v_j| ‖w_j‖^q with the degree q."""
        return self.degree * self.log_norm + self.log_output

    def network(self, p: float) -> Network:
        """The function these neurons compute with power `p`."""
        return Network(self.direction, self.log_mass, self.sign, p)

    def function(self, p: float) -> Network:
        return self.network(p)


class PolarNeurons(AbstractNeurons):
    """A balanced population, |v_j| = ‖w_j‖, as directions and log-norms (final)."""

    direction: Float[Array, "h D"]
    """Unit vectors u_j = w_j/‖w_j‖."""
    log_norm: Float[Array, " h"]
    """r_j = log ‖w_j‖; starts near log ε, so no float underflows."""
    sign: Float[Array, " h"]
    """+1 or -1: sign of v_j, constant along the flow."""
    chart: ClassVar[str] = "polar"

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
    def degree(self) -> float:
        """1: the activation is normalized."""
        return 1.0

    def projected(self) -> "PolarNeurons":
        norm = jnp.linalg.norm(self.direction, axis=1, keepdims=True)
        return PolarNeurons(self.direction / norm, self.log_norm, self.sign)


class CartesianNeurons(AbstractNeurons):
    """Any population, as plain weights (final)."""

    w: Float[Array, "h D"]
    """Hidden weights w_j, one per row."""
    v: Float[Array, " h"]
    """Output weights v_j; their sign may change along the flow."""
    degree: float = eqx.field(static=True)
    """Degree q of a neuron's output in ‖w_j‖; 1 for the normalized activation."""
    chart: ClassVar[str] = "cartesian"

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
        """+1 or -1: sign of v_j now."""
        return jnp.where(self.v < 0, -1.0, 1.0).astype(self.v.dtype)

    def projected(self) -> "CartesianNeurons":
        return self
