"""Judges of networks that learn subclasses as labels (theory D20): predictions P40 and P46."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from jaxtyping import Bool, Float

from gflow.judges.alignment_phase import negligible
from gflow.judges.evidence import Evidence
from gflow.judges.exponents import compared_slope
from gflow.judges.far_enough import complete
from gflow.judges.finding import Opinion, earned, unmet
from gflow.judges.prediction import Prediction, Subject
from gflow.judges.series import Comparison, Series, opinion_of, series
from gflow.judges.shared_hypotheses import all_of, orthonormal, the_flow, two_classes
from gflow.laws.fine_labels import average_growth, choosing_rate, fine_radius
from gflow.laws.hypothesis import Hypothesis, all_met, number
from gflow.robustness.norm import Norm

CHOOSING = 0.02
"""Relative error allowed in the rate at which neurons choose (P46)."""

TRANSIENT = 6.0
"""Growths of the mean after which the decaying half of linear motion is forgotten (P46)."""

PARTED = 0.2
"""Least change of a logarithm from which a rate is read (P46)."""

WINDOWS = 5
"""Fewest neurons whose rates have a median (P46)."""

RADIUS = 0.03
"""Relative error allowed in a median radius, and in the ratio of two (P40, P46)."""

FINE_SLOPE_ERROR = 0.05
"""Error allowed in the slope of a median radius in log K (P40)."""

GROWTH = 3.0
"""log(1/ε) over K from which on nearly all neurons have chosen (P40, P46)."""

SMALL_NOISE = 0.1
"""Largest α at which radii are those at centers (P40, P46)."""

OVER_K = (
    "data.subclasses", "data.positive_subclasses", "data.samples", "data.test_samples",
    "data.dimension", "network.width",
)  # fmt: skip
"""Keys that may follow the number of subclasses."""


def judge_fine_selection(evidence: Evidence) -> Opinion:
    """With an output per subclass neurons choose single centers (D20, prediction P46).

    Without noise at the rate of each average that they pass, and at any noise up to 0.1 with the
    radius 1/√2 in the end if ε is small enough.
    """
    expected = f"rates within {CHOOSING:.0%}; median radius within {RADIUS:.0%} of √½"
    hypotheses = _fine_labels(evidence)
    if all_met(hypotheses):
        hypotheses = (*hypotheses, _something_to_judge(evidence))
    if opinion := unmet(expected, hypotheses):
        return opinion
    parts = _rates(evidence) if evidence.alpha == 0 else []
    if _chosen(evidence).met and has_radii(evidence):
        parts.append(_radius_at_half(evidence))
    reason = "Median over neurons between choices; attacked radii of test samples."
    undecided = (
        "Too few neurons are between choices while the network is negligible (give more "
        "`network.width`, `record.linear`), or the attack left the radius open."
    )
    opinion = opinion_of(expected, parts, hypotheses, reason, undecided=undecided)
    return earned(opinion, complete(evidence), fitted(evidence))


def _rates(evidence: Evidence) -> list[Comparison]:
    """The rates of neurons at averages of m centers, over the law, for every m."""
    parts = []
    for m, values in choosing_rates(evidence).items():
        if len(values) < WINDOWS:
            continue
        low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
        straddles = low <= 1 + CHOOSING and high >= 1 - CHOOSING
        fits = True if abs(middle - 1) <= CHOOSING else None if straddles else False
        text = f"{middle:.4f} of 1 - √(1 - {m}/{evidence.centers.K}), {len(values)} neurons"
        parts.append(Comparison(f"m = {m}", fits, text))
    return parts


def choosing_rates(evidence: Evidence) -> dict[int, list[float]]:
    """Rates of neurons that stay awake to the same m centers, over the law, by m.

    While they do, differences of coordinates over their mean grow at κπ(1 - √(1 - m/K)).
    """
    quiet, K = negligible(evidence), evidence.centers.K
    x = float(evidence.pi.mean()) * evidence.times[quiet]
    cosine = evidence.record["cosine"].values[quiet, :, :K].astype(np.float64)
    rates: dict[int, list[float]] = {}
    for j in range(cosine.shape[1]):
        for at in _constant(cosine[:, j] > 0):
            awake = cosine[at.start, j] > 0
            m = int(awake.sum())
            if 2 <= m < K:
                rate = _rate(x[at], cosine[at, j][:, awake], average_growth(K, m))
                if rate is not None:
                    rates.setdefault(m, []).append(rate / choosing_rate(K, m))
    return dict(sorted(rates.items()))


def _constant(awake: Bool[np.ndarray, "T K"]) -> list[slice]:
    """The stretches of time over which a neuron stays awake to the same centers."""
    changes = 1 + np.flatnonzero((awake[1:] != awake[:-1]).any(axis=1))
    ends = [0, *changes.tolist(), len(awake)]
    return [slice(a, b) for a, b in pairwise(ends)]


def _rate(x: Float[np.ndarray, " q"], u: Float[np.ndarray, "q m"], growth: float) -> float | None:
    """Growth per κπt of differences over the mean, once half of the motion has decayed."""
    mean = u.mean(axis=1)
    apart = np.linalg.norm(u - mean[:, None], axis=1)
    first = int(np.searchsorted(x, x[0] + TRANSIENT / growth))
    if first >= len(x) - 1 or not (apart > 0).all():
        return None
    change = np.log(apart[-1] / mean[-1]) - np.log(apart[first] / mean[first])
    return float(change / (x[-1] - x[first])) if change >= PARTED else None


def _radius_at_half(evidence: Evidence) -> Comparison:
    """The median attacked radius against 1/√2: a larger one may be a weak attack's."""
    radius = median_radius(evidence)
    ratio = radius / fine_radius(evidence.centers.K, "subclasses")
    fits = True if abs(ratio - 1) <= RADIUS else False if ratio < 1 else None
    return Comparison("radius", fits, f"{radius:.4f}")


