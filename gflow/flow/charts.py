"""Which field moves the weights of which chart."""

from gflow.flow.cartesian_field import CartesianField
from gflow.flow.field import AbstractField
from gflow.flow.lightcone_field import LightconeField
from gflow.flow.losses import AbstractLoss
from gflow.flow.module_field import ModuleField
from gflow.flow.polar_field import PolarField
from gflow.flow.vector_field import VectorField
from gflow.network.weights import AbstractWeights

FIELDS = {
    "polar": PolarField,
    "lightcone": LightconeField,
    "cartesian": CartesianField,
    "vector": VectorField,
    "module": ModuleField,
}
"""The field of each chart."""


def field_of(weights: AbstractWeights, loss: AbstractLoss, p: float) -> AbstractField:
    """The field of the chart that `weights` live in."""
    return FIELDS[weights.chart](loss, p)
