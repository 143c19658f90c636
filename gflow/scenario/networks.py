"""The kinds of `[network]`: neurons with one output, balanced neurons with many, or layers.

Each kind is a table that also states what networks of this kind can do, so that no other module has
to know which kinds there are.
"""

import abc
import math
from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from gflow.data.dataset import Grain
from gflow.scenario.words import LAYER_INITS, NEURON_INITS
from gflow.table import Registry, Table, rule


class AbstractNetworkTable(Table, abc.ABC):
    """The keys that every network has, and what each kind states about itself (abstract)."""

    has_laws: ClassVar[bool]
    """Whether theory follows their neurons one by one, as most predictions and figures need."""
    certifiable: ClassVar[bool]
    """Whether radii can be certified; otherwise attacks only bound them from above."""
    charts: ClassVar[tuple[str, ...]]
    """Allowed values of `flow.chart`; a kind with its own coordinates allows the default."""
    groups: ClassVar[tuple[str, ...]]
    """Optional groups that can be recorded."""
    products: ClassVar[int]
    """Floating-point operations of one gradient per sample and weight."""

    kind: Any = None
    width: int = Field(ge=1, description="number of neurons", examples=[200])
    power: float = Field(
        ge=1, le=100, description="power of the pReLU activation; 1 is ReLU", examples=[1, 3]
    )
    init_scale: float = Field(
        ge=1e-300,
        le=1e3,
        description="scale of the initial weights, dimensionless",
        examples=[1e-7],
    )

    @property
    @abc.abstractmethod
    def grain(self) -> Grain:
        """The labels that outputs are trained on."""

    @property
    @abc.abstractmethod
    def degree(self) -> float:
        """Degree of a neuron's output in ‖w_j‖: 1, or the power without normalization."""

    @property
    @abc.abstractmethod
    def smallest_scale(self) -> float:
        """Scale of the smallest initial weights."""

    @property
    @abc.abstractmethod
    def unused(self) -> frozenset[str]:
        """Keys that the others make meaningless; they are omitted when a scenario is written."""

    @abc.abstractmethod
    def chart(self, flow_chart: str, is_flow: bool) -> str:
        """Coordinates of the weights for a value of `flow.chart`, under the flow or descent."""

    @abc.abstractmethod
    def weight_count(self, D: int, outputs: int) -> int:
        """Number of hidden and output weights, without those that are negligibly few."""


class NeuronsTable(AbstractNetworkTable):
    """Two layers and one output: h neurons, each a direction, a norm and a sign (final)."""

    has_laws = certifiable = True
    charts = ("polar", "lightcone", "cartesian")
    groups = ("neurons", "centers", "orthogonal", "directions")
    products = 4

    kind: Literal["neurons"] = Field(default="neurons", description="what is trained")
    init: Annotated[str, NEURON_INITS] = Field(
        default="gaussian",
        description="distribution of the hidden weights: entries N(0, init_scale²); uniform "
        "directions of norm init_scale; or these, moved toward a random center or class average",
    )
    nudge: float = Field(
        default=0.05,
        gt=0,
        le=1,
        description="fraction of the way to the center or average, for init = nudged or averaged",
    )
    balanced: bool = Field(
        default=True,
        description="whether |v_j| = ‖w_j‖ initially; otherwise v_j ~ N(0, init_scale²)",
    )
    output_scale: float = Field(
        default=1.0,
        gt=0,
        le=1e3,
        description="scale of unbalanced output weights, in units of init_scale",
        examples=[1e-6],
    )
    normalized: bool = Field(
        default=True,
        description="whether the activation divides by ‖w‖^(power-1); false is the polynomial "
        "ReLU v σ(<w, x>)^power, in the Cartesian chart only",
    )
    mirrored: bool = Field(
        default=False,
        description="whether neurons come in pairs (w, v) and (-w, -v), so that the initial "
        "network is odd; at power 1 it is linear",
    )
    given: str | None = Field(
        default=None,
        description="checksum of the neurons that `gflow.simulate` was given, with init = given; "
        "only in the scenario of a stored run",
    )

    @property
    def grain(self) -> Grain:
        return "sign"

    @property
    def degree(self) -> float:
        return 1.0 if self.normalized else float(self.power)

    @property
    def smallest_scale(self) -> float:
        return float(self.init_scale)

    @property
    def unused(self) -> frozenset[str]:
        return frozenset() if self.init in ("nudged", "averaged") else frozenset({"nudge"})

    def chart(self, flow_chart: str, is_flow: bool) -> str:
        return flow_chart if is_flow else "cartesian"

    def weight_count(self, D: int, outputs: int) -> int:
        return self.width * D


