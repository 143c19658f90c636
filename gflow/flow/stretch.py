"""One stretch of time along the surrogate, and what it passes on the way."""

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from gflow.flow.field import AbstractNeuronField, FlowState
from gflow.flow.samples import Samples
from gflow.flow.surrogate import Surrogate

MOST_STEPS = 4096
"""Steps of the surrogate within one stretch; it is not complete if it would need more."""


class Stretch(eqx.Module):
    """The surrogate's solution from one time to another (final)."""

    surrogate: Surrogate
    end: FlowState
    """In D dimensions."""
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
        surrogate: Surrogate,
        state: FlowState,
        span: Float[Array, "2"],
        *,
        first_step: Float[Array, ""],
        controller: diffrax.PIDController,
        looks: Float[Array, " looks"],
    ) -> "Stretch":
        """Follow a surrogate from a state of its frame over a span of time."""
        solution = diffrax.diffeqsolve(
            diffrax.ODETerm(surrogate),  # pyright: ignore[reportArgumentType]
            diffrax.Tsit5(),
            span[0],
            span[1],
            first_step,
            state,
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
        end = jax.tree.map(lambda leaf: leaf[-1], solution.ys[0])
        return cls(
            surrogate=surrogate,
            end=surrogate.lifted(end),
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


def controller_of(field: AbstractNeuronField, rtol: float, atol: float) -> diffrax.PIDController:
    """What chooses the steps of a surrogate."""
    # Tolerances are arrays, so that another tolerance does not compile anew.
    return diffrax.PIDController(
        rtol=jnp.asarray(rtol),
        atol=jnp.asarray(atol),
        pcoeff=0.3,
        icoeff=0.4,
        norm=field.error_norm,
    )
