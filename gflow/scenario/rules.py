"""How keys go together.

One idea: a rule names the keys it reads, and is asked only if each of these is sound by itself.  So
no mistake is told twice, and a mistake in one key hides none in the others.
"""

import json
import math
from collections.abc import Callable, Container, Iterable, Iterator

from gflow.scenario.data_tables import FileData, MixtureData, RealData
from gflow.scenario.layer_rules import (
    deep_networks_are_plain,
    layers_are_deep,
    layers_do_not_underflow,
    layers_make_use_of_it,
)
from gflow.scenario.mistakes import Mistake
from gflow.scenario.table import Table
from gflow.scenario.tables import (
    DEEP,
    FlowTable,
    NetworkTable,
    RobustnessTable,
    TrainTable,
)

SAFE_TOLERANCE = 1e-6
"""Largest absolute tolerance in units of `init_scale`, in the Cartesian chart."""

SMALLEST_CARTESIAN = 1e-140
"""Smallest `init_scale` in the Cartesian chart; squares of smaller weights underflow.  Without
normalization it bounds init_scale^power, the speed of the first neurons."""


MOST_STEPS = 1e12
"""Steps of descent that nobody waits for."""


def broken(tables: Iterable[Table], faulty: Container[str]) -> Iterator[Mistake]:
    """Every rule that keys sound by themselves break together.

    **Arguments:**

    - `tables`: as far as their keys are sound.
    - `faulty`: dotted keys that are not; rules that read one of them are not asked.
    """
    known = tuple(tables)
    for models, keys, rule in _RULES:
        found = [next((t for t in known if isinstance(t, model)), None) for model in models]
        if None not in found and not any(key in faulty for key in keys):
            yield from rule(*found)


def _both_classes(data: MixtureData) -> Iterator[Mistake]:
    K, K1 = data.subclasses, data.positive_subclasses
    if K1 >= K:
        yield Mistake(
            "data.positive_subclasses",
            "`data.positive_subclasses` must be < `data.subclasses` (the negative class needs one "
            f"too), but positive_subclasses = {K1} and subclasses = {K}; try {K // 2}.",
        )


def _room_for_centers(data: MixtureData) -> Iterator[Mistake]:
    K, D = data.subclasses, data.dimension
    if K > D and data.center_angle == 90:
        yield Mistake(
            "data.subclasses",
            "`data.subclasses` must be <= `data.dimension` (centers are orthonormal), but "
            f"subclasses = {K} and dimension = {D}; try dimension = {K}.",
        )
    elif K >= D and data.center_angle < 90:
        yield Mistake(
            "data.subclasses",
            "`data.subclasses` must be < `data.dimension` (below 90 degrees the centers share one "
            f"more direction), but subclasses = {K}, dimension = {D} and center_angle = "
            f"{data.center_angle:g}; try dimension = {K + 1}.",
        )


def _something_to_outweigh(data: MixtureData) -> Iterator[Mistake]:
    if data.imbalance > 1 and data.subclasses == 2:
        yield Mistake(
            "data.imbalance",
            "`data.imbalance` must be 1 with one subclass in each class (sizes fall within a "
            f"class), but is {data.imbalance:g} with subclasses = 2; take it out, or raise "
            "data.subclasses.",
        )


def _samples_of_every_subclass(data: MixtureData) -> Iterator[Mistake]:
    K, n = data.subclasses, data.samples
    if n < K:
        yield Mistake(
            "data.samples",
            "`data.samples` must be >= `data.subclasses` (no subclass may be without a sample), "
            f"but samples = {n} and subclasses = {K}; try {K}.",
        )


def _test_samples_of_every_subclass(data: MixtureData) -> Iterator[Mistake]:
    K, m = data.subclasses, data.test_samples
    if 0 < m < K:
        yield Mistake(
            "data.test_samples",
            "`data.test_samples` must be 0 or >= `data.subclasses`, but test_samples = "
            f"{m} and subclasses = {K}; try {K}.",
        )


