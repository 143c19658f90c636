"""Judge of how long a deep network stays at the origin when some of its layers start small
(theory D28): prediction P38.

Runs of layers record no outputs at centers, so the escape is read from the loss.
"""

from collections.abc import Sequence
from typing import NamedTuple, cast

import numpy as np
from jaxtyping import Float

from gflow.judges.evidence import Evidence
from gflow.judges.exponents import APPROACH, FEWEST, SCALE, compared_slope
from gflow.judges.far_enough import LEFT
from gflow.judges.finding import Opinion, unmet
from gflow.judges.layer_balance import degrees_of
from gflow.judges.prediction import Prediction, Subject
from gflow.judges.series import Comparison, opinion_of, series
from gflow.judges.shared_hypotheses import all_of, the_flow
from gflow.judges.slope import SHARP
from gflow.laws.hypothesis import Hypothesis, number
from gflow.laws.layers import escape_exponent
from gflow.measure.phases import Departure, departure
from gflow.scenario import LayersTable

EXPONENT_ERROR = 0.05
"""Error allowed in the exponent of the escape time (P38)."""

SLOPE_CHANGE = 0.1
"""Relative change allowed between successive slopes of the escape time in log 1/ε (P38)."""

LARGEST_SMALL = 0.03
"""Largest scale of small layers from which the exponent is read; it is off by O(ε) (P38)."""

STANDING = 0.3
"""Least scale of the layers that stand still (P38)."""

FIRST_FALL = 0.98
"""Share of L(0) from which a loss must not rest until it is read, for a FAILS (P38)."""

REST = 0.1
"""Longest rest, in units of the escape time; a longer one waits for a later subclass (P38)."""

QUIET = 0.8
"""Share of the time to the last escape in which layers grow by themselves (P38)."""

LAYER_SCALES = "network.layer_scales"


class SmallLayers(NamedTuple):
    """The layers of one run that start small."""

    which: tuple[int, ...]
    """Their numbers from 1, the output last."""
    scale: float
    """ε, the largest of their scales."""
    even: bool
    """Whether they start at one scale."""
    standing: float
    """Scale of the others; inf if there are none."""


class Bottleneck(NamedTuple):
    """Runs that differ in ε alone."""

    title: str
    which: tuple[int, ...]
    """Layers that start small."""
    degree: float
    """Σ q_l over them."""
    runs: tuple[Evidence, ...]
    """The largest ε first."""

    @property
    def log_inverse(self) -> Float[np.ndarray, " q"]:
        """log 1/ε of every run."""
        return -np.log([small_layers(run).scale for run in self.runs])

    def departures(self, share: float) -> list[Departure]:
        """When the loss of every run has fallen to a share of L(0)."""
        return [
            departure(run.times, run.record["loss"].values, share, self.degree) for run in self.runs
        ]


def small_layers(evidence: Evidence) -> SmallLayers:
    """The layers that start below the largest ones, or all where they share one scale."""
    network = cast(LayersTable, evidence.scenario.network)
    factors, eps = network.factors, network.init_scale
    if network.layer_scales is None:
        return SmallLayers(tuple(range(1, network.depth + 1)), eps, True, np.inf)
    below = [factor for factor in factors if factor < 1]
    which = tuple(i + 1 for i, factor in enumerate(factors) if factor < 1)
    return SmallLayers(which, eps * max(below), min(below) == max(below), eps)


def bottlenecks(evidences: Sequence[Evidence]) -> list[Bottleneck]:
    """Runs that leave a small start, sorted by the layers that are small."""
    answers: list[Bottleneck] = []
    for one in series(evidences, SCALE, LAYER_SCALES):
        groups: dict[tuple, list[Evidence]] = {}
        for run in one.runs:
            small = small_layers(run)
            if small.scale <= LARGEST_SMALL:
                groups.setdefault((small.which, small.standing), []).append(run)
        for (which, _), runs in groups.items():
            ordered = tuple(sorted(runs, key=lambda run: -small_layers(run).scale))
            degrees = degrees_of(ordered[0])
            degree = sum(degrees[i - 1] or 0.0 for i in which)
            names = f"layers {'+'.join(map(str, which))} of {len(degrees)}"
            title = ", ".join(part for part in (one.title, names) if part)
            answers.append(Bottleneck(title, which, degree, ordered))
    return answers


def judge_bottleneck(evidences: Sequence[Evidence]) -> Opinion:
    """T_esc ∝ ε^{-(Q-2)}, Q = Σ q_l over the small layers (theory D28, prediction P38)."""
    expected = (
        f"slope of log T_esc over log 1/ε within {EXPONENT_ERROR:g} of Σ q_l - 2, or of 0 below; "
        f"at Σ q_l = 2 slopes of T_esc alike within {SLOPE_CHANGE:.0%}"
    )
    hypotheses = (
        _several_scales(evidences),
        the_flow(*evidences),
        all_of(_known_degrees, evidences),
        all_of(_one_small_scale, evidences),
        all_of(_standing, evidences),
        all_of(_no_bias, evidences),
    )
    if opinion := unmet(expected, hypotheses):
        return opinion
    parts = [_compared(one) for one in bottlenecks(evidences)]
    return opinion_of(
        expected, parts, hypotheses, "Small layers, their slope and its 95 % interval.",
        undecided="A run ended before it escaped, there are too few points, or an interval "
        "straddles the criterion.",
    )  # fmt: skip


