"""The start of a flow by its expectation, where the network is negligible.

One idea: until the neurons have aligned, which is when a flow is wide, it is K + 1 numbers per
neuron in a field that does not depend on n or D (`blurred`).  Once the neurons that carry the mass
are aligned with what pulls them, or the network is about to be noticeable, they are lifted back and
the exact flow takes over; it finishes the contraction and does everything in which the samples
matter.

There is a start or none: if most of the mass is not aligned by then, a `Refusal` says so.  What a
`Start` leaves out is estimated in its `Deviation`.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PyTree

from gflow.flow.blurred import Frame, Mixture, PopulationField
from gflow.flow.field import FlowState
from gflow.flow.integrate import integrate
from gflow.flow.losses import AbstractLoss
from gflow.flow.observer import Observer, Portrait, Probe
from gflow.flow.samples import Samples
from gflow.flow.sampling import Deviation, sampling_noise
from gflow.flow.schedule import Schedule
from gflow.flow.stepper import Controls
from gflow.flow.trajectory import Outcome, Reason, Trajectory
from gflow.network.neurons import PolarNeurons

ALIGNED = float(np.radians(10.0))
"""Largest angle between a neuron and its pull at which it counts as aligned, radians.

At p = 1, among awake coordinates, and near a center at p > 2 it is the angle to the attractor
itself (theory D4), and 10 degrees count as aligned everywhere here.  From there on a direction only
contracts."""

TIGHT = 1e-3
"""Angle at which neurons of one attractor can be integrated as one, so that going on with the
expectation gains little, radians."""

CARRIED = 0.999
"""Share of the mass, among the growing neurons of each sign, that has to be aligned."""

ENOUGH = 1e-4
"""Σ m_j of a sign at which an aligned start ends, tight or not: at p = 1 angles shrink no faster
than norms grow."""

SOON = 1e-3
"""A tight start ends if Σ m_j is below this share of `ENOUGH`; otherwise it may as well go on, and
light neurons fall behind meanwhile."""

STRAY = 0.5
"""Largest share of the mass that a start may leave unaligned; `Deviation` counts it as wrong."""

QUIET = 1e-3
"""Largest Σ m_j of a sign that counts as no network.  It bounds |f| on the unit sphere, hence the
relative error of every force by the same number; since it grows exponentially, log m_j is then off
by at most that number as well."""


@dataclass(frozen=True)
class Start:
    """A flow up to its switch time, from its expectation."""

    weights: PolarNeurons
    """All neurons in D dimensions at the switch; the exact flow goes on from here."""
    t: float
    """Switch time."""
    trajectory: Trajectory
    """Observations of the caller's probe, state lifted; its last time is the switch."""
    deviation: Deviation
    """What was left out."""


@dataclass(frozen=True)
class Refusal:
    """No population start, and why."""

    reason: str
    """In words, with the cure."""


def population_start(
    neurons: PolarNeurons,
    mixture: Mixture,
    schedule: Schedule,
    *,
    loss: AbstractLoss,
    p: float,
    controls: Controls,
    observer: Observer,
) -> Start | Refusal:
    """Follow the expectation of a flow until the neurons that carry the mass are aligned.

    The switch is read off the state. Once, for each sign, 99.9 % of the mass of the growing neurons
    is within `ALIGNED` of its pull, it is the first accepted step at which Σ m_j has reached
    `ENOUGH`, or at which the angles are within `TIGHT` and Σ m_j will not reach it soon. It is at
    latest where Σ m_j reaches `QUIET`: at p = 1 and little noise some neurons are caught late
    (theory D4), and the exact flow catches them.

    **Arguments:**

    - `neurons`: the start, balanced.
    - `mixture`: of the sample, from `Mixture.of`.
    - `schedule`: recorded times; those after the switch are not reached.
    - `loss`, `p`: of the network.
    - `controls`: as for the exact flow.
    - `observer`: as for `integrate`, of states and neurons lifted to D dimensions; its `stop` is
        not called.

    **Returns:** a `Start`, or a `Refusal` if p < 2 without noise, if more than `STRAY` of the mass
    is not aligned at the switch, if the schedule ends before it, or if the integration fails.

    **Raises:** `KeyboardInterrupt` if stopped by hand: half a start is none.

    **Source:** theory D4.
    """
    if p < 2 and not (mixture.tau > 0).all():
        return Refusal(_NO_NOISE)
    # The flow in K + 1 coordinates per neuron, among K blurred points.
    frame = Frame.of(neurons, mixture.mean)
    points = frame.points(mixture)
    field = PopulationField(loss, float(p), jnp.asarray(mixture.tau))
    K, D = mixture.mean.shape
    outside = max(D - K - 1, 0)
    # The caller observes lifted states; the switch reads what is observed besides.
    lookout = Observer(
        probe=_Lookout(field, points, frame, observer.probe),
        portrait=_Picture(
            field, points, frame, jnp.asarray(mixture.count), outside, portrait=observer.portrait
        ),
        stop=_switch,
        notable=lambda before, now: observer.notable(before["lifted"], now["lifted"]),
        watch=lambda t, now: observer.watch(t, now["lifted"]),
    )
    trajectory = integrate(
        field, frame.reduce(neurons), points, schedule, controls=controls, observer=lookout
    )
    if trajectory.outcome.reason is Reason.INTERRUPTED:
        raise KeyboardInterrupt
    # Where it has ended decides whether it is a start.
    last = jax.tree.map(lambda leaf: leaf[-1], trajectory.observations)
    reason = _refused(last, trajectory.outcome)
    return Refusal(reason) if reason else _start(frame, trajectory, last)


