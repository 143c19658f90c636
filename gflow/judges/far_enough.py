"""Whether a flow got far enough for a statement: facts of the record, never the sign of a margin.

Each function returns a hypothesis that is met or undecided, since a longer flow may decide it, and
its cure names an end time that would do where a law gives one (theory D7, D8).
"""

import math

import numpy as np
from jaxtyping import Float

from gflow.flow.trajectory import Reason
from gflow.judges.evidence import Evidence
from gflow.laws.hypothesis import Hypothesis, number
from gflow.laws.reduced import capture_time, growth_rate
from gflow.laws.timescales import SOLVED, alignment_end, potential_of_log
from gflow.measure.phases import ESCAPE_LEVEL

LEFT = 0.9
"""Share of L(0) at which the loss has left its start; e^{-1/2} = 0.61 once all have escaped."""

FURTHER = 10.0
"""A FAILS must outlast this many times the time."""

LATE_START = 10.0
"""Times of fitting after which outputs have had time to become alike."""

SPARE = 1.1
"""Factor on an end time by laws, for what they leave out: the tails of alignment."""


def the_end(evidence: Evidence) -> tuple[Hypothesis, ...]:
    """What a statement about where a flow ends asks for: an end, escape of all, a lower loss."""
    return (complete(evidence), escaped(evidence, every=True), left_start(evidence))


def complete(evidence: Evidence) -> Hypothesis:
    """That the flow ended where its scenario says, and not for lack of steps or numbers."""
    outcome = evidence.outcome
    stop = f"the flow stopped at t = {number(outcome.t)} of {number(outcome.end_time)}"
    return Hypothesis(
        "a flow that reaches its end",
        f"{stop} (`{outcome.reason.name}`)",
        True if outcome.complete else None,
        "the line about how it ended says what helps",
    )


def escaped(evidence: Evidence, *, every: bool = False) -> Hypothesis:
    """That an output |f(μ_k)| has reached 1/2, or that all of them have (theory D7)."""
    who = "every output" if every else "an output"
    text = f"{who} to escape (|f(μ_k)| >= {ESCAPE_LEVEL:g})"
    if not evidence.has("centers"):
        cure = 'add "centers" to `record.groups`'
        return Hypothesis(text, "whether outputs escaped was not recorded", None, cure)
    reached = evidence.largest_outputs[evidence.pi > 0]
    value = float(reached.min() if every else reached.max())
    if value >= ESCAPE_LEVEL:
        return Hypothesis(text, f"|f(μ_k)| = {number(value)}", True)
    extreme, before = ("smallest", "every output") if every else ("largest", "any output")
    measured = f"the flow ended before {before} escaped, {extreme} |f(μ_k)| = {number(value)}"
    return Hypothesis(text, measured, None, longer(evidence, escape_end(evidence, every=every)))


def left_start(evidence: Evidence) -> Hypothesis:
    """That the loss has fallen to 90 % of L(0) or less."""
    loss = evidence.record["loss"].values
    share = float(loss[-1] / loss[0])
    measured = f"the loss is still {number(share)} of what it was at the start"
    met = True if share <= LEFT else None
    cure = "" if met else longer(evidence, escape_end(evidence, every=True))
    return Hypothesis(f"a loss of at most {LEFT:g} L(0)", measured, met, cure)


def late(evidence: Evidence, times: float = LATE_START) -> Hypothesis:
    """That t is at least `times` the time of fitting, so that outputs could become alike."""
    fitted, t = evidence.phases.fitted if evidence.phases else math.nan, float(evidence.times[-1])
    text = f"t of at least {times:g} times the time of fitting"
    if math.isnan(fitted):
        end = escape_end(evidence, every=True)
        measured = "the flow ended before every sample was fitted"
        return Hypothesis(text, measured, None, longer(evidence, end and times * end))
    met = True if t >= times * fitted else None
    measured = f"the flow ended at t = {number(t)}, and every sample was fitted at {number(fitted)}"
    return Hypothesis(text, measured, met, "" if met else longer(evidence, times * fitted))


def settled(
    evidence: Evidence, values: Float[np.ndarray, " T"], bar: float, name: str
) -> Hypothesis:
    """That a value stays on its side of a bar for ten times the time, at its present pace.

    Its change over the last doubling of time is continued in log t: after the early phases
    everything moves like a power of t or slower.

    **Arguments:**

    - `values`: at the recorded times.
    - `bar`: the criterion.
    - `name`: what it is, as it stands in a sentence.
    """
    text = f"{name} that would not cross {bar:g} within {FURTHER:g} times the time"
    t, last = float(evidence.times[-1]), float(values[-1])
    half = float(np.interp(t / 2, evidence.times, values))
    # Continued at the pace of the last doubling, log2(10) = 3.3 times.
    ahead = last + (last - half) * math.log2(FURTHER)
    met = True if (ahead > bar) == (last > bar) and math.isfinite(ahead) else None
    measured = f"{name} is still on its way ({number(half)} at t/2, {number(last)} at the end)"
    return Hypothesis(text, measured, met, "" if met else longer(evidence, FURTHER * t))


