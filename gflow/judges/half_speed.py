"""Judges of ReLU networks on antipodal data (theory D22): prediction P36.

One idea: where with every sample (x, y) there is (-x, -y), a neuron is awake to one of each pair,
so all neurons feel half of the field of a linear network, wherever they point.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from gflow.data.dataset import Dataset
from gflow.judges.conservation import step_tolerance
from gflow.judges.evidence import Evidence
from gflow.judges.exponents import (
    SCALE,
    all_vanish,
    compared_slope,
    log_scales,
    over_scales,
    slopes_opinion,
)
from gflow.judges.finding import Opinion, unmet
from gflow.judges.prediction import Prediction, Subject
from gflow.judges.samples import training_samples
from gflow.judges.series import Comparison, Series, opinion_of, series
from gflow.judges.shared_hypotheses import all_of, recorded, recorded_directions, the_flow
from gflow.laws.forces import force_of
from gflow.laws.hypothesis import Hypothesis
from gflow.laws.linear import halved_slope, linear_network

HALF_SPEED = 0.02
"""Relative error allowed in the escape slope on antipodal data (P36)."""

SAME_FUNCTION = 100.0
"""Difference of a mirrored network from the linear one, in tolerances of the largest output."""

GROWN_MASS = 0.1
"""Σ m_j at which a network on antipodal data has escaped (P36)."""

READABLE_MASS = 0.3
"""Largest Σ m_j at the record after an escape (P36): beyond it growth has slowed in between."""

KINDS = ("antipodal", "file")
"""Kinds of data that may be antipodal; their samples are looked at."""


def judge_linear_at_half_time(evidence: Evidence) -> Opinion:
    """A mirrored ReLU network is the linear one at half the time (theory D22)."""
    expected = f"f(t) - f_lin(t/2) within {SAME_FUNCTION:g} tolerances of the largest output"
    hypotheses = (
        *_relu(evidence),
        the_flow(evidence),
        recorded(evidence),
        recorded_directions(evidence),
    )
    if opinion := unmet(expected, hypotheses):
        return opinion
    hypotheses = (*hypotheses, _mirrored(evidence), _antipodal(evidence))
    if opinion := unmet(expected, hypotheses):
        return opinion
    train, centers, record = training_samples(evidence), evidence.centers, evidence.record
    beta = _linear(evidence, train)
    # Over time at the class means, and at the end on all samples.
    over_time = record["center_output"].values - beta @ centers.mu.T
    last = np.asarray(evidence.network(train.x), np.float64) - train.x @ beta[-1]
    largest = max(float(np.abs(one).max()) for one in (train.x @ beta[-1], beta @ centers.mu.T))
    gap = float(np.max([np.abs(over_time).max(), np.abs(last).max()])) / largest
    allowed = SAME_FUNCTION * step_tolerance(evidence)
    # A nan says that the linear network could not be followed to the end.
    fits = None if np.isnan(gap) else bool(gap <= allowed)
    part = Comparison("", fits, f"{gap:.1e} (allowed {allowed:.0e})")
    reason = "Largest difference at the class means, over time, and on all samples at the end."
    undecided = "The linear network could not be integrated to half of the end time."
    return opinion_of(expected, [part], hypotheses, reason, undecided=undecided)


def _linear(evidence: Evidence, train: Dataset) -> Float[np.ndarray, "T D"]:
    """The linear network of the first half of the neurons, at half of the recorded times."""
    first, half = evidence.record.isel(time=0), evidence.record.sizes["neuron"] // 2
    u, sign = first["direction"].values[:half], first["sign"].values[:half].astype(np.float64)
    w = np.exp(first["log_norm"].values[:half, None].astype(np.float64)) * u
    v = sign * np.exp(first["log_output"].values[:half].astype(np.float64))
    y = train.labels("sign").astype(np.float64)

    def force(f: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
        return force_of(evidence.scenario.flow.loss, y, f)

    times = (evidence.times - evidence.times[0]) / 2
    return linear_network(w, v, train.x, _weight(evidence, train), force=force, times=times)


def judge_half_speed(evidences: Sequence[Evidence]) -> Opinion:
    """On antipodal data escape is later by 2/(κ‖β‖) per factor e of ε (theory D22)."""
    expected = f"slope of the escape time within {HALF_SPEED:.0%} of 2/(κ‖Σ ω y x‖)"
    hypotheses = tuple(h for run in evidences[:1] for h in _relu(run))
    hypotheses = (
        *hypotheses,
        all_of(_kind, evidences),
        *over_scales(evidences),
        *all_vanish(evidences),
    )
    if opinion := unmet(expected, hypotheses):
        return opinion
    hypotheses = (*hypotheses, all_of(_antipodal, evidences))
    if opinion := unmet(expected, hypotheses):
        return opinion
    return slopes_opinion(expected, [_slope(one) for one in series(evidences, SCALE)], hypotheses)


def _slope(one: Series) -> Comparison:
    first, x = one.runs[0], -log_scales(one)
    train = training_samples(first)
    beta = _weight(first, train) * (train.labels("sign") @ train.x)
    law = halved_slope(beta, first.loss.kappa)
    times = np.array([_grown(run) for run in one.runs])
    return compared_slope(one.title, x, times, law, allowed=HALF_SPEED * law, log_eps=-x)


def _grown(run: Evidence) -> float:
    """When Σ m_j passes `GROWN_MASS`, between records as an exponential; nan if that is unknown."""
    log_mass = np.logaddexp.reduce(run.log_mass, axis=1)
    above = np.flatnonzero(log_mass >= np.log(GROWN_MASS))
    if above.size == 0 or above[0] == 0 or log_mass[above[0]] > np.log(READABLE_MASS):
        return float("nan")
    around = slice(above[0] - 1, above[0] + 1)
    return float(np.interp(np.log(GROWN_MASS), log_mass[around], run.times[around]))


def _weight(evidence: Evidence, train: Dataset) -> float:
    """ω, the weight of one sample in the loss."""
    return float(evidence.pi.sum()) / train.n


def _relu(evidence: Evidence) -> tuple[Hypothesis, Hypothesis]:
    return _kind(evidence), Hypothesis.that("p", evidence.p, "=", 1)


def _kind(evidence: Evidence) -> Hypothesis:
    """That the kind of data does not rule out antipodal samples."""
    kind = evidence.scenario.data.kind
    return Hypothesis("antipodal samples", f'data.kind = "{kind}"', kind in KINDS)


def _antipodal(evidence: Evidence) -> Hypothesis:
    """That with every sample (x, y) there is (-x, -y)."""
    train = training_samples(evidence)
    rows = np.column_stack([train.x, train.labels("sign")])
    here, opposite = (one[np.lexsort(one.T)] for one in (rows, -rows))
    mirrored = np.array_equal(here, opposite)
    return Hypothesis.whether("with every sample (x, y) the sample (-x, -y)", mirrored)


def _mirrored(evidence: Evidence) -> Hypothesis:
    """That the second half of the neurons are the mirror images of the first half at the start."""
    first, h = evidence.record.isel(time=0), evidence.record.sizes["neuron"]
    changes = {"direction": -1, "log_norm": 1, "log_output": 1, "sign": -1}
    met = h % 2 == 0 and all(
        np.allclose(first[name].values[h // 2 :], s * first[name].values[: h // 2], 1e-12, 1e-12)
        for name, s in changes.items()
    )
    cure = "" if met else "set `network.mirrored`"
    return Hypothesis.whether("neurons in pairs (w, v), (-w, -v) at the start", met, cure)


PREDICTIONS = (
    Prediction(
        "half-speed", "P36",
        "On antipodal data a ReLU network learns like a linear one at half the speed.",
        "Zhang, Saxe and Latham, arXiv 2406.12615; theory D22, P36",
        "f(t) = f_lin(t/2) from a mirrored start; dT_esc/d log(1/ε) = 2/(κ‖Σ ω_i y_i x_i‖)",
        judge=judge_linear_at_half_time, judge_study=judge_half_speed, scenario="half-speed",
        subject=Subject.ESCAPE,
    ),
)  # fmt: skip
