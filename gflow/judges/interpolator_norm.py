"""Judge of how much mass a network needs that interpolates without noise: prediction P32."""

import numpy as np

from gflow.judges.evidence import Evidence
from gflow.judges.far_enough import complete, longer
from gflow.judges.finding import Opinion, earned, unmet
from gflow.judges.loss_steps import all_served, led, square_without_noise, step_law
from gflow.judges.prediction import Prediction, Subject
from gflow.judges.series import Comparison, class_name, opinion_of
from gflow.judges.shared_hypotheses import recorded, the_flow
from gflow.laws.hypothesis import Hypothesis, number
from gflow.laws.jumps import least_mass

LEAST_MASS = 0.02
"""Relative error allowed where a class is fitted in one jump, by neurons awake to all of it (P32).
"""

BELOW_BOUND = 1e-5
"""Share of the least mass by which rounding may bring a recorded mass below it (P32)."""

INTERPOLATED = 0.99
"""Least y_k f(μ_k) at the end of a network that interpolates (P32)."""


def judge_interpolator_norm(run: Evidence) -> Opinion:
    """Σ m_j of a class of m subclasses is at least m^{p/2}, and that in one jump (P32)."""
    expected = f"Σ m_j over m^(p/2) at least 1, and within {LEAST_MASS:.0%} of it in one jump"
    hypotheses = (
        Hypothesis("1 <= p < 2", f"p = {number(run.p)}", 1 <= run.p < 2),
        recorded(run), the_flow(run), *square_without_noise([run]),
    )  # fmt: skip
    if opinion := unmet(expected, hypotheses):
        return opinion
    hypotheses = (*hypotheses, all_served(run), _interpolates(run))
    if opinion := unmet(expected, hypotheses):
        return opinion
    parts = [_class_mass(run, s) for s in run.centers.signs]
    reason = "½‖θ‖² at the end, class by class, beside the sum over the jumps of theory D17."
    opinion = opinion_of(expected, parts, hypotheses, reason)
    return earned(opinion, complete(run), led(run))


def _class_mass(run: Evidence, s: int) -> Comparison:
    """The mass of a class over the least one with its outputs."""
    mine, law = run.centers.label == s, step_law(run)
    m = int(mine.sum())
    of_class = run.record["sign"].values[-1] == s
    ratio = float(np.exp(run.log_mass[-1][of_class]).sum()) / least_mass(m, run.p)
    # By Hölder Σ m_j is at least the mean output times the least mass; at rest that is 1.
    output = float((s * run.center_output[-1][mine]).mean())
    jumps = law.sizes(run.centers.label, s)
    fits = ratio >= output - BELOW_BOUND
    if len(jumps) == 1 and awake_to_all(run, s):
        fits = fits and abs(ratio - 1) <= LEAST_MASS
    by_jumps = law.mass(run.centers.label, s, run.p) / least_mass(m, run.p)
    times = "jump" if len(jumps) == 1 else "jumps"
    return Comparison(class_name(s), fits, f"{ratio:.4g} ({by_jumps:.4g} by {len(jumps)} {times})")


def awake_to_all(run: Evidence, s: int) -> bool:
    """Whether some neuron of a class starts awake to all of its subclasses."""
    start, sign = run.record["cosine"].values[0], run.record["sign"].values[0]
    mine = run.centers.label == s
    return bool((start[sign == s][:, : run.centers.K][:, mine] > 0).all(axis=1).any())


def _interpolates(run: Evidence) -> Hypothesis:
    """That every output has all but reached its label."""
    least = float((run.centers.label * run.center_output[-1]).min())
    law = step_law(run).instants.max(initial=0.0) * -np.log(run.scenario.network.init_scale)
    met = True if least >= INTERPOLATED else None
    measured = f"the smallest y_k f(μ_k) is {number(least)} at the end"
    cure = "" if met else longer(run, max(float(run.times[-1]), 1.5 * float(law)))
    return Hypothesis(f"outputs y_k f(μ_k) of {INTERPOLATED:g} and more", measured, met, cure)


PREDICTIONS = (
    Prediction(
        "interpolator-norm", "P32",
        "Without noise a network that interpolates has the least norm if each class is fitted at "
        "once, and more if not.",
        "arXiv 2605.27097; theory D17, P32",
        "½‖θ‖² >= K1^(p/2) + K2^(p/2) for 1 <= p < 2",
        judge=judge_interpolator_norm, scenario="interpolator-norm", subject=Subject.FITTING,
    ),
)  # fmt: skip
