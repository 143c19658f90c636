"""Which field moves which neurons."""

from gflow.flow.field import AbstractField, CartesianField, PolarField
from gflow.flow.lightcone_field import LightconeField
from gflow.flow.losses import AbstractLoss
from gflow.network.lightcone import LightconeNeurons
from gflow.network.neurons import AbstractNeurons, PolarNeurons


def field_of(neurons: AbstractNeurons, loss: AbstractLoss, p: float) -> AbstractField:
    """The field of the chart that `neurons` live in."""
    if isinstance(neurons, PolarNeurons):
        return PolarField(loss, p)
    return (LightconeField if isinstance(neurons, LightconeNeurons) else CartesianField)(loss, p)
