"""Rules between keys of several tables; a rule within one table is defined beside it.

A rule names the keys it reads, and applies only if each of these is valid by itself.  So no mistake
is reported twice, and a mistake in one key hides none in the others.
"""

import json
import math
from collections.abc import Container, Iterable, Iterator
from itertools import pairwise

from gflow.data.kind import AbstractData, AbstractDrawnData
from gflow.scenario.networks import (
    AbstractNetworkTable,
    AbstractOutputsTable,
    NeuronsTable,
)
from gflow.scenario.tables import FlowTable, RecordTable, RobustnessTable, TrainTable
from gflow.table import GIVEN, RULES, Mistake, Table, rule

SAFE_TOLERANCE = 1e-6
"""Largest absolute tolerance in units of the smallest initial scale, in plain coordinates."""

PLAIN_CHARTS = ("cartesian", "module")
"""Charts whose numbers are the weights, so that errors have an absolute tolerance, too."""

SMALLEST_CARTESIAN = 1e-140
"""Smallest `init_scale` in the Cartesian chart; squares of smaller weights underflow.  Without
normalization this bounds init_scale^power, the initial speed of neurons."""


CLOSEST = 1e-9
"""Relative distance of two times within which they are one."""

MOST_STEPS = 1e12
"""Largest number of steps of descent."""


def broken(tables: Iterable[Table], faulty: Container[str]) -> Iterator[Mistake]:
    """A mistake for every rule that is broken.

    **Arguments:**

    - `tables`: without their invalid keys.
    - `faulty`: dotted keys that are invalid; rules that read one of them are skipped.
    """
    present = tuple(tables)
    for models, keys, check in RULES:
        arguments = [next((t for t in present if isinstance(t, model)), None) for model in models]
        if None in arguments or any(key in faulty for key in keys):
            continue
        if text := check(*arguments):
            yield Mistake(keys[0], f"`{keys[0]}` {text}")


_SCALE_FREE = 'flow.chart = "polar" ("lightcone" if network.balanced = false)'
"""Charts in which no scale is too small."""

_STEPS = ("train.method", "train.step_size", "train.momentum")


@rule("network.balanced", "flow.chart", "train.method")
def _balanced_in_polar(network: NeuronsTable, flow: FlowTable, train: TrainTable) -> str | None:
    if train.is_flow and flow.chart == "polar" and not network.balanced:
        return (
            "must be true in the polar chart, whose neurons have |v_j| = ‖w_j‖, but is false; set "
            'flow.chart = "lightcone" or "cartesian".'
        )


@rule("network.normalized", "flow.chart", "train.method")
def _plain_without_normalization(
    network: NeuronsTable, flow: FlowTable, train: TrainTable
) -> str | None:
    if train.is_flow and flow.chart != "cartesian" and not network.normalized:
        return (
            f"must be true in the {flow.chart} chart, where the motion of a direction does not "
            'depend on its norm, but is false; set flow.chart = "cartesian".'
        )


@rule("network.init_scale", "flow.chart", "network.normalized", "network.power", "train.method")
def _nothing_underflows(network: NeuronsTable, flow: FlowTable, train: TrainTable) -> str | None:
    eps = network.init_scale
    # A power of ten, so that the bound in the message is accepted exactly.
    smallest = float(f"1e{math.ceil(math.log10(SMALLEST_CARTESIAN) / network.degree)}")
    if (train.is_flow and flow.chart != "cartesian") or eps >= smallest:
        return None
    if not train.is_flow:
        what, cure = "squares of weights", f"try {smallest:g}"
    elif network.normalized:
        what, cure = "squares of weights", f"set {_SCALE_FREE}"
    else:
        what, cure = f"squares of speeds (init_scale^{network.power:g})", f"try {smallest:g}"
    return (
        f"must be >= {smallest:g} in the Cartesian chart, where {what} underflow, but is {eps!r}; "
        f"{cure}."
    )


