"""One stretch of time along the surrogate, and what it passes on the way."""

from typing import NamedTuple

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from gflow.flow.field import AbstractNeuronField, FlowState
from gflow.flow.history import History
from gflow.flow.outputs import Outputs
from gflow.flow.samples import Samples
from gflow.flow.subclasses import Subclasses
from gflow.flow.surrogate import Surrogate

MOST_STEPS = 4096
"""Steps of the surrogate within one stretch; it is not complete if it would need more."""


class Tolerance(NamedTuple):
    """Relative and absolute tolerance of a step."""

    rtol: Float[Array, ""]
    atol: Float[Array, ""]


class Estimate(NamedTuple):
    """With what the end of a stretch is compared to estimate its error."""

    predicted: FlowState
    tolerance: Tolerance
    outputs: Outputs
    """There."""

    def of(self, field: AbstractNeuronField, end: FlowState) -> Float[Array, ""]:
        """The size of end - predicted in units of the tolerance."""
        rtol, atol = self.tolerance

        def scaled(p: Array, q: Array) -> Array:
            return (p - q) / (atol + rtol * jnp.maximum(jnp.abs(p), jnp.abs(q)))

        difference = jax.tree.map(scaled, end, self.predicted)
        return field.error_norm(difference, end, self.outputs.gain)


class Stretch(eqx.Module):
    """The surrogate's solution from one time to another (final)."""

    surrogate: Surrogate
    end: FlowState
    """In D dimensions."""
    difference: Float[Array, ""]
    """Of the end from what it was compared with, in units of the tolerance of a step."""
    looks: FlowState
    """At L requested times, in the frame of the surrogate."""
    times: Float[Array, " steps"]
    """Where the steps of the surrogate ended; inf beyond the last."""
    steps: Int[Array, ""]
    complete: Bool[Array, ""]

    @classmethod
    @eqx.filter_jit
    def follow(
        cls,
        field: AbstractNeuronField,
        subclasses: Subclasses,
        history: History,
        state: FlowState,
        *,
        span: Float[Array, "2"],
        looks: Float[Array, " looks"],
        first_step: Float[Array, ""],
        tolerance: Tolerance,
        estimate: Estimate,
    ) -> "Stretch":
        """Follow the surrogate of a field with a given polynomial over a span of time.

        **Arguments:**

        - `looks`: times to look at, in ascending order.
        - `first_step`: of the solver of the surrogate.
        - `tolerance`: of one step of that solver.
        - `estimate`: with what to compare the end.
        """
        surrogate = Surrogate.of(field, subclasses, history, state.weights.projected().vectors)
        controller = diffrax.PIDController(
            rtol=tolerance.rtol,
            atol=tolerance.atol,
            pcoeff=0.3,
            icoeff=0.4,
            norm=field.error_norm,
        )
        solution = diffrax.diffeqsolve(
            diffrax.ODETerm(surrogate),  # pyright: ignore[reportArgumentType]
            diffrax.Tsit5(),
            span[0],
            span[1],
            first_step,
            surrogate.reduced(state),
            saveat=diffrax.SaveAt(
                subs=[
                    diffrax.SubSaveAt(t1=True),
                    diffrax.SubSaveAt(ts=looks),
                    diffrax.SubSaveAt(steps=True, fn=lambda t, y, args: t),
                ]
            ),
            stepsize_controller=controller,
            max_steps=MOST_STEPS,
            throw=False,
        )
        assert solution.ts is not None and solution.ys is not None
        end = surrogate.lifted(jax.tree.map(lambda leaf: leaf[-1], solution.ys[0]))
        return cls(
            surrogate=surrogate,
            end=end,
            difference=estimate.of(field, end),
            looks=solution.ys[1],
            times=solution.ts[2],
            steps=solution.stats["num_steps"],
            complete=solution.result == diffrax.RESULTS.successful,
        )

    @eqx.filter_jit
    def look(self, i: Int[Array, ""]) -> FlowState:
        """The state at one of the requested times, in D dimensions."""
        return self.surrogate.lifted(jax.tree.map(lambda leaf: leaf[i], self.looks))

    @eqx.filter_jit
    def outputs(self, looks: Float[Array, " looks"], samples: Samples) -> Float[Array, "looks n"]:
        """f(x_i) at all requested times, by one pass over the samples."""
        return self.surrogate.outputs(looks, self.looks, samples)
