"""How many weights a scenario has, from its own sizes and those of its data."""

from gflow.data.kind import Sizes
from gflow.scenario import Scenario


def weights_of(scenario: Scenario, sizes: Sizes) -> int:
    """Hidden and output weights, of which those that vanish beside the others do not count."""
    return scenario.network.weight_count(sizes.D, outputs_of(scenario, sizes))


def outputs_of(scenario: Scenario, sizes: Sizes) -> int:
    """Outputs of the network."""
    return {"sign": 1, "classes": sizes.C, "subclasses": sizes.K}[scenario.network.grain]