class AbstractOutputsTable(AbstractNetworkTable):
    """A network that may have several outputs (abstract)."""

    has_laws = certifiable = False
    groups = ("neurons",)
    products = 6

    outputs: Grain = Field(
        default="sign",
        description="one output, whose sign is the class, or which fits a real label; one per "
        "class; or one per subclass, the class being that of the largest",
    )
    input_normalized: bool = Field(
        default=False,
        description="whether each layer also divides by ‖z‖^(power-1), z its input",
    )
    bias: bool = Field(default=False, description="whether outputs have a bias, initially 0")

    @property
    @abc.abstractmethod
    def output_degree(self) -> float:
        """Power of init_scale that initial outputs scale with, in plain coordinates."""

    @property
    @abc.abstractmethod
    def output_size(self) -> float:
        """Size of initial outputs at init_scale = 1, up to factors of order 1."""

    @property
    @abc.abstractmethod
    def factors(self) -> tuple[float, ...]:
        """Scale of each layer in units of init_scale, from the first to the output."""

    @property
    @abc.abstractmethod
    def depth(self) -> int:
        """Number of weight matrices."""

    @property
    @abc.abstractmethod
    def initialization(self) -> str:
        """How weights are initialized, a name in `gflow.network.deep.INITIALIZATIONS`."""

    @property
    @abc.abstractmethod
    def layering(self) -> dict[str, bool]:
        """Whether hidden layers after the first have skips and layer norm, by name."""

    @property
    def grain(self) -> Grain:
        return self.outputs

    @property
    def degree(self) -> float:
        return 1.0

    @property
    def smallest_scale(self) -> float:
        return float(self.init_scale * min(self.factors))

    @property
    def unused(self) -> frozenset[str]:
        return frozenset()


class VectorTable(AbstractOutputsTable):
    """Balanced neurons with vector outputs, initially ‖v_j‖ = ‖w_j‖ = init_scale (final).

    They flow as directions and log-norms from any scale, and descend as a network of layers.
    """

    charts = ("polar",)

    kind: Literal["vector"] = Field(default="vector", description="what is trained")

    @property
    def output_degree(self) -> float:
        """2: outputs are products of two layers."""
        return 2.0

    @property
    def output_size(self) -> float:
        return 1.0

    @property
    def factors(self) -> tuple[float, ...]:
        return (1.0, 1.0)

    @property
    def depth(self) -> int:
        return 2

    @property
    def initialization(self) -> str:
        return "balanced"

    @property
    def layering(self) -> dict[str, bool]:
        return {"skip": False, "layer_norm": False}

    def chart(self, flow_chart: str, is_flow: bool) -> str:
        return "vector" if is_flow else "module"

    def weight_count(self, D: int, outputs: int) -> int:
        return self.width * (D + outputs)


