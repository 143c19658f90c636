"""One stretch of time along the surrogate, and what it passes on the way."""

from typing import NamedTuple

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree

from gflow.flow.field import AbstractNeuronField, FlowState
from gflow.flow.history import History
from gflow.flow.outputs import Outputs
from gflow.flow.samples import Samples
from gflow.flow.stepper import either
from gflow.flow.subclasses import Subclasses
from gflow.flow.surrogate import Surrogate
from gflow.flow.tolerance import Tolerance
from gflow.network.scaled_outputs import ScaledOutputs

MOST_STEPS = 4096
"""Steps of the surrogate within one stretch; it is not complete if it would need more."""

SAFETY, SHRINK, GROW = 0.9, 0.2, 5.0
"""Factor of the step that promises the tolerance, and the smallest and largest change of it."""


class Estimate(NamedTuple):
    """With what the end of a stretch is compared to estimate its error."""

    predicted: FlowState
    tolerance: Tolerance
    outputs: Outputs
    """There."""

    def of(self, field: AbstractNeuronField, end: FlowState) -> Float[Array, ""]:
        """The size of end - predicted in units of the tolerance."""
        scaled = self.tolerance.scaled(
            jax.tree.map(jnp.subtract, end, self.predicted), end, self.predicted
        )
        return field.error_norm(scaled, end, self.outputs.gain)


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
    """Where the accepted steps of the surrogate ended; inf beyond the last."""
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
        walk = _walk(
            surrogate,
            surrogate.reduced(state),
            span,
            looks,
            first_step=first_step,
            tolerance=tolerance,
        )
        end = surrogate.lifted(walk.state)
        return cls(
            surrogate=surrogate,
            end=end,
            difference=estimate.of(field, end),
            looks=walk.looks,
            times=walk.times,
            steps=walk.steps,
            complete=walk.t >= span[1],
        )

    @eqx.filter_jit
    def look(self, i: Int[Array, ""]) -> FlowState:
        """The state at one of the requested times, in D dimensions."""
        return self.surrogate.lifted(jax.tree.map(lambda leaf: leaf[i], self.looks))

    @eqx.filter_jit
    def outputs(self, looks: Float[Array, " looks"], samples: Samples) -> ScaledOutputs:
        """f(x_i), (looks, n), at all requested times, by one pass over the samples."""
        return self.surrogate.outputs(looks, self.looks, samples)


class _Walk(NamedTuple):
    """A stretch on the way."""

    t: Float[Array, ""]
    state: FlowState
    solver_state: PyTree
    step: Float[Array, ""]
    looks: FlowState
    times: Float[Array, " steps"]
    steps: Int[Array, ""]
    tries: Int[Array, ""]


def _walk(
    surrogate: Surrogate,
    state: FlowState,
    span: Float[Array, "2"],
    looks: Float[Array, " looks"],
    *,
    first_step: Float[Array, ""],
    tolerance: Tolerance,
) -> _Walk:
    """Follow a surrogate by steps of diffrax's solver.

    A loop of our own, since `diffrax.diffeqsolve` checks its arguments by callbacks to the host,
    and a program with callbacks is compiled anew by every process.
    """
    solver, term = diffrax.Tsit5(), diffrax.ODETerm(surrogate)  # pyright: ignore[reportArgumentType]
    last = span[1]

    def go_on(walk: _Walk) -> Bool[Array, ""]:
        return (walk.t < last) & (walk.tries < MOST_STEPS)

    def step(walk: _Walk) -> _Walk:
        end = jnp.minimum(walk.t + walk.step, last)
        after, wrong, dense, solver_state, _ = solver.step(
            term,
            t0=walk.t,
            t1=end,
            y0=walk.state,
            args=None,
            solver_state=walk.solver_state,
            made_jump=False,
        )
        assert wrong is not None
        error = surrogate.field.error_norm(tolerance.scaled(wrong, walk.state, after))
        accepted = error <= 1  # not if it is nan
        factor = jnp.clip(SAFETY * error ** (-1 / 5), SHRINK, jnp.where(accepted, GROW, SAFETY))
        factor = jnp.where(jnp.isnan(error), SHRINK, factor)
        # What lies within an accepted step is looked at.
        inside = accepted & (looks > walk.t) & (looks <= end)
        path = solver.interpolation_cls(t0=walk.t, t1=end, **dense)
        seen = jax.vmap(path.evaluate)(jnp.clip(looks, walk.t, end))
        return _Walk(
            t=jnp.where(accepted, end, walk.t),
            state=either(accepted, after, walk.state),
            solver_state=either(
                accepted, jax.tree.map(jnp.asarray, solver_state), walk.solver_state
            ),
            step=(end - walk.t) * factor,
            looks=jax.vmap(either)(inside, seen, walk.looks),
            times=walk.times.at[walk.steps].set(jnp.where(accepted, end, jnp.inf)),
            steps=walk.steps + accepted.astype(int),
            tries=walk.tries + 1,
        )

    start = _Walk(
        t=span[0],
        state=state,
        solver_state=solver.init(term, span[0], last, state, None),
        step=first_step,
        looks=jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (len(looks), *leaf.shape)), state),
        times=jnp.full(MOST_STEPS, jnp.inf),
        steps=jnp.asarray(0),
        tries=jnp.asarray(0),
    )
    return jax.lax.while_loop(go_on, step, jax.tree.map(jnp.asarray, start))