@rule(
    "flow.absolute_tolerance", "flow.chart", "network.init_scale", "network.layer_scales",
    "network.hidden_layers", "network.normalized",
)  # fmt: skip
def _no_step_over_alignment(network: AbstractNetworkTable, flow: FlowTable) -> str | None:
    eps, atol = network.smallest_scale, flow.absolute_tolerance
    if atol is None:
        return None
    chart = network.chart(flow.chart, True)
    if chart == "vector":
        return (
            f'must be left out for network.kind = "{network.kind}", whose coordinates have only '
            f"`flow.tolerance`, but is {atol!r}; remove it."
        )
    if chart not in PLAIN_CHARTS:
        return (
            f'must be left out unless flow.chart = "cartesian", but flow.chart = "{flow.chart}", '
            "which has only `flow.tolerance`; remove it."
        )
    if atol > SAFE_TOLERANCE * eps * (1 + 1e-9):
        where = "the Cartesian chart" if chart == "cartesian" else "plain coordinates"
        can_change = "lightcone" in network.charts and network.degree == 1
        other = f", or set {_SCALE_FREE}" if can_change else ""
        one = eps == network.init_scale
        scale = "`network.init_scale`" if one else "init_scale times the least of layer_scales"
        here = "init_scale" if one else "that"
        return (
            f"must be far below {scale} in {where}, but absolute_tolerance "
            f"= {atol!r} and {here} = {eps!r}. The solver would step over the whole alignment "
            "phase and still report success. Use absolute_tolerance <= "
            f"{SAFE_TOLERANCE * eps:.3g}{other}."
        )


@rule("record.times", "flow.end_time")
def _times_until_the_end(record: RecordTable, flow: FlowTable) -> str | None:
    t = record.times
    if any(b <= a * (1 + CLOSEST) for a, b in pairwise(t)):
        return f"must increase, each by more than {CLOSEST:g} of itself, but is {list(t)}; sort it."
    if t and t[-1] > flow.end_time:
        return (
            f"must not be after `flow.end_time`, but the last is {t[-1]:g} and end_time = "
            f"{flow.end_time:g}; raise flow.end_time, or leave it out."
        )


@rule("train.momentum", "train.method")
def _momentum_is_used(train: TrainTable) -> str | None:
    if train.momentum and train.method == "adam":
        return (
            f"must be 0 with adam, which has its own, but is {train.momentum:g}; remove it, or set "
            'train.method = "sgd".'
        )


@rule("flow.end_time", *_STEPS)
def _one_step_at_least(flow: FlowTable, train: TrainTable) -> str | None:
    if not train.is_flow and flow.end_time < train.time_of_step:
        return (
            f"must leave time for one step of {train.time_of_step:g}, but is {flow.end_time:g}; "
            "raise it."
        )
    elif not train.is_flow and flow.end_time > MOST_STEPS * train.time_of_step:
        return (
            f"must be at most {MOST_STEPS:g} steps of {train.time_of_step:g}, but is "
            f"{flow.end_time:g}; lower it."
        )


@rule("train.final", "train.schedule", "train.method")
def _final_size_fits(train: TrainTable) -> str | None:
    if train.schedule in ("exponential", "step") and train.final == 0:
        return f'must be > 0 for schedule = "{train.schedule}", which never gets to 0; try 0.01.'
    elif train.schedule == "constant" and train.final:
        return (
            f'must be left out for schedule = "constant", but is {train.final:g}; set '
            'train.schedule = "cosine", for example, or remove it.'
        )


@rule("train.warmup", "flow.end_time", *_STEPS)
def _warmup_ends(flow: FlowTable, train: TrainTable) -> str | None:
    least = (train.warmup / 2 + 1) * train.time_of_step
    if train.warmup and not train.is_flow and flow.end_time < least:
        return (
            f"must end before `flow.end_time` = {flow.end_time:g}, but {train.warmup} steps and "
            f"one of {train.time_of_step:g} last until {least:g}; lower it."
        )


