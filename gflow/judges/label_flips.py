"""Judges of flipped labels (theory D23): prediction P45.

One idea: without noise a subclass with a share η of flipped labels weighs (1-2η)π while outputs are
small, which escape times show, and its outputs rest where the mean force vanishes, which the end of
a run shows.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from gflow.data.centers import ORTHONORMAL
from gflow.judges.alignment_phase import coordinates, own
from gflow.judges.evidence import Evidence
from gflow.judges.exponents import (
    SCALE,
    all_vanish,
    compared_slope,
    log_scales,
    over_scales,
    slopes_opinion,
)
from gflow.judges.far_enough import complete, longer
from gflow.judges.finding import Opinion, earned, unmet
from gflow.judges.prediction import Prediction, Subject
from gflow.judges.samples import training_samples
from gflow.judges.separation import occupied
from gflow.judges.series import Comparison, Series, class_name, opinion_of, series
from gflow.judges.shared_hypotheses import all_of, normalized, recorded, the_flow
from gflow.laws.flips import RESTS, class_pull, force_lost, pulls, resting_loss, resting_output
from gflow.laws.hypothesis import Hypothesis
from gflow.measure.phases import escape_times

FLIPS_ESCAPE = 0.02
"""Relative error allowed in the escape slope (P45)."""

FLIPS_REST = 0.005
"""Relative error allowed in outputs and loss at rest (P45)."""

STILL = 0.001
"""Relative change of an output since half the time at which it rests (P45)."""

READABLE = 0.99
"""Largest share of the mean force that may be lost at the record after an escape (P45).

