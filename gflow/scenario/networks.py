"""What `[network]` may be: neurons of one output, balanced neurons of many, or layers.

A kind of network is a table, and what can be asked of networks of a kind is said by its table, so
that nobody has to know which kinds there are.
"""

import abc
from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from gflow.data.dataset import Grain
from gflow.scenario.words import LAYER_INITS, NEURON_INITS
from gflow.table import Mistake, Registry, Table, rule


class AbstractNetworkTable(Table, abc.ABC):
    """What every network has (abstract)."""

    has_laws: ClassVar[bool]
    """Whether the catalogue of predictions speaks of networks of this kind."""
    has_expectation: ClassVar[bool]
    """Whether its flow may begin in expectation over the data."""
    certifiable: ClassVar[bool]
    """Whether radii can be certified; otherwise they are only attacked."""
    charts: ClassVar[tuple[str, ...]]
    """What `flow.chart` may be; a kind that has coordinates of its own takes the default."""
    groups: ClassVar[tuple[str, ...]]
    """Optional groups of the record that can be recorded."""
    products: ClassVar[int]
    """Operations of one gradient, for each sample and each weight."""

    kind: Any = None
    width: int = Field(ge=1, description="number of neurons", examples=[200])
    power: float = Field(
        ge=1, description="power of the pReLU activation; 1 is ReLU", examples=[1, 3]
    )
    init_scale: float = Field(
        ge=1e-300, le=1e3, description="size of the initial weights, dimensionless", examples=[1e-7]
    )

    @property
    @abc.abstractmethod
    def grain(self) -> Grain:
        """What outputs are trained on."""

    @property
    @abc.abstractmethod
    def degree(self) -> float:
        """Degree of a neuron's output in ‖w_j‖: 1, or the power without normalization."""

    @property
    @abc.abstractmethod
    def unused(self) -> frozenset[str]:
        """Keys that say nothing beside the others, and are left out where a scenario is written."""

    @abc.abstractmethod
    def chart(self, flow_chart: str, is_flow: bool) -> str:
        """Coordinates of the weights, for a given `flow.chart`, under the flow or descent."""

    @abc.abstractmethod
    def weight_count(self, D: int, outputs: int) -> int:
        """Hidden and output weights, of which those that vanish beside the others do not count."""


class NeuronsTable(AbstractNetworkTable):
    """Two layers and one output: h neurons with signs, directions and norms (final)."""

    has_laws = has_expectation = certifiable = True
    charts = ("polar", "lightcone", "cartesian")
    groups = ("neurons", "centers", "orthogonal")
    products = 4

    kind: Literal["neurons"] = Field(default="neurons", description="what is trained")
    init: Annotated[str, NEURON_INITS] = Field(
        default="gaussian",
        description="shape of the hidden weights: entries N(0, init_scale²); uniform directions of "
        "norm init_scale; or the same, moved toward a random center, or toward the class average",
    )
    nudge: float = Field(
        default=0.05,
        gt=0,
        le=1,
        description="share of the way to a center or average, for init = nudged or averaged",
    )
    balanced: bool = Field(
        default=True,
        description="whether |v_j| = ‖w_j‖ at the start; otherwise v_j ~ N(0, init_scale²)",
    )
    output_scale: float = Field(
        default=1.0,
        gt=0,
        le=1e3,
        description="size of unbalanced output weights, in units of init_scale",
        examples=[1e-6],
    )
    normalized: bool = Field(
        default=True,
        description="whether the activation divides by ‖w‖^(power-1); false is the polynomial "
        "ReLU v σ(<w, x>)^power, in the Cartesian chart only",
    )

    @property
    def grain(self) -> Grain:
        return "sign"

    @property
    def degree(self) -> float:
        return 1.0 if self.normalized else float(self.power)

    @property
    def unused(self) -> frozenset[str]:
        return frozenset() if self.init in ("nudged", "averaged") else frozenset({"nudge"})

    def chart(self, flow_chart: str, is_flow: bool) -> str:
        return flow_chart if is_flow else "cartesian"

    def weight_count(self, D: int, outputs: int) -> int:
        return self.width * D


