"""A question as a TOML file: the words it may use, their defaults, and what is wrong with it.

One idea: [vary] only spreads plain values over the points of a grid, and every point is then read
by itself, as a file without [vary] would be.  So a value is judged in the same words whether it
stands in its table, in [vary] or behind `--set`; and what a key must be is said from the JSON
schema of its field, so no message can disagree with the check.

This is where words become letters and where every default of a scenario lives; pure functions have
none.  It reads no data file and never imports jax, so `gflow show` answers at once.
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