def judge_fine_labels(evidences: Sequence[Evidence]) -> Opinion:
    """ReLU radii fall like K^{-1/2} with labels of classes and stay with subclasses (P40)."""
    expected = (
        f"slopes in log K -½ and 0 ± {FINE_SLOPE_ERROR:g}; ratio within {RADIUS:.0%} of √(K/2)"
    )
    runs = [run for run in evidences if run.p == 1]
    counts = {run.centers.K for run in runs}
    grains = {run.scenario.network.grain for run in runs}
    hypotheses = (
        Hypothesis("three values of `data.subclasses` at p = 1", f"there are {len(counts)}",
                   len(counts) >= 3),
        Hypothesis("subclasses and coarser labels", f"there are {', '.join(sorted(grains))}",
                   "subclasses" in grains and len(grains) > 1),
    )  # fmt: skip
    if all_met(hypotheses):
        hypotheses = (
            *hypotheses,
            *(all_of(ask, runs) for ask in (_balanced_mixture, orthonormal, two_classes, _small,
                                            _chosen, _radii)),
            the_flow(*runs),
            *(all_of(ask, runs) for ask in (complete, fitted)),
        )  # fmt: skip
    if opinion := unmet(expected, hypotheses):
        return opinion
    parts = [_over_K(one) for one in series(runs, *OVER_K)] + _ratios(runs)
    undecided = "Too few values of K, or an interval that straddles the criterion."
    reason = "Median attacked radius of test samples; slope with its 95 % interval."
    return opinion_of(expected, parts, hypotheses, reason, undecided=undecided)


def _over_K(one: Series) -> Comparison:
    """The slope of the median radius in log K."""
    x = np.log([run.centers.K for run in one.runs])
    y = np.log([median_radius(run) for run in one.runs])
    law = 0.0 if one.runs[0].scenario.network.grain == "subclasses" else -0.5
    part = compared_slope(one.title, x, y, law, allowed=FINE_SLOPE_ERROR)
    return _as_attacked(part, one.runs)


def _ratios(runs: Sequence[Evidence]) -> list[Comparison]:
    """Radii of subclasses over those of signs, or of classes, at every K."""
    parts = []
    for K in sorted({run.centers.K for run in runs}):
        here = {run.scenario.network.grain: median_radius(run) for run in runs
                if run.centers.K == K}  # fmt: skip
        coarse = here.get("sign", here.get("classes"))
        if "subclasses" in here and coarse is not None:
            law = fine_radius(K, "subclasses") / fine_radius(K, "sign")
            ratio = here["subclasses"] / coarse
            fits = bool(abs(ratio / law - 1) <= RADIUS)
            part = Comparison(f"K = {K}", fits, f"ratio {ratio:.3f} (law {law:.3f})")
            parts.append(_as_attacked(part, [run for run in runs if run.centers.K == K]))
    return parts


def _as_attacked(part: Comparison, runs: Sequence[Evidence]) -> Comparison:
    """The comparison, undecided if it misses and no attack shows a radius below its law.

    An attack bounds radii from above only, so that longer ones may be its own fault.
    """
    laws = [fine_radius(run.centers.K, run.scenario.network.grain) for run in runs]
    shorter = any(
        median_radius(run) < (1 - RADIUS) * law for run, law in zip(runs, laws, strict=True)
    )
    return part._replace(fits=None) if part.fits is False and not shorter else part


