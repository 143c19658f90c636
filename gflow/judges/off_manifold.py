"""Judge of errors off the span of all samples, as a function of ε (theory D25): prediction P35.

Distances are taken from norms at two times and directions at the start, which is exact; directions
at the end have lost what is left of their part off the span.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float
from scipy.linalg import null_space

from gflow.judges.alignment_phase import coordinates, known, own, signs
from gflow.judges.evidence import Evidence
from gflow.judges.exponents import SCALE, all_vanish, compared_slope, log_scales, over_scales
from gflow.judges.far_enough import complete, escaped
from gflow.judges.finding import Opinion, earned, unmet
from gflow.judges.interpolator_norm import awake_to_all
from gflow.judges.prediction import Prediction, Subject
from gflow.judges.samples import training_samples
from gflow.judges.separation import occupied
from gflow.judges.series import Comparison, Series, class_name, opinion_of, series
from gflow.judges.shared_hypotheses import (
    all_of,
    equal_weights,
    recorded_directions,
    two_classes,
)
from gflow.laws.hypothesis import Hypothesis, all_met, number
from gflow.laws.off_manifold import distance_exponent, lags, log_slopes, scale_of_arrival
from gflow.robustness.departure import Departure

OFF_MANIFOLD = 0.05
"""Error allowed in the slope of the log distance off the span of all samples in log ε (P35)."""

_SPANNED = 1e-9  # singular values of samples over the largest, up to which nothing is spanned


def judge_off_manifold(evidences: Sequence[Evidence]) -> Opinion:
    """Errors off the samples' span are at a distance of order ε^{-E} (D25, prediction P35).

    E is p if all neurons of the other class have grown and min(p, 2/p) if one is void.  What is
    judged is the shortest error from the class means of each class, between what is certified and
    what a search in all directions finds.
    """
    expected = f"slope of log distance in log ε within {OFF_MANIFOLD:g} of -E, p or min(p, 2/p)"
    hypotheses = (
        *over_scales(evidences), all_of(recorded_directions, evidences),
        *(one for run in evidences for one in known(run) if not one.met),
    )  # fmt: skip
    if all_met(hypotheses):
        hypotheses = (*hypotheses, *_setting(evidences))
    if opinion := unmet(expected, hypotheses):
        return opinion
    parts = [part for one in series(evidences, SCALE) for part in _slopes(one)]
    reason = "Distances between certified and searched, from norms and from directions at t = 0."
    undecided = (
        "Too few scales at which every neuron of the other class has turned, but for void ones, "
        "before outputs escape, where smaller `network.init_scale` help; or a slope that straddles."
    )
    opinion = opinion_of(expected, parts, hypotheses, reason, undecided=undecided)
    return earned(opinion, all_of(complete, evidences))


def _setting(evidences: Sequence[Evidence]) -> tuple[Hypothesis, ...]:
    """What the exponents of theory D25 are derived for."""
    conditions = (two_classes, _noise, _weights, _dimensions, occupied, _leaders, _fitted)
    return (*all_vanish(evidences), *(all_of(one, evidences) for one in conditions))


def _noise(run: Evidence) -> Hypothesis:
    """Without noise it is known who grows; up to p = √2 that does not matter."""
    met = run.alpha == 0 or run.p**2 <= 2
    return Hypothesis("α = 0 for p > √2", f"α = {number(run.alpha or 0)}, p = {run.p:g}", met)


def _weights(run: Evidence) -> Hypothesis:
    return equal_weights(run)[0]


def _dimensions(run: Evidence) -> Hypothesis:
    """That neurons can be moved independently off the span."""
    free, h = _off_span(training_samples(run).x).shape[1], run.record.sizes["neuron"]
    name = "dimensions that no sample has a part in"
    cure = "" if free >= h else "give more `data.dimension`"
    return Hypothesis.that(name, free, ">=", h, written="`network.width`", cure=cure)


def _leaders(run: Evidence) -> Hypothesis:
    """Below p = 2 neurons stay behind a leader that fits the whole class, and void ones anyway."""
    text = (
        "for √2 < p < 2 a void neuron in each class, or a square loss and a neuron that starts "
        "awake to all of the class"
    )
    led = ((run.loss.saturates and awake_to_all(run, s)) or 1 in _lags(run, s) for s in (1, -1))
    return Hypothesis.whether(text, not 2 < run.p**2 < 4 or all(led))


def _fitted(run: Evidence) -> Hypothesis:
    """That every center is fitted at the end, on its own side."""
    least = float((run.center_output[-1] * run.centers.label).min())
    if not (there := escaped(run, every=True)).met or least > 0:
        return there
    measured = f"the smallest y_k f(μ_k) is {number(least)}"
    return Hypothesis("every center to be fitted at the end", measured, None)


class ErrorLaw(NamedTuple):
    """The shortest errors of one class in a series over ε, and the exponent they should have."""

    title: str
    sign: int
    """The class that is attacked, +1 or -1."""
    void: int
    """How many neurons of the other class are void."""
    low: Float[np.ndarray, " q"]
    """log of the certified distance; nan where neurons of the other class have not turned."""
    high: Float[np.ndarray, " q"]
    """log of the distance at which an error was found."""
    exponent: float
    """E: the distance is of order ε^{-E}."""


def error_laws(one: Series) -> list[ErrorLaw]:
    """The shortest errors off the samples' span of each class in a series over ε (theory D25)."""
    brackets = np.stack([shortest_errors(run) for run in one.runs])
    laws = []
    for s, bracket in zip((1, -1), np.moveaxis(brackets, 1, 0), strict=True):
        turned = np.array([_turned(run, -s) for run in one.runs])
        low, high = np.where(turned, bracket.T, np.nan)
        lag = _lags(one.runs[0], -s)
        void = int((lag == 1).sum())
        name = f"{class_name(s)} against {void or 'no'} void"
        title = ", ".join(text for text in (one.title, name) if text)
        exponent = distance_exponent(lag, one.runs[0].p)
        laws.append(ErrorLaw(title, s, void, low, high, exponent))
    return laws


