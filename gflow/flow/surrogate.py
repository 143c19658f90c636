"""The velocity of neurons among the subclasses of a sample: a closed form and a slow remainder.

To a neuron a Gaussian subclass is one blurred point, whose pull is known without a sample (theory
D4) up to the force with which the subclass pulls now.  What an exact velocity has beyond that is
the sampling error of each subclass: small, and as slow as directions turn and as log t passes, so
that a few exact velocities and a polynomial through them give it at all times in between (theory
D16),

    G_j = p Σ_k c_k M_{p-1}(<u_j, m_k>) m_k + S R_j ,    c_k = ρ_k π_k g(y_k, f̄_k + β_k F) ,
    Φ_j =   Σ_k c_k M_p(<u_j, m_k>)         + S P_j ,    S = Σ_k |c_k| ,

with the remainder ρ, β, R, P, the expected output f̄_k = Σ_j s_j m_j M_p(<u_j, m_k>) of a subclass,
and the size F = Σ_j m_j that outputs can have.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from gflow.flow.closed_form import closed_form
from gflow.flow.field import AbstractNeuronField, FlowState
from gflow.flow.frame import Frame
from gflow.flow.history import History
from gflow.flow.pull import tangent
from gflow.flow.response import Response, expected_output
from gflow.flow.samples import Samples
from gflow.flow.subclasses import Subclasses
from gflow.network.scaled_outputs import ScaledOutputs


class Surrogate(eqx.Module):
    """The velocity of neurons in a frame: closed form and interpolated remainder (final)."""

    field: AbstractNeuronField
    """The exact velocity, for its chart and loss."""
    subclasses: Subclasses
    history: History
    """The remainder, its R_j in the coordinates of the frame."""
    frame: Frame
    mean: Float[Array, "K d"]
    """Means in these coordinates."""

    @classmethod
    def of(
        cls,
        field: AbstractNeuronField,
        subclasses: Subclasses,
        history: History,
        vectors: Float[Array, "h D"],
    ) -> "Surrogate":
        """The surrogate of a field for neurons with these vectors."""
        frame = Frame.of(subclasses.axes, jnp.concatenate([vectors[None], history.remainder.climb]))
        q = frame.own.shape[1]
        mean = jnp.pad(subclasses.mean @ frame.axes.T, ((0, 0), (0, q)))
        climb = jax.vmap(frame.reduce)(history.remainder.climb)
        reduced = eqx.tree_at(lambda h: h.remainder.climb, history, climb)
        return cls(field, subclasses, reduced, frame, mean)

    def reduced(self, state: FlowState) -> FlowState:
        """A state in the coordinates of the frame."""
        weights = state.weights.projected()
        return state.at(weights.with_vectors(self.frame.reduce(weights.vectors)))

    def lifted(self, state: FlowState) -> FlowState:
        """A state of the surrogate in D dimensions."""
        weights = state.weights
        return state.at(weights.with_vectors(self.frame.lift(weights.vectors)).projected())

    def __call__(self, t: Float[Array, ""], state: FlowState, args: None) -> FlowState:
        neurons = state.weights.projected()
        network = neurons.network(self.field.p)
        at, rest = self.history.weights(t), self.history.remainder
        form = closed_form(
            network,
            self.field.loss,
            self.subclasses,
            self.mean,
            force=at @ rest.force,
            offset=at @ rest.offset,
        )
        pull = form.pull + form.size * jnp.einsum("m,mhd->hd", at, rest.climb)
        climb = tangent(pull, network.direction)
        return self.field.velocity(neurons, climb, form.phi + form.size * (at @ rest.phi))

    def outputs(
        self, times: Float[Array, " L"], states: FlowState, samples: Samples
    ) -> ScaledOutputs:
        """f(x_i), (L, n), at L times, from the states then, by one pass over the samples."""

        def response(t: Float[Array, ""], state: FlowState) -> tuple[Response, Array, Array]:
            network = state.weights.projected().network(self.field.p)
            top = network.log_unit
            unit = network.scaled(-top)
            mean, count = expected_output(unit, self.subclasses, self.mean)
            gradient = self.frame.combined(count, unit.direction)
            return Response(mean, gradient, jnp.sum(unit.mass)), top, self.history.weights(t)

        responses, top, at = jax.vmap(response)(times, states)
        rest = responses.mass[:, None] * (at @ self.history.remainder.outputs)
        return ScaledOutputs(responses.on(samples, self.subclasses) + rest, top)
