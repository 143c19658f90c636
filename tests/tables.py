"""The tables of a scenario, written as TOML, and the mistakes found in it."""

import pytest

from gflow.errors import ScenarioError
from gflow.scenario import parse_scenario
from gflow.scenario.tables import variable_keys
from gflow.scenario.toml_lines import write_toml

VARIABLE = variable_keys()

TABLES = {
    "data": {
        "dimension": 1000,
        "subclasses": 10,
        "positive_subclasses": 6,
        "noise": 0.1,
        "samples": 2000,
    },
    "network": {"width": 200, "power": 3, "init_scale": 1e-7},
    "flow": {"end_time": 16000.0},
}


def text(**tables) -> str:
    """A valid scenario as TOML, with `tables` merged into its own."""
    merged = {name: TABLES.get(name, {}) | tables.get(name, {}) for name in {**TABLES, **tables}}
    return write_toml(merged)


def mistakes(toml: str, *overrides: str) -> tuple[str, ...]:
    with pytest.raises(ScenarioError) as caught:
        parse_scenario(toml, "mine.toml", overrides=overrides)
    return caught.value.mistakes
