"""Judge of how outputs grow while they fit (theory D8): prediction P13.

One idea: once neurons are aligned the flow is one equation per subclass (p > 2) or class (p < 2),
solved by an exponential integral.  The law is taken with its start and with its own error, so that
a miss is one at any time.
"""

import numpy as np

from gflow.judges.aligned_outputs import aligned
from gflow.judges.evidence import Evidence
from gflow.judges.finding import Opinion, unmet
from gflow.judges.fitting_line import (
    GROWN,
    Group,
    followed,
    held,
    potential_line,
    standing,
)
from gflow.judges.prediction import MV25, Prediction, Subject
from gflow.judges.series import Comparison, opinion_of
from gflow.laws.hypothesis import Hypothesis
from gflow.laws.timescales import SOLVED
from gflow.measure.phases import ESCAPE_LEVEL

EI_LAW = 0.005
"""Relative error allowed in the growth of the potential, without noise (P13)."""

EI_LAW_NOISY = 0.05
"""The same with noise, where the law with its spread resolves as much (P13)."""

LARGEST_DEVIATION = 0.5
"""Largest deviation of the forces of a subclass over their mean at which its law is derived
(P13)."""


def judge_ei_law(evidence: Evidence) -> Opinion:
    """ψ(z_k) - ψ(z_k0) = 2 π_k t, ψ by the mean force of noisy samples (theory D8, P13)."""
    allowed = EI_LAW if evidence.alpha == 0 else EI_LAW_NOISY
    expected = f"growth of the potential within {allowed:.1%} of 2π_k t"
    hypotheses = (*aligned(evidence), _solved(evidence), _resolved_by(evidence, allowed))
    if opinion := unmet(expected, hypotheses):
        return opinion
    parts = [_follows(evidence, group, allowed) for group in followed(evidence)]
    reason = f"From |f(μ_k)| = {GROWN:g} on, at recorded times, as far as the law resolves as much."
    undecided = (
        "The record has too few times, or the samples of a subclass are too few for their noise: "
        "with more `data.samples` or `data.dimension` the law is sharper."
    )
    return opinion_of(expected, parts, hypotheses, reason, undecided=undecided)


def _solved(evidence: Evidence) -> Hypothesis:
    loss = evidence.scenario.flow.loss
    text = "a loss whose potential has a closed form"
    return Hypothesis(text, f"it is {loss}", loss in SOLVED)


def _resolved_by(evidence: Evidence, allowed: float) -> Hypothesis:
    tolerance, needed = evidence.scenario.flow.tolerance, allowed / 5
    met = True if tolerance <= needed else None
    measured = f"at tolerance {tolerance:.0e} the law is not resolved"
    cure = "" if met else f"give `flow.tolerance` {needed:.0e} or less"
    return Hypothesis(f"`flow.tolerance` <= {needed:.0e}", measured, met, cure)


def _follows(evidence: Evidence, group: Group, allowed: float) -> Comparison:
    """Largest deviation of the potential from its straight line, where the law resolves as much."""
    line = potential_line(evidence, group)
    if line is None:
        return Comparison(group.name, None, "it never grows")
    now = standing(evidence, group, line)
    bound = now.growth.bound
    derived = np.maximum.accumulate(line.deviation) <= LARGEST_DEVIATION
    most = bound + now.numerical
    verdicts = [
        held(miss, error, allowed, bound=at_most)
        for miss, error, at_most in zip(*(a[derived] for a in (now.miss, bound, most)), strict=True)
    ]
    if False in verdicts:
        first = verdicts.index(False)
        text = f"{now.miss[first]:.1%} at |f| = {line.z[first]:.3g}"
        return Comparison(
            group.name, False, f"{text}, where the law may be off by {most[first]:.1%}"
        )
    within = derived & (np.maximum.accumulate(bound) <= allowed)
    if not within.any():
        return Comparison(group.name, None, f"the law may be off by {bound.min():.1%} and more")
    reach, miss = float(line.z[within].max()), float(now.miss[within].max())
    text = f"{miss:.1e} up to |f| = {reach:.3g}"
    enough = within.sum() >= 2 and reach >= ESCAPE_LEVEL and miss <= allowed
    return Comparison(group.name, True if enough else None, text)


PREDICTIONS = (
    Prediction(
        "ei-law", "P13",
        "Outputs at the centers grow by an exponential integral law.",
        "theory D8, P13; open in " + MV25 + " for exponential loss",
        "Ei(z_k(t)) - Ei(z_k(0)) = 2 π_k t (exponential loss)",
        judge=judge_ei_law, scenario="ei-law", figure="fitting_law",
        subject=Subject.FITTING,
    ),
)  # fmt: skip