_NO_NOISE = (
    "At p < 2 the population field of a subclass without noise jumps (theory T13), so there is "
    "nothing to gain from it: the sample is its own expectation and has one point per subclass. "
    'Use flow.start = "sample".'
)


class _Lookout(eqx.Module):
    """Observes a reduced state for the switch, and lifts it for the caller's probe (final)."""

    field: PopulationField
    points: Samples
    frame: Frame
    probe: Probe

    def __call__(self, t: Float[Array, ""], state: FlowState) -> dict[str, PyTree]:
        neurons = state.weights
        angle, _ = _turning(self.field, neurons, self.points)
        log_mass = 2 * neurons.log_norm
        return {
            "lifted": self.probe(t, state.at(self.frame.lift(neurons))),
            "loose": _worst(_beyond(ALIGNED), neurons.sign, angle, log_mass),
            "wide": _worst(_beyond(TIGHT), neurons.sign, angle, log_mass),
            "mass": _worst(_mass, neurons.sign, angle, log_mass),
            "growing": jnp.any(angle < np.pi / 2),
        }


class _Picture(eqx.Module):
    """Records every neuron for the deviation, and lifts it for the caller's portrait (final)."""

    field: PopulationField
    points: Samples
    frame: Frame
    count: Float[Array, " K"]
    outside: int = eqx.field(static=True)
    portrait: Portrait | None

    def __call__(self, neurons: PolarNeurons) -> dict[str, PyTree]:
        u, s = neurons.direction, neurons.sign
        angle, speed = _turning(self.field, neurons, self.points)
        return {
            "portrait": {} if self.portrait is None else self.portrait(self.frame.lift(neurons)),
            "noise": sampling_noise(
                self.field, u, s, self.points, count=self.count, outside=self.outside
            ),
            "rate": s * self.field.pull(u, self.points)[1],
            "speed": speed,
            "log_mass": jnp.where(angle <= ALIGNED, 2 * neurons.log_norm, -jnp.inf),
        }


def _turning(
    field: PopulationField, neurons: PolarNeurons, points: Samples
) -> tuple[Float[Array, " h"], Float[Array, " h"]]:
    """Angle between each neuron and its pull, π where nothing pulls, and how fast it turns."""
    u, s = neurons.direction, neurons.sign
    pull = s[:, None] * field.pull(u, points)[0]
    radial = jnp.sum(pull * u, axis=1)
    speed = jnp.linalg.norm(pull - radial[:, None] * u, axis=1)
    dead = (speed == 0) & (radial == 0)
    return jnp.where(dead, np.pi, jnp.arctan2(speed, radial)), speed


def _worst(
    measure: Callable[..., Array],
    sign: Float[Array, " h"],
    angle: Float[Array, " h"],
    log_mass: Float[Array, " h"],
) -> Float[Array, ""]:
    """The larger of a measure of the positive and of the negative neurons."""
    each = [measure(angle, jnp.where(sign == s, log_mass, -jnp.inf)) for s in (1, -1)]
    return jnp.maximum(*each)


