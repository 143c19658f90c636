"""Judge of when outputs escape, as a function of ε (theory D7): prediction P11."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from gflow.judges.alignment_phase import coordinates
from gflow.judges.evidence import Evidence
from gflow.judges.exponents import (
    SCALE,
    all_vanish,
    compared_slope,
    log_scales,
    over_scales,
    series_escape_times,
    slopes_opinion,
)
from gflow.judges.far_enough import escaped
from gflow.judges.finding import Opinion, earned, unmet
from gflow.judges.fitting_line import DEVIATIONS
from gflow.judges.prediction import Prediction, Subject
from gflow.judges.separation import occupied
from gflow.judges.series import Comparison, Series, class_name, series
from gflow.judges.shared_hypotheses import all_of, equal_weights, normalized, orthonormal
from gflow.laws.hypothesis import Hypothesis
from gflow.laws.jumps import class_weight
from gflow.laws.timescales import escape_slope

ESCAPE = 0.02
"""Relative error allowed in the escape slope (P11)."""


def judge_escape_slopes(evidences: Sequence[Evidence]) -> Opinion:
    """dT_esc/d log(1/ε) = 1/(κ π λ), and at p = 1 the larger class first (D7, prediction P11)."""
    expected = f"slopes within {ESCAPE:.0%} of 1/(κ π λ)"
    # At p = 2 the heaviest subclass of a class draws all of its neurons (theory D5).
    even = all(run.p != 2 or run.facts.imbalance == 1 for run in evidences)
    hypotheses = (
        *over_scales(evidences),
        normalized(*evidences),
        all_of(orthonormal, evidences),
        Hypothesis.whether("subclasses of equal weight, for p = 2", even),
        *all_vanish(evidences),
        all_of(occupied, evidences),
        all_of(escaped, evidences),
    )
    if opinion := unmet(expected, hypotheses):
        return opinion
    parts = [t for one in series(evidences, SCALE) for t in _escapes(one)]
    # A light subclass may be served by a neuron that leaves a heavy one once that is fitted.
    single = [run for run in evidences if run.p >= 2]
    even_too = [all_of(lambda run: equal_weights(run)[0], single)] if single else []
    return earned(slopes_opinion(expected, parts, hypotheses), *even_too)


class EscapeLaw(NamedTuple):
    """Escape times of one class in a series over ε, and the slope they should have."""

    title: str
    sign: int
    """The class, +1 or -1."""
    times: Float[np.ndarray, " q"]
    """The first of the class for p < 2, where all escape as one; else the mean over subclasses."""
    slope: float
    """1/(κ π λ), for p < 2 1/(κ ‖π‖_q): flow time per factor e of ε."""


def escape_law(one: Series) -> list[EscapeLaw]:
    """The escape times of each class in a series over ε (theory D7)."""
    times, first = series_escape_times(one), one.runs[0]
    laws = []
    for s in first.centers.signs:
        mine = first.centers.label == s
        when = times[:, mine].min(axis=1) if first.p < 2 else times[:, mine].mean(axis=1)
        # For p < 2 a class grows as one; else the mean of the slopes is that of the times.
        weights = [class_weight(first.pi[mine], first.p)] if first.p < 2 else first.pi[mine]
        slope_law = float(np.mean([escape_slope(1.0, first.loss.kappa, float(w)) for w in weights]))
        name = class_name(s)
        title = ", ".join(part for part in (one.title, name) if part)
        laws.append(EscapeLaw(title, s, when, slope_law))
    return laws


def _escapes(one: Series) -> list[Comparison]:
    x = -log_scales(one)
    parts = []
    for law in escape_law(one):
        error = max((_rate_error(run, law.sign) for run in one.runs), default=0.0)
        parts.append(
            compared_slope(
                law.title, x, law.times, law.slope,
                allowed=ESCAPE * law.slope, error=error * law.slope, log_eps=-x,
            )
        )  # fmt: skip
    order = _order(one) if one.runs[0].p == 1 else None
    return parts if order is None else [*parts, order]


def _rate_error(run: Evidence, s: int) -> float:
    """By how much a class may grow other than at κπλ when it escapes, relatively.

    Directions give λ less Σ_own σ(u_k)^p, by mass, for p < 2 ‖π‖_q less Σ_own π_k σ(u_k)^p; noise
    p(p-1)τ²/2, and N samples of each of m subclasses `DEVIATIONS` of pτ/√N (pτ/√(mN) where they
    grow as one, with noise τ√m).

    **Source:** theory D4, D7, D8.
    """
    mine, p = run.centers.label == s, run.p
    times = run.escape_times[mine]
    if not np.isfinite(times).any():
        return np.inf
    at = int(np.searchsorted(run.times, np.nanmin(times)))
    at = min(at, len(run.times) - 1)
    own_class = run.record["sign"].values[at] == s
    share = np.exp(run.log_mass[at] - run.log_mass[at].max()) * own_class
    share = share / max(share.sum(), np.finfo(float).tiny)
    pi = run.pi[mine]
    weight = pi / class_weight(pi, p) if p < 2 else np.ones_like(pi)
    growth = np.maximum(coordinates(run)[at][:, mine], 0) ** p @ weight
    tau = run.facts.tau or 0.0
    N = (run.facts.drawn or np.inf) * float(pi.min() / run.pi.sum())
    return float(abs(1 - share @ growth) + p * (p - 1) / 2 * tau**2 + DEVIATIONS * p * tau / N**0.5)


def _order(one: Series) -> Comparison | None:
    """Whether the class with more subclasses escapes first; None for equal classes, or one.

    None as well if subclasses differ in weight, when no class need be ahead of the other.
    """
    times, label = series_escape_times(one), one.runs[0].centers.label
    size = int(label.sum())
    if size == 0 or abs(size) == len(label) or one.runs[0].facts.imbalance != 1:
        return None
    plus, minus = (times[:, label == s].min(axis=1) for s in (1, -1))
    # A class that has not escaped counts as later than one that has.
    first, second = (np.nan_to_num(t, nan=np.inf) for t in ((plus, minus) if size > 0 else
                                                            (minus, plus)))  # fmt: skip
    known = np.isfinite(np.minimum(first, second))
    title = f"{one.title} order".strip()
    if not known.any():
        return Comparison(title, None, "no class escapes")
    # Escapes at one recorded time, or in one step of the record, have no order.
    fits = bool((first < second)[known].all())
    return Comparison(title, fits, "larger class first" if fits else "not always the larger class")


PREDICTIONS = (
    Prediction(
        "escape-slopes", "P11",
        "The time to escape grows with log 1/ε at a known slope; larger classes first at p = 1.",
        "theory D7, P11",
        "dT_esc/d log(1/ε) = 1/(κ π λ); λ = 1 for p >= 2, π λ = ‖π_own‖_q, q = 2/(2-p), for p < 2",
        judge_study=judge_escape_slopes, scenario="escape-slope", figure="escape",
        subject=Subject.ESCAPE,
    ),
)  # fmt: skip
