"""Judges of the run's own numerics: what every gradient flow conserves (theory D2), and its charts.

These statements hold for the exact flow at any time, so a miss is the integrator's, and
every criterion is a fixed multiple of the tolerance that was used (predictions P1 to P4).
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from gflow.judges.evidence import Evidence
from gflow.judges.finding import Opinion, Verdict, outside
from gflow.judges.prediction import MV25, Prediction, Subject
from gflow.judges.series import Comparison, Series, opinion_of, series
from gflow.measure.balance import imbalance
from gflow.random import stream

DRIFT = 10.0
"""Drift allowed in a conserved quantity, in units of the tolerance (predictions P1, P2)."""

MEANINGFUL = 1e-2
"""Largest allowed drift at which the orthogonal invariant still says something (P2)."""

ALONG = 1e-12
"""Least |<e, u_j>| at the start that is more than rounding; other neurons are not judged (P2)."""

ENERGY = 30.0
"""Energy imbalance allowed, relative to L(0), in units of the tolerance (P3).

Fixed by a convergence test on small flows, whose imbalance was up to 10 tolerances at every
tolerance from 1e-2 to 1e-6.
"""

CHARTS = 100.0
"""Difference of outputs allowed between charts, in tolerances (P4)."""

CHARTS_LEAST = 1e-6
"""Difference that is always allowed (P4)."""

CHARTS_KINKS = 1e-3
"""The same at p < 2, where kinks limit what a tolerance buys (P4)."""

STEPS = "The network descends in steps, which conserve it only up to their size."
"""Why no conserved quantity is judged on descent."""

_SLIDING = (
    "At p < 2 steps that slide along a ReLU kink alternate between its two sides, and the integral "
    "counts their speeds instead of the slower motion along it (theory T11): too much, as here."
)

_BY_CONSTRUCTION = {
    "polar": "the polar chart has |v| = ‖w‖",
    "lightcone": "the light-cone chart keeps (‖w‖ + v)(‖w‖ - v)",
}
"""Charts in which ‖w‖² - v² cannot drift, and why."""


def judge_energy_balance(evidence: Evidence) -> Opinion:
    """L(0) - L(t) = ∫₀ᵗ ‖dθ/dt‖² dt at every recorded time (theory D2d, prediction P3)."""
    if not evidence.is_flow:
        return outside("relative imbalance within the tolerance", STEPS)
    balance = _balance(evidence)
    error, allowed = float(np.abs(balance).max()), ENERGY * step_tolerance(evidence)
    expected, measured = f"relative imbalance <= {allowed:.0e}", f"{error:.1e}"
    reason = "Largest |L(0) - L(t) - ∫‖dθ/dt‖²|/L(0) over the recorded times."
    if not np.isfinite(error):
        return Opinion(Verdict.UNDECIDED, expected, measured, "The loss is not a number.")
    if error <= allowed:
        return Opinion(Verdict.HOLDS, expected, measured, reason)
    if evidence.p < 2 and float(balance.max()) <= allowed:
        return Opinion(Verdict.UNDECIDED, expected, measured, f"{reason} {_SLIDING}")
    return Opinion(Verdict.FAILS, expected, measured, reason)


def _balance(evidence: Evidence) -> Float[np.ndarray, " T"]:
    """(L(0) - L(t) - ∫₀ᵗ ‖dθ/dt‖² dt)/L(0) at the recorded times."""
    loss, dissipated = evidence.record["loss"].values, evidence.record["dissipated"].values
    return (loss[0] - loss - dissipated) / loss[0]


def judge_balancedness(evidence: Evidence) -> Opinion:
    """‖w_j‖² - v_j² is constant, without normalization ‖w_j‖² - p v_j² (D2a, prediction P1)."""
    allowed = DRIFT * step_tolerance(evidence)
    expected = f"relative drift <= {allowed:.0e}"
    if not evidence.is_flow:
        return outside(expected, STEPS)
    if (chart := evidence.scenario.chart) in _BY_CONSTRUCTION:
        return Opinion(
            Verdict.HOLDS, expected, "0", f"Holds by construction: {_BY_CONSTRUCTION[chart]}."
        )
    if not evidence.has("neurons"):
        return outside(expected, "The record group `neurons` was not recorded.")
    log_norm, log_output = evidence.record["log_norm"].values, evidence.record["log_output"].values
    delta = imbalance(log_norm, log_output, evidence.degree)
    drift = float(np.abs(delta - delta[0]).max() / np.exp(2 * log_norm).max())
    verdict = Verdict.HOLDS if drift <= allowed else Verdict.FAILS
    verdict = verdict if np.isfinite(drift) else Verdict.UNDECIDED
    invariant = "‖w_j‖² - v_j²" if evidence.degree == 1 else f"‖w_j‖² - {evidence.degree:g}·v_j²"
    reason = f"Largest change of {invariant} over neurons and times, relative to max ‖w_j‖²."
    return Opinion(verdict, expected, f"{drift:.1e}", reason)


def judge_orthogonal_invariant(evidence: Evidence) -> Opinion:
    """<e, w_j>‖w_j‖^{p-1} is constant for e orthogonal to all samples (D2b, prediction P2).

    Without normalization it is <e, w_j>.  A direction error of one tolerance appears multiplied by
    (ρ/ρ(0))^{p/q}, q the degree, so neurons and times are judged only while ten tolerances times
    that factor stay below 1e-2.
    """
    growth = "(ρ/ρ₀)^p" if evidence.degree == 1 else "ρ/ρ₀"
    expected = f"relative drift <= 10 · tolerance · max(1, {growth})"
    if not evidence.is_flow:
        return outside(expected, STEPS)
    if not evidence.has("orthogonal") or not evidence.has("neurons"):
        return outside(expected, "The record groups `orthogonal` and `neurons` are needed.")
    if "orthogonal" not in evidence.record:
        return outside(expected, "The samples span the whole space (n > D with noise).")
    # Judge where the allowance still means something, and not the start itself.
    drift, allowed = _orthogonal_drift(evidence)
    judged = (allowed <= MEANINGFUL) & np.isfinite(drift)
    judged[0] = False
    if not judged.any():
        reason = (
            f"Tolerance {step_tolerance(evidence):.0e} is too loose to see the invariant, or no "
            "neuron has a part along e; try flow.tolerance = 1e-6."
        )
        return Opinion(Verdict.UNDECIDED, expected, "not resolved", reason)
    worst = float((drift / allowed)[judged].max())
    return Opinion(
        Verdict.HOLDS if worst <= 1 else Verdict.FAILS,
        expected,
        f"{worst:.2g} of what is allowed",
        f"Judged on {int(judged.any(axis=0).sum())} neurons while {growth} stays small.",
    )


def _orthogonal_drift(
    evidence: Evidence,
) -> tuple[Float[np.ndarray, "T h"], Float[np.ndarray, "T h"]]:
    log_invariant = evidence.record["orthogonal"].values
    log_norm = evidence.record["log_norm"].values
    power = evidence.p / evidence.degree
    # log |<e, u_j>| at the start: where it is rounding, nothing can be said of its drift.
    along = log_invariant[0] - power * log_norm[0][:, None]
    resolvable = (along > np.log(ALONG)).any(axis=-1)
    with np.errstate(invalid="ignore", over="ignore"):
        each = np.abs(np.expm1(log_invariant - log_invariant[0]))
    drift = np.where(along > np.log(ALONG), each, 0.0).max(axis=-1)
    drift = np.where(resolvable, drift, np.nan)
    # An error of one tolerance in u_j appears multiplied by the growth of ρ_j^power.
    growth = np.exp(np.minimum(power * (log_norm - log_norm[0]), 300.0))
    # A forced step errs by as many tolerances as it is known to.
    error = step_tolerance(evidence) * max(evidence.effort.worst_forced, 1.0)
    return drift, DRIFT * error * np.maximum(growth, 1.0)


def step_tolerance(evidence: Evidence) -> float:
    """Tolerance of one step, but not below the rounding of the matrix products."""
    return max(evidence.scenario.flow.tolerance, product_rounding(evidence))


def product_rounding(evidence: Evidence) -> float:
    """Relative rounding of the matrix products."""
    return {"float32": 1e-6, "float64": 1e-14}[evidence.scenario.flow.precision]


def judge_charts(evidences: Sequence[Evidence]) -> Opinion:
    """Polar, light-cone and Cartesian flows end in the same function (prediction P4)."""
    expected = f"outputs agree to {CHARTS:g} tolerances (p < 2: {CHARTS_KINKS:g})"
    evidences = [run for run in evidences if run.is_flow]
    charts = {run.scenario.flow.chart for run in evidences}
    if len(charts) < 2:
        return outside(expected, f"Only one chart in this study ({', '.join(charts)}).")
    parts = [_same_function(one) for one in series(evidences, "flow.chart")]
    reason = "Largest difference over 512 inputs of the unit sphere and the centers, over max |f|."
    undecided = (
        "A flow ended early or at another time than the rest, or there was no other chart, or a "
        "neuron near the boundary of two cells went another way; try a smaller `flow.tolerance`."
    )
    return opinion_of(expected, parts, (), reason, undecided=undecided)


def _same_function(one: Series) -> Comparison:
    first, charts = one.runs[0], [run.scenario.flow.chart for run in one.runs]
    inputs = stream(first.scenario.seed, "inputs").standard_normal((512, first.centers.D))
    x = np.concatenate([inputs / np.linalg.norm(inputs, axis=1, keepdims=True), first.centers.mu])
    outputs = np.stack([np.asarray(run.network(x)) for run in one.runs])
    gap = float(np.ptp(outputs, axis=0).max() / np.abs(outputs).max())
    tolerance = max(run.scenario.flow.tolerance for run in one.runs)
    allowed = max(CHARTS * tolerance, CHARTS_LEAST)
    if first.p < 2:
        allowed = max(allowed, CHARTS_KINKS)
    together = len({float(run.times[-1]) for run in one.runs}) == 1
    complete = all(run.outcome.complete for run in one.runs) and together
    fits = gap <= allowed if complete and len(charts) > 1 else None
    # A neuron on the boundary of two cells goes one way or the other by rounding.
    if fits is False and not _same_targets(one.runs):
        fits = None
    return Comparison(one.title, fits, f"{gap:.1e} (allowed {allowed:.0e}; {', '.join(charts)})")


def _same_targets(runs: Sequence[Evidence]) -> bool:
    """Whether every neuron that contributes has one target in all runs, as far as recorded."""
    if not all(run.has("neurons") and run.has("centers") for run in runs):
        return True
    contributes = np.any([run.contributing for run in runs], axis=0)
    targets = np.stack([run.target[contributes] for run in runs])
    return bool((targets == targets[0]).all())


PREDICTIONS = (
    Prediction(
        "balancedness", "P1",
        "‖w_j‖² - v_j² is constant (‖w_j‖² - p v_j² without normalization).",
        f"{MV25}, Assumption 1; theory D2a, P1",
        "d(ρ_j² - v_j²)/dt = 0",
        judge=judge_balancedness, scenario="unbalanced",
        subject=Subject.NUMERICS,
    ),
    Prediction(
        "orthogonal-invariant", "P2",
        "<e, w_j>‖w_j‖^(p-1) is constant for e orthogonal to all samples.",
        "theory D2b, P2",
        "d(ρ_j^p <e, u_j>)/dt = 0 for <e, x_i> = 0",
        judge=judge_orthogonal_invariant, scenario="voronoi-rule",
        subject=Subject.NUMERICS,
    ),
    Prediction(
        "energy-balance", "P3",
        "L(0) - L(t) = ∫₀ᵗ ‖dθ/dt‖² dt.",
        "theory D2d, P3",
        "dL/dt = -‖dθ/dt‖²",
        judge=judge_energy_balance, scenario="voronoi-rule",
        subject=Subject.NUMERICS,
    ),
    Prediction(
        "charts", "P4",
        "The flow ends in the same function in every chart.",
        "theory D1, P4",
        "f_polar = f_lightcone = f_Cartesian",
        judge_study=judge_charts, scenario="unbalanced",
        subject=Subject.NUMERICS,
    ),
)  # fmt: skip
