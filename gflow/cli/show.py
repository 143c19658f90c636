"""The verbs `show` and `schema`: what a scenario asks, and what it may ask."""

from gflow.cli.guard import Exit, guarded
from gflow.cli.options import Json, Overrides, ScenarioFile
from gflow.cli.results import print_json
from gflow.scenario import Scenario, load_scenario
from gflow.scenario import schema as scenario_schema


@guarded
def show(scenario: ScenarioFile, set_: Overrides = None, as_json: Json = False) -> int:
    """Print a scenario with its defaults, an estimate of its cost, and what it cannot resolve."""
    from dataclasses import asdict

    from gflow.cost import estimate

    question = load_scenario(scenario, set_ or ())
    cost, caution = estimate(question), _caution(question)
    if as_json:
        print_json({"scenario": question.to_toml(), "cost": asdict(cost), "caution": caution})
    else:
        print(question.to_toml())
        print(cost)
        if caution:
            print(caution)
    return Exit.OK


def _caution(question: Scenario) -> str:
    """That a flow will lose coordinates before they are fitted (trap T18), or nothing."""
    from gflow.laws.faint_coordinates import RESOLVED, faintest, smallest_start

    for point in question.points():
        facts, network = point.scenario.data.facts, point.scenario.network
        if not (network.has_laws and network.power == 2 and facts.noise == 0):
            continue
        if faintest(network.init_scale, 1 / facts.imbalance) < RESOLVED:
            least = smallest_start(1 / facts.imbalance)
            return (
                f"Caution: at power = 2, noise = 0, imbalance = {facts.imbalance:g} and init_scale "
                f"= {network.init_scale:g} light subclasses are fitted by coordinates below "
                f"{RESOLVED:g}, which are not kept; such a run is not sound. Use init_scale >= "
                f"{least:.2g}."
            )
    return ""


@guarded
def schema() -> int:
    """Print the JSON Schema of a scenario, for editors."""
    print_json(scenario_schema())
    return Exit.OK
