"""A stored study to make a page of: small flows, and verdicts of every kind that are made up."""

from drawing import SCENARIO

from gflow.judges.finding import Finding, Opinion, Verdict
from gflow.laws.hypothesis import Hypothesis
from gflow.runs import store
from gflow.runs.findings import save_findings
from gflow.runs.index import write_index
from gflow.runs.point import requested_predictions
from gflow.runs.study import load
from gflow.scenario import parse_scenario

QUESTION = "Do neurons turn to <i>centers</i> & why?"

GRID = (
    f'question = "{QUESTION}"\n'
    + SCENARIO.format(power=3, flow="")
    + """
[vary]
"network.power" = [1, 3, 4]
"""
)

NOISE = Hypothesis("α = 0", "α = 0.1", False)


def finding(id, verdict, reason, *hypotheses):
    return Finding(
        id, f"the statement of {id}", "a paper",
        Opinion(verdict, "expected <= 1", f"measured by {id}", reason, hypotheses=hypotheses),
    )  # fmt: skip


FINDINGS = (
    finding("balancedness", Verdict.HOLDS, "By construction."),
    finding("conjecture-1", Verdict.FAILS, "It is <b>far</b>."),
    finding("margin", Verdict.UNDECIDED, "Try a smaller `flow.tolerance`."),
    finding("closed-form", Verdict.OUTSIDE, "It needs α = 0, and here α = 0.1.", NOISE),
)


def stored_study(runs, folder):
    """A study in its folder: runs by label, and one more point, which waits."""
    scenario = parse_scenario(GRID)
    ids, runs = requested_predictions(scenario), dict(runs)
    places = [place for place in write_index(scenario, folder) if place.label in runs]
    for place in places:
        store.save(runs[place.label], place.folder)
        save_findings(place.folder, FINDINGS, ids)
    save_findings(folder, FINDINGS[:1], ids, [place.folder for place in places])
    return load(folder)
