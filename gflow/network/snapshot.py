"""A network at one time: the neurons, the function they compute, and the weights they stand for."""

from collections.abc import Callable, Iterator
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float, Real

from gflow.network.weights import AbstractFirstLayer


class Snapshot(eqx.Module):
    """A network at one time; call it with inputs, or unpack it as (network, neurons) (final).

    Functions that `gflow.simulate(observe=…)` records are given one, traced by jax; `run.at(t)`
    returns one of numbers in double precision.  `W` and `v` underflow where the initialization is
    below what a float holds; `u`, `log_norm`, `log_output` and `sign` do not.  Of a network of many
    layers these are the weights of the first.
    """

    neurons: AbstractFirstLayer
    """The neurons in the chart of their flow, from which `gflow.simulate(neurons=…)` can start."""
    p: float = eqx.field(static=True)
    """Power of the activation."""
    t: float | None = eqx.field(static=True, default=None)
    """Recorded flow time; None where a function observes, at whatever time it is."""

    def __call__(self, x: Real[Any, "*n D"]) -> Float[Array, "*outputs"]:
        """f(x), dimensionless."""
        return self.network(x)

    def __iter__(self) -> Iterator[Any]:
        return iter((self.network, self.neurons))

    @property
    def network(self) -> Callable:
        """The function; a `Network` of neurons with one output."""
        with jax.enable_x64(True):
            return self.neurons.function(self.p)

    @property
    def u(self) -> Float[Array | np.ndarray, "h D"]:
        """Unit directions u_j = w_j/‖w_j‖."""
        return _read(lambda: self.neurons.direction)

    @property
    def log_norm(self) -> Float[Array | np.ndarray, " h"]:
        """log ‖w_j‖."""
        return _read(lambda: self.neurons.log_norm)

    @property
    def log_output(self) -> Float[Array | np.ndarray, " h"]:
        """log |v_j|; log ‖v_j‖ of several outputs."""
        return _read(lambda: self.neurons.log_output)

    @property
    def sign(self) -> Float[Array | np.ndarray, " h"]:
        """+1 or -1: sign of v_j."""
        return _read(lambda: self.neurons.sign)

    @property
    def W(self) -> Float[Array | np.ndarray, "h D"]:
        """Hidden weights w_j, one per row."""
        return _read(lambda: jnp.exp(self.neurons.log_norm)[:, None] * self.neurons.direction)

    @property
    def v(self) -> Float[Array | np.ndarray, " h"]:
        """Output weights v_j of one output."""
        return _read(lambda: self.neurons.sign * jnp.exp(self.neurons.log_output))


def _read(compute: Callable[[], Array]) -> Any:
    """An array in double precision: traced if jax traces it, of numpy otherwise."""
    with jax.enable_x64(True):
        value = compute()
    return value if isinstance(value, Tracer) else np.asarray(value)
