"""Rules about networks of many layers or outputs, of keys that are sound by themselves.

One idea: a rule is a function of the tables it reads, and yields its mistakes (see
`gflow.scenario.rules`).
"""

from collections.abc import Iterator

from gflow.scenario.mistakes import Mistake
from gflow.scenario.tables import LAYERED, NEURONS, FlowTable, NetworkTable, TrainTable

SMALLEST_OUTPUT = {"float32": 1e-30, "float64": 1e-250}
"""Smallest output of layers in plain coordinates, a power of init_scale, by `precision`."""


def _output_degree(network: NetworkTable) -> float:
    """Power of init_scale that outputs of layers grow like at the start.

    Where inputs of layers are not normalized, powers compound.
    """
    growth = 0.0 if network.layer_norm else 1.0 if network.input_normalized else network.power
    degree = 1.0
    for _ in range(network.hidden_layers - 1):
        degree = 1 + growth * degree
    return 1 + degree


def layers_do_not_underflow(
    network: NetworkTable, flow: FlowTable, train: TrainTable
) -> Iterator[Mistake]:
    """Outputs are told from 0 at the start."""
    polar = network.init == "balanced" and train.is_flow
    least = SMALLEST_OUTPUT[flow.precision] ** (1 / _output_degree(network))
    if network.is_deep and not polar and network.init_scale < least * (1 - 1e-9):
        yield Mistake(
            "network.init_scale",
            f"`network.init_scale` must be >= {least:.2g} in plain coordinates of a network of "
            f"{network.hidden_layers + 1} such layers in {flow.precision}, but is "
            f'{network.init_scale!r}; try flow.precision = "float64", or with one hidden layer '
            'network.init = "balanced", which takes any under the flow.',
        )


def layers_make_use_of_it(
    network: NetworkTable, flow: FlowTable, train: TrainTable
) -> Iterator[Mistake]:
    """Keys that say nothing to a network of layers are left out."""
    if not network.is_deep:
        return
    own = "polar" if network.init == "balanced" else "cartesian"
    if train.is_flow and flow.chart not in ("polar", own):
        yield Mistake(
            "flow.chart",
            f"`flow.chart` must be left out for a network of many layers or outputs, whose own is "
            f'"{own}", but is "{flow.chart}"; take it out.',
        )
    if not network.balanced:
        yield Mistake(
            "network.balanced",
            "`network.balanced` must be true for a network of many layers or outputs, whose "
            "network.init says how it starts, but is false; take it out.",
        )
    if network.outputs != "sign" and flow.loss in ("square", "half_square"):
        yield Mistake(
            "flow.loss",
            "`flow.loss` must be left out for many outputs, whose loss is the cross-entropy "
            f'("logistic"), but is "{flow.loss}"; take it out, or set network.outputs = "sign".',
        )


def deep_networks_are_plain(network: NetworkTable, flow: FlowTable) -> Iterator[Mistake]:
    """What two layers and one output have, and others do not."""
    if not network.is_deep:
        return
    if not network.normalized:
        yield Mistake(
            "network.normalized",
            "`network.normalized` must be true in a network of many layers or outputs, but is "
            "false; take it out.",
        )
    if network.init not in LAYERED:
        yield Mistake(
            "network.init",
            f"`network.init` must be one of {', '.join(LAYERED)} in a network of many layers or "
            f'outputs, but is "{network.init}"; take it out.',
        )
    if network.init == "balanced" and network.hidden_layers > 1:
        yield Mistake(
            "network.init",
            '`network.init` must not be "balanced" in a network of more than one hidden layer, but '
            f"hidden_layers = {network.hidden_layers}; take it out.",
        )
    if flow.start == "population":
        yield Mistake(
            "flow.start",
            '`flow.start` must be "sample" for a network of many layers or outputs, but is '
            '"population"; take it out.',
        )


def layers_are_deep(network: NetworkTable) -> Iterator[Mistake]:
    """Initializations of layers are not for two layers and one output."""
    if network.init not in NEURONS and not network.is_deep:
        yield Mistake(
            "network.init",
            f"`network.init` must be one of {', '.join(NEURONS)} with two layers and one "
            f'output, but is "{network.init}"; take it out.',
        )
