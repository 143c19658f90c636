"""Judges of what runs of a study say beside each other: predictions P4, P22 and P28."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from gflow.judges.alignment_phase import clock, coordinates, negligible, own, signs
from gflow.judges.evidence import Evidence
from gflow.judges.finding import Opinion, outside, unmet
from gflow.judges.series import Series, Told, opinion_of, series
from gflow.judges.shared_hypotheses import the_flow
from gflow.judges.slope import slope
from gflow.laws.hypothesis import Hypothesis
from gflow.laws.reduced import unbalanced_time
from gflow.measure.alignment import CONE, contributing, mass_share
from gflow.network.reference import ORTHONORMAL
from gflow.random import stream

CHARTS = 100.0
"""Difference of outputs allowed between charts, in tolerances (P4)."""

CHARTS_LEAST = 1e-6
"""Difference that is always allowed (P4)."""

CHARTS_KINKS = 1e-3
"""The same at p < 2, where kinks limit what a tolerance buys (P4)."""

SELECTED = 0.95
"""Share of the mass within 10 degrees of a center at escape for p > 2; the rest for p < 2 (P22)."""

UNBALANCED_SLOPE, BALANCED_SLOPE, SLOPE_ERROR = -2.0, -1.0, 0.1
"""Exponents of the alignment time in the initial cosine at p = 3, and the error allowed (P28)."""

PREFACTOR = 0.03
"""Relative error allowed in the prefactor of the unbalanced alignment time (P28)."""

NOTHING = 1e-3
"""Largest |v_j|/‖w_j‖ that passes for a start from v = 0 (P28)."""

SMALL_START = 0.06
"""Largest initial cosine that passes for small (P28)."""


def judge_charts(evidences: Sequence[Evidence]) -> Opinion:
    """Polar, light-cone and Cartesian flows end in the same function (prediction P4)."""
    expected = f"outputs agree to {CHARTS:g} tolerances (p < 2: {CHARTS_KINKS:g})"
    evidences = [run for run in evidences if run.is_flow]
    charts = {run.scenario.flow.chart for run in evidences}
    if len(charts) < 2:
        return outside(expected, f"Only one chart in this study ({', '.join(charts)}).")
    told = [_same_function(one) for one in series(evidences, "flow.chart")]
    reason = "Largest difference over 512 inputs of the unit sphere and the centers, over max |f|."
    undecided = "A flow ended early or at a time of its own, or had no other chart."
    return opinion_of(expected, told, (), reason, undecided)


def _same_function(one: Series) -> Told:
    first, charts = one.runs[0], [run.scenario.flow.chart for run in one.runs]
    drawn = stream(first.scenario.seed, "inputs").standard_normal((512, first.centers.D))
    x = np.concatenate([drawn / np.linalg.norm(drawn, axis=1, keepdims=True), first.centers.mu])
    outputs = np.stack([np.asarray(run.network(x)) for run in one.runs])
    gap = float(np.ptp(outputs, axis=0).max() / np.abs(outputs).max())
    tolerance = max(run.scenario.flow.tolerance for run in one.runs)
    allowed = max(CHARTS * tolerance, CHARTS_LEAST)
    if first.p < 2:
        allowed = max(allowed, CHARTS_KINKS)
    together = len({float(run.times[-1]) for run in one.runs}) == 1
    complete = all(run.outcome.complete for run in one.runs) and together
    fits = gap <= allowed if complete and len(charts) > 1 else None
    return Told(one.title, fits, f"{gap:.1e} (allowed {allowed:.0e}; {', '.join(charts)})")


def judge_selection(evidences: Sequence[Evidence]) -> Opinion:
    """At escape mass lies at single centers for p > 2 and nowhere near one for p < 2 (P22)."""
    expected = (
        f"share within 10° of a center: <= {1 - SELECTED:.2f} for p < 2, between at p = 2, "
        f">= {SELECTED} for p > 2"
    )
    recorded = [
        run
        for run in evidences
        if run.has("neurons") and run.has("centers") and run.is_flow and run.degree == 1
    ]
    chosen = [run for run in recorded if run.centers.orthonormality_error <= ORTHONORMAL]
    powers = {run.p for run in chosen}
    sizes = [min(run.centers.K1, run.centers.K - run.centers.K1) for run in chosen]
    assumed = (
        Hypothesis("two powers or more of normalized flows on orthonormal centers",
                   f"{len(powers)}", len(powers) > 1),
        Hypothesis("K1, K2 >= 2", f"{min(sizes, default=0)}", min(sizes, default=0) >= 2),
    )  # fmt: skip
    if opinion := unmet(expected, assumed):
        return opinion
    scales = sorted({run.scenario.network.init_scale for run in chosen})
    told = [
        _selected(
            f"ε = {scale:g}", [run for run in chosen if run.scenario.network.init_scale == scale]
        )
        for scale in scales
    ]
    reason = "Mass within 10 degrees of its closest own center when the first output reaches 1/2."
    if ignored := len(recorded) - len(chosen):
        reason += f" {ignored} runs with centers that are not orthonormal are not judged."
    return opinion_of(expected, told, assumed, reason, "A run never escapes.")


def share_at_centers(run: Evidence) -> float:
    """Share of the contributing mass within 10 degrees of an own center at escape; nan if never."""
    if run.phases is None or not np.isfinite(run.phases.escape):
        return float("nan")
    at = int(np.searchsorted(run.times, run.phases.escape))
    at = min(at, len(run.times) - 1)
    share = mass_share(run.log_mass[at])
    share = np.where(contributing(run.log_mass[at]), share, 0)
    near = np.where(own(run), coordinates(run)[at], -1).max(axis=1) >= CONE
    return float(share[near].sum() / share.sum())


def mass_by_place(run: Evidence) -> tuple[float, float, float]:
    """Shares of the final mass within 10 degrees of an own center, of the class average, elsewhere.

    Where a class has one subclass, the two are one and count as a center.
    """
    cosine, mine = run.record["cosine"].values[-1].astype(np.float64), own(run)
    at_center = np.where(mine, cosine[:, : run.centers.K], -1).max(axis=1) >= CONE
    average = np.where(signs(run) > 0, cosine[:, -2], cosine[:, -1])
    at_average = (average >= CONE) & ~at_center
    shares = float(run.share[at_center].sum()), float(run.share[at_average].sum())
    return (*shares, 1 - sum(shares))


def _selected(title: str, runs: Sequence[Evidence]) -> Told:
    """Shares of runs below, at and above p = 2 against the criterion; None if one never escapes."""
    low, high = 1 - SELECTED, SELECTED
    fits, texts = [], []
    for name, belongs, allowed in (
        ("p < 2", lambda p: p < 2, lambda share: share <= low),
        ("p = 2", lambda p: p == 2, lambda share: low < share < high),
        ("p > 2", lambda p: p > 2, lambda share: share >= high),
    ):
        shares = [share_at_centers(run) for run in runs if belongs(run.p)]
        seen = [share for share in shares if np.isfinite(share)]
        fits += [None] * (len(shares) - len(seen)) + [bool(allowed(share)) for share in seen]
        if seen:
            ends = dict.fromkeys(f"{share:.3f}" for share in (min(seen), max(seen)))
            texts.append(f"{name}: {' to '.join(ends)}")
    verdict = False if False in fits else None if None in fits else True
    return Told(title, verdict, ", ".join(texts) or "no escape")


def judge_unbalanced_times(evidences: Sequence[Evidence]) -> Opinion:
    """p = 3: alignment takes √p/u0² from v = 0, 1/u0 from a balanced start (T8, prediction P28)."""
    expected = (
        f"exponents {UNBALANCED_SLOPE:g} and {BALANCED_SLOPE:g} ± {SLOPE_ERROR:g}; prefactor "
        f"within {PREFACTOR:.0%}"
    )
    sizes = {(run.centers.K1, run.centers.K - run.centers.K1) for run in evidences}
    quiet = all(run.alpha == 0 and run.has("neurons") for run in evidences)
    assumed = (
        Hypothesis("one subclass a class", str(sorted(sizes)), sizes == {(1, 1)}),
        Hypothesis("α = 0, p = 3, neurons recorded", "yes" if quiet else "no", quiet
                   and all(run.p == 3 and run.degree == 1 for run in evidences)),
        the_flow(*evidences),
        _from_nothing(evidences),
    )  # fmt: skip
    if opinion := unmet(expected, assumed):
        return opinion
    told = [t for run in evidences for t in _times_to_align(run)]
    reason = "Neurons whose opposite coordinate is asleep, time to cosine 0.99."
    return opinion_of(expected, told, assumed, reason)


def _from_nothing(evidences: Sequence[Evidence]) -> Hypothesis:
    """Unbalanced starts have output weights of about 0."""
    starts = [
        (run.record["log_output"] - run.record["log_norm"]).values[0].max()
        for run in evidences
        if run.has("neurons") and not run.scenario.network.balanced
    ]
    largest = float(np.exp(max(starts, default=-np.inf)))
    return Hypothesis(f"unbalanced: |v| <= {NOTHING:g}‖w‖", f"{largest:.1e}", largest <= NOTHING)


def _times_to_align(run: Evidence) -> list[Told]:
    u0, when = _single_coordinate(run)
    balanced = run.scenario.network.balanced
    title = "balanced" if balanced else "v = 0"
    if len(u0) < 5:
        return [Told(title, None, f"only {len(u0)} neurons aligned")]
    found = slope(np.log(u0), np.log(when))
    law = BALANCED_SLOPE if balanced else UNBALANCED_SLOPE
    told = [Told(f"{title} exponent", found.within(law, SLOPE_ERROR), f"{found} (law {law:g})")]
    if not balanced:
        law_times = np.array([unbalanced_time(float(u), run.p) for u in u0])
        ratio = float(np.median(when / law_times))
        told.append(Told("prefactor", abs(ratio - 1) <= PREFACTOR, f"{ratio:.3f} of √p/u0²"))
    return told


def _single_coordinate(run: Evidence) -> tuple[Float[np.ndarray, " q"], Float[np.ndarray, " q"]]:
    """Initial cosine and t̂ to cosine 0.99 of neurons that only their own center moves."""
    u, mine = coordinates(run), own(run)
    start = np.where(mine, u[0], 0).sum(axis=1)
    alone = (np.where(mine, -1, u[0]).max(axis=1) <= 0) & (start > 0) & (start <= SMALL_START)
    cosine = np.where(mine, u, -1).max(axis=2)
    reached = (cosine >= 0.99) & negligible(run)[:, None]
    chosen = np.flatnonzero(alone & reached.any(axis=0))
    t_hat = clock(run)
    when = np.array([_crossing(t_hat, cosine[:, j]) for j in chosen])
    return start[chosen], when


def _crossing(t: Float[np.ndarray, " T"], cosine: Float[np.ndarray, " T"]) -> float:
    i = int((cosine >= 0.99).argmax())
    a, b = cosine[i - 1], cosine[i]
    return float(t[i - 1] + (0.99 - a) / (b - a) * (t[i] - t[i - 1]))
