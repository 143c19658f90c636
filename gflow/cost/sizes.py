"""The number of weights of a scenario, from its own sizes and those of its data."""

from gflow.data.kind import Sizes
from gflow.scenario import Scenario


def weights_of(scenario: Scenario, sizes: Sizes) -> int:
    """Number of hidden and output weights, without those that are negligibly few."""
    return scenario.network.weight_count(sizes.D, outputs_of(scenario, sizes))


def outputs_of(scenario: Scenario, sizes: Sizes) -> int:
    """Number of outputs of the network."""
    return {"sign": 1, "classes": sizes.C, "subclasses": sizes.K}[scenario.network.grain]
