"""A question as a TOML file: its keys, their defaults, and the mistakes in it.

One idea: [vary] only distributes plain values over the points of a grid, and every point is then
validated by itself, as a file without [vary] would be.  So a value is judged in the same words
whether it comes from its table, from [vary] or from `--set`; and messages state requirements from
the JSON schema of the field, so no message can disagree with the check.

Every default of a scenario lives here; pure functions have none.  This package reads no data file
and never imports jax, so `gflow show` answers at once.
"""

from gflow.scenario.networks import LayersTable, NeuronsTable, VectorTable
from gflow.scenario.question import NUMERICS, Scenario, schema
from gflow.scenario.reading import load_scenario, parse_scenario
from gflow.scenario.rules import PLAIN_CHARTS, SAFE_TOLERANCE
from gflow.scenario.tables import LETTERS, SLIDING_STEP, FlowTable, RobustnessTable
from gflow.scenario.words import PREDICTIONS

__all__ = [
    "LETTERS",
    "NUMERICS",
    "PLAIN_CHARTS",
    "PREDICTIONS",
    "SAFE_TOLERANCE",
    "SLIDING_STEP",
    "FlowTable",
    "LayersTable",
    "NeuronsTable",
    "RobustnessTable",
    "Scenario",
    "VectorTable",
    "load_scenario",
    "parse_scenario",
    "schema",
]
