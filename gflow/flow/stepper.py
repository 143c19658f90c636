"""One step of a flow: diffrax's solver and controller, bound to a field and its samples.

A step is a pure function of a moment, compiled once; the caller decides where it ends.
"""

from dataclasses import dataclass, replace
from typing import ClassVar

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, PyTree

from gflow.flow.field import AbstractField, FlowState
from gflow.flow.outputs import Outputs
from gflow.flow.samples import Samples
from gflow.flow.tolerance import Tolerance


class _Heun(diffrax.Heun):
    """Heun's method, its last stage being the first of the next step, as in the other solvers."""

    tableau: ClassVar[diffrax.ButcherTableau] = diffrax.ButcherTableau(
        a_lower=(np.array([1.0]), np.array([0.5, 0.5])),
        b_sol=np.array([0.5, 0.5, 0.0]),
        b_error=np.array([0.5, -0.5, 0.0]),
        c=np.array([1.0, 1.0]),
    )


SOLVERS: dict[str, diffrax.AbstractAdaptiveSolver] = {
    "tsit5": diffrax.Tsit5(),
    "bosh3": diffrax.Bosh3(),
    "dopri8": diffrax.Dopri8(),
    "heun": _Heun(),
}
"""Explicit solvers by the names scenario files use; the flows are not stiff.

All of them evaluate the velocity, and with it the loss, at both ends of a step.
"""

PROPORTIONAL, INTEGRAL = 0.3, 0.4
"""Coefficients of PI control (Hairer and Wanner, Solving ODEs II, section IV.2)."""

SAFETY, SHRINK, GROW = 0.9, 0.2, 10.0
"""Factor of the length that promises the tolerance, and the smallest and largest change of it."""


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
    """Steps in flow time up to which more is accepted than the tolerance; 0 for none."""
    max_steps: int
    """Budget of steps, accepted and rejected together."""
    largest_forced: float = float("inf")
    """Error up to which such short steps are accepted, in units of the tolerance."""


class _Projected(diffrax.AbstractAdaptiveSolver, diffrax.AbstractWrappedSolver):
    """Any solver, followed by the projection of directions to the sphere and of outputs to 0.

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
            terms, t0, t1, y0, args, solver_state=solver_state, made_jump=made_jump
        )
        y1 = replace(y1.projected(), outputs=y0.outputs)
        return y1, error, dense, solver_state, result


class Machine(eqx.Module):
    """diffrax's parts, bound to one field and its samples, and what a step must keep to."""

    field: AbstractField
    solver: _Projected
    samples: Samples
    tolerance: Tolerance
    # Arrays, so that others do not compile anew.
    min_step: Float[Array, ""]
    largest_forced: Float[Array, ""]

    @property
    def term(self) -> diffrax.ODETerm:
        return diffrax.ODETerm(self.field)  # pyright: ignore[reportArgumentType]


class Moment(eqx.Module):
    """Everything that is carried from one step to the next."""

    t: Float[Array, ""]
    state: FlowState
    solver_state: PyTree
    error: Float[Array, ""]
    """Error of the step that led here, in units of the tolerance."""


class Attempt(eqx.Module):
    """An attempted step."""

    moment: Moment
    """The new moment if the step was accepted, the old one otherwise."""
    next_step: Float[Array, ""]
    accepted: Bool[Array, ""]
    finite: Bool[Array, ""]
    uphill: Bool[Array, ""]
    """Whether it raised the loss by more than is allowed."""
    error: Float[Array, ""]
    """Error of the step, in units of the tolerance."""


def machine_of(field: AbstractField, samples: Samples, controls: Controls) -> Machine:
    """Solver and limits of one field."""
    return Machine(
        field,
        _Projected(SOLVERS[controls.solver]),
        samples,
        Tolerance(jnp.asarray(controls.rtol), jnp.asarray(controls.atol)),
        min_step=jnp.asarray(controls.min_step),
        largest_forced=jnp.asarray(controls.largest_forced),
    )


@eqx.filter_jit
def begin(
    machine: Machine, t: Float[Array, ""], state: FlowState, first_step: Float[Array, ""] | None
) -> tuple[Moment, Float[Array, ""]]:
    """The first moment at time `t`, and the length of the first step (None: searched)."""
    if first_step is None:
        first_step = _first_step(machine, t, state)
    return _moment_at(machine, t, state), jnp.maximum(first_step, machine.min_step)


def _first_step(machine: Machine, t: Float[Array, ""], state: FlowState) -> Float[Array, ""]:
    rtol, atol = machine.tolerance.rtol, machine.tolerance.atol
    controller = diffrax.PIDController(rtol, atol, norm=machine.field.error_norm)
    end, _ = controller.init(
        machine.term,
        t0=t,
        t1=t,
        y0=state,
        dt0=None,
        args=machine.samples,
        func=machine.solver.func,
        error_order=machine.solver.error_order(machine.term),
    )
    return jnp.asarray(end - t)


