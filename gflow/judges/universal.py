"""Judge of perturbations that serve a whole class (theory D26): prediction P34.

A law gives a vector and how long it must be; test samples are followed along it through the trained
network to their first flip, which is exact.
"""

import numpy as np
from jaxtyping import Float

from gflow.judges.evidence import Evidence
from gflow.judges.far_enough import escaped
from gflow.judges.finding import Opinion, unmet
from gflow.judges.prediction import Prediction, Subject
from gflow.judges.radii_at_centers import aligned_hypotheses, tilt_of
from gflow.judges.samples import tested_samples
from gflow.judges.series import Comparison, class_name, opinion_of
from gflow.laws.hypothesis import Hypothesis, all_met
from gflow.laws.universal import (
    contrast,
    contrast_radii,
    contrast_radius_of_averages,
    universal_vector,
)
from gflow.network.population import population_of
from gflow.robustness.lines import Samples, evenly, first_flips
from gflow.robustness.norm import Norm

UNIVERSAL_ERROR = 0.02
"""Relative error allowed in the median distance along a universal vector."""

SMALL_SPREAD = 0.1
"""Largest noise τ√K at which a median is that of the centers up to half of what is allowed."""

FEWEST_OF_CLASS = 50
"""Test samples of a class that a median needs."""

_DEVIATIONS, _MOST = 3, 300  # of a median, over so many samples of a class
_FARTHEST, _PLACES = 3.0, 192  # of the lines that samples are followed along


def judge_universal(evidence: Evidence) -> Opinion:
    """Along universal vectors the median sample falls where the law says (D26, P34)."""
    expected = f"median distance along each vector within {UNIVERSAL_ERROR:.0%} and the tilt of it"
    hypotheses = aligned_hypotheses(evidence)
    if all_met(hypotheses):
        hypotheses = (*hypotheses, *_sampled(evidence))
    if opinion := unmet(expected, hypotheses):
        return opinion
    parts = [part for sign in (1, -1) for part in _of_class(evidence, sign)]
    reason = "Over test samples of each class, to their first flip; outputs as they are at the end."
    return opinion_of(expected, parts, hypotheses, reason)


def _sampled(evidence: Evidence) -> tuple[Hypothesis, ...]:
    """Outputs that have grown, and samples with so little noise that half fall before centers."""
    tau = evidence.facts.tau
    spread = None if tau is None else tau * evidence.centers.K**0.5
    text = f"a mixture with τ√K <= {SMALL_SPREAD:g}"
    measured = "its noise is not known" if spread is None else f"it is {spread:.2g}"
    small = Hypothesis(text, measured, spread is not None and spread <= SMALL_SPREAD)
    test = evidence.scenario.data.read_test(evidence.scenario.seed) if small.met else None
    label = np.zeros(0) if test is None else test.labels("sign")
    fewest = min(int((label == sign).sum()) for sign in (1, -1))
    text = f"at least {FEWEST_OF_CLASS} test samples of each class"
    cure = "give more `data.test_samples`" if fewest < FEWEST_OF_CLASS else ""
    enough = Hypothesis(text, f"there are {fewest}", fewest >= FEWEST_OF_CLASS, cure)
    return escaped(evidence, every=True), small, enough


def _of_class(evidence: Evidence, sign: int) -> list[Comparison]:
    centers, name = evidence.centers, class_name(sign)
    z = np.abs(evidence.record["center_output"].values[-1]).astype(np.float64)
    own = centers.label == sign
    along = contrast(centers.label, sign)

    # ReLU neurons sit at the averages, so that their outputs at centers of a class are alike.
    if evidence.p < 2:
        q, other = float(z[own].mean()), float(z[~own].mean())
        law = contrast_radius_of_averages(q, other, int(own.sum()), int((~own).sum()))
        return [_median(evidence, sign, along, np.full(own.sum(), law), title=f"{name} along d0")]
    radii = contrast_radii(z, centers.label, evidence.p, sign)
    delta = universal_vector(z, centers.label, evidence.p, sign)
    length = float(np.linalg.norm(delta))
    # A center with so small an output that it need not fall is flipped before the others.
    shortest = np.where(delta[own] < 0, length, np.nan)
    return [
        _median(evidence, sign, along, radii, title=f"{name} along d0"),
        _median(evidence, sign, delta / length, shortest, title=f"{name}, shortest for all"),
    ]


def _median(
    evidence: Evidence,
    sign: int,
    along: Float[np.ndarray, " K"],
    law: Float[np.ndarray, " K_own"],
    *,
    title: str,
) -> Comparison:
    """The median over samples of a class of their distance over the law of their center.

    Samples of centers whose law is nan are left out.
    """
    centers = evidence.centers
    x, y = (array.astype(np.float64) for array in tested_samples(evidence))
    x = x[y == sign][:_MOST]
    expected = law[(x @ centers.mu[centers.label == sign].T).argmax(axis=1)]
    x, expected = x[np.isfinite(expected)], expected[np.isfinite(expected)]

    f = population_of(evidence.network).distinct
    samples = Samples.of(f.take(f.m > 0), x, np.full(len(x), float(sign)), Norm.L2)
    ways = np.broadcast_to(along @ centers.mu, (len(x), 1, x.shape[1]))
    reach = np.full(len(x), _FARTHEST * expected.max())
    distance = first_flips(samples, ways, reach, 1, shares=evenly(_PLACES))[0][:, 0]
    ratio = distance / expected

    median, center = float(np.median(ratio)), float(np.median(expected))
    low, high = np.quantile(ratio, 0.5 + np.array([-1, 1]) * _DEVIATIONS / 2 / len(x) ** 0.5)
    allowed = UNIVERSAL_ERROR + tilt_of(evidence) / float(expected.min())
    text = f"{median * center:.4f} (law {center:.4f}, {median - 1:+.2%})"
    inside, outside = abs(median - 1) <= allowed, low > 1 + allowed or high < 1 - allowed
    return Comparison(title, True if inside else False if outside else None, text)


PREDICTIONS = (
    Prediction(
        "universal", "P34",
        "One vector flips a whole class: for ReLU it is as short as that of one sample, for p >= 3 "
        "it is longer.",
        "Frei, Vardi, Bartlett and Srebro, NeurIPS 2023 (ReLU, known from the abstract); theory "
        "D26, P34",
        "1/√K for F; √(n/(n + 1)) for F^(p), along d0 √K/(1 + K_o^(1/p))",
        judge=judge_universal, scenario="universal", subject=Subject.ROBUSTNESS,
    ),
)  # fmt: skip
