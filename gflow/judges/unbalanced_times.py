"""Judge of how long alignment takes from v = 0 (theory T8): prediction P28."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from gflow.judges.alignment_phase import clock, coordinates, negligible, own
from gflow.judges.evidence import Evidence
from gflow.judges.finding import Opinion, unmet
from gflow.judges.fitting_line import held
from gflow.judges.prediction import Prediction, Subject
from gflow.judges.series import Comparison, opinion_of
from gflow.judges.shared_hypotheses import all_of, orthonormal, the_flow
from gflow.judges.slope import slope
from gflow.laws.hypothesis import Hypothesis
from gflow.laws.reduced import alignment_time, unbalanced_time
from gflow.laws.timescales import ALIGNED_COSINE
from gflow.measure.alignment import first_time_at

UNBALANCED_SLOPE, BALANCED_SLOPE, SLOPE_ERROR = -2.0, -1.0, 0.1
"""Exponents of the alignment time in the initial cosine at p = 3, and the error allowed (P28)."""

PREFACTOR = 0.03
"""Relative error allowed in the prefactor of the unbalanced alignment time (P28)."""

NOTHING = 1e-3
"""Largest |v_j|/‖w_j‖ that counts as a start from v = 0 (P28)."""

SMALL_START = 0.06
"""Largest initial cosine that counts as small (P28)."""


def judge_unbalanced_times(evidences: Sequence[Evidence]) -> Opinion:
    """p = 3: alignment takes √p/u0² from v = 0, 1/u0 from a balanced start (T8, prediction P28)."""
    expected = (
        f"exponents {UNBALANCED_SLOPE:g} and {BALANCED_SLOPE:g} ± {SLOPE_ERROR:g}; prefactor "
        f"within {PREFACTOR:.0%}"
    )
    sizes = {(run.centers.K1, run.centers.K2) for run in evidences}
    quiet = all(run.alpha == 0 and run.has("neurons") for run in evidences)
    cubic = all(run.p == 3 and run.degree == 1 for run in evidences)
    hypotheses = (
        Hypothesis("one subclass per class", f"(K1, K2) = {sorted(sizes)}", sizes == {(1, 1)}),
        Hypothesis.whether("α = 0, neurons recorded", quiet),
        Hypothesis.whether("p = 3, normalized activation", cubic),
        all_of(orthonormal, evidences),
        the_flow(*evidences),
        _from_nothing(evidences),
    )  # fmt: skip
    if opinion := unmet(expected, hypotheses):
        return opinion
    parts = [t for run in evidences for t in _times_to_align(run)]
    reason = "Neurons whose opposite coordinate is asleep, time to cosine 0.99."
    undecided = (
        "Too few neurons align before the network grows (give more `network.width` or a smaller "
        "`network.init_scale`), or an interval straddles the criterion."
    )
    return opinion_of(expected, parts, hypotheses, reason, undecided=undecided)


def _from_nothing(evidences: Sequence[Evidence]) -> Hypothesis:
    """That unbalanced starts have output weights of about 0."""
    starts = [
        (run.record["log_output"] - run.record["log_norm"]).values[0].max()
        for run in evidences
        if run.has("neurons") and not run.neurons.balanced
    ]
    largest = float(np.exp(max(starts, default=-np.inf)))
    return Hypothesis(f"unbalanced: |v| <= {NOTHING:g}‖w‖", f"{largest:.1e}", largest <= NOTHING)


def _times_to_align(run: Evidence) -> list[Comparison]:
    u0, when = _single_coordinate(run)
    balanced = run.neurons.balanced
    title = "balanced" if balanced else "v = 0"
    if len(u0) < 5:
        return [Comparison(title, None, f"only {len(u0)} neurons aligned")]
    # The exponent of every start, and from v = 0 the prefactor of its law as well.
    exponent = slope(np.log(u0), np.log(when))
    law = BALANCED_SLOPE if balanced else UNBALANCED_SLOPE
    # The law is one for u0 → 0: the exact times from a balanced start have this slope, and those
    # from v = 0 differ from the law by u0² log 1/u0 relatively.
    error = float((u0**2 * -np.log(u0)).max())
    if balanced:
        exact = np.array([alignment_time(float(u), ALIGNED_COSINE, run.p) for u in u0])
        error = abs(slope(np.log(u0), np.log(exact)).value - law)
    fits = exponent.verdict(law, SLOPE_ERROR, error)
    parts = [Comparison(f"{title} exponent", fits, f"{exponent} (law {law:g})")]
    if not balanced:
        law_times = np.array([unbalanced_time(float(u), run.p) for u in u0])
        ratio = float(np.median(when / law_times))
        near = held(abs(ratio - 1), error, PREFACTOR)
        parts.append(Comparison("prefactor", near, f"{ratio:.3f} of √p/u0²"))
    return parts


def _single_coordinate(run: Evidence) -> tuple[Float[np.ndarray, " q"], Float[np.ndarray, " q"]]:
    """Initial cosines of neurons moved by their own center alone, and t̂ at which they align."""
    u, mine = coordinates(run), own(run)
    start = np.where(mine, u[0], 0).sum(axis=1)
    alone = (np.where(mine, -1, u[0]).max(axis=1) <= 0) & (start > 0) & (start <= SMALL_START)
    cosine = np.where(mine, u, -1).max(axis=2)
    reached = (cosine >= ALIGNED_COSINE) & negligible(run)[:, None]
    chosen = np.flatnonzero(alone & reached.any(axis=0))
    t_hat = clock(run)
    when = np.array([first_time_at(ALIGNED_COSINE, t_hat, cosine[:, j]) for j in chosen])
    return start[chosen], when


PREDICTIONS = (
    Prediction(
        "unbalanced-times", "P28",
        "From v = 0 alignment takes √p/u0² at p = 3, from a balanced start 1/u0.",
        "theory T8, P28",
        "t̂ = √p (√π/2) Γ((p-1)/2)/Γ(p/2) u0^(1-p), π = 3.14…",
        judge_study=judge_unbalanced_times, scenario="unbalanced-times",
        subject=Subject.ESCAPE,
    ),
)  # fmt: skip