def _mass(angle: Float[Array, " h"], log_mass: Float[Array, " h"]) -> Float[Array, ""]:
    return jnp.sum(jnp.exp(log_mass))


def _beyond(limit: float) -> Callable[..., Float[Array, ""]]:
    """Share of the mass of the growing neurons farther than `limit` from its pull; 0 if none."""

    def share(angle: Float[Array, " h"], log_mass: Float[Array, " h"]) -> Float[Array, ""]:
        log_mass = jnp.where(angle < np.pi / 2, log_mass, -jnp.inf)
        top = jnp.max(log_mass)
        mass = jnp.exp(log_mass - jnp.where(jnp.isfinite(top), top, 0))
        total = jnp.sum(mass)
        return jnp.sum(jnp.where(angle > limit, mass, 0)) / jnp.where(total > 0, total, 1)

    return share


def _switch(now: PyTree) -> Reason | None:
    """End the start where it is done, and at latest where the network is noticeable."""
    tight = now["wide"] <= 1 - CARRIED and now["mass"] < SOON * ENOUGH
    done = _aligned(now) and bool(tight or now["mass"] >= ENOUGH)
    return Reason.END_TIME if done or _noticeable(now) else None


def _aligned(now: PyTree) -> bool:
    return bool(now["loose"] <= 1 - CARRIED) and bool(now["growing"])


def _noticeable(now: PyTree) -> bool:
    return bool(now["mass"] >= QUIET)


def _refused(last: PyTree, outcome: Outcome) -> str | None:
    """Why the last state is not where an exact flow could go on; None if it is."""
    if not outcome.complete:
        return f"The population flow did not get to the switch. {outcome.text}"
    if _noticeable(last) and not last["loose"] <= STRAY:
        return (
            f"At t = {outcome.t:.4g} the network reaches Σ m_j = {float(last['mass']):.2g} before "
            f"its neurons are aligned ({float(last['loose']):.1%} of the mass is not), so the part "
            "that would be left out is not negligible. Use a smaller `network.init_scale`, or "
            'flow.start = "sample".'
        )
    if not _noticeable(last) and not _aligned(last):
        return (
            f"The flow ends at t = {outcome.t:.4g} before its neurons are aligned "
            f"({float(last['loose']):.1%} of the mass is not). Use a later `flow.end_time`, or "
            'flow.start = "sample".'
        )
    return None


def _start(frame: Frame, reduced: Trajectory, last: PyTree) -> Start:
    """The start in D dimensions, from the trajectory in K + 1."""
    neurons = frame.lift(reduced.state.weights).projected()
    t, records = reduced.outcome.t, reduced.observations
    # The caller's observations, joined as the loop joins those of probe and portrait.
    observed, portrait = records["lifted"], records["portrait"]
    lifted = replace(
        reduced,
        observations=observed | portrait if portrait else observed,
        state=reduced.state.at(neurons),
        outcome=replace(reduced.outcome, end_time=t),
    )
    return Start(neurons, t, lifted, _deviation(reduced.times, records, last))


def _deviation(times: Float[np.ndarray, " T"], records: PyTree, last: PyTree) -> Deviation:
    """Estimates for the aligned neurons, each weighted by its share of their mass."""
    # Errors of the clock and of the growth rate add up along the way.
    mass = np.exp(last["log_mass"] - last["log_mass"].max())
    share = mass / mass.sum()
    clock = np.trapezoid(records["noise"].clock, times, axis=0)
    growth = np.trapezoid(records["noise"].growth, times, axis=0)
    rate = np.abs(last["rate"])

    def rms(values: Float[np.ndarray, " h"]) -> float:
        return float(np.sqrt(share @ np.where(share > 0, values, 0) ** 2))

    return Deviation(
        turn=rms(np.hypot(last["noise"].turn, last["speed"] * clock)),
        clock=rms(clock),
        growth=rms(last["noise"].growth / np.where(rate > 0, rate, 1)),
        log_mass=rms(2 * (rate * clock + growth)),
        unaligned=float(last["loose"]),
        network=float(last["mass"]),
    )