def _slopes(one: Series) -> list[Comparison]:
    """The slope of each class in runs that differ in ε only."""
    x = log_scales(one)
    return [
        compared_slope(
            law.title, x, (law.low + law.high) / 2, -law.exponent,
            allowed=OFF_MANIFOLD, error=slope_error(x, (law.high - law.low) / 2), log_eps=x,
        )
        for law in error_laws(one)
    ]  # fmt: skip


def slope_error(x: Float[np.ndarray, " q"], half: Float[np.ndarray, " q"]) -> float:
    """The most a least-squares slope changes if every y changes by its own half width, or less.

    Points whose half width is not a number are left out.
    """
    x, half = x[np.isfinite(half)], half[np.isfinite(half)]
    from_mean = x - (x.mean() if len(x) else 0)
    spread = float(from_mean @ from_mean)
    return float(np.abs(from_mean) @ half / spread) if spread else np.inf


def shortest_errors(run: Evidence) -> Float[np.ndarray, "2 2"]:
    """log of the distance of the shortest error of each class off the span of all samples.

    **Arguments:**

    - `run`: a run with recorded directions.

    **Returns:** what is certified and what was found, in a row for class + and one for class -; it
    is searched from the mean of the subclass with the smallest certified distance.
    """
    each = departures(run)
    certified = np.array([one.certified() for one in each])
    closest = [np.where(run.centers.label == s, certified, np.inf).argmin() for s in (1, -1)]
    return np.array([(certified[k], each[k].searched()) for k in closest])


def departures(run: Evidence) -> list[Departure]:
    """The mean of every subclass, as the neurons see what is around it at the end (D25)."""
    data, record, p = training_samples(run), run.record, run.p
    start, end = record["direction"].values[[0, -1]].astype(np.float64)
    beside = start @ _off_span(data.x)
    length = np.linalg.norm(beside, axis=1)
    way = beside / np.where(length > 0, length, 1.0)[:, None]

    log_norm, log_mass = record["log_norm"].values.astype(np.float64), run.log_mass[-1]
    with np.errstate(divide="ignore"):
        slope = log_slopes(np.log(length), log_norm[0], log_norm[-1], log_mass, p=p)
    means = np.stack([data.x[data.subclass == k].mean(axis=0) for k in range(run.centers.K)])
    views = means.astype(np.float64) @ end.T * np.exp(log_mass / p)
    return [
        Departure(s * signs(run), at, way, slope, p)
        for s, at in zip(run.centers.label, views, strict=True)
    ]


def _off_span(x: Float[np.ndarray, "n D"]) -> Float[np.ndarray, "D q"]:
    """An orthonormal basis of the directions that are orthogonal to all samples."""
    distinct = np.unique(x, axis=0).astype(np.float64)
    n, D = distinct.shape
    return null_space(distinct, rcond=_SPANNED) if n < D else np.zeros((D, 0))


def _of_class(run: Evidence, s: int) -> tuple[Float[np.ndarray, "m K"], Bool[np.ndarray, "m K"]]:
    """Coordinates at the start of the neurons of a class, and which centers are their own."""
    mine = signs(run) == s
    return coordinates(run)[0][mine], own(run)[mine]


def _lags(run: Evidence, s: int) -> Float[np.ndarray, " m"]:
    start, mine = _of_class(run, s)
    return lags(mine & (start > 0), run.pi, run.p)


def _turned(run: Evidence, s: int) -> bool:
    """Whether all neurons of a class but void ones have turned to it before outputs escape."""
    needed = scale_of_arrival(*_of_class(run, s), run.p)
    return bool((needed[np.isfinite(needed)] <= -np.log(run.scenario.network.init_scale)).all())


PREDICTIONS = (
    Prediction(
        "off-manifold", "P35",
        "Off the span of all samples errors move away as ε falls, for p > √2 only like ε^(-2/p) if "
        "a neuron of the other class is void.",
        "Melamed, Yehudai and Vardi, NeurIPS 2023 (ReLU, known from the abstract); theory D25, P35",
        "log distance/log ε → -min_j E(a_j), E(a) = p(1 - a) + 2a/p, ρ_j ~ ε^(a_j)",
        judge_study=judge_off_manifold, scenario="off-manifold", figure="off_manifold",
        subject=Subject.ROBUSTNESS,
    ),
)  # fmt: skip
