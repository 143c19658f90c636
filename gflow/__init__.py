"""gflow: gradient flow of neural networks from vanishing initialization, compared with theory.

Names are resolved on first use, so that `gflow --help` and `gflow show` never import jax.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gflow.api.answer import run as run
    from gflow.api.simulation import continue_ as continue_
    from gflow.api.simulation import simulate as simulate
    from gflow.flow.losses import AbstractScalarLoss as AbstractScalarLoss
    from gflow.flow.module_flow import ModuleFlow as ModuleFlow
    from gflow.flow.module_flow import flow_of as flow_of
    from gflow.network.population import Population as Population
    from gflow.network.snapshot import Snapshot as Snapshot
    from gflow.report import figures as figures
    from gflow.report.page import page as page
    from gflow.runs.comparison import compare as compare
    from gflow.runs.run import Run as Run
    from gflow.runs.study import Study as Study
    from gflow.runs.study import attack as attack
    from gflow.runs.study import load as load
    from gflow.runs.verdicts import check as check
    from gflow.runs.watch import Progress as Progress
    from gflow.scenario import RobustnessTable as RobustnessTable
    from gflow.scenario import Scenario as Scenario
    from gflow.scenario import load_scenario as load_scenario
    from gflow.scenario import parse_scenario as parse_scenario

_HOME = {
    "AbstractScalarLoss": "gflow.flow.losses",
    "ModuleFlow": "gflow.flow.module_flow",
    "Population": "gflow.network.population",
    "Progress": "gflow.runs.watch",
    "RobustnessTable": "gflow.scenario",
    "Run": "gflow.runs.run",
    "Scenario": "gflow.scenario",
    "Snapshot": "gflow.network.snapshot",
    "Study": "gflow.runs.study",
    "attack": "gflow.runs.study",
    "check": "gflow.runs.verdicts",
    "compare": "gflow.runs.comparison",
    "continue_": "gflow.api.simulation",
    "figures": "gflow.report",
    "flow_of": "gflow.flow.module_flow",
    "load": "gflow.runs.study",
    "load_scenario": "gflow.scenario",
    "page": "gflow.report.page",
    "parse_scenario": "gflow.scenario",
    "run": "gflow.api.answer",
    "simulate": "gflow.api.simulation",
}

__version__ = "0.2.0"


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'gflow' has no attribute {name!r}")
    if name == "figures":
        return import_module("gflow.report.figures")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
