"""Whether the numerics of a run are sound: asked before any statement about it, and not a theorem.

A flow dissipates what its loss falls by, never climbs, and keeps its invariants (theory D2), at any
time and for any data, so a miss is the integrator's.  On a run that is not sound no prediction is
judged, except those that are about its numerics (P1 to P3).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from gflow.flow.trajectory import Reason
from gflow.judges.conservation import (
    judge_balancedness,
    judge_energy_balance,
    judge_orthogonal_invariant,
    product_rounding,
    step_tolerance,
)
from gflow.judges.evidence import Evidence
from gflow.judges.finding import UNSOUND, Opinion, Verdict, sentence
from gflow.judges.held_coordinates import holds_coordinates
from gflow.laws.hypothesis import Hypothesis, all_met, number

RISE = 10.0
"""Rise of the loss allowed between two records, relative to it, in units of the tolerance.

An accepted step may raise the loss by rounding, and by what its error explains.
"""

FORCED = 0.1
"""Largest error of a forced step, as a share of a neuron's length or in radians."""

COSINE_EXCESS = 1e-4
"""By how much a recorded cosine may exceed 1; records are float32."""

_MET = {Verdict.HOLDS: True, Verdict.FAILS: False}


@dataclass(frozen=True)
class Soundness:
    """What the numerics of a run keep, and whether a prediction may be judged on it."""

    checks: tuple[Hypothesis, ...]
    """Those that say something of this run."""

    @property
    def sound(self) -> bool:
        """Whether no check is missed; one that is not decided does not count against a run."""
        return all_met(self.checks) is not False

    @property
    def text(self) -> str:
        """One or two sentences; with the cure if the run is not sound."""
        missed = [check for check in self.checks if check.met is False]
        if missed:
            cures = dict.fromkeys(check.cure for check in missed if check.cure)
            what = "; ".join(check.measured for check in missed)
            cure = f" {sentence(', or '.join(cures))}" if cures else ""
            return f"{UNSOUND}: {what}.{cure}"
        kept = [check.measured for check in self.checks if check.met]
        open_ = [check.measured for check in self.checks if check.met is None]
        undecided = f" Not decided: {'; '.join(open_)}." if open_ else ""
        return f"The numerics are sound: {'; '.join(kept)}.{undecided}"


def soundness_of(evidence: Evidence) -> Soundness:
    """Whether the numerics of a run are sound.

    Of descent in steps only that all numbers are finite and in range: it keeps its invariants up to
    the size of the steps, and its loss may rise.

    **Arguments:**

    - `evidence`: what a flow or descent left behind.

    **Source:** theory D2, T11.
    """
    checks = [_in_range(evidence)]
    if evidence.is_flow:
        checks += [_descends(evidence), _energy(evidence), _forced(evidence)]
        if evidence.has_laws:
            checks += [
                _invariant(evidence, judge_balancedness, "‖w‖² - v²"),
                _invariant(evidence, judge_orthogonal_invariant, "the orthogonal invariant"),
                holds_coordinates(evidence),
            ]
    return Soundness(tuple(check for check in checks if check is not None))


_OUTPUTS = ("margin_min", "margin_mean", "residual_rms", "squared_norm", "center_output")
"""What must be finite wherever it is recorded."""


