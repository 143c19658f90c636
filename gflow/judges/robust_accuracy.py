"""Judges of robust accuracies on test samples (theory D6, G1, G2): predictions P20, P23, P25.

One idea: every radius is a bracket, so a robust accuracy is one at every attack radius, and it
meets a law only if both ends do.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from gflow.data.source import draw_test
from gflow.judges.evidence import Evidence
from gflow.judges.finding import Hypothesis, Opinion, unmet
from gflow.judges.radii_at_centers import IDEAL, aligned, late
from gflow.judges.series import Series, Told, opinion_of, series
from gflow.laws.bayes import bayes_radii
from gflow.laws.critical_radii import (
    average_accuracy,
    learned_radius,
    quadratic_distance,
    subclass_accuracy,
)
from gflow.laws.published import any_robust_accuracy, bayes_robust_accuracy, robust_radius
from gflow.network.reference import ORTHONORMAL, average_classifier, subclass_classifier
from gflow.robustness.attack import share_beyond
from gflow.robustness.norm import Norm
from gflow.robustness.radius import Radii, radii
from gflow.scenario import MixtureData

LAW_ERROR = 0.03
"""Largest difference allowed between a robust accuracy and its law, at any radius (P20)."""

FEWEST = 5000
"""Test samples that a robust accuracy needs to be held against a law (P20)."""

DEVIATIONS = 3
"""Binomial standard deviations allowed above the universal bound (P20, P25)."""

HALF_ROOT_TWO = 0.5**0.5
"""√2/2, beyond which no classifier is robust (theory G1)."""

RISE = 0.01
"""Relative rise of a radius over the initialization scale that counts as none (P23)."""

DROP = 0.05
"""Relative fall of a radius at which the transition is said to begin (P23)."""

_GRID = np.linspace(0, 1, 401)


def accuracy_law(evidence: Evidence, R: Float[np.ndarray, " B"]) -> Float[np.ndarray, " B"] | None:
    """Robust accuracy of F (p < 2) or F^(p) on test samples; None where there is no closed form.

    For p = 2 it is the share of the run's own test samples whose exact distance is above R.

    **Source:** theory D6.
    """
    centers, tau = evidence.centers, evidence.tau
    if tau is None or tau == 0 or not evidence.has_laws:
        return None
    K1, K2 = centers.K1, centers.K - centers.K1
    if evidence.p < 2:
        return average_accuracy(R, centers.K, tau)
    if evidence.p > 2:
        return subclass_accuracy(R, K1, K2, tau)
    x, y = _test(evidence, evidence.robustness.n if evidence.robustness else None)
    return share_beyond(quadratic_distance(x, y, centers), R)


def radius_law(evidence: Evidence, norm: Norm) -> tuple[float, float] | None:
    """Radius of positive and of negative centers if the run learned what theory says it learns.

    None where no law applies: without orthonormal centers, for p = 2, and for networks of which
    there are no laws.

    **Source:** theory D6.
    """
    centers = evidence.centers
    lawful = evidence.has_laws and evidence.p != 2
    if not lawful or centers.orthonormality_error > ORTHONORMAL:
        return None
    return learned_radius(norm, evidence.p, centers.K1, centers.K - centers.K1)


def judge_robust_accuracy(evidence: Evidence) -> Opinion:
    """F and F^(p) fall as their laws say, and trained networks at their median (P20)."""
    expected = (
        f"F or F^(p) within {LAW_ERROR:g} of its law at every radius; late and aligned networks: "
        f"median radius within {IDEAL:.0%}; <= 1 - min(K1, K2)/K at √2/2"
    )
    assumed = _measured(evidence)
    if opinion := unmet(expected, assumed):
        return opinion
    assert evidence.robustness is not None
    trained = evidence.robustness.radii[Norm.L2]
    x, y = _test(evidence, evidence.robustness.n)
    told = [_ideal(evidence, x, y), _below_bound(evidence, trained)]
    reason = "Both ends of every bracket; l2."
    if evidence.p != 2 and late(evidence) and all(one.met for one in aligned(evidence)):
        told.insert(1, _median(evidence, trained))
    else:
        reason += " The network is not aligned, or too early, for its median radius."
    return opinion_of(expected, told, assumed, reason, "A bracket straddles the criterion.")


def _ideal(evidence: Evidence, x, y) -> Told:
    p = evidence.p
    name = "F" if p < 2 else f"F^({p:g})"
    network = average_classifier(evidence.centers)
    if p >= 2:
        network = subclass_classifier(evidence.centers, p)
    law = accuracy_law(evidence, _GRID)
    assert law is not None
    ends = radii(network, x, y, evidence.scenario.seed).accuracy(_GRID)
    worst = [float(np.abs(end - law).max()) for end in ends]
    fits = max(worst) <= LAW_ERROR
    # An accuracy is below its law by more than is allowed, or above, whatever it is in between.
    misses = bool((ends[1] < law - LAW_ERROR).any() or (ends[0] > law + LAW_ERROR).any())
    text = f"off its law by {worst[0]:.3f} (certified), {worst[1]:.3f} (attacked)"
    return Told(name, True if fits else False if misses else None, text)


def median_law(evidence: Evidence) -> float:
    """The radius at which the law is 1/2."""
    if evidence.p < 2:
        return float(evidence.centers.K**-0.5)
    tau, K1 = evidence.tau, evidence.centers.K1
    assert tau is not None
    R = np.linspace(0, 1.5, 15001)
    return float(np.interp(0.5, -subclass_accuracy(R, K1, evidence.centers.K - K1, tau) + 1, R))


def _median(evidence: Evidence, trained: Radii) -> Told:
    law = median_law(evidence)
    low, high = (float(np.median(end)) / law - 1 for end in trained[:2])
    inside, outside = low >= -IDEAL and high <= IDEAL, high < -IDEAL or low > IDEAL
    text = f"median in [{law * (1 + low):.4f}, {law * (1 + high):.4f}] (law {law:.4f})"
    return Told("network", True if inside else False if outside else None, text)


def _below_bound(evidence: Evidence, found: Radii) -> Told:
    """An accuracy above what any classifier can reach proves the measurement wrong."""
    K1 = evidence.centers.K1
    bound = any_robust_accuracy(K1, evidence.centers.K - K1).value
    share = float(share_beyond(found.attacked, np.array([HALF_ROOT_TWO]))[0])
    allowed = bound + DEVIATIONS * (bound * (1 - bound) / len(found.attacked)) ** 0.5
    text = f"attacked {share:.3f} at √2/2 (bound {bound:.3f} for any classifier)"
    return Told("", share <= allowed, text)


def _measured(evidence: Evidence) -> tuple[Hypothesis, ...]:
    found = evidence.robustness
    n = found.n if found is not None and Norm.L2 in found.radii else 0
    return (*_mixture(evidence), Hypothesis(f"radii in l2 of {FEWEST} test samples", f"{n}",
                                            n >= FEWEST),
            Hypothesis("p = 1 or p >= 2", f"{evidence.p:g}", evidence.p == 1 or evidence.p >= 2),
            Hypothesis("normalized activation", f"degree {evidence.degree:g}",
                       evidence.degree == 1))  # fmt: skip


def _mixture(evidence: Evidence) -> tuple[Hypothesis, ...]:
    tau, error = evidence.tau, evidence.centers.orthonormality_error
    found = "not a mixture" if tau is None else f"τ = {tau:.2g}"
    return (
        Hypothesis("a mixture with noise", found, tau is not None and tau > 0),
        Hypothesis("orthonormal centers", f"max |C Cᵀ - I| = {error:.1e}", error <= ORTHONORMAL),
        Hypothesis("subclasses of equal weight", f"{evidence.imbalance:g} : 1",
                   evidence.imbalance == 1),
    )  # fmt: skip


def _test(evidence: Evidence, count: int | None = None):
    test = draw_test(evidence.scenario)
    assert test is not None, "it is asked for by a hypothesis"
    x, y = (np.asarray(values[:count], np.float64) for values in (test.x, test.y))
    return x, y


def judge_bayes(evidence: Evidence) -> Opinion:
    """The Bayes classifier is as robust as promised, and no more than anything can be (P25)."""
    expected = "certified >= 1 - 2K exp(-Dν²/(64α²)) at (√2-ν)/2; attacked <= 1 - min(K1, K2)/K"
    data = evidence.scenario.data
    n = data.test_samples if isinstance(data, MixtureData) else 0
    assumed = (*_mixture(evidence), Hypothesis("test samples", f"{n}", n > 0))
    if opinion := unmet(expected, assumed):
        return opinion
    assert isinstance(data, MixtureData) and evidence.tau is not None
    found = bayes_radii(*_test(evidence), evidence.centers, evidence.tau)
    told = [_above_promise(evidence, data, found), _below_bound(evidence, found)]
    reason = f"{n} test samples; l2. The network plays no part."
    return opinion_of(expected, told, assumed, reason)


def _above_promise(evidence: Evidence, data: MixtureData, found: Radii) -> Told:
    """Certified accuracy against the bound of G2 over its range of ν."""
    D, K, alpha = data.dimension, evidence.centers.K, data.noise
    least = 2 * np.sqrt(2) * alpha**2 * np.log(K) / D
    nus = np.geomspace(max(least * (1 + 1e-9), 1e-6), np.sqrt(2), 60)
    bound = np.array([bayes_robust_accuracy(float(nu), D, K, alpha).value for nu in nus])
    share = share_beyond(found.certified, np.array([robust_radius(float(nu)) for nu in nus]))
    # Only where the bound says something; it is negative for small ν.
    says = bound > 0
    if not says.any():
        return Told("certified", None, "the bound is below 0 everywhere")
    slack = DEVIATIONS * np.sqrt(np.maximum(bound * (1 - bound), 0) / len(found.certified))
    short = float((bound - share)[says].max())
    fits, misses = short <= 0, bool((share + slack < bound)[says].any())
    text = f"{np.abs(min(short, 0)):.3f} above" if fits else f"{short:.3f} below"
    nu = float(nus[says][(bound - share)[says].argmax()])
    return Told("certified", True if fits else False if misses else None,
                f"{text} the bound at least, at ν = {nu:.3g}")  # fmt: skip


def judge_robustness_over_scale(evidences: Sequence[Evidence]) -> Opinion:
    """Networks of p > 2 are the less robust the larger their initialization was (P23)."""
    expected = f"median radius of p > 2 falls with ε, nowhere rising by more than {RISE:.0%}"
    runs = [run for run in evidences if run.p > 2]
    scales = {run.scenario.network.init_scale for run in runs}
    ended = not any(run.too_early for run in runs)
    measured = all(
        run.robustness is not None and Norm.L2 in run.robustness.radii for run in runs
    )  # fmt: skip
    assumed = (
        Hypothesis("three values of `network.init_scale` at p > 2", f"{len(scales)}",
                   len(scales) >= 3),
        Hypothesis("radii in l2 of test samples", "yes" if measured else "no", measured),
        Hypothesis("flows that fitted every sample", "yes" if ended else "no", ended),
    )  # fmt: skip
    if opinion := unmet(expected, assumed):
        return opinion
    told = [_over_scale(one) for one in series(runs, "network.init_scale")]
    return opinion_of(
        expected, told, assumed, "Medians over test samples, as [certified, attacked]."
    )


def _over_scale(one: Series) -> Told:
    eps = [run.scenario.network.init_scale for run in one.runs]
    if len(set(eps)) < 3:
        return Told(one.title, None, f"only {len(set(eps))} of three initialization scales")
    ends = [run.robustness.median(Norm.L2) for run in one.runs if run.robustness is not None]
    low, high = np.array(ends).T
    best_before = np.minimum.accumulate(high)[:-1]
    surely_rose = bool((low[1:] > (1 + RISE) * best_before).any())
    perhaps_rose = bool((high[1:] > (1 + RISE) * np.minimum.accumulate(low)[:-1]).any())
    fell = bool(high[-1] < low[0])
    below = [e for e, top in zip(eps, high, strict=True) if top < (1 - DROP) * low[0]]
    where = f"{DROP:.0%} lower from ε = {below[0]:g} on" if below else f"never {DROP:.0%} lower"
    fits = False if surely_rose else True if fell and not perhaps_rose else None
    text = f"[{low[0]:.3f}, {high[0]:.3f}] to [{low[-1]:.3f}, {high[-1]:.3f}], {where}"
    return Told(one.title, fits, text)
