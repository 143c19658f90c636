"""One step of a flow: diffrax's solver and controller, bound to a field and its samples.

A step is a pure function of a moment, compiled once; the caller decides where it ends.  This is the
only module that imports diffrax.
"""

from dataclasses import dataclass
from typing import Any

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PyTree

from gflow.flow.field import AbstractField, FlowState
from gflow.flow.samples import Samples

SOLVERS: dict[str, diffrax.AbstractAdaptiveSolver] = {
    "tsit5": diffrax.Tsit5(),
    "bosh3": diffrax.Bosh3(),
    "dopri8": diffrax.Dopri8(),
    "heun": diffrax.Heun(),
}
"""Explicit solvers by the names scenario files use; the flows are not stiff."""


@dataclass(frozen=True, kw_only=True)
class Controls:
    """How accurately to integrate."""

    solver: str
    """A name in `SOLVERS`."""
    rtol: float
    """Relative tolerance of one step; 0 in the polar chart, where errors are absolute angles."""
    atol: float
    """Absolute tolerance of one step."""
    min_step: float
    """Smallest step in flow time, accepted whatever its error; 0 for none."""
    max_steps: int
    """Budget of steps, accepted and rejected together."""


class _Projected(diffrax.AbstractAdaptiveSolver, diffrax.AbstractWrappedSolver):
    """Any solver, followed by the projection of directions to the sphere.

    Without it |u| drifts by 0.04 to 0.19 at tolerance 1e-3.  It is sound with solvers that reuse
    their last evaluation because the field normalizes u itself.
    """

    solver: diffrax.AbstractAdaptiveSolver

    @property
    def term_structure(self):  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.solver.term_structure

    @property
    def interpolation_cls(self):  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.solver.interpolation_cls

    def order(self, terms):
        return self.solver.order(terms)

    def error_order(self, terms):
        return self.solver.error_order(terms)

    def init(self, terms, t0, t1, y0, args):
        return self.solver.init(terms, t0, t1, y0, args)

    def func(self, terms, t0, y0, args):
        return self.solver.func(terms, t0, y0, args)

    def step(self, terms, t0, t1, y0, args, solver_state, made_jump):
        y1, error, dense, solver_state, result = self.solver.step(
            terms, t0, t1, y0, args, solver_state, made_jump=made_jump
        )
        return y1.projected(), error, dense, solver_state, result


class Machine(eqx.Module):
    """diffrax's parts, bound to one field and its samples."""

    term: diffrax.ODETerm
    solver: _Projected
    controller: diffrax.PIDController
    samples: Samples


class Moment(eqx.Module):
    """Everything that is carried from one step to the next."""

    t: Float[Array, ""]
    state: FlowState
    solver_state: PyTree
    controller_state: PyTree


class Attempt(eqx.Module):
    """An attempted step."""

    moment: Moment
    """The new moment if the step was accepted, the old one otherwise."""
    next_step: Float[Array, ""]
    accepted: Bool[Array, ""]
    finite: Bool[Array, ""]
    error: Float[Array, ""]
    """Error of the step, in units of the tolerance."""


def machine_of(field: AbstractField, samples: Samples, controls: Controls) -> Machine:
    """Solver and controller of one field."""
    # Tolerances are arrays, so that another tolerance does not compile anew.
    controller = diffrax.PIDController(
        rtol=jnp.asarray(controls.rtol),
        atol=jnp.asarray(controls.atol),
        pcoeff=0.3,
        icoeff=0.4,
        norm=field.error_norm,
        dtmin=jnp.asarray(controls.min_step) if controls.min_step > 0 else None,
    )
    term = diffrax.ODETerm(field)  # pyright: ignore[reportArgumentType]
    return Machine(term, _Projected(SOLVERS[controls.solver]), controller, samples)


@eqx.filter_jit
def begin(
    machine: Machine, t: Float[Array, ""], state: FlowState, first_step: Float[Array, ""] | None
) -> tuple[Moment, Float[Array, ""]]:
    """The first moment at time `t`, and the length of the first step (None: searched)."""
    solver, term, samples = machine.solver, machine.term, machine.samples
    t1, controller_state = _controller_start(machine, t, state, first_step)
    solver_state = solver.init(term, t, t1, state, samples)
    moment = Moment(t, state, solver_state, controller_state)
    # A Python flag among the leaves would compile `attempt` twice, before and after it is one.
    return jax.tree.map(jnp.asarray, moment), jnp.asarray(t1 - t)


@eqx.filter_jit
def attempt(machine: Machine, moment: Moment, end: Float[Array, ""]) -> Attempt:
    """Step from a moment to time `end`, and accept the step if its error allows it."""
    solver, term = machine.solver, machine.term
    state, error, _, solver_state, _ = solver.step(
        term, moment.t, end, moment.state, machine.samples, moment.solver_state, made_jump=False
    )
    order = solver.error_order(term)
    assert order is not None
    accept, _, next_end, _, controller_state, _ = machine.controller.adapt_step_size(
        t0=moment.t,
        t1=end,
        y0=moment.state,
        y1_candidate=state,
        args=machine.samples,
        y_error=error,
        error_order=order,
        controller_state=moment.controller_state,
    )
    finite = _all_finite((state, error))
    accept, next_end = jnp.asarray(accept), jnp.asarray(next_end)
    accepted = accept & finite
    next_moment = Moment(
        jnp.where(accepted, end, moment.t),
        _either(accepted, state, moment.state),
        _either(accepted, solver_state, moment.solver_state),
        # A rejected step still tells the controller something, unless it was not finite.
        _either(finite, controller_state, moment.controller_state),
    )
    next_step = next_end - jnp.where(accept, end, moment.t)
    return Attempt(next_moment, next_step, accepted, finite, 1 / jnp.asarray(controller_state[0]))


def _controller_start(
    machine: Machine, t: Float[Array, ""], state: FlowState, first_step: Float[Array, ""] | None
) -> tuple[Any, PyTree]:
    """Where the first step would end, and the state of the controller."""
    return machine.controller.init(
        terms=machine.term,
        t0=t,
        t1=t,
        y0=state,
        dt0=first_step,
        args=machine.samples,
        func=machine.solver.func,
        error_order=machine.solver.error_order(machine.term),
    )


def _either(condition: Bool[Array, ""], new: PyTree, old: PyTree) -> PyTree:
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b), new, old)


def _all_finite(tree: PyTree) -> Bool[Array, ""]:
    return jnp.stack([jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(tree)]).all()


@eqx.filter_jit
def velocity(machine: Machine, t: Float[Array, ""], state: FlowState) -> FlowState:
    """The velocity of a state."""
    return machine.term.vf(t, state, machine.samples)


def restarted(machine: Machine, moment: Moment, t: Float[Array, ""], state: FlowState) -> Moment:
    """A moment at another state: the controller goes on, the solver begins anew."""
    solver_state = machine.solver.init(machine.term, t, t, state, machine.samples)
    solver_state = jax.tree.map(jnp.asarray, solver_state)
    return Moment(t, state, solver_state, moment.controller_state)


def template(machine: Machine, state: FlowState) -> Moment:
    """A moment of the right structure and shapes; its values mean nothing."""
    t = jnp.zeros((), state.dissipated.dtype)
    _, controller_state = _controller_start(machine, t, state, jnp.ones_like(t))
    solver_state = machine.solver.init(machine.term, t, t, state, machine.samples)
    moment = Moment(t, state, solver_state, controller_state)
    return jax.tree.map(jnp.asarray, moment)
