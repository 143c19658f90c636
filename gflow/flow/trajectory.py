"""What a flow leaves behind: records, a final state, an outcome.

An integration that stops early is a value, not an exception.  Everything computed until then is
there, and the outcome's text names the common reasons and the cure.
"""

import enum
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar

import jax
import numpy as np
from jaxtyping import Bool, Float, PyTree

from gflow.flow.field import FlowState
from gflow.flow.resumption import Resumption


class Reason(enum.StrEnum):
    """Why a flow ended."""

    END_TIME = "end_time"
    END_LOSS = "end_loss"
    END_MARGIN = "end_margin"
    MAX_STEPS = "max_steps"
    NOT_FINITE = "not_finite"
    DIVERGED = "diverged"
    STALLED = "stalled"
    NO_SURROGATE = "no_surrogate"
    INTERRUPTED = "interrupted"


_LATE = (
    "without normalization a start so small that the network grows at a time of order "
    "init_scale^(1-power), whose digits the steps then fall below (raise `network.init_scale`)"
)

_CURES = {
    Reason.MAX_STEPS: (
        "The step budget `flow.max_steps` was used up. Common reasons: at p < 2 the flow slides "
        "along a ReLU kink (set `flow.min_step`, for example 0.03); a tolerance tighter than the "
        "data's precision allows; a very small `network.init_scale` with a long quiet growth "
        "(raise `flow.max_steps`)."
    ),
    Reason.NOT_FINITE: (
        "The velocity is no longer a number. Common reasons: samples of very different length, "
        "so that the loss overflows (center or scale the data); in the Cartesian chart a neuron "
        'that shrank to zero (use flow.chart = "polar"); in the light-cone chart a neuron with '
        "|v_j| > ‖w_j‖ whose ‖w_j‖ reached zero, where it has no direction and the flow itself "
        f"ends (start with |v_j| <= ‖w_j‖); {_LATE}."
    ),
    Reason.DIVERGED: (
        "A weight is no longer a number. Common reasons: a step too long for the curvature of the "
        "loss (lower `train.step_size`; with momentum 0.9 a step counts ten times); with the "
        "exponential loss a batch that is classified wrong by far, whose force overflows."
    ),
    Reason.STALLED: (
        "The step size fell below the resolution of time. Common reasons: a tolerance below what "
        '`flow.precision` can deliver (use "float64" or a larger `flow.tolerance`); at p < 2 '
        "sliding along a ReLU kink (set `flow.min_step`, for example 0.03); samples so long that "
        "even the shortest steps are wrong by more than a forced step may be, or raise the loss "
        f"(center or scale the data); {_LATE}."
    ),
    Reason.NO_SURROGATE: (
        "The subclasses no longer say what the samples do to the neurons. Common reasons: labels "
        "that are not those of the subclasses; few samples, far from Gaussian (set flow.method = "
        '"direct").'
    ),
    Reason.INTERRUPTED: "Stopped by hand; the same command goes on from here.",
}


@dataclass(frozen=True)
class Outcome:
    """How an integration ended."""

    reason: Reason
    t: float
    """Flow time reached."""
    end_time: float
    """Flow time at which the schedule ends."""
    steps: int
    """Accepted steps."""
    cures: ClassVar[Mapping[Reason, str]] = _CURES
    """Common reasons of an early end and what to do, in the words of whoever asked."""

    @property
    def complete(self) -> bool:
        """Whether the flow ended where the question said it should."""
        return self.reason in (Reason.END_TIME, Reason.END_LOSS, Reason.END_MARGIN)

    @property
    def text(self) -> str:
        """One paragraph for a person: what happened, when, common reasons and cure."""
        if self.complete:
            word = {"end_time": "its end time", "end_loss": "its end loss"}.get(
                self.reason.value, "its end margin"
            )
            return f"Reached {word} at t = {self.t:.6g} after {self.steps} steps."
        return (
            f"Stopped at t = {self.t:.6g} of {self.end_time:.6g} after {self.steps} steps "
            f"(`{self.reason.name}`). {self.cures[self.reason]} The part computed so far was kept."
        )


@dataclass(frozen=True)
class Effort:
    """What an integration cost; that of two parts of it is their sum."""

    steps: int = 0
    """Accepted steps."""
    rejected: int = 0
    """Rejected steps."""
    forced: int = 0
    """Steps accepted above tolerance because they had the minimum length."""
    worst_forced: float = 0.0
    """Largest error of a forced step, in units of the tolerance; 0 without forced steps."""
    evaluations: int = 0
    """Evaluations of the velocity."""
    fine: int = 0
    """Steps of the surrogate between evaluations; 0 where every step evaluates."""
    uphill: int = 0
    """Rejected steps that would have raised the loss."""

    def __str__(self) -> str:
        forced = f", {self.forced} forced (worst {self.worst_forced:.2g} tolerances)"
        uphill = f" ({self.uphill} would have raised the loss)" if self.uphill else ""
        return (
            f"{self.steps} steps, {self.rejected} rejected{uphill}{forced if self.forced else ''}, "
            f"{self.evaluations} evaluations"
            f"{f', {self.fine} steps of the surrogate' if self.fine else ''}"
        )

    def __add__(self, other: "Effort") -> "Effort":
        sums: dict[str, Any] = {
            name: value + getattr(other, name) for name, value in asdict(self).items()
        }
        sums["worst_forced"] = max(self.worst_forced, other.worst_forced)
        return Effort(**sums)


@dataclass(frozen=True)
class Trajectory:
    """A flow at T recorded times."""

    times: Float[np.ndarray, " T"]
    scheduled: Bool[np.ndarray, " T"]
    """Whether a time was scheduled; the others are accepted steps in between."""
    observations: PyTree
    """Observations of probe and portrait, every leaf with a leading axis T."""
    state: FlowState
    """State at the last time."""
    next_step: float
    """Step size the controller would try next; lets a continuation start without a search."""
    outcome: Outcome
    effort: Effort

    @property
    def resumption(self) -> Resumption:
        """Where a continuation begins."""
        return Resumption(self.outcome.t, float(self.state.dissipated), self.next_step)

    def then(self, tail: "Trajectory") -> "Trajectory":
        """This flow and its continuation as one; its last record is the tail's first."""
        join = lambda a, b: np.concatenate([a, b[1:]])  # noqa: E731
        steps = self.outcome.steps + tail.outcome.steps
        return replace(
            tail,
            times=join(self.times, tail.times),
            scheduled=join(self.scheduled, tail.scheduled),
            observations=jax.tree.map(join, self.observations, tail.observations),
            outcome=replace(tail.outcome, steps=steps),
            effort=self.effort + tail.effort,
        )
