"""A question as a TOML file: its keys, their defaults, and the mistakes in it.

One idea: [vary] only distributes plain values over the points of a grid, and every point is then
validated by itself, as a file without [vary] would be.  So a value is judged in the same words
whether it comes from its table, from [vary] or from `--set`; and messages state requirements from
the JSON schema of the field, so no message can disagree with the check.

Every default of a scenario lives here; pure functions have none.  This package reads no data file
and never imports jax, so `gflow show` answers at once.
"""

from gflow.scenario.axis import Axis
from gflow.scenario.networks import (
    NETWORKS,
    AbstractNetworkTable,
    LayersTable,
    NeuronsTable,
    VectorTable,
)
from gflow.scenario.question import NUMERICS, Point, Scenario, schema
from gflow.scenario.reading import load_scenario, parse_scenario
from gflow.scenario.rules import SAFE_TOLERANCE, SMALLEST_CARTESIAN
from gflow.scenario.tables import (
    LETTERS,
    SLIDING_STEP,
    TABLES,
    ChecksTable,
    FlowTable,
    RecordTable,
    RobustnessTable,
    TrainTable,
)
from gflow.scenario.vary import MOST_POINTS
from gflow.scenario.words import PREDICTIONS

__all__ = [
    "LETTERS",
    "MOST_POINTS",
    "NETWORKS",
    "NUMERICS",
    "PREDICTIONS",
    "SAFE_TOLERANCE",
    "SLIDING_STEP",
    "SMALLEST_CARTESIAN",
    "TABLES",
    "AbstractNetworkTable",
    "Axis",
    "ChecksTable",
    "FlowTable",
    "LayersTable",
    "NeuronsTable",
    "Point",
    "RecordTable",
    "RobustnessTable",
    "Scenario",
    "TrainTable",
    "VectorTable",
    "load_scenario",
    "parse_scenario",
    "schema",
]
