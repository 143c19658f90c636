"""A study whose verdicts on Conjecture 1 are made up."""

from questions import SMALL

from gflow.judges.finding import Finding, Opinion, Verdict
from gflow.runs import store
from gflow.runs.findings import save_findings
from gflow.runs.run import Entry
from gflow.runs.study import Study
from gflow.scenario import parse_scenario

PRODUCT = """
[vary]
"network.power" = [1, 3]
"data.noise" = [0.01, 0.02, 0.4]
seed = {count = 2}
"""


def own(p, noise, seed):
    """Own distances made up for a point, searched and certified."""
    return noise * p + 0.001 * seed, noise * p + 0.002 * seed


def judged(searched, certified):
    details = {"own_searched": searched, "own_certified": certified, "own_bound": "B6"}
    opinion = Opinion(Verdict.HOLDS, "", "", "", (searched, certified), details)
    return (Finding("conjecture-1", "", "", opinion),)


def made_up(scenario):
    return {
        p.label: judged(*own(p.scenario.network.power, p.scenario.data.noise, p.scenario.seed))
        for p in scenario.points()
    }


def made_up_study(run, folder):
    """A study in its folder, whose runs are all the same run."""
    scenario = parse_scenario(SMALL + PRODUCT)
    findings = made_up(scenario)
    entries = []
    for number, point in enumerate(scenario.points()):
        stored = store.save(run, folder / str(number))
        save_findings(stored.folder, findings[point.label])
        entries.append(Entry(point.label, stored))
    return Study(scenario, tuple(entries), folder)