def median_radius(evidence: Evidence) -> float:
    """Median over test samples of the shortest l2 perturbation that an attack found."""
    assert evidence.robustness is not None
    return evidence.robustness.median(Norm.L2)[1]


def has_radii(evidence: Evidence) -> bool:
    """Whether l2 radii of test samples were measured."""
    return evidence.robustness is not None and Norm.L2 in evidence.robustness.radii


def fitted(evidence: Evidence) -> Hypothesis:
    """That the network is right about every training sample."""
    accuracy = float(evidence.record["accuracy"].values[-1])
    met = True if accuracy == 1 else None
    cure = "" if met else "give a later `flow.end_time` or a smaller `flow.end_loss`"
    return Hypothesis("every sample fitted", f"{accuracy:.1%} of samples are fitted", met, cure)


def _fine_labels(evidence: Evidence) -> tuple[Hypothesis, ...]:
    """What the laws of subclasses as labels assume of a run."""
    network = evidence.scenario.network
    return (
        Hypothesis("p = 1", f"p = {evidence.p:g}", evidence.p == 1),
        Hypothesis("one output per subclass", f"outputs are {network.grain}",
                   network.grain == "subclasses"),
        _balanced_mixture(evidence),
        orthonormal(evidence),
        the_flow(evidence),
        Hypothesis.whether("a record of neurons", evidence.has("neurons")),
    )  # fmt: skip


def _balanced_mixture(evidence: Evidence) -> Hypothesis:
    """That samples were drawn around known centers, as many around each."""
    drawn = evidence.facts.drawn is not None and evidence.centers.origin == "given"
    even = bool(np.ptp(evidence.pi) <= 1e-9 * evidence.pi.max())
    measured = "they were not drawn" if not drawn else "" if even else "their weights differ"
    return Hypothesis("samples of a mixture, of equal weights", measured, drawn and even)


def _small(evidence: Evidence) -> Hypothesis:
    noise = "α is unknown" if evidence.alpha is None else f"α = {evidence.alpha:.3g}"
    met = evidence.alpha is not None and evidence.alpha <= SMALL_NOISE
    return Hypothesis(f"α <= {SMALL_NOISE:g}", noise, met)


def _chosen(evidence: Evidence) -> Hypothesis:
    """That neurons grow enough to choose before the network does."""
    growth = -float(np.log(evidence.scenario.network.init_scale)) / evidence.centers.K
    cure = "" if growth >= GROWTH else "give a smaller `network.init_scale`"
    text = f"log(1/ε) >= {GROWTH:g} K"
    return Hypothesis(text, f"it is {number(growth)} K", growth >= GROWTH, cure)


def _radii(evidence: Evidence) -> Hypothesis:
    met = has_radii(evidence)
    cure = "" if met else 'add "l2" to `robustness.norms`'
    return Hypothesis.whether("l2 radii of test samples", met, cure)


def _something_to_judge(evidence: Evidence) -> Hypothesis:
    """That rates or radii can be judged."""
    growth, radii = _chosen(evidence), has_radii(evidence)
    met = evidence.alpha == 0 or bool(_small(evidence).met and growth.met and radii)
    text = f"α = 0, or α <= {SMALL_NOISE:g}, {growth.text} and l2 radii"
    noise = "" if evidence.alpha is None else f"α = {evidence.alpha:.3g}, "
    return Hypothesis(text, f"{noise}{growth.measured}", met)


PREDICTIONS = (
    Prediction(
        "fine-labels", "P40",
        "ReLU trained on subclasses is robust up to √½, trained on classes up to K^(-1/2).",
        "Li et al., arXiv 2410.10322; theory D20, P40",
        "median R ∝ K^(-1/2) for classes, √½ for subclasses",
        judge_study=judge_fine_labels, scenario="fine-labels-over-K", subject=Subject.ROBUSTNESS,
        networks=("vector",),
    ),
    Prediction(
        "fine-selection", "P46",
        "With one output per subclass a ReLU neuron leaves every average for one center.",
        "theory D20, P46",
        "d log|u_k - u_l|/dt = κπ (1 - √(1 - m/K)) at an average of m; R = √½ from log 1/ε = 3K on",
        judge=judge_fine_selection, scenario="fine-selection", subject=Subject.ALIGNMENT,
        probable=True, networks=("vector",),
    ),
)  # fmt: skip
