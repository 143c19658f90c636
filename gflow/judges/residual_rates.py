"""Judge of how a square loss vanishes at p = 1, mode by mode (theory D18): prediction P33."""

import numpy as np
from jaxtyping import Bool, Float

from gflow.judges.alignment_phase import COSINE_ROUNDING, coordinates
from gflow.judges.evidence import Evidence
from gflow.judges.far_enough import complete, longer
from gflow.judges.finding import Opinion, Verdict, earned, unmet
from gflow.judges.loss_steps import all_served, square_without_noise
from gflow.judges.prediction import Prediction, Subject
from gflow.judges.shared_hypotheses import recorded, the_flow
from gflow.laws.hypothesis import Hypothesis, number
from gflow.laws.residual_rates import decay_rates, decayed, residual_matrix

DECAY = 0.02
"""Relative error allowed in how far log L falls (P33)."""

LATE_LOSS = 1e-5
"""Loss over that at the start from which its fall is judged (P33)."""

LEAST_LOSS = 1e-14
"""Loss over that at the start down to which its fall is judged (P33)."""

DECADE = 0.1
"""The loss must fall to this share at least for its fall to be judged (P33)."""

FINE_ENOUGH = 3e-7
"""Largest tolerance at which a decade of the loss can be judged (P33)."""

RESIDUAL_ERROR = 1000.0
"""Tolerances down to which a residual is known to some tenths of a percent (P33)."""


def judge_residual_rates(run: Evidence) -> Opinion:
    """y_k - f(μ_k) = exp(-κHΠt) of itself, H by the weights at the end (theory D18, P33)."""
    expected = f"the fall of log L within {DECAY:.0%} of that of the modes of its residuals"
    hypotheses = (
        Hypothesis.that("p", run.p, "=", 1), recorded(run), the_flow(run),
        *square_without_noise([run]),
    )  # fmt: skip
    if opinion := unmet(expected, hypotheses):
        return opinion
    hypotheses = (*hypotheses, all_served(run), _resolved(run), _fallen(run))
    if opinion := unmet(expected, hypotheses):
        return opinion
    late, loss = np.flatnonzero(_judged(run)), run.record["loss"].values
    H, begin, t = final_matrix(run), late[0], run.times[late] - run.times[late[0]]
    residual = run.centers.label - run.center_output[begin]
    law = run.loss.kappa / 2 * decayed(residual, H, run.pi, run.loss.kappa, t=t) ** 2 @ run.pi
    # Where the loss has fallen by a decade or more, how far log L has, over how far by the law.
    fall, expects = np.log(loss[begin] / loss[late]), np.log(law[0] / law)
    far = loss[late] <= DECADE * loss[begin]
    worst = float(np.abs(fall[far] / expects[far] - 1).max())
    rates = 2 * decay_rates(H, run.pi, run.loss.kappa)
    measured = (
        f"it falls by {number(fall[-1])}, by the law {number(expects[-1])}, {worst:.1e} off at most"
        f"; modes of L fall at {number(rates[0])} to {number(rates[-1])}"
    )
    reason = f"From {loss[begin] / loss[0]:.1e} to {loss[late[-1]] / loss[0]:.1e} of L(0)."
    verdict = Verdict.HOLDS if worst <= DECAY else Verdict.FAILS
    opinion = Opinion(verdict, expected, measured, reason, hypotheses=hypotheses)
    return earned(opinion, complete(run), _off_kinks(run))


def final_matrix(run: Evidence) -> Float[np.ndarray, "K K"]:
    """H of `residual_matrix` at the last recorded time."""
    last = run.record.isel(time=-1)
    u = coordinates(run)[-1]
    size = np.exp(last["log_norm"].values.astype(np.float64))
    v = last["sign"].values * np.exp(last["log_output"].values.astype(np.float64))
    return residual_matrix(size[:, None] * np.where(u > COSINE_ROUNDING, u, 0), v)


def _judged(run: Evidence) -> Bool[np.ndarray, " T"]:
    """Recorded times at which the loss is late, and still resolved."""
    share = run.record["loss"].values / run.record["loss"].values[0]
    least = max(LEAST_LOSS, (RESIDUAL_ERROR * run.scenario.flow.tolerance) ** 2)
    late = (share <= LATE_LOSS) & (share >= least)
    return late & (np.cumsum(share < least) == 0)


def _resolved(run: Evidence) -> Hypothesis:
    tolerance, needed = run.scenario.flow.tolerance, FINE_ENOUGH
    met = True if tolerance <= needed else None
    measured = f"at tolerance {tolerance:.0e} so small a loss is not resolved"
    cure = "" if met else f"give `flow.tolerance` {needed:.0e} or less"
    return Hypothesis(f"`flow.tolerance` <= {needed:.0e}", measured, met, cure)


def _fallen(run: Evidence) -> Hypothesis:
    """That the record follows the loss over a decade at least."""
    share = run.record["loss"].values / run.record["loss"].values[0]
    at = np.flatnonzero(_judged(run))
    met = True if len(at) > 1 and share[at[-1]] <= DECADE * share[at[0]] else None
    text = f"a record of L over a decade below {LATE_LOSS:g} L(0)"
    measured = f"too few records lie there, the loss ends at {number(share[-1])} of L(0)"
    late = share[-1] <= DECADE * LATE_LOSS
    cure = "give more `record.linear`" if late else longer(run, 2 * float(run.times[-1]))
    return Hypothesis(text, measured, met, "" if met else cure)


def _off_kinks(run: Evidence) -> Hypothesis:
    """That no neuron with a share in the network rests where its gate is a matter of rounding."""
    on_kink = np.abs(coordinates(run)[-1]) <= COSINE_ROUNDING
    unclear = int((on_kink.any(axis=1) & run.contributing).sum())
    measured = f"{unclear} contributing neurons rest on a kink"
    return Hypothesis("contributing neurons off kinks", measured, True if not unclear else None)


PREDICTIONS = (
    Prediction(
        "residual-rates", "P33",
        "Without noise residuals of a ReLU network vanish mode by mode under a square loss.",
        "Dana, Bach and Pillaud-Vivien, arXiv 2502.16977; theory D18, P33",
        "d(y - f)/dt = -κ H Π (y - f), H = Σ_j (v_j² diag(1_A_j) + w_j w_jᵀ) ⪰ 1",
        judge=judge_residual_rates, scenario="residual-rates", subject=Subject.FITTING,
    ),
)  # fmt: skip
