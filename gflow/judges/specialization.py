"""Judges of where neurons go (theory D3, D5): targets, the Voronoi rule, selection."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.special import gammaln, xlog1py, xlogy

from gflow.data.centers import ORTHONORMAL
from gflow.judges.alignment_phase import COSINE_ROUNDING, coordinates, own, signs
from gflow.judges.conjecture import LARGEST_START
from gflow.judges.descent_law import follows_flow
from gflow.judges.evidence import Evidence
from gflow.judges.far_enough import settled, the_end
from gflow.judges.finding import Opinion, Verdict, earned, missing, outside, unmet
from gflow.judges.prediction import MV24, MV25, Prediction
from gflow.judges.separation import (
    arrived,
    law_angle,
    law_angle_at_center,
    law_share_at_centers,
    occupied,
)
from gflow.judges.series import Comparison, opinion_of
from gflow.judges.shared_hypotheses import recorded, vanishing, within
from gflow.laws.hypothesis import Hypothesis, all_met
from gflow.laws.reduced import void_share, winner
from gflow.measure.alignment import CONE, contributing, mass_share

ALIGNED_MASS = 0.99
"""Share of the mass that must lie within 10 degrees of its target."""

SELECTED = 0.95
"""Share of the mass within 10 degrees of a center at escape for p > 2; the rest for p < 2 (P22)."""

SPECIALIZED = 0.9
"""Cosine at which a neuron has chosen its subclass (P6)."""

NEGLIGIBLE = 0.01
"""Largest |f(μ_k)| at which all residuals are still equal (P6)."""

VORONOI_NOISY = 0.9
"""Share of neurons that must follow the Voronoi rule at α > 0; all of them at α = 0 (P6)."""

CHANCE = 1e-6
"""Probability below which a count is beyond chance, in many thousands of runs too (P6)."""

OBLIQUE = 0.1
"""Largest cosine between two subclass means that still count as orthogonal centers."""

LARGEST_TILT = 5.0
"""Degrees by which samples may tilt targets for a cone of 10 degrees to mean something (P22)."""

_NEEDS = "The record groups `neurons` and `centers` are needed."


def judge_alignment(evidence: Evidence) -> Opinion:
    """At least 0.99 of the mass ends within 10 degrees of its target.

    The target is a neuron's closest own center for p > 2 and its class average for p < 2.  Without
    noise the latter is not claimed: such a neuron ends at the average of the centers it started
    active on (theory T13).  Where attractors lie elsewhere the share is reported and not judged.
    """
    expected = f"mass within 10° of its target >= {ALIGNED_MASS}"
    if not evidence.has("neurons"):
        return outside(expected, _NEEDS)
    if evidence.p == 2:
        return outside(expected, "p = 2 selects no target: a continuum of limits (theory D5).")
    if evidence.p < 2 and evidence.alpha == 0:
        reason = "Without noise p < 2 neurons need not reach the whole class average (theory T13)."
        return outside(expected, reason)
    opinion = _aligned_mass(evidence, expected)
    if elsewhere := _oblique(evidence) or _drawn_elsewhere(evidence):
        return replace(opinion, verdict=Verdict.OUTSIDE, reason=elsewhere)
    hypotheses = (follows_flow(evidence), vanishing(evidence, LARGEST_START))
    opinion = replace(opinion, hypotheses=hypotheses)
    if all_met(hypotheses) is False:
        return replace(opinion, verdict=Verdict.OUTSIDE, reason=missing(hypotheses))
    return _earned_alignment(evidence, opinion)


def _aligned_mass(evidence: Evidence, expected: str) -> Opinion:
    share = float(_share_at_target(evidence)[-1])
    angle = np.degrees(np.arccos(np.clip(evidence.target_cosine[-1], -1, 1)))
    mean = float(evidence.share @ angle)
    word = "closest own center" if evidence.p > 2 else "class average"
    return Opinion(
        Verdict.HOLDS if share >= ALIGNED_MASS else Verdict.FAILS,
        expected,
        f"{share:.4f}",
        f"Target: {word}. Mass-weighted mean angle {mean:.2f}°.",
        details={"mean_angle_degrees": mean},
    )


def _earned_alignment(evidence: Evidence, opinion: Opinion) -> Opinion:
    """No FAILS before the end, from a start too large or narrow, or at a large tilt by samples."""
    if not evidence.has("centers"):
        return earned(opinion, recorded(evidence))
    conditions = (
        occupied(evidence),
        *the_end(evidence),
        arrived(evidence, 1 - ALIGNED_MASS),
        settled(evidence, _angle_of_most(evidence), 10.0, "the angle within which 99 % of it lies"),
        _lasting(evidence),
        _little_tilt(evidence),
    )
    return earned(opinion, *conditions)


def _angle_of_most(evidence: Evidence) -> Float[np.ndarray, " T"]:
    """Degrees within which 99 % of the final mass lies about its target."""
    order = np.argsort(evidence.target_cosine, axis=1)
    farther = np.cumsum(evidence.share[order], axis=1)
    first = (farther > 1 - ALIGNED_MASS).argmax(axis=1)[:, None]
    cosine = np.take_along_axis(evidence.target_cosine, np.take_along_axis(order, first, 1), 1)
    return np.degrees(np.arccos(np.clip(cosine[:, 0], -1, 1)))


def _lasting(evidence: Evidence) -> Hypothesis:
    """That what theory says of alignment lasts: a loss that saturates goes on to fit the noise.

    After the time T* of G5 nothing is known of it.
    """
    lasts = not (evidence.loss.saturates and evidence.alpha != 0)
    loss = evidence.scenario.flow.loss
    return Hypothesis("a loss that does not saturate, or no noise", f"it is {loss}", lasts)


def _share_at_target(evidence: Evidence) -> Float[np.ndarray, " T"]:
    """Share of the final mass within 10 degrees of its target."""
    return (evidence.target_cosine >= CONE) @ evidence.share


def _oblique(evidence: Evidence) -> str:
    """Why neurons need not go to centers or averages of these centers; empty if they should."""
    centers = evidence.centers
    if centers.origin == "given":
        error, allowed, what = centers.orthonormality_error, ORTHONORMAL, "max |C Cᵀ - I|"
    else:
        error, allowed, what = centers.largest_cosine, OBLIQUE, "largest |cosine|"
    if error <= allowed:
        return ""
    return (
        f"The subclass centers are not orthonormal ({what} = {error:.2g}), so a neuron at "
        "one is attracted by the others too."
    )


def _drawn_elsewhere(evidence: Evidence) -> str:
    """Why neurons need not end at their targets on orthonormal centers; empty if they should."""
    if evidence.degree != 1:
        return (
            "Without normalization the first neuron to grow may serve other subclasses, too, "
            "before another has grown (theory P24)."
        )
    if evidence.p < 2 and evidence.facts.imbalance > 1:
        return (
            "At p < 2 subclasses of unequal weight draw neurons off the class average, to the "
            f"direction of Σ π_k^(1/(2-p)) μ_k (theory D5), and data.imbalance = "
            f"{evidence.facts.imbalance:g}."
        )
    return ""


def judge_voronoi_rule(evidence: Evidence) -> Opinion:
    """A neuron ends at the own center it starts closest to (p > 2; theory D3, prediction P6).

    Judged on neurons that reach cosine 0.9 while every |f(μ_k)| <= 0.01, since later ones see
    unequal residuals, and that start farther from the boundary of their cell than residuals and the
    sample may move it.  All of them must follow at α = 0; with noise a share below nine in ten must
    be beyond chance.  Where the initialization is symmetric the numbers of void neurons must not be
    beyond chance for shares of 2^{-K1} and 2^{-K2}.  On centers that are not orthonormal the share
    is reported and not judged.
    """
    noisy = evidence.alpha is None or evidence.alpha > 0
    needed = VORONOI_NOISY if noisy else 1.0
    expected = f">= {needed:.0%} of specialized neurons; void share 2^-K1, 2^-K2"
    if not (evidence.has("neurons") and evidence.has("centers")):
        return outside(expected, _NEEDS)
    if evidence.p <= 2:
        return outside(expected, f"The rule is about p > 2, but p = {evidence.p:g}.")
    opinion = _followed(evidence, expected, needed)
    if oblique := _oblique(evidence):
        return replace(opinion, verdict=Verdict.OUTSIDE, reason=oblique)
    hypotheses = (follows_flow(evidence), vanishing(evidence, LARGEST_START))
    opinion = replace(opinion, hypotheses=hypotheses)
    if all_met(hypotheses) is False:
        return replace(opinion, verdict=Verdict.OUTSIDE, reason=missing(hypotheses))
    return earned(opinion, _little_tilt(evidence))


def _little_tilt(evidence: Evidence) -> Hypothesis:
    """That the sample tilts targets by half the cone at most (theory D4)."""
    angle = float(np.degrees(law_angle(evidence)))
    cure = "give more `data.samples` or less `data.noise`"
    return within("the tilt of targets by the sample", angle, LARGEST_TILT, "°", cure=cure)


def _followed(evidence: Evidence, expected: str, needed: float) -> Opinion:
    predicted, chosen = _choices(evidence)
    reached = (predicted >= 0) & (chosen >= 0)
    judged = reached & _far_from_boundary(evidence)
    if not judged.any():
        reason = "No neuron reached cosine 0.9 while the network was negligible."
        if reached.any():
            reason = "All neurons that specialized start too close to the boundary of their cell."
        return Opinion(Verdict.UNDECIDED, expected, "0 neurons", reason)
    n, followers = int(judged.sum()), int((predicted == chosen)[judged].sum())
    void_fits, void_text = _void_share(evidence, predicted < 0)
    verdict, reason = Verdict.HOLDS, "Final subclass against argmax of the initial own cosines."
    if followers < needed * n:
        verdict = Verdict.FAILS
        reason = f"{n - followers} of {n} neurons went to another center than the closest."
        # A few of few neurons may be those that the sample turns.
        if needed < 1 and _two_sided(followers, n, needed) >= CHANCE:
            verdict, reason = Verdict.UNDECIDED, f"{reason} That may be chance; try more neurons."
    if not void_fits:
        verdict, reason = Verdict.FAILS, "The share of void neurons is beyond chance."
    return Opinion(
        verdict,
        expected,
        f"{followers / n:.1%} of {n}; void {void_text}",
        reason,
        details={"followed": followers / n, "judged": n},
    )


def _far_from_boundary(evidence: Evidence) -> Bool[np.ndarray, " h"]:
    """Neurons whose best and second score π_k u_k^{p-2} differ by more than forces and sample do.

    Forces differ by `NEGLIGIBLE` at most while neurons choose, and the sample moves a coordinate of
    size 1/√D by about α/√(N D); two coordinates by √2 times that, three deviations of it.
    """
    start, p = np.where(own(evidence), coordinates(evidence)[0], 0.0), evidence.p
    score = evidence.pi * np.maximum(start, 0.0) ** (p - 2)
    # A lone own center has no second; -1 stands for one that there is not.
    second, top = np.sort(np.pad(score, ((0, 0), (1, 0)), constant_values=-1.0), axis=1)[:, -2:].T
    largest = np.maximum(start.max(axis=1), COSINE_ROUNDING)
    moved = 3 * np.sqrt(2 / evidence.centers.D) * law_angle(evidence) / largest
    return top - second > (NEGLIGIBLE + (p - 2) * (moved + COSINE_ROUNDING / largest)) * top


def _choices(evidence: Evidence) -> tuple[Int[np.ndarray, " h"], Int[np.ndarray, " h"]]:
    """Subclass by the Voronoi rule, and the one chosen; -1 for a void or undecided neuron."""
    K, p = evidence.centers.K, evidence.p
    cosine = evidence.record["cosine"].values[..., :K]
    sign, label = evidence.record["sign"].values[0], evidence.centers.label
    predicted = winner(cosine[0].astype(np.float64), sign, label, evidence.pi, p=p)
    # What the neuron chose: its closest own center when it first reached 0.9, while all is quiet.
    quiet = np.abs(evidence.record["center_output"].values).max(axis=1) <= NEGLIGIBLE
    best = np.where(own(evidence), cosine, -1.0)
    reached = (best.max(axis=-1) >= SPECIALIZED) & quiet[:, None]
    first = reached.argmax(axis=0)
    at_first = best[first, np.arange(best.shape[1])].argmax(axis=-1)
    return predicted, np.where(reached.any(axis=0), at_first, -1)


def _void_share(evidence: Evidence, void: Bool[np.ndarray, " h"]) -> tuple[bool, str]:
    if evidence.facts.drawn is None or evidence.neurons.init in ("nudged", "averaged"):
        return True, "share not judged"
    sign = evidence.record["sign"].values[0]
    fits, texts = True, []
    for s, K_own in ((1, evidence.centers.K1), (-1, evidence.centers.K2)):
        mine = void[sign == s]
        if mine.size == 0:
            continue
        law = void_share(K_own)
        fits &= _two_sided(int(mine.sum()), int(mine.size), law) >= CHANCE
        texts.append(f"{mine.mean():.3f} ({law:.3f})")
    return bool(fits), ", ".join(texts)


def _two_sided(hits: int, trials: int, law: float) -> float:
    """Probability of a number of hits no more probable than this one, each with probability `law`.

    It is `scipy.stats.binomtest(...).pvalue`; scipy.stats takes a third of a second to import.
    """
    k = np.arange(trials + 1)
    log_choices = gammaln(trials + 1) - gammaln(k + 1) - gammaln(trials - k + 1)
    chance = np.exp(log_choices + xlogy(k, law) + xlog1py(trials - k, -law))
    return float(chance[chance <= chance[hits] * (1 + 1e-7)].sum())


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


PREDICTIONS = (
    Prediction(
        "voronoi-rule", "P6",
        "A neuron specializes to the own center it starts closest to (p > 2).",
        f"{MV25}, eq. 13 and Proposition 4; theory D3, G4, G7, P6",
        "k(j) = argmax over own u_k(0) > 0 of π_k u_k(0)^(p-2)",
        judge=judge_voronoi_rule, scenario="voronoi-rule", figure="sphere",
    ),
    Prediction(
        "alignment", "P22",
        "Neurons align with their class average (p < 2) or a subclass center (p > 2).",
        f"{MV24}, Theorem 2; theory A5, D5, P22",
        "share of the mass within 10° of its target",
        judge=judge_alignment, judge_study=judge_selection, scenario="power-sweep",
        figure="power_map",
    ),
)  # fmt: skip