def _nudge_is_used(network: NetworkTable) -> Iterator[Mistake]:
    if "nudge" in network.model_fields_set and network.init not in ("nudged", "averaged"):
        yield Mistake(
            "network.nudge",
            '`network.nudge` must be given with init = "nudged" or "averaged" only, but init = '
            f'"{network.init}"; take it out, or set network.init = "nudged".',
        )


def _output_scale_is_used(network: NetworkTable) -> Iterator[Mistake]:
    if network.output_scale != 1 and network.balanced:
        yield Mistake(
            "network.output_scale",
            "`network.output_scale` must be given with balanced = false only (a balanced neuron "
            f"has |v_j| = ‖w_j‖), but is {network.output_scale:g}; take it out, or set "
            "network.balanced = false.",
        )


def _balanced_in_polar(
    network: NetworkTable, flow: FlowTable, train: TrainTable
) -> Iterator[Mistake]:
    if network.is_deep:
        return
    if train.is_flow and flow.chart == "polar" and not network.balanced:
        yield Mistake(
            "network.balanced",
            "`network.balanced` must be true in the polar chart, whose neurons have |v_j| = ‖w_j‖, "
            'but is false; set flow.chart = "lightcone" or "cartesian".',
        )


def _plain_without_normalization(
    network: NetworkTable, flow: FlowTable, train: TrainTable
) -> Iterator[Mistake]:
    if train.is_flow and flow.chart != "cartesian" and not network.normalized:
        yield Mistake(
            "network.normalized",
            f"`network.normalized` must be true in the {flow.chart} chart, in which a direction "
            'moves the same whatever its norm, but is false; set flow.chart = "cartesian".',
        )


def _nothing_underflows(
    network: NetworkTable, flow: FlowTable, train: TrainTable
) -> Iterator[Mistake]:
    if network.is_deep:
        return
    eps = network.init_scale
    # A power of ten, so that what is printed is what is accepted.
    smallest = float(f"1e{math.ceil(math.log10(SMALLEST_CARTESIAN) / network.degree)}")
    if (train.is_flow and flow.chart != "cartesian") or eps >= smallest:
        return
    if not train.is_flow:
        what, cure = "squares of weights", f"try {smallest:g}"
    elif network.normalized:
        what, cure = "squares of weights", f"set {_SCALE_FREE}"
    else:
        what, cure = f"squares of speeds (init_scale^{network.power:g})", f"try {smallest:g}"
    yield Mistake(
        "network.init_scale",
        f"`network.init_scale` must be >= {smallest:g} in the Cartesian chart, where {what} "
        f"underflow, but is {eps!r}; {cure}.",
    )


def _no_step_over_alignment(network: NetworkTable, flow: FlowTable) -> Iterator[Mistake]:
    eps, given = network.init_scale, flow.absolute_tolerance
    if given is None:
        return
    if flow.chart != "cartesian":
        yield Mistake(
            "flow.absolute_tolerance",
            "`flow.absolute_tolerance` must be given in the Cartesian chart only, but flow.chart = "
            f'"{flow.chart}", where `flow.tolerance` is all there is; take it out.',
        )
    elif given > SAFE_TOLERANCE * eps * (1 + 1e-9):
        other = f", or set {_SCALE_FREE}" if network.normalized else ""
        yield Mistake(
            "flow.absolute_tolerance",
            "`flow.absolute_tolerance` must be far below `network.init_scale` in the Cartesian "
            f"chart, but absolute_tolerance = {given!r} and init_scale = {eps!r}. The solver would "
            "step over the whole alignment phase and still report success. Use absolute_tolerance "
            f"<= {SAFE_TOLERANCE * eps:.3g}{other}.",
        )


def _population_is_known(data: Table, flow: FlowTable) -> Iterator[Mistake]:
    if flow.start == "population" and (not isinstance(data, MixtureData) or flow.chart != "polar"):
        kind, chart = getattr(data, "kind", "mixture"), flow.chart
        yield Mistake(
            "flow.start",
            '`flow.start` must be "sample" unless data.kind = "mixture" and flow.chart = "polar" '
            f'(the expectation of other data is not known), but is "population" with kind = '
            f'"{kind}" and chart = "{chart}"; set flow.start = "sample".',
        )