@eqx.filter_jit
def attempt(machine: Machine, moment: Moment, end: Float[Array, ""]) -> Attempt:
    """Step from a moment to time `end`, and accept it if its error and the loss allow it.

    A step of at most the smallest length is forced: it may be as wrong as `largest_forced`, and
    raise the loss by what it could have dissipated at the largest speed it has seen, since across a
    kink the slope of the loss on the way is at most that of its stages.  Any other step may raise
    the loss by rounding only.
    """
    solver, term, length = machine.solver, machine.term, end - moment.t
    state, estimate, dense, solver_state, _ = solver.step(
        term,
        t0=moment.t,
        t1=end,
        y0=moment.state,
        args=machine.samples,
        solver_state=moment.solver_state,
        made_jump=False,
    )
    short = length <= machine.min_step * (1 + 1e-9)
    # How wrong the step is, and how much it raised the loss, both ends of which it has seen.
    stages: FlowState = dense["k"]  # times the length of the step
    before, after = (jax.tree.map(lambda k, i=i: k[i] / length, stages.outputs) for i in (0, -1))
    assert estimate is not None
    wrong = machine.tolerance.scaled(estimate, moment.state, state)
    error = machine.field.error_norm(wrong, state, after.gain)
    dissipated = jnp.stack([moment.state.dissipated, state.dissipated])
    by_energy = _energy_error(machine, before, after, dissipated)
    error = jnp.maximum(error, jnp.where(short, 0.0, by_energy))
    finite = _all_finite((state, wrong, error))
    spent = jnp.where(short, jnp.max(stages.dissipated), 0.0)
    uphill = after.loss - before.loss > before.rounding + after.rounding + spent
    right = (error < 1) | (short & (error <= machine.largest_forced))
    accepted = finite & right & ~uphill

    # The next length follows from this error and the one before (PI control), or is half of a step
    # that was right but led uphill.  Only a step as short as the smallest makes way for a shorter.
    order = solver.error_order(term)
    assert order is not None
    factor = SAFETY * error ** (-(INTEGRAL + PROPORTIONAL) / order)
    factor = factor * moment.error ** (PROPORTIONAL / order)
    least, most = jnp.where(accepted, 1.0, SHRINK), jnp.where(accepted, GROW, SAFETY)
    factor = jnp.where(uphill & right, 0.5, jnp.clip(factor, least, most))
    next_step = jnp.maximum(length * factor, jnp.where(short, 0.0, machine.min_step))

    known = jnp.where(error > 0, error, 1.0)
    next_moment = Moment(end, state, solver_state, known)
    return Attempt(
        either(accepted, next_moment, moment),
        next_step,
        accepted=accepted,
        finite=finite,
        uphill=uphill,
        error=error,
    )


def _energy_error(
    machine: Machine, before: Outputs, after: Outputs, dissipated: Float[Array, "2"]
) -> Float[Array, ""]:
    """How wrong outputs are by the energy |ΔL + ∫‖dθ/dt‖² dt| that a step does not account for.

    In units of the tolerance, beyond what rounding may be; 0 for p < 2, where kinks count energy
    twice.

    **Source:** theory T17.
    """
    if machine.field.p < 2:
        return jnp.zeros_like(before.loss)
    defect = jnp.abs(after.loss - before.loss + jnp.diff(dissipated)[0])
    eps = jnp.finfo(dissipated.dtype).eps
    beyond = defect - before.rounding - after.rounding - eps * dissipated[1]
    allowed = machine.tolerance.of_outputs * jnp.maximum(before.doubt, after.doubt)
    return jnp.where(beyond > 0, beyond / jnp.where(allowed > 0, allowed, 1.0), 0.0)


def either(condition: Bool[Array, ""], new: PyTree, old: PyTree) -> PyTree:
    """One tree or the other."""
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b), new, old)


def _all_finite(tree: PyTree) -> Bool[Array, ""]:
    return jnp.stack([jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(tree)]).all()


def template(machine: Machine, state: FlowState) -> Moment:
    """A moment of the right structure and shapes; its values mean nothing."""
    return _moment_at(machine, jnp.zeros((), state.dissipated.dtype), state)


def _moment_at(machine: Machine, t: Float[Array, ""], state: FlowState) -> Moment:
    solver_state = machine.solver.init(machine.term, t, t, state, machine.samples)
    # A Python flag among the leaves would compile `attempt` twice, before and after it is one.
    return jax.tree.map(jnp.asarray, Moment(t, state, solver_state, jnp.ones_like(t)))
