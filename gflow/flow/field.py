"""The velocity of weights under gradient flow: the state that moves, and what every field is.

One idea: with Z = X Uᵀ everything a neuron of one output feels is one vector,

    G_j = p Σ_i ω_i g_i σ(<u_j, x_i>)^{p-1} x_i ,
    Φ_j = <G_j, u_j>/p = Σ_i ω_i g_i σ(<u_j, x_i>)^p ,

so a velocity is two matrix products in every chart (`gflow.flow.pull`, theory D1); each chart has
its field in a file of its own, and `gflow.flow.charts` lists them.
"""

import abc
from dataclasses import replace
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from gflow.flow.losses import AbstractLoss, AbstractScalarLoss
from gflow.flow.outputs import Outputs
from gflow.flow.pull import pull_on, tangent
from gflow.flow.samples import Samples
from gflow.network.weights import AbstractWeights


class FlowState(eqx.Module):
    """What is integrated: the weights, and the energy they have dissipated."""

    weights: Any
    """An `AbstractWeights`; each field knows which."""
    dissipated: Float[Array, ""]
    """∫₀ᵗ ‖dθ/dt‖² dt; equals L(0) - L(t) along an exact flow (theory D2d)."""
    outputs: Outputs = eqx.field(default_factory=lambda: Outputs.none(float))
    """0 in a state. In a velocity they are those of its state, for a step to read at both its ends;
    0 in a field that knows none."""

    @classmethod
    def begin(cls, weights: AbstractWeights, dissipated: float = 0.0) -> "FlowState":
        """The state at the start of an integration."""
        dtype = weights.dtype
        spent = jax.device_put(np.asarray(dissipated, dtype))
        return cls(weights, spent, Outputs.none(dtype))

    def at(self, weights: AbstractWeights) -> "FlowState":
        """The same state at other weights."""
        return replace(self, weights=weights)

    def projected(self) -> "FlowState":
        """The same state with drift off the chart removed."""
        return self.at(self.weights.projected())


class AbstractField(eqx.Module):
    """dθ/dt = -∇L(θ) in one chart, as a diffrax vector field with the samples as `args`."""

    loss: eqx.AbstractVar[AbstractLoss]
    p: eqx.AbstractVar[float]
    has_surrogate: ClassVar[bool] = False
    """Whether subclasses act on it in closed form (`gflow.flow.surrogate`)."""

    @abc.abstractmethod
    def __call__(self, t: Float[Array, ""], state: FlowState, args: Samples) -> FlowState:
        """Velocity of `state`."""

    @abc.abstractmethod
    def error_norm(
        self, error: FlowState, state: FlowState | None = None, gain: Float[Array, ""] | float = 1.0
    ) -> Float[Array, ""]:
        """The size of an error, unless a chart says otherwise the larger of two.

        By neuron, √(mean_j e_j²) with the error e_j of one neuron: all that counts while the
        network is negligible.  By mass, Σ_j m_j e_j times the gain, once there is a network: the
        output at x changes by at most about ‖x‖^p Σ_j m_j e_j, so this holds the error of outputs
        below the tolerance, absolutely while they are below 1, where forces begin to change, and
        relative to them beyond.  A mean alone would divide the error of a few neurons that are the
        network by √h.  The sum by mass depends only on the function: neurons of one
        direction count as one would.

        **Arguments:**

        - `error`: of every number of a state, in units of its tolerance.
        - `state`: where the error was made; None to count by neuron alone.
        - `gain`: there (`Outputs.gain`); 1 for inputs of length 1 and small outputs.

        **Source:** theory T17.
        """


class AbstractNeuronField(AbstractField):
    """The velocity of neurons of one output, which feel nothing but G_j (abstract)."""

    loss: eqx.AbstractVar[AbstractScalarLoss]
    has_surrogate: ClassVar[bool] = True

    def __call__(self, t: Float[Array, ""], state: FlowState, args: Samples) -> FlowState:
        neurons = state.weights.projected()
        u = neurons.direction
        pull = pull_on(neurons.network(self.p), self.loss, args)
        phi = jnp.sum(pull.vectors * u, axis=1) / self.p
        velocity = self.velocity(neurons, tangent(pull.vectors, u), phi)
        return replace(velocity, outputs=pull.outputs)

    @abc.abstractmethod
    def velocity(
        self, neurons: Any, climb: Float[Array, "h d"], phi: Float[Array, " h"]
    ) -> FlowState:
        """The velocity, whatever gives the part `climb` of G_j orthogonal to u_j, and Φ_j."""


def larger(
    squares: Float[Array, " h"],
    mean: Float[Array, ""],
    log_mass: Float[Array, " h"],
    gain: Float[Array, ""] | float,
) -> Float[Array, ""]:
    """The larger of √`mean` and `gain` Σ_j m_j e_j, from the squares e_j² and their mean."""
    return jnp.maximum(jnp.sqrt(mean), gain * jnp.sum(jnp.exp(log_mass) * jnp.sqrt(squares)))
