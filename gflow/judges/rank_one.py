"""Judges of how alone a neuron is when its class escapes without normalization: prediction P39.

One idea: every neuron alone is solved (theory D29), so each size that is read off a record at a
level of mass has its law there.  How far the slope of that law is from the exponent for ε → 0 is
the error with which a measured slope is judged.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from gflow.judges.conservation import step_tolerance
from gflow.judges.evidence import Evidence
from gflow.judges.exponents import (
    SCALE,
    VANISHING_MASS,
    all_vanish,
    compared_slope,
    log_scales,
    over_scales,
)
from gflow.judges.far_enough import longer
from gflow.judges.finding import Opinion, unmet
from gflow.judges.prediction import Prediction, Subject
from gflow.judges.series import Comparison, Series, class_name, opinion_of, series
from gflow.judges.shared_hypotheses import (
    all_of,
    orthonormal,
    recorded,
    recorded_directions,
    the_flow,
    vanishing,
)
from gflow.judges.slope import slope
from gflow.laws.hypothesis import Hypothesis, all_met, number
from gflow.laws.rank_one import Field, at_level, blow_up_times, kkt_exponent, lead
from gflow.measure.rank_one import ClassWeights, kkt_residual, mass_excess, rank_excess

LEVEL = 0.1
"""Mass m_1 of the first neuron of a class at which runs are compared (P39)."""

RANK_ONE_ERROR = 0.1
"""Error allowed in the exponents of what is left of other neurons (P39)."""

LAW_SHARE = 2.0
"""What the law of neurons alone may be off by, in units of its own distance from ε → 0 (P39)."""

TIE = 0.99
"""Largest T_1/T_2 of two neurons of which one counts as ahead (P39)."""

ALONE = 0.05
"""Largest excess of mass and of rank of a neuron that counts as alone (P39)."""

ALONE_SCALE = 1e-3
"""Largest ε at which it is to be (P39)."""

APART = 10.0
"""Largest ratio of the first neuron's mass in the two records between which it is read (P39)."""


class Sizes(NamedTuple):
    """What a class is besides its first neuron, when that has the mass `LEVEL`."""

    mass: float
    """(Σm)²/Σm² - 1."""
    rank: float
    """Stable rank of the hidden weights, less one."""
    kkt: float
    """Sine of the angle between the weights and ∇N."""


def judge_rank_one(evidences: Sequence[Evidence]) -> Opinion:
    """What is left of the others falls like ε^{p+1}, ε² and ε (theory D29, prediction P39)."""
    expected = (
        f"slopes in log ε p + 1 (mass), 2 (rank), 1 (KKT) ± {RANK_ONE_ERROR:g} at m = {LEVEL:g}"
    )
    setting = (*over_scales(evidences), *_setting(evidences), *all_vanish(evidences))
    hypotheses = with_growth(evidences, setting)
    if opinion := unmet(expected, hypotheses):
        return opinion
    parts = [part for one in series(evidences, SCALE) for part in _slopes(one)]
    undecided = (
        "Too few points, an interval that straddles the criterion, or ε so large that neurons "
        "alone would miss the exponent, too; give smaller `network.init_scale`, or a smaller "
        "`flow.tolerance` if few points can be read."
    )
    reason = "Slope with its 95 % interval, per class whose first neuron is ahead."
    return opinion_of(expected, parts, hypotheses, reason, undecided=undecided)


def judge_alone(run: Evidence) -> Opinion:
    """From a small start one neuron of a class escapes alone (theory D29, prediction P39)."""
    expected = f"excess of mass and rank <= {ALONE:g} at m = {LEVEL:g}, for ε <= {ALONE_SCALE:g}"
    small = Hypothesis.that(
        f"`{SCALE}`", run.scenario.network.init_scale, "<=", ALONE_SCALE
    )  # fmt: skip
    hypotheses = with_growth([run], (small, *readable(run)))
    if opinion := unmet(expected, hypotheses):
        return opinion
    parts = [_alone(run, s) for s in ahead(run)]
    undecided = (
        f"Neurons alone would leave as much of others (give a smaller `{SCALE}`), or records are "
        "too far apart (give a smaller `flow.tolerance`)."
    )
    reason = "Per class whose first neuron is ahead."
    return opinion_of(expected, parts, hypotheses, reason, undecided=undecided)


