"""Weights: the state of a gradient flow, and what every kind of weights provides."""

import abc
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PyTree

from gflow.network.read_off import classifier
from gflow.network.scaled_outputs import ScaledOutputs
from gflow.scenario.networks import AbstractNetworkTable


class Observables(NamedTuple):
    """Observations of weights on samples at one time."""

    outputs: ScaledOutputs
    """f(x_i), (n,) or (n, C), in the precision of the state."""
    features: Float[Array, "n h"] | None
    """Outputs of the last hidden layer, in the precision of the samples; None if not observed."""
    numbers: dict[str, Array]
    """Further recorded quantities, by their names in the record."""


class AbstractWeights(eqx.Module):
    """The state of a gradient flow: float arrays in some chart (abstract)."""

    chart: eqx.AbstractClassVar[str]
    """Name of the coordinates, which selects the velocity."""
    scale: eqx.AbstractVar[float | Float[Array, ""]]
    """Smallest length in the chart that an absolute error is to be held against."""

    @property
    @abc.abstractmethod
    def width(self) -> int:
        """Number of neurons that one evaluation of the velocity covers."""

    @property
    @abc.abstractmethod
    def dtype(self) -> jnp.dtype:
        """Precision of the state."""

    @abc.abstractmethod
    def projected(self) -> "AbstractWeights":
        """The same weights, projected back onto their chart after rounding and truncation."""


class AbstractFirstLayer(AbstractWeights):
    """Weights with h neurons in the first layer, which a run records and stores (abstract)."""

    aligns: eqx.AbstractClassVar[bool]
    """Whether the time of alignment is known in advance, so that record times can follow it."""

    direction: eqx.AbstractVar[Float[Array, "h D"]]
    log_norm: eqx.AbstractVar[Float[Array, " h"]]
    log_output: eqx.AbstractVar[Float[Array, " h"]]
    sign: eqx.AbstractVar[Float[Array, " h"]]
    degree: eqx.AbstractVar[float]
    class_of: eqx.AbstractVar[tuple[int, ...] | None]

    @abc.abstractmethod
    def network(self, p: float) -> Callable:
        """The outputs with power `p`, as a function of inputs (n, D)."""

    @abc.abstractmethod
    def function(self, p: float) -> Callable:
        """The classifier with power `p`, as a function of inputs (n, D)."""

    @abc.abstractmethod
    def observe(self, x: Float[Array, "B b D"], n: int, p: float) -> Observables:
        """Observations on the first `n` samples, which come in blocks."""

    @abc.abstractmethod
    def arrays(self) -> dict[str, np.ndarray]:
        """The arrays to store, by name."""

    @abc.abstractmethod
    def card_rows(self, record: Mapping[str, Any]) -> dict[str, str]:
        """Rows of the card of a run that only weights of this kind have."""

    @classmethod
    @abc.abstractmethod
    def from_arrays(
        cls, arrays: Mapping[str, np.ndarray], table: AbstractNetworkTable
    ) -> "AbstractFirstLayer":
        """The weights stored by `arrays`; `table` provides what is not an array."""

    @property
    def width(self) -> int:
        """h."""
        return self.log_norm.shape[0]

    @property
    def dtype(self) -> jnp.dtype:
        """Precision of the state."""
        return self.log_norm.dtype


class Task(NamedTuple):
    """The part of the learning task on which initial weights depend."""

    centers: Float[np.ndarray, "K D"]
    """Subclass centers μ_k."""
    averages: Float[np.ndarray, "2 D"]
    """Class averages μ̄₊ and μ̄₋."""
    outputs: int
    """Number of outputs."""
    class_of: tuple[int, ...] | None
    """Class of each output if outputs are subclasses; None otherwise."""
    seed: int

    @property
    def D(self) -> int:
        """Input dimension."""
        return self.centers.shape[1]


class AbstractHiddenLayers(AbstractFirstLayer):
    """Weights whose hidden features are recorded, with one output or several (abstract)."""

    def function(self, p: float) -> Callable:
        return classifier(self.network(p), self.class_of)

    def card_rows(self, record: Mapping[str, Any]) -> dict[str, str]:
        rank = float(np.asarray(record["stable_rank"])[-1])
        return {"features": f"stable rank {rank:.3g} in the last hidden layer"}

    def observe(self, x: Float[Array, "B b D"], n: int, p: float) -> Observables:
        """Outputs and hidden features in one pass over the blocks, and the size of each layer."""
        network: Any = self.network(p)

        def block(_, rows: Float[Array, "b D"]):
            return None, (network.in_unit(rows), network.features(rows))

        _, (f, z) = jax.lax.scan(block, None, x)
        values = f.values.reshape(-1, *f.values.shape[2:])[:n].astype(self.dtype)
        outputs = ScaledOutputs(values, f.log_unit[0].astype(self.dtype))
        sizes = network.sizes
        numbers = {"squared_norm": jnp.sum(sizes**2), "layer_size": sizes}
        return Observables(outputs, z.reshape(-1, z.shape[-1])[:n], numbers)


def smallest_layer(weights: PyTree) -> Float[Array, ""]:
    """Root mean square of the weights of the smallest layer; 1 where all weights are 0.

    A layer of zeros, such as a bias at the start, says nothing of the scale.
    """
    sizes = jnp.stack([jnp.sqrt(jnp.mean(leaf**2)) for leaf in jax.tree.leaves(weights)])
    least = jnp.min(jnp.where(sizes > 0, sizes, jnp.inf))
    return jnp.where(jnp.isfinite(least), least, 1.0)


def named_arrays(**arrays: object) -> dict[str, np.ndarray]:
    """Arrays as numpy arrays; those that are None are left out."""
    return {name: np.asarray(array) for name, array in arrays.items() if array is not None}


def class_of_in(arrays: Mapping[str, np.ndarray]) -> tuple[int, ...] | None:
    """The class of each output, if it was stored."""
    return tuple(arrays["class_of"].tolist()) if "class_of" in arrays else None
