"""The verbs `show` and `schema`: what a scenario asks, and what it may ask."""

from gflow.cli.guard import Exit, guarded
from gflow.cli.options import Json, Overrides, ScenarioFile
from gflow.cli.results import print_json
from gflow.scenario import load_scenario
from gflow.scenario import schema as scenario_schema


@guarded
def show(scenario: ScenarioFile, set_: Overrides = None, as_json: Json = False) -> int:
    """Print a scenario with its defaults, and an estimate of its cost."""
    from dataclasses import asdict

    from gflow.cost import estimate

    question = load_scenario(scenario, set_ or ())
    cost = estimate(question)
    if as_json:
        print_json({"scenario": question.to_toml(), "cost": asdict(cost)})
    else:
        print(question.to_toml())
        print(cost)
    return Exit.OK


@guarded
def schema() -> int:
    """Print the JSON Schema of a scenario, for editors."""
    print_json(scenario_schema())
    return Exit.OK