@rule("train.batch", "data.samples", "train.method")
def _batch_of_samples(data: AbstractDrawnData, train: TrainTable) -> str | None:
    if train.batch > data.samples and not train.is_flow:
        return (
            f"must be <= `data.samples`, but batch = {train.batch} and samples = {data.samples}; "
            "try 0 for all."
        )


@rule("network.outputs")
def _classes_are_known(data: AbstractData, network: AbstractOutputsTable) -> str | None:
    if network.outputs not in data.grains:
        labels = "±1" if data.has_classes else "real numbers"
        return (
            f'must be "sign" for data.kind = "{data.kind}", whose labels are {labels}, but is '
            f'"{network.outputs}"; remove it.'
        )


_SQUARES = ("half_square", "square")
"""Losses of real labels that have a name."""


@rule("flow.loss")
def _loss_of_real_labels(data: AbstractData, flow: FlowTable) -> str | None:
    if not data.has_classes and flow.loss not in (*_SQUARES, GIVEN):
        return (
            f'must be "half_square" or "square" where labels are real numbers, but is '
            f'"{flow.loss}", which is of labels ±1; set flow.loss = "half_square".'
        )


@rule("flow.end_margin")
def _margins_are_of_classes(data: AbstractData, flow: FlowTable) -> str | None:
    if not data.has_classes and flow.end_margin is not None:
        return (
            "must be left out where labels are real numbers, which have no margin, but is "
            f"{flow.end_margin:g}; remove it, or set flow.end_loss."
        )


@rule("data.flip")
def _flips_are_of_classes(data: AbstractData) -> str | None:
    if not data.has_classes and data.flip:
        return (
            "must be 0 where labels are real numbers, which have no other class, but is "
            f"{json.dumps(data.flip)}; remove it."
        )


@rule("robustness.norms")
def _attacks_are_on_classes(data: AbstractData, robustness: RobustnessTable) -> str | None:
    if not data.has_classes and robustness.norms:
        return (
            "must be empty where labels are real numbers, since no output is misclassified, but "
            f"is {_listed(robustness)}; remove it."
        )


@rule("robustness.published")
def _published_of_neurons(network: AbstractNetworkTable, robustness: RobustnessTable) -> str | None:
    if robustness.published and not network.certifiable:
        return f'must be false for network.kind = "{network.kind}", but is true; remove it.'


@rule("robustness.norms", "data.test_samples")
def _something_to_attack(data: AbstractDrawnData, robustness: RobustnessTable) -> str | None:
    if robustness.norms and data.test_samples == 0:
        return (
            "must be empty without test samples (attacks start from them), but is "
            f"{_listed(robustness)} and test_samples = 0; raise data.test_samples."
        )


@rule("robustness.attacked", "data.test_samples")
def _enough_to_attack(data: AbstractDrawnData, robustness: RobustnessTable) -> str | None:
    if robustness.attacked > data.test_samples > 0:
        return (
            f"must be <= `data.test_samples`, but attacked = {robustness.attacked} and "
            f"test_samples = {data.test_samples}; try 0 for all."
        )


@rule("robustness.published", "robustness.norms")
def _published_in_l2(robustness: RobustnessTable) -> str | None:
    if robustness.published and "l2" not in robustness.norms:
        return (
            'must be false unless `robustness.norms` has "l2" (the published attack is in l2), but '
            f'norms = {_listed(robustness)}; add "l2".'
        )


@rule("robustness.within", "robustness.norms")
def _within_l2(robustness: RobustnessTable) -> str | None:
    if robustness.within and "l2" not in robustness.norms:
        return (
            'must be empty unless `robustness.norms` has "l2" (perturbations within a subspace are '
            f"in l2), but is {json.dumps(list(robustness.within))} and norms = "
            f'{_listed(robustness)}; add "l2".'
        )