def at_rest(
    evidence: Evidence,
    angle: Float[np.ndarray, " T"],
    at: int,
    *,
    allowed: float,
    resolved: float = 0.0,
) -> Hypothesis:
    """That an angle has a plateau: since half the time it changed by at most a share `allowed`.

    The time is at least that in which neurons align from a random start, by theory D3 and D5.

    **Arguments:**

    - `angle`: at the recorded times, such as the mass-weighted one to the target.
    - `at`: the recorded time at which it is read.
    - `allowed`: relative change that still counts as rest.
    - `resolved`: change that counts as rest however small the angle, in radians.
    """
    t, last = float(evidence.times[at]), float(angle[at])
    half = float(np.interp(t / 2, evidence.times[: at + 1], angle[: at + 1]))
    # For p > 2 a random start is slow: that is no rest before the time in which neurons align.
    aligned = aligned_end(evidence) or 0.0
    slow = abs(half - last) <= max(allowed * abs(last), resolved)
    met = True if slow and t >= aligned else None
    what = "the angle went" if met else "directions still turn,"
    measured = f"{what} from {number(half)} at t/2 to {number(last)} at the end"
    if at < len(evidence.times) - 1:
        measured += " of the quiet growth"
        cure = "give a smaller `network.init_scale`"
    else:
        cure = longer(evidence, max(2 * t, SPARE * (aligned + _waking_time(evidence))))
    return Hypothesis("directions at rest", measured, met, "" if met else cure)


def escape_end(evidence: Evidence, *, every: bool = False) -> float | None:
    """An end time by which outputs escape: t_a + (ψ(1/2) - ψ(z_a))/(2π m^{1-p/2}), with a margin.

    t_a is where alignment ends from a random start, or the last time if that is later, and z_a the
    mass on its way to a subclass at the last time, or the class's share of it for p < 2.

    **Arguments:**

    - `every`: whether all subclasses that neurons are on their way to must have escaped.

    **Returns:** None where no law says: losses without a closed form, networks without
    normalization, centers that are not orthonormal, or nothing recorded of neurons.

    **Source:** theory D7, D8.
    """
    aligned, centers, p = aligned_end(evidence), evidence.centers, evidence.p
    loss = evidence.scenario.flow.loss
    if aligned is None or loss not in SOLVED:
        return None
    t_a = max(float(evidence.times[-1]), aligned)
    sign, log_mass = evidence.record["sign"].values[-1], evidence.log_mass[-1]
    ends = []
    for k, (label, pi) in enumerate(zip(centers.label, evidence.pi, strict=True)):
        m = _together(evidence, int(label))
        going = (sign == label) if p < 2 else (sign == label) & (evidence.target == k)
        if not (pi > 0 and going.any()):
            continue
        # The mass M at the average of m centers has the output M m^{-p/2} at each.
        log_z = float(np.logaddexp.reduce(log_mass[going])) - p / 2 * math.log(m)
        rise = potential_of_log(math.log(ESCAPE_LEVEL), loss) - potential_of_log(log_z, loss)
        ends.append(t_a + max(float(rise), 0.0) / (2 * float(pi) * growth_rate(p, m)))
    if not ends:
        return None
    return SPARE * (max(ends) if every else min(ends))


def aligned_end(evidence: Evidence) -> float | None:
    """An estimate of the time at which neurons from a random start have aligned (theory D3, D5).

    None for centers that are not orthonormal, networks without normalization, or without a record.
    """
    centers = evidence.centers
    recorded = evidence.has("neurons") and evidence.has("centers")
    if not (centers.orthonormal and recorded and evidence.degree == 1):
        return None
    fewest = min(size for size in (centers.K1, centers.K2) if size)
    rate = evidence.p * evidence.loss.kappa * float(evidence.pi.mean())
    return alignment_end(centers.D, fewest, evidence.p, rate)


def _waking_time(evidence: Evidence) -> float:
    """About how long noise takes to wake the last own coordinate of a ReLU neuron (theory D4)."""
    if evidence.p != 1 or not evidence.alpha:
        return 0.0
    D = evidence.centers.D
    asleep = np.array([1 / math.sqrt(D)])
    rate = evidence.loss.kappa * float(evidence.pi.mean())
    return float(capture_time(asleep, evidence.alpha, D, 1)[0]) / rate


def _together(evidence: Evidence, label: int) -> int:
    """Subclasses that grow as one with those of a class: all of it for p < 2."""
    if evidence.p >= 2:
        return 1
    return evidence.centers.K1 if label > 0 else evidence.centers.K2


def longer(evidence: Evidence, end: float | None) -> str:
    """How to have the flow go on, by what ended it."""
    reason = evidence.outcome.reason
    if reason is Reason.END_LOSS:
        return "give a smaller `flow.end_loss`"
    if reason is Reason.END_MARGIN:
        return "give a larger `flow.end_margin`"
    key = "flow.end_time"
    if evidence.scenario.train.epochs is not None:
        return f"give more `train.epochs` and a later `{key}`"
    return f"give `{key}` at least about {_rounded_up(end)}" if end else f"give a later `{key}`"


def _rounded_up(x: float) -> str:
    """The next larger number of two digits."""
    unit = 10.0 ** (math.floor(math.log10(x)) - 1)
    return f"{math.ceil(x / unit) * unit:.6g}"