Beyond it the record does not say when the output passed half of what it rests at.
"""


def judge_flipped_rest(evidence: Evidence) -> Opinion:
    """Outputs end where the mean force vanishes, and the loss at its least value (theory D23)."""
    expected = f"|f(μ_k)| and loss at rest within {FLIPS_REST:.1%}"
    hypotheses = (*_setting(evidence), the_flow(evidence), recorded(evidence))
    if opinion := unmet(expected, hypotheses):
        return opinion
    eta, loss = training_samples(evidence).flips, evidence.scenario.flow.loss
    output, rest = _right_outputs(evidence), resting_output(eta, loss)
    least = float(evidence.pi @ resting_loss(eta, loss))
    parts = [
        _compared("outputs", output[-1], rest),
        _compared("loss", evidence.record["loss"].values[-1:].astype(np.float64), least),
    ]
    opinion = opinion_of(expected, parts, hypotheses, "Largest relative difference.")
    return earned(opinion, complete(evidence), _at_rest(evidence, output, rest))


def _compared(
    name: str, measured: Float[np.ndarray, " q"], law: Float[np.ndarray, " q"] | float
) -> Comparison:
    miss = float(np.abs(measured / law - 1).max())
    numbers = ", ".join(f"{x:.4g}" for x in np.atleast_1d(law))
    return Comparison(name, bool(miss <= FLIPS_REST), f"{miss:.1e} from {numbers}")


def _at_rest(
    evidence: Evidence, output: Float[np.ndarray, "T K"], rest: Float[np.ndarray, " K"]
) -> Hypothesis:
    """That every output has grown and stands still: one without a neuron stays at 0 for ever."""
    t = evidence.times
    half = np.array([np.interp(t[-1] / 2, t, column) for column in output.T])
    grown = bool((output[-1] >= rest / 2).all())
    change = float((np.abs(output[-1] - half) / rest).max())
    met = True if grown and change <= STILL else None
    measured = f"outputs still change by {change:.1e}" if grown else "an output has not grown"
    cure = "" if met else longer(evidence, 10 * float(t[-1]))
    return Hypothesis("outputs at rest", measured, met, cure)


def judge_flipped_escape(evidences: Sequence[Evidence]) -> Opinion:
    """Escape is later by 1/(κ(1-2η_k)π_k) per factor e of ε (theory D23)."""
    expected = f"slopes within {FLIPS_ESCAPE:.0%} of 1/(κ(1 - 2η)π), or the class's for p < 2"
    hypotheses = (
        *_first_unmet([_setting(run) for run in evidences]),
        *over_scales(evidences),
        normalized(*evidences),
        *all_vanish(evidences),
        all_of(occupied, evidences),
    )
    if opinion := unmet(expected, hypotheses):
        return opinion
    parts = [part for one in series(evidences, SCALE) for part in _escapes(one)]
    # The neuron of a fitted subclass may leave it for a lighter one (theory P11).
    return earned(slopes_opinion(expected, parts, hypotheses), all_of(_even, evidences))


def _first_unmet(each: Sequence[tuple[Hypothesis, ...]]) -> tuple[Hypothesis, ...]:
    """The hypotheses of the first run that does not meet all of them, or of the first of all."""
    return next((one for one in each if not all(h.met for h in one)), each[0])


def _escapes(one: Series) -> list[Comparison]:
    """A slope for each subclass at p >= 2, for each class below, where it escapes as one."""
    first, x = one.runs[0], -log_scales(one)
    pull = pulls(first.pi, training_samples(first).flips)
    times = np.stack([_halfway(run) for run in one.runs])
    label = first.centers.label
    together = first.p < 2
    groups = [label == s for s in first.centers.signs] if together else list(np.eye(len(label)) > 0)
    names = (
        [class_name(s) for s in first.centers.signs]
        if together
        else [f"subclass {k + 1}" for k in range(len(label))]
    )
    parts = []
    for name, mine in zip(names, groups, strict=True):
        law = 1 / (first.loss.kappa * class_pull(pull[mine], first.p))
        when = times[:, mine].min(axis=1)
        error = max(_slower(run, mine, t, pull) for run, t in zip(one.runs, when, strict=True))
        title = ", ".join(part for part in (one.title, name) if part)
        parts.append(
            compared_slope(
                title, x, when, law, allowed=FLIPS_ESCAPE * law, error=error * law, log_eps=-x
            )
        )
    return parts


def _halfway(run: Evidence) -> Float[np.ndarray, " K"]:
    """When each output passes half of what it rests at; nan where the record does not say."""
    eta, loss = training_samples(run).flips, run.scenario.flow.loss
    times = np.full(len(eta), np.nan)
    for k, (share, rest) in enumerate(zip(eta, resting_output(eta, loss), strict=True)):
        z = _right_outputs(run)[:, [k]]

        def lost(
            outputs: Float[np.ndarray, "*q"], share: float = float(share)
        ) -> Float[np.ndarray, "*q"]:
            return force_lost(outputs, share, loss)

        t = escape_times(run.times, z, lost, level=float(rest / 2))[0]
        after = min(int(np.searchsorted(run.times, t)), len(z) - 1)
        times[k] = t if lost(z[after])[0] <= READABLE else np.nan
    return times


def _slower(run: Evidence, mine: np.ndarray, t: float, pull: Float[np.ndarray, " K"]) -> float:
    """By how much the outputs of a group may grow slower than the law at time t, relatively.

    Directions give it: for p < 2 the pull on them, by mass, for p > 2 the share of the outputs that
    lies off the center.  At p = 2 it is 0, since coordinates grow one by one (theory D2g).
    """
    if not np.isfinite(t) or run.p == 2:
        return 0.0
    at = min(int(np.searchsorted(run.times, t)), len(run.times) - 1)
    u = np.where(own(run)[:, mine], np.maximum(coordinates(run)[at][:, mine], 0), 0)
    mass = np.exp(run.log_mass[at] - run.log_mass[at].max())
    if run.p < 2:
        share = mass * (own(run)[:, mine]).any(axis=1)
        growth = (u**run.p) @ pull[mine] / class_pull(pull[mine], run.p)
    else:
        share, growth = mass * u[:, 0] ** run.p, u[:, 0] ** 2
    return float(1 - share @ growth / max(share.sum(), np.finfo(float).tiny))


def _right_outputs(evidence: Evidence) -> Float[np.ndarray, "T K"]:
    """y_k f(μ_k)."""
    return evidence.record["center_output"].values * evidence.centers.label


def _setting(evidence: Evidence) -> tuple[Hypothesis, ...]:
    """Flips of less than half in every subclass, one input for each, and a loss that is known."""
    eta = np.zeros(1)
    flip = evidence.scenario.data.flip
    if np.any(flip):
        eta = training_samples(evidence).flips
    centers, loss = evidence.centers, evidence.scenario.flow.loss
    error = centers.orthonormality_error
    return (
        Hypothesis(
            "labels of every subclass flipped, less than half of them",
            f"the shares are {', '.join(f'{x:.3g}' for x in eta)}" if np.any(flip) else "none is",
            bool(((eta > 0) & (eta < 0.5)).all()),
        ),
        Hypothesis("α = 0", f"α = {evidence.alpha}", evidence.alpha == 0),
        Hypothesis("orthonormal centers", f"max |C Cᵀ - I| = {error:.1e}", error <= ORTHONORMAL),
        Hypothesis(f"{', '.join(RESTS)} loss", f"it is {loss}", loss in RESTS),
    )


def _even(evidence: Evidence) -> Hypothesis:
    """That subclasses of one class pull equally, or grow as one."""
    pull = pulls(evidence.pi, training_samples(evidence).flips)
    label = evidence.centers.label
    ratio = max(float(pull[label == s].max() / pull[label == s].min()) for s in set(label))
    met = evidence.p < 2 or ratio <= 1 + 1e-9
    return Hypothesis("equal (1 - 2η)π within a class", f"they differ {ratio:.3g} : 1", met)


PREDICTIONS = (
    Prediction(
        "label-flips", "P45",
        "Flipped labels are smaller weights at first, and a finite output in the end.",
        "theory D23, P45",
        "dT_k/d log(1/ε) = 1/(κ(1 - 2η_k)π_k);  |f(μ_k)| → ½ log((1 - η_k)/η_k) (exponential loss)",
        judge=judge_flipped_rest, judge_study=judge_flipped_escape, scenario="label-flips",
        subject=Subject.TRAINING,
    ),
)  # fmt: skip
