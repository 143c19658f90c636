"""Judge of ReLU networks in regression with many samples (theory D30): prediction P41."""

import numpy as np

from gflow.data.dataset import Dataset
from gflow.judges.evidence import Evidence
from gflow.judges.far_enough import complete, longer
from gflow.judges.finding import Opinion, earned, unmet
from gflow.judges.prediction import Prediction, Subject
from gflow.judges.samples import training_samples
from gflow.judges.series import Comparison, opinion_of
from gflow.judges.shared_hypotheses import the_flow, vanishing
from gflow.laws.hypothesis import Hypothesis, number
from gflow.laws.threshold import TwoFits, two_fits
from gflow.table import GIVEN

FITTED_LOSS = 0.01
"""Relative difference allowed between the loss and that of the two fits (P41)."""

FITTED_OUTPUTS = 0.5
"""Root mean square allowed of f less the two fits, in units of σ√(D/n) (P41)."""

MANY = 100.0
"""Samples per dimension from which the statement was tested (P41)."""

SMALLEST_START = 1e-6
"""Largest Σ m_j at the start (P41)."""

RESTED_LOSS = 1e-4
"""Relative change of the loss over the second half of the time at which it rests (P41)."""

FEW_STRAYS = 0.05
"""Largest share of samples on another side than the one they were fitted on (P41)."""

AT_KINKS = 0.01
"""Share of the samples by which two neurons may differ and be in one cone: those at kinks (P41)."""

GATHERED = 0.99
"""Share of the mass of each sign that is in one activation cone, if its neurons are (P41)."""


def judge_threshold(evidence: Evidence) -> Opinion:
    """A ReLU network rests at the two one-sided least-squares fits (theory D30)."""
    expected = (
        f"loss within {FITTED_LOSS:.0%} of that of the two fits, rms |f - fits| <= "
        f"{FITTED_OUTPUTS:g} σ√(D/n)"
    )
    hypotheses = _setting(evidence)
    if opinion := unmet(expected, hypotheses):
        return opinion
    train = training_samples(evidence)
    x, y = train.x, train.labels("sign")
    fits = two_fits(x, y)
    hypotheses = (*hypotheses, _many(train), complete(evidence), _rests(evidence), _few(fits))
    if opinion := unmet(expected, hypotheses):
        return opinion
    f = np.asarray(evidence.network(x), np.float64)
    parts = [_loss(y, f, fits), _outputs(evidence, f, fits)]
    reason = "On training samples, at the end."
    return earned(opinion_of(expected, parts, hypotheses, reason), _gathered(evidence, train))


def _setting(evidence: Evidence) -> tuple[Hypothesis, ...]:
    """What the scenario and the start must be."""
    noise = evidence.facts.label_noise
    square = evidence.loss_is_known and evidence.loss.saturates
    linear = Hypothesis.whether("labels that are linear plus noise", bool(noise))
    relu = Hypothesis.that("p", evidence.p, "=", 1)
    if not (linear.met and relu.met and square):
        return linear, relu, Hypothesis.whether("a square loss", square)
    network = evidence.neurons
    return (
        linear,
        relu,
        the_flow(evidence),
        Hypothesis.whether("a balanced start", network.balanced),
        Hypothesis.whether("neurons that are drawn at random", network.init != GIVEN),
        vanishing(evidence, SMALLEST_START),
        _both_signs(evidence),
    )


def _both_signs(evidence: Evidence) -> Hypothesis:
    recorded = evidence.has("neurons")
    signs = set(evidence.record["sign"].values[-1].tolist()) if recorded else set()
    return Hypothesis.whether("neurons of both signs", signs == {-1, 1})


def _many(train: Dataset) -> Hypothesis:
    """That there are so many samples per dimension that each sign has one extremal direction."""
    ratio = train.n / train.D
    met = True if ratio >= MANY else None
    measured = f"n/D = {number(ratio)}, and the statement was tested from {MANY:g} on"
    return Hypothesis(
        f"n/D >= {MANY:g}", measured, met, "" if met else f"give `data.samples` = {MANY:g} D"
    )


def _rests(evidence: Evidence) -> Hypothesis:
    """That the loss has hardly changed over the second half of the time."""
    loss, times = evidence.record["loss"].values, evidence.times
    half = float(np.interp(times[-1] / 2, times, loss))
    change = abs(half / float(loss[-1]) - 1)
    met = True if change <= RESTED_LOSS else None
    measured = f"the loss changed by {change:.1e} of itself over the second half of the time"
    cure = "" if met else longer(evidence, 4 * float(times[-1]))
    return Hypothesis("a flow that rests", measured, met, cure)


def _few(fits: TwoFits) -> Hypothesis:
    """That sides and fits agree, but for a few samples at the kinks."""
    share = fits.strays / len(fits.outputs)
    met = True if share <= FEW_STRAYS else None
    measured = f"{share:.0%} of the samples change sides for ever as the fits are made"
    return Hypothesis("sides that agree with their fits", measured, met)


def _gathered(evidence: Evidence, train: Dataset) -> Hypothesis:
    """That the neurons of each sign are awake to the same samples at the end."""
    network = evidence.network
    u, sign = np.asarray(network.direction), np.asarray(network.sign)
    awake, mass = train.x @ u.T > 0, np.exp(evidence.log_mass[-1])
    shares = []
    for s in (1, -1):
        mine = np.flatnonzero(sign == s)
        heaviest = awake[:, mine[mass[mine].argmax()]]
        alike = (awake[:, mine] != heaviest[:, None]).mean(axis=0) <= AT_KINKS
        shares.append(float(mass[mine] @ alike / mass[mine].sum()))
    met = True if min(shares) >= GATHERED else None
    measured = f"only {min(shares):.0%} of the mass of one sign is in one activation cone"
    cure = "" if met else "give more `data.samples`, or a smaller `flow.min_step`"
    return Hypothesis("neurons of a sign in one activation cone", measured, met, cure)


def _loss(y: np.ndarray, f: np.ndarray, fits: TwoFits) -> Comparison:
    miss = float(((y - f) ** 2).sum() / ((y - fits.outputs) ** 2).sum() - 1)
    return Comparison("loss over the fits', less 1", abs(miss) <= FITTED_LOSS, f"{miss:.1e}")


def _outputs(evidence: Evidence, f: np.ndarray, fits: TwoFits) -> Comparison:
    noise, n, D = evidence.facts.label_noise, len(f), evidence.centers.D
    assert noise is not None, "it is a hypothesis"
    rms = float(np.sqrt(((f - fits.outputs) ** 2).mean()) / (noise * np.sqrt(D / n)))
    return Comparison("rms |f - fits|/(σ√(D/n))", rms <= FITTED_OUTPUTS, f"{rms:.3f}")


PREDICTIONS = (
    Prediction(
        "threshold", "P41",
        "With many samples of a linear teacher a ReLU network rests at two least-squares fits.",
        "Boursier and Flammarion, arXiv 2410.02348; theory D30, P41",
        "f = σ(<w₊, x>) - σ(-<w₋, x>), w± the least squares of the samples on their own side",
        judge=judge_threshold, scenario="threshold", figure="fit",
        subject=Subject.TRAINING,
    ),
)  # fmt: skip
