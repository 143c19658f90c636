"""Judge of ReLU networks on orthogonally separable samples (theory D22): prediction P37.

One idea: each class is learned by one direction that no sample of the other class feels, so in the
end the network is two linear ones, which go to their hard margins as slowly as 1/log t.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from gflow.data.dataset import Dataset
from gflow.judges.evidence import Evidence
from gflow.judges.exponents import VANISHING_MASS
from gflow.judges.far_enough import complete, longer
from gflow.judges.finding import Opinion, earned, unmet
from gflow.judges.prediction import Prediction, Subject
from gflow.judges.samples import training_samples
from gflow.judges.series import Comparison, class_name, opinion_of
from gflow.judges.shared_hypotheses import recorded, recorded_directions, the_flow, vanishing
from gflow.judges.slope import slope
from gflow.laws.forces import force_of
from gflow.laws.hard_margin import hard_margin, one_direction
from gflow.laws.hypothesis import Hypothesis, balanced_start

PARALLEL = 1e-6
"""Largest 1 - cos between features of one class once it is fitted (P37)."""

MARGIN_ERROR = 0.01
"""Error allowed in the limits of cosines and of the ratio of margins (P37)."""

DECADES = 3
"""Decades of recorded time from which limits are extrapolated (P37)."""

LARGEST_COLLAPSE = 1e-5
"""Largest ε at which features that are not parallel refute the statement (P37)."""

KINDS = ("separable", "file")
"""Kinds of data that may be orthogonally separable; their samples are looked at."""


class Half(NamedTuple):
    """One class of a run: its samples, and the neurons of its sign."""

    name: str
    x: Float[np.ndarray, "m D"]
    neurons: Bool[np.ndarray, " h"]


def judge_collapse(evidence: Evidence) -> Opinion:
    """Features collapse within a class, part between classes, and reach hard margins (D22)."""
    expected = (
        f"no neuron awake to both classes, 1 - cos <= {PARALLEL:g} within a class; cosines to hard "
        f"margins and M₊γ₊/(M₋γ₋) tend to 1 within {MARGIN_ERROR:.0%}"
    )
    hypotheses = (*_setting(evidence), the_flow(evidence), recorded(evidence))
    if opinion := unmet(expected, hypotheses):
        return opinion
    first, train = evidence.record.isel(time=0), training_samples(evidence)
    hypotheses = (
        *hypotheses,
        vanishing(evidence, VANISHING_MASS),
        balanced_start(first["log_norm"].values, first["log_output"].values),
        _separable(train),
        _fitted_long_ago(evidence),
    )
    if opinion := unmet(expected, hypotheses):
        return opinion
    y, sign = train.labels("sign"), first["sign"].values
    halves = [Half(class_name(s), train.x[y == s], sign == s) for s in (1, -1)]
    parts = [
        _apart(evidence, halves, float(np.nanmin(evidence.escape_times))),
        *(_parallel(evidence, half) for half in halves),
        *_limits(evidence, halves),
    ]
    reason = f"Limits from the last {DECADES} decades, linear in 1/log t."
    undecided = "It is too early for these limits, or ε is too large for neurons to be parallel."
    opinion = opinion_of(expected, parts, hypotheses, reason, undecided=undecided)
    return earned(opinion, complete(evidence))


def _apart(evidence: Evidence, halves: list[Half], escape: float) -> Comparison:
    """Neurons that are awake to both classes from the first escape on, and at the end."""
    after = np.flatnonzero(evidence.times >= escape)
    u = evidence.record["direction"].values[after]
    # An inner product of rounding size decides nothing.
    resolved = 1e-12 * max(float(np.linalg.norm(half.x, axis=1).max()) for half in halves)
    both = np.ones(u.shape[:2], bool)
    for half in halves:
        both &= (u @ half.x.T > resolved).any(axis=-1)
    counts = both.sum(axis=1)
    fits = True if not counts.any() else False if counts[-1] else None
    text = f"{counts.max()} neurons awake to both classes after escape, {counts[-1]} at the end"
    return Comparison("", fits, text)


def _parallel(evidence: Evidence, half: Half) -> Comparison:
    """Smallest cosine between the features of two samples of a class, once all are fitted."""
    times = np.flatnonzero(evidence.times >= _fitted(evidence))
    record = evidence.record
    gap = 0.0
    for at in times:
        # Features σ(<w_j, x>), up to a factor of all.
        log_norm = record["log_norm"].values[at]
        scale = np.exp(log_norm - log_norm.max())
        features = np.maximum(half.x @ record["direction"].values[at].T, 0) * scale
        lengths = np.linalg.norm(features, axis=1)
        gap = max(gap, float(1 - (features @ features.T / np.outer(lengths, lengths)).min()))
    small = evidence.scenario.network.init_scale <= LARGEST_COLLAPSE
    fits = True if gap <= PARALLEL else False if small else None
    return Comparison(half.name, fits, f"features within 1 - cos = {gap:.1e}")


def _limits(evidence: Evidence, halves: list[Half]) -> list[Comparison]:
    """Limits of the cosine of each class to its hard margin, and of the ratio of margins.

    Beside each stands what the flow of one direction says, from the same start at the same times.
    """
    late = np.flatnonzero(evidence.times >= evidence.times[-1] / 10**DECADES)
    t, record = evidence.times[late], evidence.record
    weight = float(evidence.pi.sum()) / sum(len(half.x) for half in halves)

    def force(z: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
        return force_of(evidence.scenario.flow.loss, np.ones_like(z), z)

    parts, margins = [], []
    for half in halves:
        direction, margin = hard_margin(half.x)
        mass = np.exp(evidence.log_mass[late][:, half.neurons])
        W = np.einsum("Tj,TjD->TD", mass, record["direction"].values[late][:, half.neurons])
        law = one_direction(W[0], half.x, weight, force=force, times=t)
        lengths = [np.linalg.norm(one, axis=1) for one in (W, law)]
        cosines = [one @ direction / size for one, size in zip((W, law), lengths, strict=True)]
        title = f"cosine to the hard margin of {half.name}"
        parts.append(_tends_to_one(title, t, *cosines))
        margins.append([size * margin for size in lengths])
    ratios = [plus / minus for plus, minus in zip(*margins, strict=True)]
    return [*parts, _tends_to_one("M₊γ₊/(M₋γ₋)", t, *ratios)]


def _tends_to_one(
    title: str,
    t: Float[np.ndarray, " q"],
    values: Float[np.ndarray, " q"],
    law: Float[np.ndarray, " q"],
) -> Comparison:
    """Whether the extrapolated limit is 1; refuted where it is not that of the law either."""
    limit, expected = (slope(1 / np.log(t), one).intercept for one in (values, law))
    fits = True if abs(limit - 1) <= MARGIN_ERROR else None
    if abs(limit - expected) > MARGIN_ERROR:
        fits = False
    text = f"{values[-1]:.4f}, tends to {limit:.4f} (one direction: {expected:.4f})"
    return Comparison(title, fits, text)


def _setting(evidence: Evidence) -> tuple[Hypothesis, ...]:
    kind, loss = evidence.scenario.data.kind, evidence.scenario.flow.loss
    return (
        Hypothesis("orthogonally separable samples", f'data.kind = "{kind}"', kind in KINDS),
        Hypothesis.that("p", evidence.p, "=", 1),
        Hypothesis(
            "exponential or logistic loss", f"it is {loss}", loss in ("exponential", "logistic")
        ),
        recorded_directions(evidence),
    )


def _separable(train: Dataset) -> Hypothesis:
    """<x_i, x_j> > 0 within classes and <= 0 between them, and samples of both (theory C2)."""
    y = train.labels("sign")
    length = np.linalg.norm(train.x, axis=1)
    cosine = train.x @ train.x.T / np.outer(length, length)
    same = np.equal.outer(y, y)
    both = not same.all()
    within = float(cosine[same].min())
    between = float(cosine[~same].max(initial=-1.0))
    return Hypothesis(
        "two classes, cosines > 0 within and <= 0 between them",
        f"they are {within:.2g} at least and {between:.2g} at most" if both else "there is one",
        both and within > 0 and between <= 1e-12,
    )


def _fitted(evidence: Evidence) -> float:
    """The time from which on every sample is fitted after all outputs have escaped."""
    return evidence.phases.fitted if evidence.phases else float("nan")


def _fitted_long_ago(evidence: Evidence) -> Hypothesis:
    """That the last decades of recorded time began after every sample was fitted."""
    fitted, t = _fitted(evidence), float(evidence.times[-1])
    begin = t / 10**DECADES
    count = int((evidence.times >= begin).sum())
    met = True if fitted <= begin and count >= 4 * DECADES else None
    text = f"{DECADES} recorded decades of time after all samples were fitted"
    if np.isnan(fitted):
        return Hypothesis(text, "samples were not fitted", None, longer(evidence, None))
    measured = f"they were at t = {fitted:.3g}, with {count} records since t = {begin:.3g}"
    cure = "" if met else longer(evidence, fitted * 10**DECADES)
    return Hypothesis(text, measured, met, cure)


PREDICTIONS = (
    Prediction(
        "collapse", "P37",
        "On orthogonally separable samples each class collapses to its hard-margin direction.",
        "Min, Zhu and Vidal, arXiv 2510.21078; Min, Mallada and Vidal, ICLR 2024; theory C2, D22, "
        "P37",
        "u_j → argmax_u min_{i in class} <u, x_i>;  M₊γ₊/(M₋γ₋) → 1, both like 1/log t",
        judge=judge_collapse, scenario="collapse", subject=Subject.FITTING,
    ),
)  # fmt: skip