def _setting(evidences: Sequence[Evidence]) -> tuple[Hypothesis, ...]:
    plain = all(not run.neurons.normalized and run.p >= 2 for run in evidences)
    noises = ", ".join(sorted({f"{run.alpha}" for run in evidences}))
    return (
        Hypothesis.whether("no normalization, p >= 2", plain),
        Hypothesis("α = 0", f"α = {noises}", all(run.alpha == 0 for run in evidences)),
        Hypothesis.whether("a balanced start", all(run.neurons.balanced for run in evidences)),
        all_of(orthonormal, evidences),
        all_of(recorded_directions, evidences),
    )


def readable(run: Evidence) -> tuple[Hypothesis, ...]:
    """What the law of neurons alone asks of one run, at any ε."""
    return recorded(run), the_flow(run), *_setting([run]), vanishing(run, VANISHING_MASS)


def with_growth(
    evidences: Sequence[Evidence], hypotheses: tuple[Hypothesis, ...]
) -> tuple[Hypothesis, ...]:
    """The same hypotheses and, each where all before are met, that a neuron grows, and is ahead."""
    for condition in (_reaches, _one_ahead):
        if all_met(hypotheses):
            hypotheses = (*hypotheses, all_of(condition, evidences))
    return hypotheses


def _reaches(run: Evidence) -> Hypothesis:
    """That a neuron grows to the level at which runs are compared."""
    largest = float(np.exp(run.log_mass.max()))
    met = True if largest >= LEVEL else None
    measured = f"the largest m_j of the record is {number(largest)}"
    cure = "" if met else longer(run, None)
    return Hypothesis(f"a neuron of mass m >= {LEVEL:g}", measured, met, cure)


def _one_ahead(run: Evidence) -> Hypothesis:
    """That in some class that grows one neuron is ahead of the second."""
    leads = [_lead(run, s) for s in _growing(run)]
    if not leads:
        text = "a second neuron in a class that grows"
        return Hypothesis(text, "there is none", False, "give more `network.width`")
    return Hypothesis.that("T_1/T_2", min(leads), "<=", TIE)


def ahead(run: Evidence) -> list[int]:
    """The classes of a run whose first neuron has grown, and was ahead."""
    return [s for s in _growing(run) if _lead(run, s) <= TIE]


def _growing(run: Evidence) -> list[int]:
    """The classes of two neurons or more of which one grows to the level."""
    return [s for s in run.centers.signs if _row(run, s) and _of_class(run, s).sum() > 1]


def _slopes(one: Series) -> list[Comparison]:
    """The three exponents of each class that every run of a series can be asked about."""
    classes = [s for s in one.runs[0].centers.signs if all(s in ahead(run) for run in one.runs)]
    return [part for s in classes for part in _exponents(one, s)] or [
        Comparison(one.title, None, "no class whose first neuron is ahead at every ε")
    ]


def _exponents(one: Series, s: int) -> list[Comparison]:
    """The exponents of a class: that of neurons alone may miss those for ε → 0, too."""
    first, x = one.runs[0], log_scales(one)
    awake = _weights(first, s, 0).w @ first.centers.mu.T > 0
    winner = blow_up_times(_weights(first, s, 0), _field(first, s)).argmin()
    exponents = Sizes(first.p + 1, 2.0, kkt_exponent(awake[winner], _field(first, s)))
    with np.errstate(divide="ignore"):  # what has underflowed is left out
        measured = np.log([_resolved(run, sizes_at_level(run, s)) for run in one.runs])
        laws = np.log([sizes_alone(run, s) for run in one.runs])
    parts = []
    for i, (name, exponent) in enumerate(exponents._asdict().items()):
        title = ", ".join(part for part in (one.title, class_name(s), name) if part)
        alone = slope(x, laws[:, i]).value
        error = LAW_SHARE * abs(alone - exponent)
        part = compared_slope(
            title, x, measured[:, i], exponent, allowed=RANK_ONE_ERROR, error=error, log_eps=x
        )
        parts.append(part._replace(text=f"{part.text}, neurons alone {alone:.4g}"))
    return parts