def _several_scales(evidences: Sequence[Evidence]) -> Hypothesis:
    most = max((len(set(one.log_inverse)) for one in bottlenecks(evidences)), default=0)
    text = f"{FEWEST} scales of small layers, at most {LARGEST_SMALL:g}"
    return Hypothesis(text, f"there are {most}", most >= FEWEST)


def _known_degrees(run: Evidence) -> Hypothesis:
    """That outputs have a degree of at least 1 in every small layer."""
    degrees = [degrees_of(run)[i - 1] for i in small_layers(run).which]
    met = all(degree is not None and degree >= 1 for degree in degrees)
    shown = ", ".join("none" if degree is None else f"{degree:g}" for degree in degrees)
    return Hypothesis("outputs of degree 1 or more in every small layer", f"it is {shown}", met)


def _one_small_scale(run: Evidence) -> Hypothesis:
    return Hypothesis.whether("small layers of one scale", small_layers(run).even)


def _standing(run: Evidence) -> Hypothesis:
    """That the other layers are large enough for small ones to escape beside them."""
    standing = small_layers(run).standing
    text = f"layers that stand still at a scale of at least {STANDING:g}"
    return Hypothesis(text, f"they start at {number(standing)}", standing >= STANDING)


def _no_bias(run: Evidence) -> Hypothesis:
    """That nothing but the layers lowers the loss."""
    bias = cast(LayersTable, run.scenario.network).bias
    return Hypothesis.whether("outputs without a bias", not bias)


def _compared(one: Bottleneck) -> Comparison:
    for run, left in zip(one.runs, one.departures(LEFT), strict=True):
        if np.isnan(left.time):
            eps, end = small_layers(run).scale, run.outcome
            text = f"at ε = {eps:g} it had not escaped at t = {number(end.t)} (`{end.reason.name}`)"
            return Comparison(one.title, None, text)
    comparison = _alike(one) if one.degree == 2 else _exponent(one)
    if comparison.fits is False and one.degree > 2 and any(map(_rested, one.runs)):
        return comparison._replace(fits=None)
    return comparison


def _rested(run: Evidence) -> bool:
    """Whether the loss fell, and then waited before it was low enough to be read."""
    loss, times = run.record["loss"].values, run.times
    first, left = (times[(loss <= share * loss[0]).argmax()] for share in (FIRST_FALL, LEFT))
    return bool(left - first > REST * left)


def _exponent(one: Bottleneck) -> Comparison:
    x, escapes = one.log_inverse, one.departures(LEFT)
    y = np.log([at.time for at in escapes])
    blur = max(at.error / at.time for at in escapes)
    return compared_slope(
        one.title, x, y, escape_exponent([one.degree]),
        allowed=EXPONENT_ERROR, error=2 * blur / max(float(np.ptp(x)), 1e-12), log_eps=-x,
    )  # fmt: skip


def _alike(one: Bottleneck) -> Comparison:
    """Whether T is a straight line in log 1/ε, as of two layers of degree 1."""
    x, first = np.unique(one.log_inverse, return_index=True)
    if len(x) < FEWEST:
        return Comparison(one.title, None, f"only {len(x)} of {FEWEST} points")
    departures = one.departures(LEFT)
    escapes = [departures[i] for i in first]
    times, errors = (np.array(values) for values in zip(*escapes, strict=True))
    slopes = np.diff(times) / np.diff(x)
    change = np.abs(slopes[1:] / slopes[:-1] - 1)
    blur = float((2 * errors.max() / np.diff(x) / np.abs(slopes)).max())
    text = f"slopes {', '.join(f'{each:.4g}' for each in slopes)}, apart by {change.max():.2g}"
    sharp = blur <= SHARP * SLOPE_CHANGE
    if change.max() <= SLOPE_CHANGE:
        return Comparison(one.title, True if sharp else None, text)
    # A rate that still changes with t is no line yet, whatever the scales.
    nearer = len(change) < 2 or change[-1] < APPROACH * change[0]
    lasting = change[-1] > SLOPE_CHANGE + 2 * blur and not nearer
    refuted = lasting and _steady(one.runs[-1], times[0], times[-1])
    return Comparison(one.title, False if refuted else None, text)


def _steady(run: Evidence, since: float, until: float) -> bool:
    """Whether small layers are recorded to grow at one rate from one escape to near another."""
    at = (run.times >= since) & (run.times <= QUIET * until)
    size = run.record["layer_size"].values[at][:, [i - 1 for i in small_layers(run).which]]
    rates = np.diff(np.log(size.sum(axis=1))) / np.diff(run.times[at])
    return len(rates) > 1 and bool(np.ptp(rates) <= SLOPE_CHANGE * rates.mean())


PREDICTIONS = (
    Prediction(
        "bottleneck", "P38",
        "The layers that start small decide how long a deep network stays at the origin.",
        "Rawal and DeWeese, arXiv 2605.01288 (from its abstract); theory D28, P38",
        "T_esc ∝ ε^(-(Σ q_l - 2)) for Σ q_l > 2, log 1/ε at 2, const below; l over small layers",
        judge_study=judge_bottleneck, scenario="bottleneck", figure="bottleneck",
        subject=Subject.ESCAPE,
        networks=("layers",),
    ),
)  # fmt: skip
