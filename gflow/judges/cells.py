"""Judges of many neurons from a symmetric start (theory D19): predictions P43 and P44.

What one neuron does is judged elsewhere (P5, P6); here the neurons of a class are a sample, and a
law of their distribution is refuted by what is beyond chance.
"""

from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Float, Int

from gflow.judges.alignment_phase import clock, coordinates, known, noise_free, own, signs
from gflow.judges.chance import CHANCE, USUAL, binomial_interval, kolmogorov_reach, two_sided
from gflow.judges.conjecture import LARGEST_START
from gflow.judges.evidence import Evidence
from gflow.judges.finding import Opinion, earned, unmet
from gflow.judges.prediction import Prediction, Subject
from gflow.judges.separation import little_tilt
from gflow.judges.series import Comparison, class_name, opinion_of
from gflow.judges.shared_hypotheses import vanishing
from gflow.judges.voronoi import NEGLIGIBLE, SPECIALIZED, SYMMETRIC, choices
from gflow.laws.cells import alignment_times, cell_shares, symmetric_starts
from gflow.laws.hypothesis import Hypothesis, all_met
from gflow.laws.reduced import void_share

ENOUGH = 100
"""Fewest neurons of a class whose distribution says something (P43)."""

DRAWN = 20_000
"""Neurons of the law that those of a run are compared with (P43)."""

LEAST_TIMES = 5
"""Fewest recorded times at which distributions are compared (P43)."""

EXPECTED = 5.0
"""Fewest neurons that a cell must expect for its count to say something (P44)."""

ARRIVED = 0.25
"""Least share of the neurons that are not void that the law must have at a center (P43)."""

CHOSEN = 0.5
"""Least share of the neurons that are not void that must have chosen a center (P44)."""

SURE = 0.9999
"""Confidence in each end of the interval to which draws tell the law of a late share (P43)."""


def judge_alignment_times(evidence: Evidence) -> Opinion:
    """The times that neurons take are those of random directions (D19, prediction P43).

    At every recorded time at which all |f(μ_k)| <= 0.01 the share of neurons at a center is held
    against that of neurons of the law: the largest difference is Kolmogorov's distance.  At the
    last such time the neurons on their way are held against the law by themselves.
    """
    expected = f"shares at cosine {SPECIALIZED:g}, and on the way, as of random directions"
    hypotheses = (*_symmetric(evidence, noise_free(evidence)), _equal(evidence))
    if all_met(hypotheses):
        hypotheses = (*hypotheses, vanishing(evidence, LARGEST_START), _crowds(evidence, ENOUGH))
    if opinion := unmet(expected, hypotheses):
        return opinion
    parts = [part for s in evidence.centers.signs for part in _times_of_class(evidence, s)]
    undecided = (
        "Too few neurons align while all |f(μ_k)| <= 0.01, which a smaller `network.init_scale` or "
        "a later `flow.end_time` changes, or a deviation may be chance; try another `seed`."
    )
    reason = "Kolmogorov's distance, and the neurons on their way at the last quiet time."
    return opinion_of(expected, parts, hypotheses, reason, undecided=undecided)


def arrivals_of(
    evidence: Evidence, s: int
) -> tuple[Float[np.ndarray, " q"], Bool[np.ndarray, "q m"], Bool[np.ndarray, " m"]]:
    """How the neurons of a class arrive at centers while the network is negligible.

    **Returns:** alignment times at which all |f(μ_k)| <= 0.01, from the start on; which neurons
    have reached a center by then; and which of them are void.
    """
    loud = np.abs(evidence.record["center_output"].values).max(axis=1) > NEGLIGIBLE
    quiet = slice(0, int(loud.argmax()) if loud.any() else len(loud))
    mine = signs(evidence) == s
    u = np.where(own(evidence)[mine], coordinates(evidence)[quiet][:, mine], -1).max(axis=2)
    there = np.logical_or.accumulate(u >= SPECIALIZED, axis=0)
    void = np.where(own(evidence), coordinates(evidence)[0], -1).max(axis=1) <= 0
    return clock(evidence)[quiet], there, void[mine]


