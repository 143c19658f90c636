"""A scenario as a caller names it: itself, or the file it is in."""

from pathlib import Path

from gflow.scenario import Scenario, load_scenario


def scenario_of(scenario: Scenario | str | Path) -> Scenario:
    """The scenario, read from its file unless it was read before.

    **Raises:** `ScenarioError` with every mistake in the file.
    """
    return scenario if isinstance(scenario, Scenario) else load_scenario(scenario)
