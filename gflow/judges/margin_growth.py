"""Judge of how the margin grows (theory D8, C3): prediction P16."""

import numpy as np

from gflow.judges.aligned_outputs import aligned, exponential
from gflow.judges.evidence import Evidence
from gflow.judges.far_enough import escaped, longer
from gflow.judges.finding import Opinion, unmet
from gflow.judges.fitting_line import followed, predicted_outputs
from gflow.judges.prediction import Prediction, Subject
from gflow.judges.series import Comparison, opinion_of
from gflow.judges.slope import slope
from gflow.laws.hypothesis import Hypothesis
from gflow.laws.timescales import aligned_squared_norm, late_margin, smoothed_margin

MARGIN_LIMIT = 0.03
"""Relative error allowed in the extrapolated normalized margin (P16)."""

MARGIN_ROUNDING = 1e-8
"""Relative decrease of the smoothed margin that counts as none (P16)."""


def judge_margin(evidence: Evidence) -> Opinion:
    """The smoothed margin never falls, and the normalized one has its limit (prediction P16)."""
    expected = f"no decrease; at α = 0 limit within {MARGIN_LIMIT:.0%}, extrapolated in 1/log t"
    known = Hypothesis.whether("samples of the mixture", evidence.facts.drawn is not None)
    hypotheses = (known, *aligned(evidence), exponential(evidence), _below_weight(evidence))
    if evidence.alpha == 0:
        hypotheses = (*hypotheses, escaped(evidence, every=True))
    if opinion := unmet(expected, hypotheses):
        return opinion
    falls, reason = _never_falls(evidence), "From where every sample is fitted."
    if evidence.alpha != 0:
        reason += " The limit is known without noise only."
        return opinion_of(expected, [falls], hypotheses, reason)
    # The limit is approached like 1/log t, by the law of the outputs with their start as well.
    settled = _law_settled(evidence)
    parts = [falls, _margin_limit(evidence, settled)]
    if settled.met is None and falls.fits is not False:
        hypotheses = (*hypotheses, settled)
        undecided = unmet(expected, hypotheses)
        assert undecided is not None
        return undecided
    return opinion_of(expected, parts, hypotheses, reason)


def _below_weight(evidence: Evidence) -> Hypothesis:
    """L below the weight of a sample, from where the smoothed margin is defined."""
    weight, loss = _sample_weight(evidence), evidence.record["loss"].values
    met = True if int((loss < weight).sum()) >= 3 else None
    measured = f"the flow ended at loss {loss[-1]:.2g}, and a sample weighs {weight:.2g}"
    return Hypothesis(
        "a loss below the weight of a sample at three recorded times",
        measured,
        met,
        "" if met else longer(evidence, None),
    )


def _sample_weight(evidence: Evidence) -> float:
    drawn = evidence.facts.drawn or 1
    return 1.0 if evidence.scenario.flow.convention == "sum" else 1.0 / drawn


def _never_falls(evidence: Evidence) -> Comparison:
    """Largest relative decrease of the smoothed margin between two recorded times.

    That it never falls is a theorem, so a decrease is an error of the integrator: it counts beyond
    a hundredth of the tolerance, and up to the tolerance it decides nothing.
    """
    weight, tolerance = _sample_weight(evidence), evidence.scenario.flow.tolerance
    loss, size = (evidence.record[name].values for name in ("loss", "squared_norm"))
    begun = loss < weight
    margin = np.asarray(smoothed_margin(loss[begun], weight, size[begun]))
    fall = float(np.maximum(-np.diff(margin) / margin[1:], 0).max())
    none = max(MARGIN_ROUNDING, 1e-2 * tolerance)
    fits = True if fall <= none else False if fall > max(none, tolerance) else None
    return Comparison("smoothed margin", fits, f"largest decrease {fall:.0e}")


def _margin_limit(evidence: Evidence, settled: Hypothesis) -> Comparison:
    """min y f/‖θ‖² over the last decade of time, extrapolated in 1/log t."""
    t, record = evidence.times, evidence.record
    last = t >= t[-1] / 10
    if last.sum() < 4:
        return Comparison("normalized margin", None, "fewer than four times in the last decade")
    normalized = (record["margin_min"].values / record["squared_norm"].values)[last]
    measured = slope(1 / np.log(t[last]), normalized).intercept
    law = late_margin(evidence.p, evidence.centers.K1, evidence.centers.K2)
    fits = bool(abs(measured / law - 1) <= MARGIN_LIMIT) if settled.met else None
    return Comparison("normalized margin", fits, f"tends to {measured:.4f} (law {law:.4f})")


def _law_settled(evidence: Evidence) -> Hypothesis:
    """That the law itself, extrapolated like the record, is at its limit in spite of its start."""
    end = float(evidence.times[-1])
    off = _law_off(evidence, end)
    met = True if off <= MARGIN_LIMIT / 2 else None
    later = end
    while later < 1e6 * end and _law_off(evidence, later) > MARGIN_LIMIT / 2:
        later *= 1.2
    cure = "" if met else longer(evidence, later)
    measured = f"at t = {end:.4g} the start of the outputs still moves the limit by {off:.1%}"
    return Hypothesis("a start that no longer counts", measured, met, cure)


def _law_off(evidence: Evidence, end: float) -> float:
    """Relative error of the limit of the laws of the outputs, extrapolated up to `end`."""
    t = np.geomspace(end / 10, end, 20)
    z = predicted_outputs(evidence, t)
    if z is None or t[0] <= 1:
        return np.inf
    m = np.array([group.m for group in followed(evidence)])
    normalized = z.min(axis=-1) / np.asarray(aligned_squared_norm(z, m))
    law = late_margin(evidence.p, evidence.centers.K1, evidence.centers.K2)
    return abs(slope(1 / np.log(t), normalized).intercept / law - 1)


PREDICTIONS = (
    Prediction(
        "margin", "P16",
        "The smoothed margin never falls, and the normalized margin has a known limit.",
        "Lyu and Li, ICLR 2020; theory D8, C3, P16",
        "min y f/‖θ‖² → 1/(2K) for p >= 2, 1/(2(√K1 + √K2)) at p = 1",
        judge=judge_margin, scenario="ei-law",
        subject=Subject.FITTING,
    ),
)  # fmt: skip