@lru_cache(maxsize=16)
def law_times(D: int, K_own: int, K: int, p: float) -> Float[np.ndarray, " q"]:
    """Alignment times of neurons of the law, from random directions; infinite for void ones."""
    u0 = symmetric_starts(D, K, DRAWN, seed=0)
    return alignment_times(u0, np.broadcast_to(np.arange(K) < K_own, u0.shape), p, SPECIALIZED)


def _times_of_class(evidence: Evidence, s: int) -> list[Comparison]:
    """The distribution of alignment times of one class, and its neurons that are on their way."""
    name, centers = class_name(s), evidence.centers
    K_own = int((centers.label == s).sum())
    t_hat, there, void = arrivals_of(evidence, s)
    law = law_times(centers.D, K_own, centers.K, evidence.p)
    share = (law[:, None] <= t_hat).mean(axis=0)
    if len(t_hat) < LEAST_TIMES or share[-1] < ARRIVED * (1 - void_share(K_own)):
        return [Comparison(name, None, f"{len(t_hat)} quiet times, too few or too early")]
    h = there.shape[1]
    distance = float(np.abs(there.mean(axis=1) - share).max())
    usual, beyond = (kolmogorov_reach(chance, h, DRAWN) for chance in (USUAL, CHANCE))
    fits = True if distance <= usual else False if distance > beyond else None
    shape = Comparison(f"{name} distance", fits, f"{distance:.3f} of {h} (<= {usual:.3f})")
    late, late_law = (
        int((~there[-1] & ~void).sum()),
        int((np.isfinite(law) & (law > t_hat[-1])).sum()),
    )
    return [shape, _late(f"{name} on their way", late, h, late_law)]


def _late(title: str, late: int, h: int, late_law: int) -> Comparison:
    """The number of late neurons against the law, wherever its draws leave it."""
    low, high = binomial_interval(late_law, DRAWN, SURE)
    chance = two_sided(late, h, float(np.clip(late / h, low, high)))
    text = f"{late / h:.3f} at the end (law {late_law / DRAWN:.3f})"
    return Comparison(title, _by_chance(chance), text)


def judge_occupancy(evidence: Evidence) -> Opinion:
    """Neurons fall into cells with known probabilities (D19, prediction P44).

    Every neuron counts for the center it has chosen, and one that has chosen none yet for that of
    its start.  Each count is binomial; the least probable one, times their number, decides.
    """
    expected = "counts within chance of P_k in every cell, 2^-K_own void"
    sampled = Hypothesis.whether("samples of every subclass", bool((evidence.pi > 0).all()))
    hypotheses = (*_symmetric(evidence, known(evidence)), sampled)
    if all_met(hypotheses):
        hypotheses = (*hypotheses, vanishing(evidence, LARGEST_START), _expected(evidence))
    if opinion := unmet(expected, hypotheses):
        return opinion
    predicted, chosen = choices(evidence)
    share = float((chosen >= 0)[predicted >= 0].mean())
    cell = np.where((chosen >= 0) & (predicted >= 0), chosen, predicted)
    parts = [_cells_of_class(evidence, s, cell) for s in evidence.centers.signs]
    if share < CHOSEN:
        parts = [part._replace(fits=None) for part in parts]
    undecided = (
        f"{share:.0%} of neurons have chosen while all |f(μ_k)| <= 0.01, or a count may be chance; "
        "try a smaller `network.init_scale` or another `seed`."
    )
    reason = f"Exact binomial tests of every cell; {share:.0%} of neurons have chosen."
    opinion = opinion_of(expected, parts, hypotheses, reason, undecided=undecided)
    return earned(opinion, little_tilt(evidence))