def _in_range(evidence: Evidence) -> Hypothesis:
    record, text = evidence.record, "finite numbers in their range"
    if evidence.outcome.reason in (Reason.NOT_FINITE, Reason.DIVERGED):
        what = "the weights are no longer numbers"
        measured = f"{what} at t = {number(evidence.outcome.t)}"
        return Hypothesis(text, measured, False, "the line about how it ended says what helps")
    cure = _finer(evidence)
    ranges = {"loss": (0, np.inf)}
    if "accuracy" in record:  # of classes
        ranges["accuracy"] = (0, 1)
    ranges |= {name: (-np.inf, np.inf) for name in _OUTPUTS if name in record}
    if evidence.scenario.train.method != "adam":  # which does not say what it dissipates
        ranges["dissipated"] = (0, np.inf)
    slack = {"accuracy": 1e-6}
    for name, (low, high) in ranges.items():
        values, spare = record[name].values, slack.get(name, 0.0)
        if not (np.isfinite(values) & (values >= low - spare) & (values <= high + spare)).all():
            worst = "not finite" if not np.isfinite(values).all() else "out of range"
            return Hypothesis(text, f"the recorded `{name}` is {worst}", False, cure)
    # The norm of a neuron that died has the logarithm -inf.
    for name in ("log_norm", "log_output"):
        if name in record and np.isnan(record[name].values).any():
            return Hypothesis(text, f"the recorded `{name}` is not a number", False, cure)
    # The cosine of a neuron that died is nan, which is a gap and no error.
    if "cosine" in record and np.nanmax(np.abs(record["cosine"].values)) > 1 + COSINE_EXCESS:
        return Hypothesis(text, "a recorded cosine exceeds 1", False, cure)
    return Hypothesis(text, "all numbers are finite and in their range", True)


def _descends(evidence: Evidence) -> Hypothesis:
    """That the loss falls from record to record, up to rounding and the error of a step."""
    loss, allowed = evidence.record["loss"].values, RISE * step_tolerance(evidence)
    # Where a square loss has reached zero, what is left is the square of the rounding of outputs.
    floor = (RISE * product_rounding(evidence)) ** 2 * loss[0]
    excess = np.diff(loss) - allowed * loss[:-1] - floor
    text = f"a loss that never rises by more than {number(allowed)} of its value"
    if not (excess > 0).any():
        return Hypothesis(text, "the loss never rose", True)
    at = int(excess.argmax())
    rise = f"from {number(loss[at])} to {number(loss[at + 1])}"
    measured = f"the loss rose {rise} by t = {number(evidence.times[at + 1])}"
    return Hypothesis(text, measured, False, _finer(evidence))


def _energy(evidence: Evidence) -> Hypothesis:
    """P3 as its judge sees it; at p < 2 a surplus of dissipation is that of sliding steps (T11)."""
    opinion = judge_energy_balance(evidence)
    met = _MET.get(opinion.verdict)
    text = f"energy balance, {opinion.expected}"
    if met:
        return Hypothesis(text, f"energy is balanced to {opinion.measured} of L(0)", True)
    measured = f"energy is off by {opinion.measured} of L(0)"
    if met is None:
        measured += ", which steps along ReLU kinks count too much of"
    return Hypothesis(text, measured, met, _finer(evidence))


def _forced(evidence: Evidence) -> Hypothesis | None:
    """That no step across a kink was more wrong than a tenth of a neuron; None without any."""
    effort = evidence.effort
    if not effort.forced:
        return None
    worst = effort.worst_forced * step_tolerance(evidence)
    return Hypothesis(
        f"forced steps that err by at most {FORCED:g}",
        f"{effort.forced} of {effort.steps} steps were forced at kinks, the worst of error "
        f"{worst:.2g}",
        worst <= FORCED,
        "" if worst <= FORCED else "try a smaller `flow.min_step`",
    )


def _invariant(
    evidence: Evidence, judge: Callable[[Evidence], Opinion], name: str
) -> Hypothesis | None:
    """An invariant as its judge sees it; None where it says nothing."""
    opinion = judge(evidence)
    met = _MET.get(opinion.verdict)
    if met is None:
        return None
    how = "kept" if met else f"not kept (drift {opinion.measured})"
    kept = f"{name} is {how}"
    return Hypothesis(f"{name}: {opinion.expected}", kept, met, "" if met else _finer(evidence))


def _finer(evidence: Evidence) -> str:
    """The cure of an integration that was not accurate enough."""
    if not evidence.is_flow:
        return "try a smaller `train.step_size`"
    return f"try `flow.tolerance` = {evidence.scenario.flow.tolerance / 10:.1g}"
