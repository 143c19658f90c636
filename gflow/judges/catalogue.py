"""The catalogue: the predictions of the theory, each with its source and its judges.

A criterion is fixed before anything is measured, and a judge is a pure function of stored values,
so any run or study can be judged again.  A FAILS is a finding to report, never a threshold to
loosen.
"""

from collections.abc import Mapping, Sequence

from gflow.flow.trajectory import Reason
from gflow.judges import (
    alignment,
    bottleneck,
    cells,
    collapse,
    conjecture,
    conservation,
    descent_law,
    distance_scaling,
    escape_slopes,
    exponents,
    fine_labels,
    fitting,
    half_speed,
    interpolator_norm,
    label_flips,
    late_outputs,
    layer_balance,
    loss_steps,
    margin_growth,
    noise_free,
    off_manifold,
    partial_activation,
    radii_at_centers,
    rank_one,
    residual_rates,
    resting,
    robust_accuracy,
    skew_xor,
    threshold,
    unbalanced_times,
    universal,
    voronoi,
)
from gflow.judges.evidence import Evidence
from gflow.judges.finding import Finding
from gflow.judges.prediction import Prediction
from gflow.judges.soundness import soundness_of

_JUDGES = (
    alignment,
    bottleneck,
    cells,
    collapse,
    conjecture,
    conservation,
    descent_law,
    distance_scaling,
    escape_slopes,
    exponents,
    fine_labels,
    fitting,
    interpolator_norm,
    half_speed,
    label_flips,
    late_outputs,
    layer_balance,
    loss_steps,
    margin_growth,
    noise_free,
    off_manifold,
    partial_activation,
    radii_at_centers,
    rank_one,
    residual_rates,
    resting,
    robust_accuracy,
    skew_xor,
    threshold,
    unbalanced_times,
    universal,
    voronoi,
)

NUMERICS = ("P1", "P2", "P3")
"""Predictions that are about the numerics of a run, judged whether or not these are sound."""

ANY_LOSS = (*NUMERICS, "P4", "P25", "P29", "P38")
"""Predictions of the catalogue that are about the flow of any loss, or about no network."""

ANY_LABELS = (*NUMERICS, "P4", "P29", "P41")
"""Predictions of the catalogue that say something where labels are real numbers, too."""

ALL: tuple[Prediction, ...] = tuple(
    sorted(
        (prediction for judges in _JUDGES for prediction in judges.PREDICTIONS),
        key=lambda prediction: int(prediction.number[1:]),
    )
)
"""Every prediction, in the order of its number."""

CATALOGUE: Mapping[str, Prediction] = {prediction.id: prediction for prediction in ALL}
"""Every prediction by id."""


def named(name: str) -> Prediction | None:
    """The prediction of an id or a number such as "P13"; None if there is none."""
    return next((one for one in ALL if name in (one.id, one.number)), None)


def check(
    evidence: Evidence, ids: Sequence[str] | None = None, own: Sequence[Prediction] = ()
) -> tuple[Finding, ...]:
    """Judge a run.

    **Arguments:**

    - `evidence`: what the flow left behind.
    - `ids`: predictions to judge; None for those its scenario asks for.
    - `own`: predictions of the caller's, besides those of the catalogue.

    **Returns:** one `Finding` per prediction that is about one run, in the order of the catalogue:
    none for a flow that was interrupted, and UNDECIDED, beside those about its numerics, for one
    that is not sound.
    """
    if evidence.outcome.reason is Reason.INTERRUPTED:
        return ()
    requested = evidence.scenario.checks.predictions if ids is None else ids
    chosen = [
        one
        for one in (*ALL, *own)
        if (requested == "all" or one.id in requested) and one.is_about(evidence)
    ]
    soundness = soundness_of(evidence)
    findings = []
    for one in chosen:
        if needed := _needs(one, [evidence]):
            findings.append(one.inapplicable(needed))
        elif soundness.sound or one.number in NUMERICS:
            findings.append(one(evidence))
        else:
            findings.append(one.undecided(soundness.text))
    return tuple(finding for finding in findings if finding is not None)


def _needs(one: Prediction, evidences: Sequence[Evidence]) -> str:
    """What a prediction of the catalogue needs of labels and loss; empty if it may apply."""
    if one.id not in CATALOGUE:
        return ""
    if one.number not in ANY_LABELS and not all(run.has_classes for run in evidences):
        return "It needs labels that are classes, and here labels are real numbers."
    given = [str(run.scenario.flow.given) for run in evidences if not run.loss_is_known]
    if not given or one.number in ANY_LOSS:
        return ""
    return (
        "It needs a loss whose laws are known, such as the exponential one, and here "
        f"{given[0].split()[0]} was given."
    )


def check_study(
    evidences: Sequence[Evidence],
    ids: Sequence[str],
    own: Sequence[Prediction] = (),
    alone: Sequence[Sequence[Finding]] | None = None,
) -> tuple[Finding, ...]:
    """Judge the runs of a study together.

    **Arguments:**

    - `evidences`: the runs of a study; networks of a kind that a prediction is not about, flows
        that were interrupted and those that are not sound are left out.
    - `ids`: predictions to judge.
    - `own`: predictions of the caller's, besides those of the catalogue.
    - `alone`: the findings about each run by itself, which are counted over seeds; by default those
        of `check`.

    **Returns:** one `Finding` per prediction that is about several runs, or that is claimed with
    high probability and was judged on several seeds, in the order of the catalogue.
    """
    if alone is None:
        alone = [check(run, ids, own) for run in evidences]
    finished = [run for run in evidences if run.outcome.reason is not Reason.INTERRUPTED]
    soundness = [soundness_of(run) for run in finished]
    findings = []
    for one in (*ALL, *own):
        judged = [pair for pair in zip(finished, soundness, strict=True) if one.is_about(pair[0])]
        if one.id not in ids or not judged:
            continue
        sound = [run for run, kept in judged if kept.sound]
        if needed := _needs(one, sound or [run for run, _ in judged]):
            findings.append(one.inapplicable(needed, of_study=True))
        elif sound:
            findings.append(one.over(sound))
        else:
            findings.append(one.undecided(judged[0][1].text, of_study=True))
        findings.append(_counted(one, evidences, alone))
    return tuple(finding for finding in findings if finding is not None)


def _counted(
    one: Prediction, evidences: Sequence[Evidence], alone: Sequence[Sequence[Finding]]
) -> Finding | None:
    """The finding about several seeds, from those about each run by itself."""
    judged = [
        (run, row.verdict)
        for run, rows in zip(evidences, alone, strict=True)
        for row in rows
        if row.id == one.id
    ]
    return one.counted([run for run, _ in judged], [verdict for _, verdict in judged])
