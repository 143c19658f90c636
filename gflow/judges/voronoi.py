"""Judge of which center a neuron chooses (theory D3, G4): prediction P6."""

from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float, Int

from gflow.judges.alignment import NEEDS, attracted_by_others
from gflow.judges.alignment_phase import COSINE_ROUNDING, coordinates, own
from gflow.judges.chance import CHANCE, two_sided
from gflow.judges.conjecture import LARGEST_START
from gflow.judges.descent_law import follows_flow
from gflow.judges.evidence import Evidence
from gflow.judges.finding import Opinion, Verdict, earned, missing, outside
from gflow.judges.prediction import MV25, Prediction, Subject
from gflow.judges.separation import law_angle, little_tilt
from gflow.judges.shared_hypotheses import vanishing
from gflow.laws.cells import safe_cosines
from gflow.laws.hypothesis import all_met
from gflow.laws.reduced import void_share, winner

SPECIALIZED = 0.9
"""Cosine at which a neuron has chosen its subclass (P6)."""

NEGLIGIBLE = 0.01
"""Largest |f(μ_k)| at which all residuals are still equal (P6)."""

VORONOI_NOISY = 0.9
"""Share of neurons that must follow the Voronoi rule at α > 0; all of them at α = 0 (P6)."""

SYMMETRIC = ("gaussian", "sphere")
"""Initializations that favor no direction, whose void neurons have a known share (P6)."""


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
        return outside(expected, NEEDS)
    if evidence.p <= 2:
        return outside(expected, f"The rule is about p > 2, but p = {evidence.p:g}.")
    opinion = _followed(evidence, expected, needed)
    if elsewhere := attracted_by_others(evidence):
        return replace(opinion, verdict=Verdict.OUTSIDE, reason=elsewhere)
    hypotheses = (follows_flow(evidence), vanishing(evidence, LARGEST_START))
    opinion = replace(opinion, hypotheses=hypotheses)
    if all_met(hypotheses) is False:
        return replace(opinion, verdict=Verdict.OUTSIDE, reason=missing(hypotheses))
    return earned(opinion, little_tilt(evidence))


def _followed(evidence: Evidence, expected: str, needed: float) -> Opinion:
    predicted, chosen = choices(evidence)
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
        if needed < 1 and two_sided(followers, n, needed) >= CHANCE:
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


def choices(evidence: Evidence) -> tuple[Int[np.ndarray, " h"], Int[np.ndarray, " h"]]:
    """Subclass by the Voronoi rule, and the one chosen; -1 for a void or undecided neuron.

    A neuron has chosen the own center that is closest when it first reaches the cosine
    `SPECIALIZED` while all |f(μ_k)| <= `NEGLIGIBLE`; with unequal weights that of theory D19.
    """
    K, p = evidence.centers.K, evidence.p
    cosine = evidence.record["cosine"].values[..., :K]
    sign, label = evidence.record["sign"].values[0], evidence.centers.label
    predicted = winner(cosine[0].astype(np.float64), sign, label, evidence.pi, p=p)
    # What the neuron chose: its closest own center when it first reached 0.9, while all is quiet.
    quiet = np.abs(evidence.record["center_output"].values).max(axis=1) <= NEGLIGIBLE
    best = np.where(own(evidence), cosine, -1.0)
    # On its way to a heavy center it may pass a light one, which it has chosen only where it can no
    # longer leave it.
    needed = np.maximum(_safe(evidence), SPECIALIZED)
    settled = (best >= needed).any(axis=-1)
    reached = settled & quiet[:, None]
    first = reached.argmax(axis=0)
    at_first = best[first, np.arange(best.shape[1])].argmax(axis=-1)
    return predicted, np.where(reached.any(axis=0), at_first, -1)


def _safe(evidence: Evidence) -> Float[np.ndarray, " K"]:
    """Cosines to each center from which no heavier one of its class takes a neuron away."""
    cosines, label = np.ones(evidence.centers.K), evidence.centers.label
    for s in evidence.centers.signs:
        cosines[label == s] = safe_cosines(evidence.pi[label == s], evidence.p)
    return cosines


def _void_share(evidence: Evidence, void: Bool[np.ndarray, " h"]) -> tuple[bool, str]:
    if evidence.facts.drawn is None or evidence.neurons.init not in SYMMETRIC:
        return True, "share not judged"
    sign = evidence.record["sign"].values[0]
    fits, texts = True, []
    for s in evidence.centers.signs:
        mine = void[sign == s]
        if mine.size == 0:
            continue
        law = void_share(int((evidence.centers.label == s).sum()))
        fits &= two_sided(int(mine.sum()), int(mine.size), law) >= CHANCE
        texts.append(f"{mine.mean():.3f} ({law:.3f})")
    return bool(fits), ", ".join(texts)


PREDICTIONS = (
    Prediction(
        "voronoi-rule", "P6",
        "A neuron specializes to the own center it starts closest to (p > 2).",
        f"{MV25}, eq. 13 and Proposition 4; theory D3, G4, G7, P6",
        "k(j) = argmax over own u_k(0) > 0 of π_k u_k(0)^(p-2)",
        judge=judge_voronoi_rule, scenario="voronoi-rule", figure="sphere", probable=True,
        subject=Subject.ALIGNMENT,
    ),
)  # fmt: skip
