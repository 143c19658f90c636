"""Judges of noise-free alignment against its solution (theory D3): predictions P5 and P7."""

import numpy as np
from jaxtyping import Float, Int

from gflow.judges.alignment_phase import (
    COSINE_ROUNDING,
    NEGLIGIBLE_MASS,
    RESOLUTION,
    clock,
    coordinates,
    negligible,
    noise_free,
    own,
    resolved,
    signs,
)
from gflow.judges.evidence import Evidence
from gflow.judges.finding import Opinion, Verdict, earned, unmet
from gflow.judges.prediction import MV25, Prediction, Subject
from gflow.judges.shared_hypotheses import vanishing, within
from gflow.laws.hypothesis import Hypothesis
from gflow.laws.reduced import aligned

CLOSED_FORM = 1e-4
"""Largest error of a coordinate against its closed form (P5)."""

CONTINUUM = 1e-6
"""Largest drift of log ξ_jk/ξ_ik at p = 2 (P7)."""


def judge_closed_form(evidence: Evidence) -> Opinion:
    """Directions follow the solution of noise-free alignment (theory D3, prediction P5)."""
    expected = f"|u_k - formula| <= {CLOSED_FORM:g} while Σ m_j <= {NEGLIGIBLE_MASS:g}"
    hypotheses = (*noise_free(evidence), vanishing(evidence, NEGLIGIBLE_MASS))
    if opinion := unmet(expected, hypotheses):
        return opinion
    quiet = negligible(evidence)
    every = np.arange(evidence.record.sizes["neuron"])
    law = closed_form(evidence, clock(evidence)[quiet], every)
    error = np.abs(coordinates(evidence)[quiet] - law)
    worst = float(error.max(initial=0.0))
    verdict, why = resolved(evidence, worst, CLOSED_FORM)
    reason = f"Largest over {error.shape[1]} neurons and {error.shape[0]} times.{why}"
    opinion = Opinion(verdict, expected, f"{worst:.1e}", reason, hypotheses=hypotheses)
    if verdict is not Verdict.FAILS:
        return opinion
    return earned(opinion, _determined(evidence, clock(evidence)[quiet], error))


def _determined(
    evidence: Evidence, t_hat: Float[np.ndarray, " q"], error: Float[np.ndarray, "q h K"]
) -> Hypothesis:
    """That what steps and rounding do to a start explains less than half of the largest error.

    Near the boundary of two cells the closed form itself magnifies it without bound.
    """
    worst = np.array([int(error.max(axis=(0, 2)).argmax())])
    wrong = max(RESOLUTION * evidence.scenario.flow.tolerance, 10 * COSINE_ROUNDING)
    law = closed_form(evidence, t_hat, worst)
    # Its two largest own coordinates, moved apart by as much.
    start = np.where(own(evidence)[worst[0]], coordinates(evidence)[0, worst[0]], -1.0)
    moved = np.zeros_like(start)
    moved[np.argsort(start)[-2:]] = -wrong, wrong
    away = closed_form(evidence, t_hat, worst, moved=moved)
    explained = float(np.abs(away - law).max())
    name = "what an error of the start would make of the neuron that is farthest off"
    cure = f"try `flow.tolerance` = {evidence.scenario.flow.tolerance / 10:.1g}"
    return within(name, explained, float(error.max()) / 2, cure=cure)


def closed_form(
    evidence: Evidence,
    t_hat: Float[np.ndarray, " q"],
    neurons: Int[np.ndarray, " m"],
    moved: Float[np.ndarray, " K"] | float = 0.0,
) -> Float[np.ndarray, "q m K"]:
    """Coordinates u_k of some neurons by theory D3, from where the record begins.

    **Arguments:**

    - `evidence`: a run with recorded neurons.
    - `t_hat`: alignment times p κ π t.
    - `neurons`: indices.
    - `moved`: added to their coordinates at the start.
    """
    start, weights = coordinates(evidence)[0] + moved, evidence.pi / evidence.pi.mean()
    label = signs(evidence)[:, None] * evidence.centers.label.astype(np.float64)
    beside = np.sqrt(np.clip(1 - (start**2).sum(axis=1), 0, None))
    each = [
        aligned(start[j], float(beside[j]), label[j], evidence.p, t_hat=t_hat, weights=weights).u
        for j in neurons
    ]
    return np.stack(each, axis=1)


def judge_continuum(evidence: Evidence) -> Opinion:
    """At p = 2 neurons of one sign keep the ratios of their ξ_k for ever (D2g, prediction P7)."""
    allowed = max(CONTINUUM, 10 * evidence.scenario.flow.tolerance)
    expected = f"drift of log ξ_jk/ξ_ik <= {allowed:.0e}"
    hypotheses = (*noise_free(evidence), Hypothesis.that("p", evidence.p, "=", 2))
    if opinion := unmet(expected, hypotheses):
        return opinion
    gain = _gain(evidence)
    worst = max(_spread(gain[:, signs(evidence) == s]) for s in (1, -1))
    count = int((~np.isnan(gain).any(axis=0)).sum())
    verdict, why = resolved(evidence, worst, allowed)
    if not count:
        verdict, why = Verdict.UNDECIDED, " No coordinate stays awake."
    reason = f"Over {count} awake coordinates, through all phases.{why}"
    return Opinion(verdict, expected, f"{worst:.1e}", reason, hypotheses=hypotheses)


def _gain(evidence: Evidence) -> Float[np.ndarray, "T h K"]:
    """log ξ_jk(t)/ξ_jk(0), ξ = ρ² u; nan for coordinates that are ever asleep or unresolved."""
    cosine = coordinates(evidence)
    awake = (cosine > RESOLUTION * COSINE_ROUNDING).all(axis=0)
    log_xi = np.log(np.where(awake, cosine, 1.0))
    log_xi += 2 * evidence.record["log_norm"].values[:, :, None]
    return np.where(awake, log_xi - log_xi[0], np.nan)


def _spread(gain: Float[np.ndarray, "T h K"]) -> float:
    """Largest difference between two neurons, over centers and times; 0 without two."""
    known = [column[:, ~np.isnan(column[0])] for column in np.moveaxis(gain, 2, 0)]
    return max((float(np.ptp(c, axis=1).max()) for c in known if c.shape[1] > 1), default=0.0)


PREDICTIONS = (
    Prediction(
        "closed-form", "P5",
        "Without noise and while f ≪ 1 directions follow a closed form.",
        "theory D3, P5; p > 2: " + MV25 + ", eq. 13",
        "u = ξ/|ξ|, dξ_k/dχ = y_k σ(ξ_k)^(p-1), dχ = |ξ|^(2-p) p κ π dt",
        judge=judge_closed_form, scenario="voronoi-rule", figure="closed_forms",
        subject=Subject.ALIGNMENT,
    ),
    Prediction(
        "continuum", "P7",
        "At p = 2 nothing is selected: neurons of one sign keep the ratios of their ξ_k.",
        "theory D2g, D3, P7",
        "log(ξ_jk/ξ_ik) constant, ξ = ρ² u",
        judge=judge_continuum, scenario="p-continuum", figure="closed_forms",
        subject=Subject.ALIGNMENT,
    ),
)  # fmt: skip
