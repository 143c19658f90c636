"""Judges of robust accuracies on test samples (theory D6, G1, G2): predictions P20, P23, P25.

Every radius is a bracket, so a robust accuracy is a bracket at every attack radius, and it meets a
law only if both of its ends do.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from gflow.judges.evidence import Evidence
from gflow.judges.far_enough import complete, escaped, late, longer
from gflow.judges.finding import Opinion, earned, unmet
from gflow.judges.prediction import MV25, Prediction, Subject
from gflow.judges.radii_at_centers import IDEAL, outputs_alike, tilt_of
from gflow.judges.samples import tested_samples
from gflow.judges.series import Comparison, Series, opinion_of, series
from gflow.judges.shared_hypotheses import (
    all_of,
    equal_weights,
    normalized,
    orthonormal,
    recorded,
    the_flow,
    two_classes,
)
from gflow.laws.bayes import bayes_radii
from gflow.laws.critical_radii import (
    average_accuracy,
    learned_radius,
    quadratic_distance,
    subclass_accuracy,
)
from gflow.laws.hypothesis import Hypothesis
from gflow.laws.published import any_robust_accuracy, bayes_robust_accuracy, robust_radius
from gflow.laws.universal import contrast_radii
from gflow.network.reference import average_classifier, subclass_classifier
from gflow.robustness.attack import share_beyond
from gflow.robustness.norm import Norm
from gflow.robustness.radius import Radii, radii

LAW_ERROR = 0.03
"""Largest difference allowed between a robust accuracy and its law, at any radius (P20)."""

FEWEST = 5000
"""Test samples that a robust accuracy needs to be held against a law (P20)."""

KOLMOGOROV = 2.5
"""Largest difference of a share of n samples from its law, in units of 1/√n (P20)."""

LARGEST_SPREAD = 0.15
"""Largest noise τ√K at which a robust accuracy is that of the closest face (P20)."""

DEVIATIONS = 3
"""Binomial standard deviations allowed above the universal bound (P20, P25)."""

HALF_ROOT_TWO = 0.5**0.5
"""√2/2, beyond which no classifier is robust (theory G1)."""

LATE_START = 20.0
"""Times of fitting after which radii of runs that escaped at different times may be compared
(P23)."""

RISE = 0.01
"""Relative rise of a radius over the initialization scale that counts as none (P23)."""

DROP = 0.05
"""Relative fall of a radius at which the transition is said to begin (P23)."""

_GRID = np.linspace(0, 1, 401)


def accuracy_law(evidence: Evidence, R: Float[np.ndarray, " B"]) -> Float[np.ndarray, " B"] | None:
    """Robust accuracy of F (p < 2) or F^(p) on test samples; None where there is no closed form.

    For p = 2, and for one class from there on, it is the share of the run's own test samples whose
    exact distance is above R.

    **Source:** theory D6.
    """
    centers, tau = evidence.centers, evidence.facts.tau
    if tau is None or tau == 0 or not evidence.has_laws:
        return None
    if evidence.p < 2:
        return average_accuracy(R, centers.K, tau)
    if evidence.p > 2 and len(centers.signs) == 2:
        return subclass_accuracy(R, centers.K1, centers.K2, tau)
    x, y = tested_samples(evidence, evidence.robustness.n if evidence.robustness else None)
    return share_beyond(quadratic_distance(x, y, centers), R)


def radius_law(evidence: Evidence, norm: Norm) -> tuple[float, ...] | None:
    """Radius of the centers of each class, if the run learned what theory says it learns.

    None where no law applies: without orthonormal centers, for p = 2, for networks of which
    there are no laws, and within most subspaces.

    **Source:** theory D6, D26.
    """
    centers = evidence.centers
    lawful = evidence.has_laws and evidence.p != 2
    if not (lawful and centers.orthonormal):
        return None
    if norm.place == "class_difference":
        laws = tuple(_law_along_classes(evidence, sign) for sign in (1, -1))
    elif norm.place in ("", "centers"):
        # Neurons lie in the span of the centers, where nothing is lost.
        free = Norm.L2 if norm.place else norm
        laws = learned_radius(free, evidence.p, centers.K1, centers.K2)
    else:
        return None
    return tuple(law for law, s in zip(laws, (1, -1), strict=True) if s in centers.signs)


def _law_along_classes(evidence: Evidence, sign: int) -> float:
    """How far along the difference of the classes a center of one of them falls (D26)."""
    centers = evidence.centers
    if evidence.p < 2:
        return centers.K**-0.5
    if not (centers.label == sign).any():
        return float("inf")
    return float(contrast_radii(np.ones(centers.K), centers.label, evidence.p, sign)[0])


def judge_robust_accuracy(evidence: Evidence) -> Opinion:
    """Robust accuracies of F and F^(p) follow their laws, medians of trained networks too (P20)."""
    expected = (
        f"F or F^(p) within {LAW_ERROR:g} of its law at every radius; late and aligned networks: "
        f"median radius within {IDEAL:.0%}; <= 1 - min(K1, K2)/K at √2/2"
    )
    hypotheses = _measured(evidence)
    if opinion := unmet(expected, hypotheses):
        return opinion
    assert evidence.robustness is not None
    trained = evidence.robustness.radii[Norm.L2]
    x, y = tested_samples(evidence, evidence.robustness.n)
    parts = [_ideal(evidence, x, y), _below_bound(evidence, trained)]
    reason = "Both ends of every bracket; l2."
    # The law is one of aligned neurons with equal outputs.
    if evidence.p != 2 and outputs_alike(evidence).met:
        parts.insert(1, _median(evidence, trained))
    else:
        reason += " The network is not aligned, or too early, for its median radius."
    return opinion_of(
        expected, parts, hypotheses, reason, undecided="A bracket straddles the criterion."
    )


def _ideal(
    evidence: Evidence, x: Float[np.ndarray, "n D"], y: Float[np.ndarray, " n"]
) -> Comparison:
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
    # The whole bracket lies too far below the law, or too far above it, and n samples are no
    # excuse: their shares are off by more than KOLMOGOROV/√n anywhere with probability 7e-6.
    beyond = LAW_ERROR + KOLMOGOROV / len(x) ** 0.5
    misses = bool((ends[1] < law - beyond).any() or (ends[0] > law + beyond).any())
    text = f"off its law by {worst[0]:.3f} (certified), {worst[1]:.3f} (attacked)"
    return Comparison(name, True if fits else False if misses else None, text)


def median_law(evidence: Evidence) -> float:
    """The radius at which the law is 1/2."""
    if evidence.p < 2:
        return float(evidence.centers.K**-0.5)
    centers, tau = evidence.centers, evidence.facts.tau
    assert tau is not None
    R = np.linspace(0, 1.5, 15001)
    return float(np.interp(0.5, -subclass_accuracy(R, centers.K1, centers.K2, tau) + 1, R))


def _median(evidence: Evidence, trained: Radii) -> Comparison:
    law = median_law(evidence)
    low, high = (float(np.median(end)) / law - 1 for end in trained[:2])
    # Leaning neurons move a radius by their tilt, to first order.
    allowed = IDEAL + tilt_of(evidence) / law
    inside, outside = low >= -IDEAL and high <= IDEAL, high < -allowed or low > allowed
    text = f"median in [{law * (1 + low):.4f}, {law * (1 + high):.4f}] (law {law:.4f})"
    return Comparison("network", True if inside else False if outside else None, text)


def _below_bound(evidence: Evidence, measured: Radii) -> Comparison:
    """The accuracy against what any classifier can reach; above it, the measurement is wrong."""
    bound = any_robust_accuracy(evidence.centers.K1, evidence.centers.K2).value
    share = float(share_beyond(measured.attacked, np.array([HALF_ROOT_TWO]))[0])
    allowed = bound + DEVIATIONS * (bound * (1 - bound) / len(measured.attacked)) ** 0.5
    text = f"attacked {share:.3f} at √2/2 (bound {bound:.3f} for any classifier)"
    return Comparison("", share <= allowed, text)


def _measured(evidence: Evidence) -> tuple[Hypothesis, ...]:
    robustness = evidence.robustness
    n = robustness.n if robustness is not None and Norm.L2 in robustness.radii else 0
    p = evidence.p
    return (
        *_mixture(evidence),
        Hypothesis(f"radii in l2 of {FEWEST} test samples", f"there are {n}", n >= FEWEST),
        Hypothesis("p = 1 or p >= 2", f"p = {p:g}", p == 1 or p >= 2),
        normalized(evidence),
        two_classes(evidence),
        _small_noise(evidence),
    )


def _small_noise(evidence: Evidence) -> Hypothesis:
    """The laws are those of τ√K << 1: beyond, other faces of the boundary count (theory D6)."""
    spread = (evidence.facts.tau or 0.0) * evidence.centers.K**0.5
    met = True if spread <= LARGEST_SPREAD else None
    measured = f"τ√K = {spread:.2g}, beyond the sizes for which {LAW_ERROR:g} was made"
    return Hypothesis(f"τ√K <= {LARGEST_SPREAD:g}", measured, met)


def _mixture(evidence: Evidence) -> tuple[Hypothesis, ...]:
    tau = evidence.facts.tau
    noise = "it is no mixture" if tau is None else f"τ = {tau:.2g}"
    return (
        Hypothesis("a mixture with noise", noise, tau is not None and tau > 0),
        orthonormal(evidence),
        *equal_weights(evidence),
    )


def judge_bayes(evidence: Evidence) -> Opinion:
    """The Bayes classifier is as robust as promised, and no more than anything can be (P25)."""
    expected = "certified >= 1 - 2K exp(-Dν²/(64α²)) at (√2-ν)/2; attacked <= 1 - min(K1, K2)/K"
    facts = evidence.facts
    n = facts.test_drawn
    enough = Hypothesis("test samples", f"there are {n}", n > 0)
    hypotheses = (*_mixture(evidence), two_classes(evidence), enough)
    if opinion := unmet(expected, hypotheses):
        return opinion
    assert facts.noise is not None and facts.tau is not None
    measured = bayes_radii(*tested_samples(evidence), evidence.centers, facts.tau)
    promise = _above_promise(evidence, facts.noise, measured)
    parts = [promise, _below_bound(evidence, measured)]
    reason = f"{n} test samples; l2. It does not depend on the network."
    return opinion_of(expected, parts, hypotheses, reason)


def _above_promise(evidence: Evidence, alpha: float, measured: Radii) -> Comparison:
    """Certified accuracy against the bound of G2 over its range of ν."""
    D, K = evidence.centers.D, evidence.centers.K
    least = 2 * np.sqrt(2) * alpha**2 * np.log(K) / D
    nus = np.geomspace(max(least * (1 + 1e-9), 1e-6), np.sqrt(2), 60)
    bound = np.array([bayes_robust_accuracy(float(nu), D, K, alpha).value for nu in nus])
    share = share_beyond(measured.certified, np.array([robust_radius(float(nu)) for nu in nus]))
    # Where the bound says something: it is negative for small ν.
    says = bound > 0
    if not says.any():
        return Comparison("certified", None, "the bound is below 0 everywhere")
    slack = DEVIATIONS * np.sqrt(np.maximum(bound * (1 - bound), 0) / len(measured.certified))
    short = float((bound - share)[says].max())
    fits, misses = short <= 0, bool((share + slack < bound)[says].any())
    text = f"{np.abs(min(short, 0)):.3f} above" if fits else f"{short:.3f} below"
    nu = float(nus[says][(bound - share)[says].argmax()])
    return Comparison("certified", True if fits else False if misses else None,
                f"{text} the bound at least, at ν = {nu:.3g}")  # fmt: skip


def judge_robustness_over_scale(evidences: Sequence[Evidence]) -> Opinion:
    """Networks with p > 2 are less robust the larger their initialization (P23)."""
    expected = f"median radius of p > 2 falls with ε, nowhere rising by more than {RISE:.0%}"
    runs = [run for run in evidences if run.p > 2]
    scales = {run.scenario.network.init_scale for run in runs}
    measured = all(
        run.robustness is not None and Norm.L2 in run.robustness.radii for run in runs
    )  # fmt: skip
    three = Hypothesis(
        "three values of `network.init_scale` at p > 2", f"there are {len(scales)}",
        len(scales) >= 3,
    )  # fmt: skip
    hypotheses = (three, Hypothesis.whether("radii in l2 of test samples", measured))
    if opinion := unmet(expected, hypotheses):
        return opinion
    hypotheses = (
        *hypotheses,
        the_flow(*runs),
        recorded(*runs),
        normalized(*runs),
        all_of(orthonormal, runs),
        all_of(complete, runs),
    )
    if opinion := unmet(expected, hypotheses):
        return opinion
    hypotheses = (*hypotheses, all_of(_fitted, runs))
    if opinion := unmet(expected, hypotheses):
        return opinion
    parts = [_over_scale(one) for one in series(runs, "network.init_scale")]
    reason = "Medians over test samples, as [certified, attacked]."
    loose = "Some brackets are so wide that a rise of the radius cannot be ruled out."
    opinion = opinion_of(expected, parts, hypotheses, reason, undecided=loose)
    # A small start escapes later, so that its outputs are less alike at the same time.
    return earned(opinion, all_of(lambda run: late(run, LATE_START), runs))


def _fitted(run: Evidence) -> Hypothesis:
    """That every sample was fitted at the end, after all outputs have escaped."""
    here = escaped(run, every=True)
    if not here.met:
        return here
    margin = float(run.record["margin_min"].values[-1])
    met = True if margin > 0 else None
    measured = f"the flow ended with a smallest margin of {margin:.2g}"
    return Hypothesis("every sample fitted", measured, met, "" if met else longer(run, None))


def _over_scale(one: Series) -> Comparison:
    eps = [run.scenario.network.init_scale for run in one.runs]
    if len(set(eps)) < 3:
        return Comparison(one.title, None, f"only {len(set(eps))} of three initialization scales")
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
    return Comparison(one.title, fits, text)


PREDICTIONS = (
    Prediction(
        "robust-accuracy", "P20",
        "Robust accuracy of F and F^(p) follows a normal and a Gauss-Hermite law.",
        f"{MV25}, Proposition 1; theory D6, G1, P20",
        "RobAcc_F(R) = cdf((1/√K - R)/τ)",
        judge=judge_robust_accuracy, scenario="first-experiment-2", figure="robust_accuracy",
        probable=True,
        subject=Subject.ROBUSTNESS,
    ),
    Prediction(
        "robustness-over-scale", "P23",
        "The robustness of p = 3 falls as the initialization grows.",
        f"{MV25}, figure 7; theory P23",
        judge_study=judge_robustness_over_scale, scenario="gap-vs-init-scale",
        figure="critical_radius",
        subject=Subject.ROBUSTNESS,
    ),
    Prediction(
        "bayes", "P25",
        "The Bayes classifier is robust up to √2/2, and nothing is beyond.",
        f"{MV25}, Propositions 1 and 2; theory G1, G2, P25",
        "certified R* = (x_k - max_opp x_l - τ² log K_o)/√2",
        judge=judge_bayes, scenario="first-experiment-2",
        subject=Subject.ROBUSTNESS,
    ),
)  # fmt: skip