def _alone(run: Evidence, s: int) -> Comparison:
    """Whether one neuron of a class is alone; undecided where the law itself leaves others."""
    measured, law = sizes_at_level(run, s), sizes_alone(run, s)
    text = ", ".join(
        f"{name} {number(value)} ({number(of_law)} by neurons alone)"
        for name, value, of_law in zip(Sizes._fields[:2], measured, law, strict=False)
    )
    fits = max(measured[:2]) <= ALONE
    says = fits or (LAW_SHARE * max(law[:2]) <= ALONE and np.isfinite(measured.mass))
    return Comparison(class_name(s), fits if says else None, text)


def _resolved(run: Evidence, sizes: Sizes) -> Sizes:
    """The same; nan for an angle that steps may have turned by the error allowed."""
    floor = step_tolerance(run) / RANK_ONE_ERROR
    return sizes if sizes.kkt > floor else sizes._replace(kkt=np.nan)


def sizes_at_level(run: Evidence, s: int) -> Sizes:
    """Sizes of a class when its first neuron passes `LEVEL`, between two records; nan too far."""
    after = _row(run, s)
    log_mass = run.log_mass[after - 1 : after + 1, _of_class(run, s)]
    rise = log_mass[:, log_mass[-1].argmax()]
    if np.ptp(rise) > np.log(APART):
        return Sizes(np.nan, np.nan, np.nan)
    before, past = (_sizes(run, s, _weights(run, s, at)) for at in (after - 1, after))
    share = (np.log(LEVEL) - rise[0]) / (rise[1] - rise[0])
    # Geometrically, so that what has underflowed stays 0.
    return Sizes(*(a ** (1 - share) * b**share for a, b in zip(before, past, strict=True)))


def sizes_alone(run: Evidence, s: int) -> Sizes:
    """The same sizes if every neuron had grown alone from where the record begins."""
    return _sizes(run, s, at_level(_weights(run, s, 0), _field(run, s), LEVEL))


def _sizes(run: Evidence, s: int, weights: ClassWeights) -> Sizes:
    return Sizes(
        mass_excess(weights.log_mass(run.p)),
        rank_excess(weights.w),
        kkt_residual(weights, run.centers.mu, _field(run, s).pull, run.p),
    )


def _lead(run: Evidence, s: int) -> float:
    return lead(blow_up_times(_weights(run, s, 0), _field(run, s)))


def _row(run: Evidence, s: int) -> int:
    """The first record at which a neuron of a class has the mass `LEVEL`; 0 if there is none."""
    return int((run.log_mass[:, _of_class(run, s)] >= np.log(LEVEL)).any(axis=1).argmax())


def _of_class(run: Evidence, s: int) -> Bool[np.ndarray, " h"]:
    return run.record["sign"].values[0] == s


def _weights(run: Evidence, s: int, at: int) -> ClassWeights:
    """Weights of the neurons of a class at a recorded time."""
    record, mine = run.record.isel(time=at), _of_class(run, s)
    norm = np.exp(record["log_norm"].values[mine].astype(np.float64))
    direction = record["direction"].values[mine].astype(np.float64)
    return ClassWeights(norm[:, None] * direction, np.exp(record["log_output"].values[mine]))


def _field(run: Evidence, s: int) -> Field:
    pull: Float[np.ndarray, " K"] = s * run.centers.label * run.loss.kappa * run.pi
    return Field(run.centers.mu, pull, run.p)


PREDICTIONS = (
    Prediction(
        "rank-one", "P39",
        "Without normalization one neuron of a class is alone when it escapes, and what is left of "
        "the others is a power of ε.",
        "Kumar and Haupt, arXiv 2403.08121; theory D29, P39",
        "(Σm)²/Σm² - 1 ∝ ε^(p+1),  stable rank - 1 ∝ ε²,  KKT ∝ ε",
        judge=judge_alone, judge_study=judge_rank_one, scenario="rank-one", figure="rank_one",
        subject=Subject.ESCAPE,
    ),
)  # fmt: skip
