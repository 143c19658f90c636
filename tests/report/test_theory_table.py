"""One prediction explained, and all verdicts with their numbers, at three widths."""

import io
import re
from pathlib import Path

import pytest
from rich.console import Console

from gflow.judges.finding import Finding, Opinion, Verdict
from gflow.judges.prediction import Prediction
from gflow.laws.hypothesis import Hypothesis
from gflow.report.card import run_card, verdict_table
from gflow.report.theory_table import explanation

GOLDEN = Path(__file__).parent / "golden"

ONE = Prediction(
    "conjecture-1",
    "P17",
    "Up to scale the network becomes F (p = 1) or F^(p) (p >= 3).",
    "Min and Vidal, ICML 2024, Conjecture 1",
    "inf_{c>0} sup_{‖x‖=1} |c f(x) - F(x)| ≪ 1",
    judge=lambda evidence: Opinion(Verdict.HOLDS, "", "", ""),
    scenario="quickstart",
    figure="fit",
)

HOLDS = Finding(
    "conjecture-1",
    ONE.statement,
    ONE.source,
    Opinion(
        Verdict.HOLDS,
        "own <= 0.1 certified; cross >= 0.5 x contrast searched",
        "F in [0.0219, 0.0220]; F^(3) in [0.695, 1.000] (needs >= 0.349)",
        "Certified by B5; this seed.",
        bracket=(0.0219, 0.022),
        details={
            "own_searched": 0.021906123456789012,
            "own_bound": "B5",
            "kappa_pi_t": 399.99999999999994,
            "cross_F^(3)_searched": 0.6954321098765432,
            "contrast_F^(3)": 0.69,
            "time_of_escape": float("nan"),
        },
        hypotheses=(Hypothesis("p = 1 or p > 2", "p = 1", True),),
    ),
)
UNDECIDED = Finding(
    "late-rates",
    "",
    "theory D8, P15",
    Opinion(Verdict.UNDECIDED, "", "fitted nan", "The flow ended early."),
)
OUTSIDE = Finding(
    "closed-form",
    "",
    "theory D3, P5",
    Opinion(Verdict.OUTSIDE, "", "", "P5 does not apply: it needs α = 0, and here α = 0.1."),
)
CARD = {
    "outcome": "Reached its end time at t = 2000 after 173 steps.",
    "phases": "aligned t = 15.66, escape 34.54, fitted not reached",
}

PARTS = {
    "explanation": explanation(ONE, {"power=1": (HOLDS, UNDECIDED), "power=3": ()}),
    "statement": explanation(ONE),
    "verdicts": verdict_table({"power=1": (HOLDS, UNDECIDED, OUTSIDE), "power=3": (OUTSIDE,)}),
    "card": run_card("power=1", CARD),
}


def printed(part, width):
    file = io.StringIO()
    Console(file=file, width=width).print(part)
    return [line.rstrip() for line in file.getvalue().splitlines()]


@pytest.mark.parametrize("width", [60, 100, 140])
@pytest.mark.parametrize("name", PARTS)
def test_verdicts_and_predictions_are_printed_like_this(name, width):
    lines = printed(PARTS[name], width)

    expected = (GOLDEN / f"{name}-{width}.txt").read_text(encoding="utf-8")
    assert "\n".join([*lines, ""]) == expected


def test_an_explanation_has_no_variables_nor_nan_nor_seventeen_digits():
    text = "\n".join(printed(PARTS["explanation"], 140))

    assert not re.search(r"\bnan\b|\w_searched|\w_pi_|\d\.\d{7}", text)
    assert "not reached" in text and "400" in text and "0.02191" in text