def _population_error_is_known(data: MixtureData, flow: FlowTable) -> Iterator[Mistake]:
    if flow.start == "population" and data.center_angle < 90:
        yield Mistake(
            "flow.start",
            '`flow.start` must be "sample" unless data.center_angle = 90 (the expected error of a '
            'population start is known for orthonormal centers only), but is "population" with '
            f'center_angle = {data.center_angle:g}; set flow.start = "sample".',
        )


def _population_flows(flow: FlowTable, train: TrainTable) -> Iterator[Mistake]:
    if flow.start == "population" and not train.is_flow:
        yield Mistake(
            "flow.start",
            '`flow.start` must be "sample" where the network descends in steps, but is '
            f'"population" with train.method = "{train.method}"; take it out.',
        )


def _momentum_is_used(train: TrainTable) -> Iterator[Mistake]:
    if train.momentum and train.method == "adam":
        yield Mistake(
            "train.momentum",
            "`train.momentum` must be 0 with adam, which has its own, but is "
            f'{train.momentum:g}; take it out, or set train.method = "sgd".',
        )


def _one_step_at_least(flow: FlowTable, train: TrainTable) -> Iterator[Mistake]:
    if not train.is_flow and flow.end_time < train.time_of_step:
        yield Mistake(
            "flow.end_time",
            f"`flow.end_time` must leave time for a step, which takes {train.time_of_step:g}, but "
            f"is {flow.end_time:g}; raise it.",
        )
    elif not train.is_flow and flow.end_time > MOST_STEPS * train.time_of_step:
        yield Mistake(
            "flow.end_time",
            f"`flow.end_time` must be at most {MOST_STEPS:g} steps, which take "
            f"{train.time_of_step:g} each, but is {flow.end_time:g}; lower it.",
        )


def _batch_of_samples(data: MixtureData, train: TrainTable) -> Iterator[Mistake]:
    if train.batch > data.samples and not train.is_flow:
        yield Mistake(
            "train.batch",
            "`train.batch` must be <= `data.samples`, but batch = "
            f"{train.batch} and samples = {data.samples}; try 0 for all.",
        )


def _classes_are_known(data: FileData, network: NetworkTable) -> Iterator[Mistake]:
    if network.outputs != "sign":
        yield Mistake(
            "network.outputs",
            f'`network.outputs` must be "sign" for data.kind = "{data.kind}", whose labels are '
            f'±1, but is "{network.outputs}"; take it out.',
        )


def _published_of_neurons(network: NetworkTable, robustness: RobustnessTable) -> Iterator[Mistake]:
    if network.is_deep and robustness.published:
        yield Mistake(
            "robustness.published",
            "`robustness.published` must be false for a network of many layers or outputs, but is "
            "true; take it out.",
        )


def _something_to_attack(data: MixtureData, robustness: RobustnessTable) -> Iterator[Mistake]:
    if robustness.norms and data.test_samples == 0:
        yield Mistake(
            "robustness.norms",
            "`robustness.norms` must be empty without test samples (they are what is attacked), "
            f"but is {_listed(robustness)} and test_samples = 0; raise data.test_samples.",
        )


def _enough_to_attack(data: MixtureData, robustness: RobustnessTable) -> Iterator[Mistake]:
    if robustness.attacked > data.test_samples > 0:
        yield Mistake(
            "robustness.attacked",
            "`robustness.attacked` must be <= `data.test_samples`, but attacked = "
            f"{robustness.attacked} and test_samples = {data.test_samples}; try 0 for all.",
        )


def _published_in_l2(robustness: RobustnessTable) -> Iterator[Mistake]:
    if robustness.published and "l2" not in robustness.norms:
        yield Mistake(
            "robustness.published",
            '`robustness.published` must be false unless `robustness.norms` holds "l2" (the '
            f"published attack is in l2), but norms = {_listed(robustness)}; add it.",
        )


def _listed(robustness: RobustnessTable) -> str:
    """The norms as a file writes them."""
    return json.dumps(list(robustness.norms))


