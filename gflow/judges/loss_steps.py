"""Judges of a loss that falls in steps (theory D17): predictions P30 and P31.

Without noise, under a loss that saturates, what is fitted and when follows from a start alone: the
laws name the subclasses, their slopes over log 1/ε, and the levels at which the loss rests between.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Int

from gflow.judges.alignment_phase import coordinates, own, signs
from gflow.judges.evidence import Evidence
from gflow.judges.exponents import (
    SCALE,
    all_vanish,
    compared_slope,
    log_scales,
    over_scales,
    series_escape_times,
)
from gflow.judges.far_enough import complete, longer
from gflow.judges.finding import Opinion, earned, unmet
from gflow.judges.prediction import Prediction, Subject
from gflow.judges.separation import SMALLER
from gflow.judges.series import Comparison, Series, opinion_of, series
from gflow.judges.shared_hypotheses import all_of, like_random, normalized, orthonormal
from gflow.laws.hypothesis import Hypothesis, number
from gflow.laws.jumps import Jumps, jump_process, staircase
from gflow.laws.reduced import winner
from gflow.measure.alignment import CONE
from gflow.measure.phases import ESCAPE_LEVEL

STEP_SLOPE = 0.02
"""Relative error allowed in the slope of the time of a step over log 1/ε (P30, P31)."""

LEVEL = 0.02
"""Error allowed in a level between two steps, in units of the smaller of them (P30, P31)."""

REST = 20.0
"""Length of a rest whose level is judged, over 1/(κπ) of the lightest subclass: by its middle what
is fitted has come, and what is not has stayed, within e^{-10} of it (P30, P31)."""

LED = 10.0
"""Least distance of log-norms, in e-folds, at which one neuron clearly comes before another (P31).
"""

SLOW = 10.0
"""Times of a step that a neuron at a fitted center must need to leave it (P30)."""

EXPECTED = (
    f"the subclasses that the law names, at its slopes within {STEP_SLOPE:.0%}; rests within "
    f"{LEVEL:.0%} of a step"
)


def judge_jump_process(evidences: Sequence[Evidence]) -> Opinion:
    """1 <= p < 2: who starts awake to what decides what is fitted when (theory D17, P31)."""
    powers = all(1 <= run.p < 2 for run in evidences)
    hypotheses = (
        Hypothesis("1 <= p < 2", _powers(evidences), powers),
        *over_scales(evidences),
        *square_without_noise(evidences),
    )
    if opinion := unmet(EXPECTED, hypotheses):
        return opinion
    return earned(_opinion(evidences, hypotheses), *_far_enough(evidences), all_of(led, evidences))


def judge_staircase(evidences: Sequence[Evidence]) -> Opinion:
    """p >= 2: every subclass that is served is fitted on its own (theory D17, P30)."""
    powers = all(run.p >= 2 for run in evidences)
    hypotheses = (
        Hypothesis("p >= 2", _powers(evidences), powers),
        *over_scales(evidences),
        *square_without_noise(evidences),
    )
    if opinion := unmet(EXPECTED, hypotheses):
        return opinion
    conditions = all_of(_arrived, evidences), all_of(_stays, evidences)
    return earned(_opinion(evidences, hypotheses), *_far_enough(evidences), *conditions)


def _opinion(evidences: Sequence[Evidence], hypotheses: tuple[Hypothesis, ...]) -> Opinion:
    parts = [part for one in series(evidences, SCALE) for part in _steps(one)]
    reason = "Slopes of times with |f(μ_k)| = 1/2 over log 1/ε, and the loss amid long rests."
    undecided = "Too few times, or an interval that straddles the criterion."
    return opinion_of(EXPECTED, parts, hypotheses, reason, undecided=undecided)


def step_law(run: Evidence) -> Jumps:
    """What theory says of the start of a run: when it fits which subclasses, as ε → 0."""
    start, mine = coordinates(run)[0], own(run)
    kappa, pi = run.loss.kappa, run.pi
    if run.p < 2:
        return jump_process(mine & (start > 0), pi, kappa, run.p)
    if run.p == 2:
        return staircase((mine & (start > 0)).any(axis=0), pi, kappa)
    return staircase(np.isin(np.arange(run.centers.K), _cells(run)), pi, kappa)


def _cells(run: Evidence) -> Int[np.ndarray, " h"]:
    """The center that each neuron is on its way to for p > 2; -1 for none."""
    if run.p <= 2:
        return np.full(run.record.sizes["neuron"], -1)
    return winner(coordinates(run)[0], signs(run), run.centers.label, run.pi, p=run.p)


def _steps(one: Series) -> list[Comparison]:
    """What is fitted, when, and where the loss rests, in runs that differ in ε only."""
    laws, times, x = [step_law(run) for run in one.runs], series_escape_times(one), -log_scales(one)
    law, named = laws[0], f"{one.title} " if one.title else ""
    parts = [_what_is_fitted(one, laws, named)]
    # Subclasses of one jump have one slope; records are as far apart as the record says.
    for tau in law.instants:
        mine = law.time == tau
        when = times[:, mine].mean(axis=1)
        coarse = max(_spacing(run, t) for run, t in zip(one.runs, when, strict=True))
        title = f"{named}{', '.join(f'μ_{k + 1}' for k in np.flatnonzero(mine))}"
        parts.append(
            compared_slope(
                title, x, when, float(tau),
                allowed=STEP_SLOPE * tau, error=coarse / float(np.ptp(x)), log_eps=-x,
            )
        )  # fmt: skip
    rests = [
        off
        for run, its, t in zip(one.runs, laws, times, strict=True)
        for off in _rest_errors(run, its, t)
    ]
    if rests:
        worst = max(rests)
        text = f"{len(rests)} rests within {worst:.1e} of a step"
        parts.append(Comparison(f"{named}loss".strip(), bool(worst <= LEVEL), text))
    return parts


def fitted(run: Evidence) -> Bool[np.ndarray, " K"]:
    """The subclasses whose output has reached 1/2 on its own side."""
    return (run.center_output * run.centers.label).max(axis=0) >= ESCAPE_LEVEL


def _what_is_fitted(one: Series, laws: list[Jumps], named: str) -> Comparison:
    pairs = list(zip(one.runs, laws, strict=True))
    wrong = [run for run, law in pairs if (fitted(run) != law.fitted).any()]
    count, K = int(laws[0].fitted.sum()), one.runs[0].centers.K
    if not wrong:
        return Comparison(f"{named}fitted", True, f"{count} of {K}, as the law says")
    eps = wrong[0].scenario.network.init_scale
    text = f"{int(fitted(wrong[0]).sum())} of {K} at ε = {eps:g}, where the law says {count}"
    return Comparison(f"{named}fitted", False, text)


def _spacing(run: Evidence, t: float) -> float:
    """Time between the two records around `t`, by which a step may be read wrongly; inf for nan."""
    if not np.isfinite(t):
        return np.inf
    at = int(np.clip(np.searchsorted(run.times, t), 1, len(run.times) - 1))
    return float(run.times[at] - run.times[at - 1])


def _long(run: Evidence) -> float:
    """Flow time from which a rest is judged."""
    return REST / (run.loss.kappa * float(run.pi.min()))


def _rest_errors(run: Evidence, law: Jumps, times: Float[np.ndarray, " K"]) -> list[float]:
    """How far the loss is from its level amid every long rest, over the smaller step beside it."""
    levels, loss = law.levels(run.pi, run.loss.kappa), run.record["loss"].values
    ends = [float(times[law.time == tau].mean()) for tau in law.instants]
    drops = -np.diff(levels)
    errors = []
    for i, (begin, end) in enumerate(zip([0.0, *ends], [*ends, float(run.times[-1])], strict=True)):
        quarter = (end - begin) / 4
        amid = (run.times >= begin + quarter) & (run.times <= end - quarter)
        if end - begin >= _long(run) and amid.any():
            beside = drops[max(i - 1, 0) : i + 1].min()
            errors.append(float(np.abs(loss[amid] - levels[i]).max() / beside))
    return errors


# --- what the laws need -------------------------------------------------------------------------


def _powers(evidences: Sequence[Evidence]) -> str:
    return f"p = {', '.join(number(p) for p in sorted({run.p for run in evidences}))}"


def square_without_noise(evidences: Sequence[Evidence]) -> tuple[Hypothesis, ...]:
    """What laws of a square loss without noise are derived for, beside the flow and a record."""
    noises = ", ".join(sorted({f"{run.alpha}" for run in evidences}))
    losses = ", ".join(sorted({run.scenario.flow.loss for run in evidences}))
    saturates = all(run.loss.saturates for run in evidences)
    return (
        normalized(*evidences),
        Hypothesis.whether("a balanced start", all(run.neurons.balanced for run in evidences)),
        all_of(orthonormal, evidences),
        Hypothesis("α = 0", f"α = {noises}", all(run.alpha == 0 for run in evidences)),
        Hypothesis.whether("samples of every subclass", all(run.pi.all() for run in evidences)),
        Hypothesis("a square loss", f"it is {losses}", saturates),
        *all_vanish(evidences),
        *(one for run in evidences for one in like_random(run) if not one.met),
    )


def all_served(run: Evidence) -> Hypothesis:
    """That some neuron starts awake to every subclass, which is never fitted otherwise."""
    served = bool(step_law(run).fitted.all())
    return Hypothesis.whether("a neuron of its class awake to every center at the start", served)


def _efolds(run: Evidence) -> float:
    """log 1/ε."""
    return -float(np.log(run.scenario.network.init_scale))


def _far_enough(evidences: Sequence[Evidence]) -> tuple[Hypothesis, Hypothesis]:
    return all_of(complete, evidences), all_of(_past_last, evidences)


def _past_last(run: Evidence) -> Hypothesis:
    """That the flow went on for a rest after the last step of its law."""
    last = step_law(run).instants.max(initial=0.0) * _efolds(run)
    end, t = last + _long(run), float(run.times[-1])
    met = True if t >= end else None
    measured = (
        f"a flow ended at t = {number(t)}, where by the law its last step is at {number(last)}"
    )
    text = "a flow that goes on after the last step of the law"
    return Hypothesis(text, measured, met, "" if met else longer(run, end))


def led(run: Evidence) -> Hypothesis:
    """That no neuron comes close behind one that fits what it is awake to, and that all turn first.

    The angle to the best direction falls like ε^{p(2-p)} until the first of them has grown.
    """
    folds = min(step_law(run).lead, run.p * (2 - run.p)) * _efolds(run)
    measured = f"of two neurons one leads by {number(folds)} e-folds"
    return _for_small_scales(f"neurons that lead by {LED:g} e-folds", measured, folds >= LED)


def _arrived(run: Evidence) -> Hypothesis:
    """That every neuron is at the center of its cell when that is fitted (theory D3, p > 2)."""
    times = run.escape_times
    when = np.searchsorted(run.times, np.nan_to_num(times, nan=run.times[-1]))
    at, u = np.minimum(when, len(run.times) - 1), coordinates(run)
    late = int(sum(u[at[k], j, k] < CONE for j, k in enumerate(_cells(run)) if k >= 0))
    measured = f"{late} neurons are still on their way to a center when it is fitted"
    return _for_small_scales("neurons at their center when it is fitted", measured, not late)


def _stays(run: Evidence) -> Hypothesis:
    """That a neuron at a fitted center needs much longer to leave it than others to grow (D17)."""
    folds = run.p * (run.p - 2) * _efolds(run)
    ratio = float(np.exp(min(folds, 700.0)) / folds) if folds else np.inf
    measured = f"a neuron leaves a fitted center within {number(ratio)} times the time of a step"
    text = f"neurons that stay at a fitted center for {SLOW:g} times the time of a step"
    return _for_small_scales(text, measured, ratio >= SLOW)


def _for_small_scales(text: str, measured: str, met: bool) -> Hypothesis:
    """A condition that a smaller start would meet, so that it leaves open what it does not."""
    return Hypothesis(text, measured, True if met else None, "" if met else SMALLER)


PREDICTIONS = (
    Prediction(
        "staircase", "P30",
        "Without noise a square loss falls in steps for p >= 2, one for each weight, the heaviest "
        "first.",
        "Kunin and others, arXiv 2506.06489; theory D17, P30",
        "T_k = log(1/ε)/(κ π_k) + O(1), a step of κ π_k/2",
        judge_study=judge_staircase, scenario="staircase", figure="loss_steps",
        subject=Subject.FITTING,
    ),
    Prediction(
        "jump-process", "P31",
        "Without noise a square loss jumps for 1 <= p < 2: the gates of the start decide what is "
        "fitted, and when.",
        "arXiv 2605.27097; Boursier, Pillaud-Vivien and Flammarion, NeurIPS 2022; theory D17, P31",
        "dℓ_j/dτ = κ ‖π over A_j ∩ U‖_q, q = 2/(2-p); whoever reaches ℓ = 0 fits A_j",
        judge_study=judge_jump_process, scenario="jump-process", figure="loss_steps",
        subject=Subject.FITTING,
    ),
)  # fmt: skip
