"""Judges of exponents: slopes that a study over ε shows (P12, P24, P27).

Every series of the study gives a slope with a confidence interval, and the criterion is about the
slope: HOLDS if it is what the law says, FAILS if its whole interval is not, beyond what the law
itself may be off by.  A law for ε → 0 is not refuted by slopes that approach it.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from gflow.judges.alignment_phase import (
    COSINE_ROUNDING,
    clock,
    coordinates,
    negligible,
)
from gflow.judges.evidence import Evidence
from gflow.judges.far_enough import escaped
from gflow.judges.finding import Opinion, unmet
from gflow.judges.prediction import MV25, Prediction, Subject
from gflow.judges.series import Comparison, Series, opinion_of, series
from gflow.judges.shared_hypotheses import (
    all_of,
    normalized,
    orthonormal,
    recorded,
    the_flow,
    vanishing,
)
from gflow.judges.slope import slope
from gflow.laws.hypothesis import Hypothesis
from gflow.laws.layers import escape_exponent
from gflow.network.prelu import host_power

SEPARATION, SEPARATION_ERROR = 2.0, 0.05
"""Slope in log ε of how far the alignment field is from the frozen one (P12)."""

INDEPENDENCE, INDEPENDENCE_ERROR = 2.0, 0.1
"""Slope in log ε of the spread of directions over losses (P27)."""

POLYNOMIAL_ERROR = 0.05
"""Error allowed in the exponent p - 1 of the escape time without normalization (P24)."""

VANISHING_MASS = 0.01
"""Largest Σ m_j at the start of a run that a law for ε → 0 is about (P11, P12, P18, P24, P26, P27).
"""

APPROACH = 0.8
"""A miss at the smallest ε that is this many times that at the largest comes closer to the law."""

SCALE = "network.init_scale"
"""ε, in scenario files."""

FEWEST = 3
"""Fewest points of a slope."""


def series_escape_times(one: Series) -> Float[np.ndarray, "q K"]:
    """When each subclass escapes, in every run of a series (theory D7)."""
    return np.stack([run.escape_times for run in one.runs])


def judge_phase_separation(evidences: Sequence[Evidence]) -> Opinion:
    """The alignment field differs from the frozen one by O(ε²) (MMV24, prediction P12)."""
    expected = f"slope in log ε {SEPARATION:g} ± {SEPARATION_ERROR:g} at fixed t"
    noises = ", ".join(sorted({f"{run.alpha}" for run in evidences}))
    hypotheses = (
        *over_scales(evidences),
        normalized(*evidences),
        all_of(orthonormal, evidences),
        Hypothesis("α = 0", f"α = {noises}", all(run.alpha == 0 for run in evidences)),
        *all_vanish(evidences),
    )
    if opinion := unmet(expected, hypotheses):
        return opinion
    parts = [_separation(one) for one in series(evidences, SCALE)]
    return slopes_opinion(expected, parts, hypotheses)


def _separation(one: Series) -> Comparison:
    t = _common_time(one.runs)
    if t is None:
        return Comparison(one.title, None, "no scheduled time at which all are negligible")
    y = np.log([_field_error(run, t) for run in one.runs])
    title = f"{one.title} t = {t:.4g}".strip()
    x = log_scales(one)
    return compared_slope(title, x, y, SEPARATION, allowed=SEPARATION_ERROR, log_eps=x)


def _common_time(runs: Sequence[Evidence], mass: float = 1e-2) -> float | None:
    """The last scheduled time of all runs at which all of them are negligible."""
    times: set[float] = set(runs[0].times.tolist())
    for run in runs:
        scheduled = run.record["scheduled"].values & negligible(run, mass)
        times &= set(run.times[scheduled].tolist())
    return max((t for t in times if t > 0), default=None)


def _field_error(run: Evidence, t: float) -> float:
    """max_j ‖P_u p Σ_k π_k (g_k - g_k(0)) σ(u_k)^{p-1} μ_k‖ at α = 0: what f adds to the field."""
    at, p = int(np.flatnonzero(run.times == t)[0]), run.p
    u = coordinates(run)[at]
    force = run.loss.force_change(run.centers.label.astype(np.float64), run.center_output[at])
    added = p * run.pi * force * host_power(u, p - 1)
    along = (added * u).sum(axis=1)
    return float(np.sqrt(np.maximum((added**2).sum(axis=1) - along**2, 0)).max())


def judge_loss_independence(evidences: Sequence[Evidence]) -> Opinion:
    """At equal κ t directions agree over losses up to O(ε²) (prediction P27)."""
    expected = f"spread over losses: slope in log ε {INDEPENDENCE:g} ± {INDEPENDENCE_ERROR:g}"
    losses = {run.scenario.flow.loss for run in evidences}
    several = Hypothesis("two losses or more", ", ".join(sorted(losses)), len(losses) > 1)
    hypotheses = (
        *over_scales(evidences), normalized(*evidences), several, *all_vanish(evidences)
    )  # fmt: skip
    if opinion := unmet(expected, hypotheses):
        return opinion
    parts = [_spread_slope(one) for one in series(evidences, SCALE, "flow.loss")]
    return slopes_opinion(expected, parts, hypotheses)


def _spread_slope(one: Series) -> Comparison:
    """Slope of the largest difference of directions at the last common κ t."""
    scales = sorted({run.scenario.network.init_scale for run in one.runs})
    shared = _common_clock(one.runs)
    if shared is None:
        return Comparison(one.title, None, "no common κ t at which all are negligible")
    spread = []
    for scale in scales:
        mine = [run for run in one.runs if run.scenario.network.init_scale == scale]
        u = np.stack([coordinates(run)[_at_clock(run, shared)] for run in mine])
        # Rounding and the integrator may change a spread by the error allowed in the slope.
        coarse = max(run.scenario.flow.tolerance for run in mine)
        floor = max(COSINE_ROUNDING, coarse) / INDEPENDENCE_ERROR
        largest = float(np.ptp(u, axis=0).max())
        spread.append(largest if largest > floor else np.nan)
    x, y = np.log(scales), np.log(spread)
    return compared_slope(one.title, x, y, INDEPENDENCE, allowed=INDEPENDENCE_ERROR, log_eps=x)


def _common_clock(runs: Sequence[Evidence]) -> float | None:
    clocks = [
        {
            float(f"{c:.9g}")
            for c in clock(run)[run.record["scheduled"].values & negligible(run, 1e-2)]
        }
        for run in runs
    ]
    return max((c for c in set.intersection(*clocks) if c > 0), default=None)


def _at_clock(run: Evidence, value: float) -> int:
    return int(np.abs(clock(run) - value).argmin())


def judge_polynomial_escape(evidences: Sequence[Evidence]) -> Opinion:
    """Without ‖w‖^{p-1} in the denominator T_esc ∝ ε^{-(p-1)} (prediction P24)."""
    expected = f"slope of log T_esc over log 1/ε within {POLYNOMIAL_ERROR:g} of p - 1"
    plain = all(not run.neurons.normalized and run.p > 1 for run in evidences)
    unnormalized = Hypothesis.whether("no normalization, p > 1", plain)
    hypotheses = (
        *over_scales(evidences), unnormalized, *all_vanish(evidences), all_of(escaped, evidences)
    )  # fmt: skip
    if opinion := unmet(expected, hypotheses):
        return opinion
    parts = []
    for one in series(evidences, SCALE):
        x, y, law = (
            -log_scales(one),
            np.log(series_escape_times(one).min(axis=1)),
            escape_exponent((one.runs[0].p, 1.0)),
        )
        parts.append(compared_slope(one.title, x, y, law, allowed=POLYNOMIAL_ERROR, log_eps=-x))
    return slopes_opinion(expected, parts, hypotheses)


def log_scales(one: Series) -> Float[np.ndarray, " q"]:
    """log ε of every run."""
    return np.array([np.log(run.scenario.network.init_scale) for run in one.runs])


def over_scales(evidences: Sequence[Evidence]) -> tuple[Hypothesis, ...]:
    """That `FEWEST` values of ε were followed by the flow, and recorded."""
    values = {run.scenario.network.init_scale for run in evidences}
    enough = len(values) >= FEWEST
    return (
        Hypothesis(f"three values of `{SCALE}`", f"there are {len(values)}", enough),
        recorded(*evidences),
        the_flow(*evidences),
    )


def all_vanish(evidences: Sequence[Evidence]) -> tuple[Hypothesis, ...]:
    """A law for ε → 0: every run begins negligible."""
    if not recorded(*evidences).met:
        return ()
    largest = max(evidences, key=lambda run: float(run.log_mass[0].max()))
    return (vanishing(largest, VANISHING_MASS),)


def compared_slope(
    title: str,
    x: Float[np.ndarray, " q"],
    y: Float[np.ndarray, " q"],
    law: float,
    *,
    allowed: float,
    error: float = 0.0,
    log_eps: Float[np.ndarray, " q"] | None = None,
) -> Comparison:
    """A slope against its law; undecided with too few points or an interval that straddles.

    **Arguments:**

    - `allowed`: error of the slope that is allowed.
    - `error`: by how much the law itself may be off.
    - `log_eps`: log ε of every point if the law is one for ε → 0; then slopes that come closer to
        it as ε falls do not contradict it.
    """
    finite = np.isfinite(x) & np.isfinite(y)
    if len(set(x[finite])) < FEWEST:
        return Comparison(title, None, f"only {int(finite.sum())} of {len(x)} points")
    line = slope(x[finite], y[finite])
    fits = line.verdict(law, allowed, error)
    if fits is False and log_eps is not None:
        fits = None if _approaches(log_eps[finite], x[finite], y[finite], law) else False
    return Comparison(title, fits, f"{line} (law {law:.4g})")


def _approaches(
    log_eps: Float[np.ndarray, " q"], x: Float[np.ndarray, " q"], y: Float[np.ndarray, " q"],
    law: float,
) -> bool:  # fmt: skip
    """Whether the slope between the two smallest ε is closer to the law than at the largest."""
    order = np.argsort(log_eps)
    miss = np.abs(np.diff(y[order]) / np.diff(x[order]) - law)
    return bool(miss[0] < APPROACH * miss[-1])


def slopes_opinion(
    expected: str, parts: list[Comparison], hypotheses: tuple[Hypothesis, ...]
) -> Opinion:
    """The opinion that slopes add up to."""
    undecided = "Too few points, or an interval that straddles the criterion."
    return opinion_of(
        expected, parts, hypotheses, "Slope with its 95 % interval.", undecided=undecided
    )


PREDICTIONS = (
    Prediction(
        "phase-separation", "P12",
        "While f ≪ 1 directions follow the frozen alignment field up to O(ε²) at fixed t.",
        "Min, Mallada and Vidal, ICLR 2024, Lemma 1; theory C1, P12",
        "max_j ‖du_j/dt - s_j P x^(p)(u_j)‖ ∝ ε²",
        judge_study=judge_phase_separation, scenario="phase-separation",
        subject=Subject.ALIGNMENT,
    ),
    Prediction(
        "polynomial-escape", "P24",
        "Without normalization the escape time is a power of 1/ε.",
        f"{MV25}, appendix B.2; theory P24",
        "T_esc ∝ ε^(-(p-1))",
        judge_study=judge_polynomial_escape, scenario="unnormalized-polynomial",
        subject=Subject.ESCAPE,
    ),
    Prediction(
        "loss-independence", "P27",
        "Before escape directions do not depend on the loss at equal κ t, up to O(ε²).",
        f"{MV25}, remarks; theory A4, P27",
        "|u(κt; loss) - u(κt; loss')| ∝ ε²",
        judge_study=judge_loss_independence, scenario="loss-independence",
        subject=Subject.ESCAPE,
    ),
)  # fmt: skip