def _cells_of_class(evidence: Evidence, s: int, cell: Int[np.ndarray, " h"]) -> Comparison:
    """Counts of the cells of one class, with the void one last, against their law."""
    mine = np.flatnonzero(evidence.centers.label == s)
    places, law = [*mine, -1], _law_of_cells(evidence, s)
    here = cell[signs(evidence) == s]
    counts = [int((here == place).sum()) for place in places]
    chance = [two_sided(c, len(here), float(P)) for c, P in zip(counts, law, strict=True)]
    names = [*(f"μ_{k + 1}" for k in mine), "void"]
    text = ", ".join(
        f"{name} {count / len(here):.3f} ({P:.3f})"
        for name, count, P in zip(names, counts, law, strict=True)
    )
    fits = _by_chance(min(min(chance) * len(places), 1.0))
    return Comparison(class_name(s), fits, f"{text} of {len(here)}")


def _law_of_cells(evidence: Evidence, s: int) -> Float[np.ndarray, " q"]:
    """Probabilities of the cells of a class, and of being void."""
    mine = evidence.centers.label == s
    return np.append(cell_shares(evidence.pi[mine], evidence.p), void_share(int(mine.sum())))


def _by_chance(probability: float) -> bool | None:
    """Whether a count is usual; None where it is unusual, but not beyond chance."""
    return True if probability >= USUAL else False if probability < CHANCE else None


def _symmetric(evidence: Evidence, setting: tuple[Hypothesis, ...]) -> tuple[Hypothesis, ...]:
    """A setting, a power with cells, and a start that favors no direction."""
    p, init = evidence.p, evidence.neurons.init
    return (
        Hypothesis("p > 2", f"p = {p:g}", p > 2),
        *setting,
        Hypothesis("a Gaussian or uniform start", f"it is {init}", init in SYMMETRIC),
    )


def _equal(evidence: Evidence) -> Hypothesis:
    """That the sample gives all subclasses one weight."""
    ratio = float(evidence.pi.max() / max(evidence.pi.min(), np.finfo(float).tiny))
    text = "subclasses of equal weight"
    return Hypothesis(text, f"they differ {ratio:.3g} : 1", ratio < 1 + 1e-9)


def _crowds(evidence: Evidence, least: int) -> Hypothesis:
    """That every class has so many neurons."""
    fewest = min(int((signs(evidence) == s).sum()) for s in evidence.centers.signs)
    text = f"{least} neurons of every class"
    cure = "" if fewest >= least else "give more `network.width`"
    return Hypothesis(text, f"the fewest are {fewest}", fewest >= least, cure)


def _expected(evidence: Evidence) -> Hypothesis:
    """That every cell expects a few neurons."""
    sizes = {s: int((signs(evidence) == s).sum()) for s in evidence.centers.signs}
    fewest = min(float(_law_of_cells(evidence, s).min()) * h for s, h in sizes.items())
    cure = "" if fewest >= EXPECTED else "give more `network.width`"
    text = f"{EXPECTED:g} neurons expected in every cell"
    return Hypothesis(text, f"the fewest are {fewest:.2g}", fewest >= EXPECTED, cure)


PREDICTIONS = (
    Prediction(
        "alignment-times", "P43",
        "Alignment times of random neurons have a power tail, so some are late at escape (p > 2).",
        "theory D19, P43",
        "P(t̂ <= τ) = 1 - cdf(√D u(τ))^K_own; late share ∝ τ^(-1/(p-2))",
        judge=judge_alignment_times, scenario="alignment-times", subject=Subject.ALIGNMENT,
        figure="arrivals", probable=True,
    ),
    Prediction(
        "occupancy", "P44",
        "The number of neurons in each cell is multinomial, with known probabilities (p > 2).",
        "theory D19, P44",
        "P_k = ∫₀^∞ pdf(x) Π_{l≠k} cdf(x (π_k/π_l)^(1/(p-2))) dx; (1 - 2^-K_own)/K_own if alike",
        judge=judge_occupancy, scenario="occupancy", subject=Subject.ALIGNMENT, probable=True,
    ),
)  # fmt: skip
