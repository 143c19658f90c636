"""The answer in a dozen lines, at three widths, from fixed plain values."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from evidences import altered

from gflow.data.centers import Centers
from gflow.judges.catalogue import check
from gflow.judges.finding import Finding, Opinion, Verdict
from gflow.report.headline import (
    Headline,
    PointAnswer,
    Remark,
    where_neurons_end,
)
from gflow.report.headline_lines import headline_lines, next_lines, quiet_lines

GOLDEN = Path(__file__).parent / "golden"

RELU = PointAnswer(
    label="power=1",
    parts=("power=1",),
    fit={"loss": 9.99e-05, "accuracy": 1.0, "test_accuracy": 1.0},
    place="class averages",
    shares=(0.0, 1.0),
    cosines=(0.408, 0.9998),
    conjecture="HOLDS",
    distance=(0.0218, 0.0221),
    target="F",
    sound=True,
    numerics="The numerics are sound: the loss never rose; energy is balanced to 3e-04 of L(0).",
)
PRELU = replace(
    RELU,
    label="power=3",
    parts=("power=3",),
    place="subclass centers",
    shares=(1.0, 0.0),
    cosines=(0.9999, 0.41),
    distance=(0.0129, 0.0150),
    target="F^(3)",
)
TWO = Headline(
    question="Do ReLU neurons turn to class averages and pReLU neurons to subclass centers?",
    points=(RELU, PRELU),
    sound=True,
    needed=0.1,
    counts={"HOLDS": 19, "UNDECIDED": 1, "OUTSIDE": 25},
    remarks=(
        Remark(
            "UNDECIDED",
            ("P8 partial-activation",),
            ("power=1",),
            "Too few records, or an angle smaller than the tolerance resolves.",
        ),
    ),
    unanswered=(),
    folder="runs/quickstart-1a2b3c4d",
    attacked=False,
)

EARLY = "The flow ended before any output escaped; give `flow.end_time` at least about 160."
ALONE = replace(
    TWO,
    question="conjecture1-prelu",
    points=(
        replace(
            PRELU,
            label="",
            parts=(),
            place="not yet",
            cosines=(0.71, 0.55),
            conjecture="UNDECIDED",
            distance=(0.41, 1.0),
            stopped="Stopped at t = 8 of 200 after 5 steps (`MAX_STEPS`).",
        ),
    ),
    counts={"HOLDS": 3, "UNDECIDED": 4, "OUTSIDE": 20},
    remarks=(
        Remark("UNDECIDED", ("P8 partial-activation", "P10 angle-and-norm"), ("",), EARLY),
        Remark("UNDECIDED", tuple(f"P{n} name" for n in range(11, 16)), ("",), EARLY),
    ),
    folder="runs/alone-1a2b3c4d",
)

CURE = "The numerics are not sound: energy is off by 34 of L(0). Try `flow.tolerance` = 1e-04."
LONG = replace(
    TWO,
    question="How do noise, power and the seed change what the network becomes?",
    points=tuple(
        replace(
            RELU if p == 1 else PRELU,
            label=f"power={p},noise={noise:g},seed={seed}",
            parts=(f"power={p}", f"noise={noise:g}"),
            place="between" if noise > 0.28 else (RELU if p == 1 else PRELU).place,
            cosines=(1 - noise / 10, 1 - noise / 20),
            distance=(noise / 10, noise / 8),
            conjecture="FAILS" if (p, noise) == (1, 0.3) and seed == 4 else "HOLDS",
            sound=(p, seed) != (3, 4),
            numerics=CURE if (p, seed) == (3, 4) else RELU.numerics,
        )
        for p in (1, 3)
        for noise in np.linspace(0.02, 0.3, 15).round(3).tolist()
        for seed in range(5)
    ),
    sound=False,
    counts={"HOLDS": 1200, "FAILS": 1, "UNDECIDED": 400, "OUTSIDE": 2000},
    remarks=(
        Remark(
            "OUTSIDE",
            ("P17 conjecture-1",),
            ("power=2,noise=0.1,seed=0", "power=2,noise=0.1,seed=1"),
            "P17 does not apply: it needs p = 1 or p > 2, and here p = 2.",
        ),
        Remark(
            "FAILS",
            ("P17 conjecture-1",),
            ("power=1,noise=0.3,seed=4",),
            "Own distance is at least 0.12. Expected: own <= 0.1 certified. Measured: 0.12.",
        ),
    ),
    unanswered=("power=1,noise=0.1,seed=3: waiting", "power=3,noise=0.1,seed=2: failed, no memory"),
    folder="runs/noise-1a2b3c4d",
)

SWEEP = replace(
    TWO,
    question="p-continuum",
    points=tuple(
        replace(PRELU, label=f"power={p}", parts=(f"power={p}",), target=f"F^({p})")
        for p in range(3, 17)
    ),
    remarks=(),
    counts={"HOLDS": 40},
    attacked=True,
    folder="runs/p-continuum-1a2b3c4d",
)

LAWLESS = replace(
    TWO,
    question="Does depth change where neurons go?",
    points=tuple(
        replace(
            RELU,
            label=f"depth={depth}",
            parts=(f"depth={depth}",),
            fit={"loss": 0.01 * depth, "accuracy": 0.99, "test_accuracy": 0.9 + 0.01 * depth},
            place="",
            shares=None,
            cosines=None,
            conjecture="",
            distance=None,
        )
        for depth in (1, 2)
    ),
    remarks=(),
    counts={},
    folder="runs/depth-1a2b3c4d",
)

CASES = {"two": TWO, "alone": ALONE, "long": LONG, "sweep": SWEEP, "lawless": LAWLESS}


def golden(name, lines):
    assert "\n".join([*lines, ""]) == (GOLDEN / f"{name}.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("width", [60, 100, 140])
@pytest.mark.parametrize("name", CASES)
def test_a_headline_is_printed_like_this(name, width):
    headline = CASES[name]

    lines = [*headline_lines(headline, width), "", *next_lines(headline, True)]

    golden(f"headline-{name}-{width}", lines)
    assert all(len(line) <= width for line in lines)


@pytest.mark.parametrize("name", CASES)
def test_quiet_is_one_line_per_point(name):
    lines = quiet_lines(CASES[name])

    assert len(lines) == len(CASES[name].points)
    golden(f"quiet-{name}", lines[:5])


@pytest.mark.parametrize("name", CASES)
def test_a_headline_survives_being_stored(name):
    headline = CASES[name]

    assert Headline.from_json(json.loads(json.dumps(headline.to_json()))) == headline


def pointing(evidence, at_center):
    """The same run, as if this share of its mass were at a center, the rest at class averages."""
    K1, K, sign = 2, 3, evidence.record["sign"].values[0]
    ideal = {
        (1, True): [1, 0, 0, 2**-0.5, 0],
        (1, False): [2**-0.5, 2**-0.5, 0, 1, 0],
        (-1, True): [0, 0, 1, 0, 1],
        (-1, False): [0, 0, 1, 0, 1],
    }
    assert (evidence.centers.K1, evidence.centers.K) == (K1, K)
    # Positive neurons alone have mass, and all the same.
    positive = np.flatnonzero(sign > 0)
    chosen = positive[: round(at_center * len(positive))]
    cosine = [ideal[int(s), j in chosen] for j, s in enumerate(sign)]
    log_mass = np.where(sign > 0, 0.0, -100.0)
    return altered(
        evidence,
        cosine=lambda values: np.broadcast_to(cosine, values.shape),
        log_norm=lambda values: np.broadcast_to(log_mass, values.shape),
        log_output=lambda values: np.broadcast_to(log_mass, values.shape),
    )


@pytest.mark.parametrize(
    ("share", "place"), [(1.0, "subclass centers"), (0.0, "class averages"), (0.5, "between")]
)
def test_neurons_end_where_their_mass_is(relu, share, place):
    evidence = pointing(relu.evidence, share)

    word, shares = where_neurons_end(evidence)

    positive = (evidence.record["sign"].values[0] > 0).sum()
    assert word == place
    np.testing.assert_allclose(shares, (share, 1 - share), atol=0.5 / positive)


def test_the_only_center_of_a_class_is_its_average_and_counts_for_both(relu):
    sign = relu.evidence.record["sign"].values[0]
    # All mass in the class with one subclass.
    evidence = altered(
        pointing(relu.evidence, 0.0),
        log_norm=lambda values: np.broadcast_to(np.where(sign < 0, 0.0, -100.0), values.shape),
        log_output=lambda values: np.broadcast_to(np.where(sign < 0, 0.0, -100.0), values.shape),
    )

    assert where_neurons_end(evidence)[1] == pytest.approx((1.0, 1.0))


def test_where_every_class_has_one_center_there_is_nothing_to_tell_apart(relu):
    evidence = pointing(relu.evidence, 0.0)
    # The first positive center and the negative one alone.
    record = evidence.record.copy(deep=True)
    cosine = np.where(record["sign"].values[..., None] > 0, [1.0, 0, 1, 0], [0.0, 1, 0, 1])
    centers = Centers(evidence.centers.mu[[0, 2]], np.array([1, -1]), "given")
    record = record.drop_dims("reference").assign(cosine=(("time", "neuron", "two"), cosine))

    place, shares = where_neurons_end(replace(evidence, centers=centers, record=record))

    assert place == "class centers" and shares == pytest.approx((1.0, 1.0))


def test_neurons_are_not_yet_anywhere_before_an_output_escapes(relu):
    small = altered(relu.evidence, center_output=lambda values: values * 0.4 / abs(values).max())

    assert where_neurons_end(small)[0] == "not yet"


def finding(id, verdict, reason, measured="7"):
    return Finding(id, "", "", Opinion(verdict, "at most 1", measured, reason))


def test_what_is_undecided_for_numerics_that_are_not_sound_is_said_once(relu):
    uphill = altered(relu.evidence, loss=lambda loss: loss[::-1])
    run = replace(relu, evidence=uphill)

    headline = Headline.of(run, {"": check(uphill)})

    (point,) = headline.points
    assert not headline.sound and "the loss rose" in point.numerics
    assert headline.counts["UNDECIDED"] > 10
    assert {name for r in headline.remarks for name in r.predictions} <= {"P3 energy-balance"}
    assert "NOT SOUND: the loss rose" in " ".join(headline_lines(headline, 60))


def test_each_fails_and_undecided_is_one_sentence_and_equal_ones_share_it(relu):
    rows = (
        finding("ei-law", Verdict.FAILS, "The potential grows too slowly."),
        finding("conjecture-1", Verdict.OUTSIDE, "P17 does not apply: it needs p > 2."),
        finding("margin", Verdict.UNDECIDED, "Undecided: the flow ended early."),
        finding("late-rates", Verdict.UNDECIDED, "Undecided: the flow ended early."),
        finding("stability", Verdict.OUTSIDE, "P9 does not apply: it needs α = 0."),
        finding("alignment", Verdict.HOLDS, "Target: class average."),
    )

    headline = Headline.of(relu, {"": rows})

    assert headline.remarks == (
        Remark("OUTSIDE", ("P17 conjecture-1",), ("",), "P17 does not apply: it needs p > 2."),
        Remark(
            "FAILS",
            ("P13 ei-law",),
            ("",),
            "The potential grows too slowly. Expected: at most 1. Measured: 7.",
        ),
        Remark("UNDECIDED", ("P16 margin", "P15 late-rates"), ("",), "The flow ended early."),
    )
    assert headline.counts == {"HOLDS": 1, "FAILS": 1, "UNDECIDED": 2, "OUTSIDE": 1}