class LayersTable(AbstractOutputsTable):
    """Hidden pReLU layers of one width, in plain coordinates (final)."""

    charts = ("polar", "cartesian")

    kind: Literal["layers"] = Field(default="layers", description="what is trained")
    init: Annotated[str, LAYER_INITS] = Field(
        default="gaussian",
        description="weights before the factor init_scale: N(0, 2/fan-in) (Kaiming); uniform of "
        "the same variance; N(0, 2/(fan-in + fan-out)); or uniform in ±√(6/width), as published",
    )
    hidden_layers: int = Field(
        default=1, ge=1, le=50, description="number of hidden layers, all of the same width"
    )
    layer_scales: (
        Annotated[
            tuple[Annotated[float, Field(ge=1e-100, le=1)], ...], Field(strict=False, min_length=2)
        ]
        | None
    ) = Field(
        default=None,
        description="scale of each layer in units of init_scale, the output last; the largest is 1",
        examples=[[0.01, 1.0]],
    )
    skip: bool = Field(
        default=False,
        description="whether hidden layers after the first add their input to their output",
    )
    layer_norm: bool = Field(
        default=False,
        description="whether hidden layers after the first scale inputs to mean 0 and variance 1",
    )

    @property
    def output_degree(self) -> float:
        """Where the inputs of layers are not normalized, powers compound over layers."""
        return self._compounded([1.0] * self.depth)

    @property
    def output_size(self) -> float:
        return math.exp(self._compounded([math.log(factor) for factor in self.factors]))

    def _compounded(self, each: Sequence[float]) -> float:
        """Logarithm of an output whose layers have these logarithms."""
        growth = 0.0 if self.layer_norm else 1.0 if self.input_normalized else self.power
        first, *between, output = each
        total = first
        for one in between:
            total = one + growth * total
        return output + total

    @property
    def factors(self) -> tuple[float, ...]:
        return (
            (1.0,) * self.depth
            if self.layer_scales is None
            else tuple(map(float, self.layer_scales))
        )

    @property
    def depth(self) -> int:
        return self.hidden_layers + 1

    @property
    def initialization(self) -> str:
        return self.init

    @property
    def layering(self) -> dict[str, bool]:
        return {"skip": self.skip, "layer_norm": self.layer_norm}

    def chart(self, flow_chart: str, is_flow: bool) -> str:
        return "module"

    def weight_count(self, D: int, outputs: int) -> int:
        return self.width * (D + (self.hidden_layers - 1) * self.width + outputs)


NETWORKS = Registry[AbstractNetworkTable](NeuronsTable, LayersTable, VectorTable)
"""The tables of `[network]` by `network.kind`; the first is the default."""


RETIRED = {("network.init", "balanced"): "vector"}
"""Values in older files that are now kinds of their own."""


@rule("network.nudge", "network.init")
def _nudge_is_used(network: NeuronsTable) -> str | None:
    if "nudge" in network.model_fields_set & network.unused:
        return (
            f'must be left out unless init = "nudged" or "averaged", but init = "{network.init}"; '
            'remove it, or set network.init = "nudged".'
        )


@rule("network.layer_scales", "network.hidden_layers")
def _one_scale_per_layer(network: LayersTable) -> str | None:
    scales = network.layer_scales
    if scales is not None and len(scales) != network.depth:
        return (
            f"must have {network.depth} entries, one for each of hidden_layers = "
            f"{network.hidden_layers} and one for the output, but has {len(scales)}; try "
            f"{[*map(float, scales), *[1.0] * network.depth][: network.depth]}."
        )


@rule("network.layer_scales", "network.init_scale", "network.hidden_layers")
def _largest_scale_is_one(network: LayersTable) -> str | None:
    scales = network.layer_scales
    if scales is None or len(scales) != network.depth:
        return None
    # One start is one question: init_scale alone says how large the largest layers are.
    largest, eps = max(scales), network.init_scale
    if largest < 1 and min(scales) < largest:
        relative = [float(f"{scale / largest:.12g}") for scale in scales]
        return (
            "must have 1 as its largest entry (network.init_scale is the scale of the largest "
            f"layers), but the largest is {largest:g}; try {relative}, and network.init_scale = "
            f"{eps * largest:.12g}."
        )
    if min(scales) == largest:
        return (
            f"must be left out where all layers have one scale, but all are {largest:g}; remove "
            f"it, and set network.init_scale = {eps * largest:.12g}."
        )


@rule("network.output_scale", "network.balanced")
def _output_scale_is_used(network: NeuronsTable) -> str | None:
    if network.output_scale != 1 and network.balanced:
        return (
            "must be left out unless balanced = false (a balanced neuron has |v_j| = ‖w_j‖), but "
            f"is {network.output_scale:g}; remove it, or set network.balanced = false."
        )