@rule("robustness.universal", "robustness.norms")
def _universal_in_l2(robustness: RobustnessTable) -> str | None:
    if robustness.universal and "l2" not in robustness.norms:
        return (
            'must be 0 unless `robustness.norms` has "l2" (one vector for a class is in l2), but '
            f'universal = {robustness.universal:g} and norms = {_listed(robustness)}; add "l2".'
        )


def _listed(robustness: RobustnessTable) -> str:
    """The norms as written in a file."""
    return json.dumps(list(robustness.norms))


@rule("flow.chart", "train.method")
def _chart_of_its_own(
    network: AbstractOutputsTable, flow: FlowTable, train: TrainTable
) -> str | None:
    if train.is_flow and flow.chart not in network.charts:
        return (
            f'must be left out for network.kind = "{network.kind}", which has its own coordinates, '
            f'but is "{flow.chart}"; remove it.'
        )


@rule("flow.loss", "network.outputs")
def _many_outputs_have_one_loss(network: AbstractOutputsTable, flow: FlowTable) -> str | None:
    if network.outputs != "sign" and flow.loss not in ("exponential", "logistic"):
        return (
            'must be left out for many outputs, whose loss is the cross-entropy ("logistic"), but '
            f'is "{flow.loss}"; remove it, or set network.outputs = "sign".'
        )


@rule("network.width", "network.mirrored")
def _whole_pairs(network: NeuronsTable) -> str | None:
    if network.mirrored and network.width % 2:
        return (
            f"must be even (mirrored neurons come in pairs), but is {network.width}; try "
            f"{network.width + 1}."
        )


@rule("network.init", "network.given")
def _given_neurons_are_named(network: NeuronsTable) -> str | None:
    return _named(network.init, network.given, "neurons=(W, v)", '"gaussian"')


@rule("flow.loss", "flow.given")
def _given_loss_is_named(flow: FlowTable) -> str | None:
    return _named(flow.loss, flow.given, "loss=…", '"exponential"')


def _named(word: str, given: str | None, argument: str, cure: str) -> str | None:
    """That `GIVEN` stands beside the checksum of what was given, as gflow writes it."""
    if word == GIVEN and given is None:
        return (
            f'must be a word of a file, but is "{GIVEN}", which gflow writes of a run that was '
            f"given `{argument}`; call gflow.simulate(scenario, {argument}), or try {cure}."
        )
    if word != GIVEN and given is not None:
        return (
            f'must be "{GIVEN}" where a checksum says what was given, but is "{word}"; remove '
            "the key `given`."
        )


SMALLEST_OUTPUT = {"float32": 1e-30, "float64": 1e-250}
"""Smallest initial output of layers in plain coordinates, by `flow.precision`."""

_OF_OUTPUT = (
    "network.power",
    "network.hidden_layers",
    "network.layer_scales",
    "network.input_normalized",
    "network.layer_norm",
    "flow.precision",
    "train.method",
)
"""Keys that determine the size of an initial output, or the smallest one that is allowed."""


@rule("network.init_scale", *_OF_OUTPUT)
def _layers_do_not_underflow(
    network: AbstractOutputsTable, flow: FlowTable, train: TrainTable
) -> str | None:
    if network.chart(flow.chart, train.is_flow) == "vector":
        return None
    smallest = SMALLEST_OUTPUT[flow.precision] / network.output_size
    # The squares of a single small layer underflow before the outputs do.
    lengths = SMALLEST_CARTESIAN / min(network.factors)
    least = max(smallest ** (1 / network.output_degree), lengths)
    if network.init_scale < least * (1 - 1e-9):
        return (
            f"must be >= {least:.2g} in plain coordinates for a network of {network.depth} such "
            f"layers in {flow.precision}, but is {network.init_scale!r}; try flow.precision = "
            '"float64", or, under the flow and with one hidden layer, network.kind = "vector", '
            "which has no such limit."
        )