class AbstractOutputsTable(AbstractNetworkTable):
    """A network that may have many outputs (abstract)."""

    has_laws = has_expectation = certifiable = False
    groups = ("neurons",)
    products = 6

    outputs: Grain = Field(
        default="sign",
        description="one output, whose sign is the class; one per class; or one per subclass, of "
        "which the class of the largest is read off",
    )
    input_normalized: bool = Field(
        default=False,
        description="whether a layer also divides by ‖z‖^(power-1) of its input z",
    )
    bias: bool = Field(default=False, description="whether outputs have a bias, 0 at the start")

    @property
    @abc.abstractmethod
    def output_degree(self) -> float:
        """Power of init_scale that outputs grow like at the start, in plain coordinates."""

    @property
    @abc.abstractmethod
    def depth(self) -> int:
        """Number of weight matrices."""

    @property
    @abc.abstractmethod
    def initialization(self) -> str:
        """How the weights of its layers are drawn, a name in `gflow.network.deep`."""

    @property
    @abc.abstractmethod
    def layering(self) -> dict[str, bool]:
        """Whether hidden layers after the first `skip`, and normalize (`layer_norm`)."""

    @property
    def grain(self) -> Grain:
        return self.outputs

    @property
    def degree(self) -> float:
        return 1.0

    @property
    def unused(self) -> frozenset[str]:
        return frozenset()


class VectorTable(AbstractOutputsTable):
    """Balanced neurons with a vector of outputs, ‖v_j‖ = ‖w_j‖ = init_scale at the start (final).

    They flow in directions and log-norms from any scale, and descend as a network of layers.
    """

    charts = ("polar",)

    kind: Literal["vector"] = Field(default="vector", description="what is trained")

    @property
    def output_degree(self) -> float:
        return 2.0

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
        description="weights, times init_scale: Kaiming's N(0, 2/fan-in); the same variance, "
        "uniform; N(0, 2/(fan-in + fan-out)); or uniform in ±√(6/width), as published",
    )
    hidden_layers: int = Field(
        default=1, ge=1, le=50, description="number of hidden layers, all of the same width"
    )
    skip: bool = Field(
        default=False, description="whether a hidden layer after the first adds its input"
    )
    layer_norm: bool = Field(
        default=False,
        description="whether inputs of hidden layers after the first have mean 0 and variance 1",
    )

    @property
    def output_degree(self) -> float:
        # Where inputs of layers are not normalized, powers compound.
        growth = 0.0 if self.layer_norm else 1.0 if self.input_normalized else self.power
        degree = 1.0
        for _ in range(self.hidden_layers - 1):
            degree = 1 + growth * degree
        return 1 + degree

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
"""Tables that `[network]` may be, by `network.kind`; the first is the default."""


RETIRED = {("network.init", "balanced"): "vector"}
"""Values of older files that have become a kind of their own."""


@rule(NeuronsTable, reads=("network.nudge", "network.init"))
def _nudge_is_used(network: NeuronsTable) -> Iterator[Mistake]:
    if "nudge" in network.model_fields_set and network.init not in ("nudged", "averaged"):
        yield Mistake(
            "network.nudge",
            '`network.nudge` must be given with init = "nudged" or "averaged" only, but init = '
            f'"{network.init}"; take it out, or set network.init = "nudged".',
        )


@rule(NeuronsTable, reads=("network.output_scale", "network.balanced"))
def _output_scale_is_used(network: NeuronsTable) -> Iterator[Mistake]:
    if network.output_scale != 1 and network.balanced:
        yield Mistake(
            "network.output_scale",
            "`network.output_scale` must be given with balanced = false only (a balanced neuron "
            f"has |v_j| = ‖w_j‖), but is {network.output_scale:g}; take it out, or set "
            "network.balanced = false.",
        )
