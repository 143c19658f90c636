"""How the outputs at the centers grow once they have escaped, beside the fitting law (theory D8).

A line is the rise of the potential of one output over 2π√m t.  What the law leaves out is read off
the record (neurons off their targets, other subclasses) or follows from the noise (what N samples
leave of a mean force), and is the error of the line.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from gflow.judges.evidence import Evidence
from gflow.laws.spread import Spread, half_moment, mean_force, rise
from gflow.laws.timescales import SOLVED, fit

GROWN = 0.1
"""Output from which a subclass is followed: below it the law says little."""

SATURATED = 0.99
"""Output up to which it is followed under a loss that saturates at 1."""

OUTPUT_ERROR = 10.0
"""Tolerances by which an output may be off while it fits: the errors of some ten steps add up."""

HIDDEN_ENERGY = 10.0
"""Energy that a step may have lost, over what it shows: the step that errs sums it, too, and both
errors may cancel; a quarter of it has been seen."""

DEVIATIONS = 4.0
"""Standard deviations of a mean over the samples of a subclass that its law may be off by."""


class Group(NamedTuple):
    """Subclasses whose output obeys one law: one for p > 2, a whole class at p = 1."""

    name: str
    pi: float
    """Weight of one subclass."""
    members: Bool[np.ndarray, " K"]
    N: float
    """Samples of all members."""
    spread: Spread
    z: Float[np.ndarray, " T"]
    """|f(μ_k)|, its mean over the group."""

    @property
    def m(self) -> int:
        """Subclasses that grow as one."""
        return int(self.members.sum())


def followed(evidence: Evidence) -> list[Group]:
    """The outputs of a run that obey one equation each while it fits."""
    centers, pi, facts = evidence.centers, evidence.pi, evidence.facts
    z = np.abs(evidence.record["center_output"].values).astype(np.float64)
    drawn = np.inf if facts.drawn is None else facts.drawn * pi / pi.sum()
    count, tau = np.broadcast_to(drawn, pi.shape), facts.tau or 0.0
    single = np.eye(centers.K, dtype=bool)
    named = [(f"μ_{k + 1}", row) for k, row in enumerate(single)]
    if evidence.p < 2:
        names = {1: "class +", -1: "class -"}
        named = [(names[s], centers.label == s) for s in centers.signs]
    return [
        Group(
            name,
            pi=float(pi[mine].mean()),
            members=mine,
            N=float(count[mine].sum()),
            spread=Spread(tau * float(mine.sum()) ** 0.5, evidence.p),
            z=z[:, mine].mean(axis=1),
        )
        for name, mine in named
    ]


class Line(NamedTuple):
    """How the potential of an output has risen, and what the law says, at recorded times."""

    at: slice
    """The recorded times, without the first, at which the output was `GROWN`."""
    z: Float[np.ndarray, " q"]
    law: Float[np.ndarray, " q"]
    """2 π √m t, since the output was `GROWN`."""
    rise: Float[np.ndarray, " q"]
    slope: Float[np.ndarray, " q"]
    """dψ/dz."""
    deviation: Float[np.ndarray, " q"]
    """Standard deviation of the force, over its mean, within the group."""
    past_deviation: Float[np.ndarray, " q"]
    """The same of its mean over the time passed."""
    loss_deviation: Float[np.ndarray, " q"]
    """The same of the loss times the time passed."""


def potential_line(evidence: Evidence, group: Group) -> Line | None:
    """The rise of a group's potential; None unless it has grown at three recorded times.

    There is none either if the potential of the loss has no closed form.  Under a loss that
    saturates the output tends to 1 and its potential to infinity, so it is followed up to
    `SATURATED` only.
    """
    loss = evidence.loss
    if loss.name not in SOLVED:
        return None
    mean = mean_force(group.z, loss, group.spread)
    ceiling = SATURATED if loss.saturates else np.inf
    grown = np.flatnonzero((group.z >= GROWN) & (group.z <= ceiling) & (mean.force > 0))
    if len(grown) < 3:
        return None
    # From the first time at which it has grown, as long as it stays in this range.
    first = int(grown[0])
    stop = first + int(np.argmin(np.append(np.diff(grown) == 1, False))) + 1
    at = slice(first + 1, stop)
    z, t = group.z[first:stop], evidence.times[first:stop]
    risen = rise(z, loss, group.spread)
    return Line(
        at,
        z=z[1:],
        law=2 * group.pi * np.sqrt(group.m) * (t - t[0])[1:],
        rise=risen.potential[1:],
        slope=1 / (z[1:] * mean.force[at]),
        deviation=mean.deviation[at],
        past_deviation=risen.deviation[1:],
        loss_deviation=risen.loss_deviation[1:],
    )


class Imperfection(NamedTuple):
    """What keeps a group from growing by the law of aligned neurons, at recorded times."""

    lean: Float[np.ndarray, " T"]
    """Mean squared angle of its neurons to their target, by mass."""
    error: Float[np.ndarray, " T"]
    """Bound on the relative error of its growth, up to higher orders."""


def imperfection(evidence: Evidence, group: Group) -> Imperfection:
    """Error terms of the growth of a group, from the neurons and outputs of the record.

    p max(p-1, 1)/2 times the mean squared angle to the target; the share of the output that
    neurons with other targets have; what samples of the other subclasses add to the force on the
    neurons of the group, π_l ḡ(z_l) E σ(u_l + τξ)^p/(√m π ḡ(z)); and half the variance of the
    outputs within the group.

    **Source:** theory D8.
    """
    p, centers, members = evidence.p, evidence.centers, group.members
    record, tau = evidence.record, evidence.facts.tau or 0.0
    u = record["cosine"].values[..., : centers.K].astype(np.float64)
    y = int(centers.label[members][0])
    sign = record["sign"].values[-1]
    targets = np.flatnonzero(members) if p > 2 else np.array([centers.K + (y < 0)])
    mine = (sign == y) & np.isin(evidence.target, targets)

    # Neurons of the group: their weights, their angles, and what the others add to its output.
    mass = np.exp(evidence.log_mass)
    weight = mass * mine
    weight = weight / np.maximum(weight.sum(axis=1, keepdims=True), np.finfo(float).tiny)
    lean = (weight * 2 * (1 - evidence.target_cosine)).sum(axis=1)
    output = (np.maximum(u[..., members], 0) ** p).mean(axis=-1) * mass
    others = (output * ~mine).sum(axis=1) / group.z

    # Samples of the other subclasses, whose forces may be larger by far.
    z = centers.label * record["center_output"].values.astype(np.float64)
    force = np.abs(mean_force(z, evidence.loss, Spread(tau, p)).force) * evidence.pi
    own = group.pi * np.abs(mean_force(group.z, evidence.loss, group.spread).force)
    ratio = force[:, ~members] / np.maximum(own, np.finfo(float).tiny)[:, None]
    mean_u = (weight[..., None] * u[..., ~members]).sum(axis=1)
    awake = half_moment(mean_u, tau, p)
    across = (ratio * awake).sum(axis=1) / np.sqrt(group.m)

    uneven = z[:, members].var(axis=1) / 2
    most = np.maximum(ratio.max(axis=1, initial=1.0), 1.0)
    return Imperfection(lean, p * max(p - 1, 1) / 2 * lean + others * most + across + uneven)


class Uncertainty(NamedTuple):
    """Relative error of a law."""

    bias: Float[np.ndarray, " q"]
    """Bound on what it leaves out."""
    sampling: Float[np.ndarray, " q"]
    """One standard deviation of a mean over the samples of a subclass."""

    @property
    def bound(self) -> Float[np.ndarray, " q"]:
        """What the law may be off by: the bias and `DEVIATIONS` standard deviations."""
        return self.bias + DEVIATIONS * self.sampling

    @property
    def standard(self) -> Float[np.ndarray, " q"]:
        """What it is off by as a rule: the bias and one standard deviation."""
        return self.bias + self.sampling


class Standing(NamedTuple):
    """How far the growth of a group is from its law, and the errors of that law."""

    miss: Float[np.ndarray, " q"]
    """|rise/law - 1|."""
    growth: Uncertainty
    """Of the growth."""
    loss: Uncertainty
    """Of its loss times the time passed."""
    numerical: Float[np.ndarray, " q"]
    """What the errors of steps change of the growth (`_numerical`)."""


def over_time(
    evidence: Evidence, line: Line, value: Float[np.ndarray, " T"]
) -> Float[np.ndarray, " q"]:
    """Mean of a recorded quantity since the output was `GROWN`, at the times of a line."""
    span = slice(line.at.start - 1, line.at.stop)
    t, v = evidence.times[span], value[span]
    return np.cumsum(np.diff(t) * (v[1:] + v[:-1]) / 2) / (t[1:] - t[0])


def standing(evidence: Evidence, group: Group, line: Line) -> Standing:
    """The growth of a group over its law, and the error of that law.

    The mean force of N samples is uncertain by its deviation over √N, and biased by θ√D times that
    because neurons lean by θ toward the samples they have seen.

    **Source:** theory D8.
    """
    off = imperfection(evidence, group)
    lean = np.sqrt(over_time(evidence, line, off.lean) * evidence.centers.D)
    rest = over_time(evidence, line, off.error)

    def uncertain(deviation: Float[np.ndarray, " q"]) -> Uncertainty:
        sampling = deviation / np.sqrt(group.N)
        return Uncertainty(rest + lean * sampling, sampling)

    return Standing(
        np.abs(line.rise / line.law - 1),
        uncertain(line.past_deviation),
        uncertain(line.loss_deviation),
        numerical=_numerical(evidence, group, line),
    )


def _numerical(evidence: Evidence, group: Group, line: Line) -> Float[np.ndarray, " q"]:
    """Relative error of the growth if the output is as wrong as tolerance and energy leave open.

    The output may be off by `OUTPUT_ERROR` tolerances, absolutely below 1 and relatively beyond.
    Before, it may have been off by so much that its loss was `HIDDEN_ENERGY` times what a step did
    not account for (theory D2d), which has moved ψ ever since.  At p < 2 steps along kinks count
    energy twice; under a loss that does not saturate that goes on for ever and says nothing.
    """
    by_steps = OUTPUT_ERROR * evidence.scenario.flow.tolerance * np.maximum(line.z, 1) * line.slope
    if evidence.p < 2 and not evidence.loss.saturates:
        return by_steps / line.rise
    total = evidence.record["loss"].values + evidence.record["dissipated"].values
    lost = np.abs(np.diff(total[line.at.start - 1 : line.at.stop]))
    force = 1 / (line.z * line.slope)  # that of a subclass on its output, over its weight
    moved = np.cumsum(HIDDEN_ENERGY * lost / (group.m * group.pi * force) * line.slope)
    return np.maximum(moved, by_steps) / line.rise


def held(
    miss: float,
    error: float,
    allowed: float,
    *,
    bound: float | None = None,
    meaningful: float | None = None,
) -> bool | None:
    """Whether a law holds to within `allowed`, where the law itself may be off.

    **Arguments:**

    - `miss`: relative difference between what was measured and the law.
    - `error`: by how much the law is off as a rule.
    - `allowed`: the criterion.
    - `bound`: by how much it is off at most; `error` unless given.
    - `meaningful`: largest `error` at which agreement says something; `allowed` unless given.

    **Returns:** True if the miss is allowed and the error is meaningful; False if the miss exceeds
    `allowed` and `bound` together; else None.
    """
    if miss <= allowed and error <= (allowed if meaningful is None else meaningful):
        return True
    return False if miss > allowed + (error if bound is None else bound) else None


def predicted_outputs(
    evidence: Evidence, times: Float[np.ndarray, " q"]
) -> Float[np.ndarray, "q G"] | None:
    """|f(μ_k)| of every group by the noise-free law, from where it has grown.

    None if an output has not grown, has saturated, or follows no law in closed form.
    """
    if evidence.scenario.flow.loss not in SOLVED:
        return None
    outputs = []
    for group in followed(evidence):
        grown = np.flatnonzero(group.z >= GROWN)
        if not len(grown) or (evidence.loss.saturates and group.z[grown[0]] >= 1):
            return None
        since = np.maximum(times - evidence.times[grown[0]], 0)
        z0 = float(group.z[grown[0]])
        outputs.append(fit(z0, since, group.pi, evidence.loss.name, m=group.m))
    return np.stack(outputs, axis=-1)
