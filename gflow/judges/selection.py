"""Judge of where mass lies when the network escapes (theory D5): prediction P22 on a study."""

from collections.abc import Sequence

import numpy as np

from gflow.judges.alignment_phase import coordinates, own, signs
from gflow.judges.conjecture import LARGEST_START
from gflow.judges.descent_law import follows_flow
from gflow.judges.evidence import Evidence
from gflow.judges.finding import Opinion, unmet
from gflow.judges.separation import LARGEST_TILT, law_angle_at_center, law_share_at_centers
from gflow.judges.series import Comparison, opinion_of
from gflow.judges.shared_hypotheses import recorded, vanishing
from gflow.laws.hypothesis import Hypothesis
from gflow.measure.alignment import CONE, contributing, mass_share

SELECTED = 0.95
"""Share of the mass within 10 degrees of a center at escape for p > 2; the rest for p < 2 (P22)."""


def judge_selection(evidences: Sequence[Evidence]) -> Opinion:
    """At escape mass lies at single centers for p > 2 and nowhere near one for p < 2 (P22)."""
    expected = (
        f"share within 10° of a center: <= {1 - SELECTED:.2f} for p < 2, between at p = 2, "
        f">= {SELECTED} for p > 2"
    )
    # Normalized flows with a record; on oblique centers targets lie elsewhere (theory D5).
    recorded_ones = [run for run in evidences if recorded(run).met and run.degree == 1]
    orthonormal_ones = [run for run in recorded_ones if run.centers.orthonormal]
    chosen = [
        run
        for run in orthonormal_ones
        if follows_flow(run).met and vanishing(run, LARGEST_START).met
    ]
    powers = {run.p for run in chosen}
    sizes = [min(run.centers.K1, run.centers.K2) for run in chosen]
    hypotheses = (
        Hypothesis("two powers or more of normalized flows from a vanishing start, with "
                   "orthonormal centers", f"there is {len(powers)}", len(powers) > 1),
        Hypothesis("K1, K2 >= 2", f"the smaller is {min(sizes, default=0)}",
                   min(sizes, default=0) >= 2),
    )  # fmt: skip
    if opinion := unmet(expected, hypotheses):
        return opinion
    # Every ε is one comparison of all its powers.
    scales = sorted({run.scenario.network.init_scale for run in chosen})
    parts = [
        _selected(
            f"ε = {scale:g}", [run for run in chosen if run.scenario.network.init_scale == scale]
        )
        for scale in scales
    ]
    reason = "Mass within 10 degrees of its closest own center when the first output reaches 1/2."
    if ignored := len(recorded_ones) - len(orthonormal_ones):
        reason += f" {ignored} runs with centers that are not orthonormal are not judged."
    if ignored := len(orthonormal_ones) - len(chosen):
        reason += f" {ignored} runs that begin too large or step too far are not judged."
    undecided = (
        "A run ended before an output escaped, or begins so large or noisy that the law itself "
        "leaves the mass elsewhere; give a later `flow.end_time` or smaller `network.init_scale`."
    )
    return opinion_of(expected, parts, hypotheses, reason, undecided=undecided)


def share_at_centers(run: Evidence) -> float:
    """Share of the contributing mass within 10 degrees of an own center at escape; nan if never."""
    at = _escape_index(run)
    if at is None:
        return float("nan")
    share = mass_share(run.log_mass[at])
    share = np.where(contributing(run.log_mass[at]), share, 0)
    near = np.where(own(run), coordinates(run)[at], -1).max(axis=1) >= CONE
    return float(share[near].sum() / share.sum())


def _escape_index(run: Evidence) -> int | None:
    """The first recorded time at which an output has escaped; None if none has."""
    if run.phases is None or not np.isfinite(run.phases.escape):
        return None
    return min(int(np.searchsorted(run.times, run.phases.escape)), len(run.times) - 1)


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


def late_at_escape(run: Evidence, c: float) -> float:
    """Share of all neurons neither void nor at cosine c to an own center when the network escapes.

    Read at the first |f(μ_k)| = 1/2, along log t between the records around it; nan if there is
    none.

    **Source:** theory D19, D27.
    """
    if run.phases is None or not run.phases.escape > 0:
        return float("nan")
    cosine = run.record["cosine"].values[:, :, : run.centers.K]
    closest = np.where(own(run)[None], cosine, -1).max(axis=2)
    late = ((closest < c) & (closest[0] > 0)).mean(axis=1)
    after = run.times > 0
    return float(np.interp(np.log(run.phases.escape), np.log(run.times[after]), late[after]))


def _selected(title: str, runs: Sequence[Evidence]) -> Comparison:
    """Shares of runs below, at and above p = 2 against the criterion.

    None if one never escapes, or misses it where by theory D3 its own start and growth leave less
    than half of what the criterion allows.
    """
    fits, texts = [], []
    for name, belongs in (
        ("p < 2", lambda p: p < 2), ("p = 2", lambda p: p == 2), ("p > 2", lambda p: p > 2)
    ):  # fmt: skip
        mine = [run for run in runs if belongs(run.p)]
        shares = [share_at_centers(run) for run in mine]
        fits += [_fits(run, share) for run, share in zip(mine, shares, strict=True)]
        finite = [share for share in shares if np.isfinite(share)]
        if finite:
            ends = dict.fromkeys(f"{share:.3f}" for share in (min(finite), max(finite)))
            texts.append(f"{name}: {' to '.join(ends)}")
    verdict = False if False in fits else None if None in fits else True
    return Comparison(title, verdict, ", ".join(texts) or "no escape")


def _fits(run: Evidence, share: float) -> bool | None:
    """Whether a share at centers is as claimed; None if it is not and should not be."""
    at = _escape_index(run)
    if at is None:
        return None
    if _as_claimed(share, run.p, 1 - SELECTED):
        return True
    clear = _as_claimed(law_share_at_centers(run, at), run.p, (1 - SELECTED) / 2)
    return False if clear and np.degrees(law_angle_at_center(run)) <= LARGEST_TILT else None


def _as_claimed(share: float, p: float, allowed: float) -> bool:
    """At most `allowed` for p < 2, all but that for p > 2, and neither at p = 2."""
    if p == 2:
        return 1 - SELECTED < share < SELECTED
    return share <= allowed if p < 2 else share >= 1 - allowed
