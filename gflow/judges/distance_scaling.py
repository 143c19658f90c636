"""Judge of how the distance to the own classifier scales with noise and samples: prediction P18."""

from collections.abc import Sequence

import numpy as np

from gflow.judges.evidence import Evidence
from gflow.judges.exponents import FEWEST, VANISHING_MASS, compared_slope, slopes_opinion
from gflow.judges.far_enough import complete, escaped
from gflow.judges.finding import Opinion, outside, unmet
from gflow.judges.fitting import LARGEST_DEVIATION
from gflow.judges.prediction import Prediction, Subject
from gflow.judges.series import Comparison, Series, series
from gflow.judges.shared_hypotheses import (
    equal_weights,
    normalized,
    orthonormal,
    recorded,
    the_flow,
    vanishing,
)
from gflow.judges.slope import slope
from gflow.laws.hypothesis import Hypothesis, all_met
from gflow.measure.distance import distance
from gflow.network.reference import subclass_target

NOISE_SLOPE, NOISE_SLOPE_ERROR = 1.0, 0.25
"""Slope of the distance in α (P18)."""

SAMPLES_SLOPE, SAMPLES_SLOPE_ERROR = -0.5, 0.15
"""Slope of the distance in N (P18)."""

ABOVE_FLOOR = 2.0
"""Distances count if they are this many times what unequal masses leave (P18)."""


def judge_distance_scaling(evidences: Sequence[Evidence]) -> Opinion:
    """p >= 3: the own distance grows like α and falls like N^{-1/2} (D9, prediction P18)."""
    expected = (
        f"slope in α {NOISE_SLOPE:g} ± {NOISE_SLOPE_ERROR:g}, in N {SAMPLES_SLOPE:g} ± "
        f"{SAMPLES_SLOPE_ERROR:g}, above the floor of unequal masses"
    )
    chosen = [run for run in evidences if all_met(_has_own_distance(run))]
    varied = [key for key in ("data.noise", "data.samples") if _varies(chosen, key)]
    if not varied:
        return _no_distances(expected, evidences)
    laws = {
        "data.noise": (NOISE_SLOPE, NOISE_SLOPE_ERROR),
        "data.samples": (SAMPLES_SLOPE, SAMPLES_SLOPE_ERROR),
    }
    parts = [_scaling(one, key, *laws[key]) for key in varied for one in series(chosen, key)]
    return slopes_opinion(expected, parts, ())


def _no_distances(expected: str, evidences: Sequence[Evidence]) -> Opinion:
    """Why no runs can be compared: the study, or what most of its runs with p >= 3 miss."""
    cubic = [run for run in evidences if run.p >= 3]
    if not any(_varies(cubic, key) for key in ("data.noise", "data.samples")):
        return outside(expected, "No runs of p >= 3 over `data.noise` or `data.samples`.")
    worst = max((_has_own_distance(run) for run in cubic), key=lambda h: not all_met(h))
    opinion = unmet(expected, worst)
    assert opinion is not None, "fewer than three runs meet all of it"
    return opinion


def _varies(runs: Sequence[Evidence], key: str) -> bool:
    return len({run.scenario.value(key) for run in runs}) >= FEWEST


def _has_own_distance(run: Evidence) -> tuple[Hypothesis, ...]:
    """Whether neurons of p >= 3 lean by α/√N toward the samples they have fitted."""
    drawn = run.facts.drawn is not None
    hypotheses = (
        Hypothesis.that("p", run.p, ">=", 3),
        Hypothesis.whether("samples of a mixture with noise", bool(drawn and run.alpha)),
        recorded(run),
        the_flow(run),
        normalized(run),
        orthonormal(run),
        *equal_weights(run),
    )
    if not all_met(hypotheses):
        return hypotheses
    # Outputs that differ by a factor e^{pzτ} give few samples most of the weight.
    z = min(
        float(np.abs(run.record["center_output"].values[-1]).max()),
        1.0 if run.loss.saturates else np.inf,
    )
    spread = run.p * z * (run.facts.tau or 0.0)
    close = Hypothesis.that("p z τ", spread, "<=", LARGEST_DEVIATION)
    last = (vanishing(run, VANISHING_MASS), close, complete(run), escaped(run, every=True))
    return (*hypotheses, *last)


def _scaling(one: Series, key: str, law: float, allowed: float) -> Comparison:
    name = key.split(".")[1]
    x = np.array([run.scenario.value(key) for run in one.runs], float)
    low, high = np.array([_own_distance(run) for run in one.runs]).T
    floor = np.array([mass_floor(run) for run in one.runs])
    above = low >= ABOVE_FLOOR * floor
    title = f"{one.title} in {name}".strip()
    if len(set(x[above])) < FEWEST:
        text = f"only {int(above.sum())} of {len(x)} distances lie above the floor"
        return Comparison(title, None, text)
    # A search that falls short is no refutation: the certified distances have to miss as well.
    x = np.log(x[above])
    searched = compared_slope(title, x, np.log(low[above]), law, allowed=allowed)
    certified = slope(x, np.log(high[above]))
    if searched.fits is False and not certified.excludes(law, allowed):
        return searched._replace(fits=None)
    return searched


def _own_distance(run: Evidence) -> tuple[float, float]:
    """The searched and the certified distance to the own classifier."""
    bracket = distance(run.network, subclass_target(run.centers, run.p), run.scenario.seed)
    return bracket.lower, bracket.upper


def mass_floor(run: Evidence) -> float:
    """min_c max_k |c z_k - 1| at the end: what unequal outputs alone leave of the distance."""
    z = np.abs(run.record["center_output"].values[-1])
    return float((z.max() - z.min()) / (z.max() + z.min()))


PREDICTIONS = (
    Prediction(
        "distance-scaling", "P18",
        "The distance grows like the noise and falls like the root of the samples (p >= 3).",
        "theory D9, G5, P18",
        "dist ≈ L_p α/√N",
        judge_study=judge_distance_scaling, scenario="noise-sweep",
        subject=Subject.CLASSIFIER,
    ),
)  # fmt: skip
