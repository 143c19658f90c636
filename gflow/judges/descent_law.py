"""Judge of whether descent in steps follows the flow: prediction P26.

Every run that descends is compared with the flow of the same data and initialization, at
t = step size × steps.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from gflow.judges.evidence import Evidence
from gflow.judges.exponents import VANISHING_MASS
from gflow.judges.finding import Opinion, unmet
from gflow.judges.fitting_line import DEVIATIONS, held
from gflow.judges.prediction import MV24, Prediction, Subject
from gflow.judges.series import Comparison, opinion_of, series
from gflow.judges.shared_hypotheses import (
    all_of,
    normalized,
    orthonormal,
    recorded,
    vanishing,
)
from gflow.laws.hypothesis import Hypothesis
from gflow.laws.reduced import growth_rate
from gflow.laws.timescales import step_delay
from gflow.measure.alignment import contributing_share, first_time_at
from gflow.measure.phases import ALIGNED_SHARE
from gflow.scenario.tables import TrainTable

LATE = 0.05
"""Relative difference allowed in alignment and escape times (P26)."""

FINE = LATE / 2
"""Largest delay of quiet growth, by the recursion of P26, at which steps are held against it."""

TRAIN = tuple(TrainTable.model_fields)
"""Keys that tell one descent from another."""


def judge_descent(evidences: Sequence[Evidence]) -> Opinion:
    """SGD aligns and escapes when the flow does, at t = step size × steps (prediction P26).

    Judged where the recursion of quiet growth alone is late by at most half of what is allowed, and
    batches move times by no more than that, as published; for longer steps, smaller batches, and
    momentum with steps of several sizes the times are only reported.
    """
    expected = f"alignment and escape times within {LATE:.0%} of the flow's"
    setting = (recorded(*evidences), normalized(*evidences), all_of(orthonormal, evidences))
    if opinion := unmet(expected, setting):
        return opinion
    pairs = _pairs(evidences)
    fine = [
        pair
        for pair in pairs
        if of_one_recursion(pair.steps)
        and quiet_delay(pair.steps) <= 1 + FINE
        and batch_error(pair.steps) <= LATE
    ]
    judged = [run for pair in fine for run in (pair.flow, pair.steps)]
    hypotheses = (
        *setting,
        Hypothesis(
            f"a flow, and SGD from its start late by <= {FINE:.1%} in quiet growth, whose batches "
            f"move times by <= {LATE:.0%} (with momentum: of one step size)",
            f"{len(fine)} of {len(pairs)} pairs are", bool(fine),
        ),
        *[all_of(lambda run: vanishing(run, VANISHING_MASS), judged) for _ in fine[:1]],
    )  # fmt: skip
    if opinion := unmet(expected, hypotheses):
        return opinion
    # Judge fine steps; of all others say what they do.
    reason = (
        "Times at which 95 % of the mass is within 10 degrees of its target, and at which the "
        "first |f(μ_k)| is 1/2, interpolated between records; tilt is the mass-weighted angle to "
        "the target at the end."
    )
    parts = [_compared(pair) for pair in fine]
    opinion = opinion_of(
        expected, parts, hypotheses, reason, undecided="A run ended early or did not escape."
    )
    rest = "; ".join(str(_compared(pair)) for pair in pairs if pair not in fine)
    return replace(opinion, reason=f"{opinion.reason} Not judged: {rest}.") if rest else opinion


class _Pair(NamedTuple):
    """A descent, and the flow from the same start."""

    title: str
    flow: Evidence
    steps: Evidence


def _pairs(evidences: Sequence[Evidence]) -> list[_Pair]:
    keys = [f"train.{key}" for key in TRAIN]
    return [
        _Pair(one.title, flow, run)
        for one in series(evidences, *keys, "flow.chart")
        for flow in [run for run in one.runs if run.is_flow][:1]
        for run in one.runs
        if run.scenario.train.method == "sgd"
    ]


def _compared(pair: _Pair) -> Comparison:
    title, flow, run = pair
    train = run.scenario.train
    batch = f"batch {train.batch}" if train.batch else "all samples"
    name = f"η = {train.step_size:g}, {batch}"
    name += "" if train.schedule == "constant" else f", {train.schedule}"
    name += f", warmup {train.warmup}" if train.warmup else ""
    name += f", β = {train.momentum:g}" if train.momentum else ""
    name = f"{title}, {name}" if title else name
    # A run that ended early says nothing about times.
    for what, end in (("", run.outcome), ("the flow: ", flow.outcome)):
        if not end.complete:
            return Comparison(name, None, f"{what}{end.reason} at t = {end.t:.3g}")
    # How much later it aligns and escapes than the flow; nan where either never does.
    late = [mine / theirs - 1 for mine, theirs in zip(moments(run), moments(flow), strict=True)]
    fits = held(float(np.abs(late).max()), batch_error(run), LATE)
    fits = fits if np.isfinite(late).all() else None
    return Comparison(
        name,
        fits,
        f"aligned {_percent(late[0])}, escape {_percent(late[1])} (recursion "
        f"{_percent(quiet_delay(run) - 1)}), tilt {tilt(run):.4f} (flow {tilt(flow):.4f}), outputs "
        f"{output_gap(run, flow):.0e} apart",
    )


def _percent(share: float) -> str:
    return f"{share:+.1%}" if np.isfinite(share) else "never"


def of_one_recursion(run: Evidence) -> bool:
    """Whether P26 bounds the delay: steps have one size, or no momentum carries one to others."""
    train = run.scenario.train
    return train.shape.even or not train.momentum


def quiet_delay(run: Evidence) -> float:
    """The factor by which a still negligible, aligned network grows slower than in the flow.

    Of steps of several sizes without momentum it is that of the largest, which is late by the most.

    **Source:** theory P26.
    """
    own = max(run.centers.K1, run.centers.K2) if run.p < 2 else 1  # the class that grows fastest
    rate = run.loss.kappa * float(run.pi.mean()) * growth_rate(run.p, own)
    return step_delay(run.scenario.train.step_size, run.scenario.train.momentum, rate)


def follows_flow(*runs: Evidence) -> Hypothesis:
    """That runs are flows, or SGD whose quiet growth is late by at most `FINE` (theory P26)."""
    steps = [run for run in runs if not run.is_flow]
    if not all(map(of_one_recursion, steps)):
        text = "the flow, or SGD with one step size or no momentum"
        return Hypothesis(text, "its step sizes change under momentum", False)
    delays = [quiet_delay(run) - 1 for run in steps if run.scenario.train.method == "sgd"]
    text = f"the flow, or SGD that is at most {FINE:.1%} late in quiet growth"
    if len(delays) < len(steps):
        return Hypothesis(text, "other steps are taken", False)
    worst = max(delays, default=0.0)
    met = worst <= FINE
    cure = "" if met else "try a smaller `train.step_size`"
    return Hypothesis(text, f"it is {100 * worst:.3g} % late" if steps else "", met, cure)


def batch_error(run: Evidence) -> float:
    """By how much batches of b samples may move times, relatively; 0 for all samples.

    A subclass has a share of a batch that deviates by √(K/b) of its mean, so the logarithm L of a
    growth in steps of x = ηλκπ/(1-β), the largest counts, deviates by √(x L K/b); `DEVIATIONS` of
    that over L.

    **Source:** theory P26.
    """
    train = run.scenario.train
    if not train.batch or train.batch >= (run.facts.drawn or np.inf):
        return 0.0
    own = max(run.centers.K1, run.centers.K2) if run.p < 2 else 1
    rate = run.loss.kappa * float(run.pi.mean()) * growth_rate(run.p, own)
    x = train.step_size * rate / (1 - train.momentum)
    L = max(-float(np.logaddexp.reduce(run.log_mass[0])) / 2, 1.0)
    return float(DEVIATIONS * np.sqrt(x * run.centers.K / (train.batch * L)))


def moments(run: Evidence) -> tuple[float, float]:
    """Times of alignment and of escape, both interpolated; nan where never."""
    aligned = first_time_at(ALIGNED_SHARE, run.times, run.aligned_share)
    return aligned, run.phases.escape if run.phases else np.nan


def tilt(run: Evidence) -> float:
    """Mass-weighted angle of contributing neurons to their targets at the end, radians."""
    angle = 2 * np.arcsin(np.minimum(run.target_chord[-1] / 2, 1))
    return float(contributing_share(run.log_mass[-1]) @ angle)


def output_gap(run: Evidence, flow: Evidence) -> float:
    """Largest relative difference of |f(μ_k)| at the end."""
    mine, theirs = (one.record["center_output"].values[-1] for one in (run, flow))
    return float(np.abs(mine / theirs - 1).max())


PREDICTIONS = (
    Prediction(
        "sgd", "P26",
        "Stochastic gradient descent follows the flow at t = step size × steps.",
        f"{MV24}, section 5.1; theory P26",
        "θ_{s+1} = θ_s - η ∇L_batch(θ_s) against dθ/dt = -∇L(θ), t = ηs",
        judge_study=judge_descent, scenario="flow-vs-sgd",
        subject=Subject.TRAINING,
    ),
)  # fmt: skip
