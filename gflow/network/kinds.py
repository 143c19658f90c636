"""All kinds of weights, and the initialization of each."""

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np

from gflow.network.deep import DeepNetwork, deep_network
from gflow.network.initial import start_neurons
from gflow.network.lightcone import LightconeNeurons
from gflow.network.neurons import CartesianNeurons, PolarNeurons
from gflow.network.vector import VectorNeurons, vector_neurons
from gflow.network.weights import AbstractFirstLayer, Task
from gflow.scenario import Scenario

WEIGHTS: dict[str, type[AbstractFirstLayer]] = {
    weights.chart: weights
    for weights in (PolarNeurons, LightconeNeurons, CartesianNeurons, VectorNeurons, DeepNetwork)
}
"""All kinds of weights by their chart."""

_STARTS: dict[str, Callable[..., AbstractFirstLayer]] = {
    "vector": vector_neurons,
    "module": deep_network,
}


def start_of(scenario: Scenario, task: Task) -> AbstractFirstLayer:
    """The initial weights of a scenario of one flow."""
    start = _STARTS.get(scenario.chart, partial(start_neurons, scenario.chart))
    return start(scenario.network, task)


def stored_weights(arrays: Mapping[str, np.ndarray], scenario: Scenario) -> AbstractFirstLayer:
    """The weights stored by a run of a scenario."""
    return WEIGHTS[scenario.chart].from_arrays(arrays, scenario.network)