_Rule = Callable[..., Iterator[Mistake]]

_SCALE_FREE = 'flow.chart = "polar" ("lightcone" if network.balanced = false)'
"""Where no scale is too small."""

_DEEP = tuple(f"network.{key}" for key in sorted(DEEP))

_STEPS = ("train.method", "train.step_size", "train.momentum")

_CARTESIAN = ("flow.chart", "network.init_scale", "network.normalized")

_RULES: tuple[tuple[tuple[type[Table], ...], tuple[str, ...], _Rule], ...] = (
    ((MixtureData,), ("data.subclasses", "data.positive_subclasses"), _both_classes),
    (
        (MixtureData,),
        ("data.subclasses", "data.dimension", "data.center_angle"),
        _room_for_centers,
    ),
    ((MixtureData,), ("data.subclasses", "data.imbalance"), _something_to_outweigh),
    ((MixtureData,), ("data.subclasses", "data.samples"), _samples_of_every_subclass),
    ((MixtureData,), ("data.subclasses", "data.test_samples"), _test_samples_of_every_subclass),
    (
        (MixtureData, RobustnessTable),
        ("data.test_samples", "robustness.norms"),
        _something_to_attack,
    ),
    (
        (MixtureData, RobustnessTable),
        ("data.test_samples", "robustness.attacked"),
        _enough_to_attack,
    ),
    ((RobustnessTable,), ("robustness.norms", "robustness.published"), _published_in_l2),
    (
        (NetworkTable, FlowTable),
        (*_DEEP, "network.normalized", "network.init", "flow.start"),
        deep_networks_are_plain,
    ),
    ((NetworkTable,), (*_DEEP, "network.init"), layers_are_deep),
    ((FileData, NetworkTable), ("network.outputs",), _classes_are_known),
    ((NetworkTable, RobustnessTable), (*_DEEP, "robustness.published"), _published_of_neurons),
    ((NetworkTable,), ("network.nudge", "network.init"), _nudge_is_used),
    ((NetworkTable,), ("network.output_scale", "network.balanced"), _output_scale_is_used),
    (
        (NetworkTable, FlowTable, TrainTable),
        (*_DEEP, "network.balanced", "flow.chart", "train.method"),
        _balanced_in_polar,
    ),
    (
        (NetworkTable, FlowTable, TrainTable),
        ("network.normalized", "flow.chart", "train.method"),
        _plain_without_normalization,
    ),
    (
        (NetworkTable, FlowTable, TrainTable),
        (*_CARTESIAN, *_DEEP, "network.power", "train.method"),
        _nothing_underflows,
    ),
    (
        (NetworkTable, FlowTable, TrainTable),
        (
            *_DEEP,
            "network.init",
            "network.init_scale",
            "network.power",
            "flow.precision",
            "train.method",
        ),
        layers_do_not_underflow,
    ),
    (
        (NetworkTable, FlowTable, TrainTable),
        (*_DEEP, "network.init", "network.balanced", "flow.chart", "flow.loss", "train.method"),
        layers_make_use_of_it,
    ),
    ((FlowTable, TrainTable), ("flow.end_time", *_STEPS), _one_step_at_least),
    ((FlowTable, TrainTable), ("flow.start", "train.method"), _population_flows),
    ((TrainTable,), ("train.momentum", "train.method"), _momentum_is_used),
    (
        (MixtureData, TrainTable),
        ("data.samples", "train.batch", "train.method"),
        _batch_of_samples,
    ),
    ((MixtureData, FlowTable), ("flow.start", "flow.chart"), _population_is_known),
    ((FileData, FlowTable), ("flow.start", "flow.chart"), _population_is_known),
    ((RealData, FlowTable), ("flow.start", "flow.chart"), _population_is_known),
    (
        (MixtureData, FlowTable),
        ("flow.start", "data.center_angle"),
        _population_error_is_known,
    ),
    (
        (NetworkTable, FlowTable),
        (*_CARTESIAN, "flow.absolute_tolerance"),
        _no_step_over_alignment,
    ),
)
"""The tables and keys each rule reads, and the rule."""
