"""What a file may say: its tables, their keys, what each key means, and the defaults.

One idea: every key is a field with a bound and a description, and whatever else knows keys is made
of these fields: sentences about mistakes, the keys that may vary, and the JSON schema.
"""

from typing import Annotated, Literal, get_args

from pydantic import Field

from gflow.scenario.data_tables import (
    DigitData,
    FeatureData,
    FileData,
    ImageData,
    MixtureData,
)
from gflow.scenario.table import DISTINCT, LAX, Table

SLIDING_STEP = 1e-2
"""Smallest step for p < 2, in alignment time p·κ·π·t, where the flow may slide along a kink."""

Prediction = Literal[
    "balancedness",
    "orthogonal-invariant",
    "energy-balance",
    "charts",
    "closed-form",
    "voronoi-rule",
    "continuum",
    "partial-activation",
    "stability",
    "angle-and-norm",
    "escape-slopes",
    "phase-separation",
    "ei-law",
    "late-gap",
    "late-rates",
    "margin",
    "conjecture-1",
    "distance-scaling",
    "critical-radii",
    "robust-accuracy",
    "radius-over-K",
    "alignment",
    "robustness-over-scale",
    "polynomial-escape",
    "bayes",
    "sgd",
    "loss-independence",
    "unbalanced-times",
]
PREDICTIONS: tuple[str, ...] = get_args(Prediction)
"""Predictions a scenario may ask about."""

LETTERS = {
    "D": "data.dimension",
    "K": "data.subclasses",
    "K1": "data.positive_subclasses",
    "n": "data.samples",
    "alpha": "data.noise",
    "h": "network.width",
    "p": "network.power",
    "eps": "network.init_scale",
}
"""Letters of the papers and of the code, and the words files use for them."""


NeuronInit = Literal["gaussian", "sphere", "nudged", "averaged"]
LayerInit = Literal["gaussian", "kaiming_uniform", "glorot", "published", "balanced"]
NEURONS, LAYERED = get_args(NeuronInit), get_args(LayerInit)
"""Initializations of a population of neurons, and of networks of many layers or outputs."""


class NetworkTable(Table):
    """A two-layer pReLU network and its initialization (final)."""

    width: int = Field(ge=1, description="number of neurons", examples=[200])
    power: float = Field(
        ge=1, description="power of the pReLU activation; 1 is ReLU", examples=[1, 3]
    )
    init_scale: float = Field(
        ge=1e-300, le=1e3, description="size of the initial weights, dimensionless", examples=[1e-7]
    )
    init: Literal[NeuronInit, LayerInit] = Field(
        default="gaussian",
        description="shape of the hidden weights: entries N(0, init_scale²); uniform directions of "
        "norm init_scale; or the same, moved toward a random center, or toward the class average. "
        "Of many layers or outputs, times init_scale: Kaiming's N(0, 2/fan-in); the same variance, "
        "uniform; N(0, 2/(fan-in + fan-out)); uniform in ±√(6/width), as published; or, with one "
        "hidden layer, input and output weights of norm 1 each, which flow in polar coordinates",
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

    outputs: Literal["sign", "classes", "subclasses"] = Field(
        default="sign",
        description="one output, whose sign is the class; one a class; or one a subclass, of which "
        "the class of the largest is read off",
    )
    hidden_layers: int = Field(
        default=1, ge=1, le=50, description="number of hidden layers, all of the same width"
    )
    input_normalized: bool = Field(
        default=False,
        description="whether a layer also divides by ‖z‖^(power-1) of its input z",
    )
    bias: bool = Field(default=False, description="whether outputs have a bias, 0 at the start")
    skip: bool = Field(
        default=False, description="whether a hidden layer after the first adds its input"
    )
    layer_norm: bool = Field(
        default=False,
        description="whether inputs of hidden layers after the first have mean 0 and variance 1",
    )

    @property
    def is_deep(self) -> bool:
        """Whether it is more than a population of neurons with one output: a `DeepNetwork`."""
        more = self.input_normalized or self.bias or self.skip or self.layer_norm
        return more or self.outputs != "sign" or self.hidden_layers > 1

    @property
    def has_laws(self) -> bool:
        """Whether the catalogue speaks of networks of this kind."""
        return not self.is_deep

    @property
    def neuron_init(self) -> NeuronInit:
        """How the neurons of a population are drawn."""
        return self.init  # pyright: ignore[reportReturnType]  # rules refuse others

    @property
    def layer_init(self) -> LayerInit:
        """How layers of a `DeepNetwork` are drawn."""
        return self.init  # pyright: ignore[reportReturnType]  # rules refuse others

    @property
    def degree(self) -> float:
        """Degree of a neuron's output in ‖w_j‖: 1, or the power without normalization."""
        return 1.0 if self.normalized else float(self.power)


DEEP = {"outputs", "hidden_layers", "input_normalized", "bias", "skip", "layer_norm"}
"""Keys of a network that make it a `DeepNetwork`."""


class FlowTable(Table):
    """The gradient flow and its integration (final)."""

    loss: Literal["exponential", "logistic", "half_square", "square"] = Field(
        default="exponential",
        description="loss of one sample, for one output; many outputs have the "
        "cross-entropy, whichever is given",
    )
    convention: Literal["mean", "sum"] = Field(
        default="mean",
        description="weight of one sample in the loss: 1/n or 1; sets the unit of time",
    )
    end_time: float = Field(gt=0, description="flow time at which to end", examples=[16000.0])
    end_loss: Annotated[float, Field(gt=0)] | None = Field(
        default=None, description="loss at which to end earlier", examples=[1e-3]
    )
    end_margin: float | None = Field(
        default=None, description="smallest margin y f(x) at which to end earlier", examples=[1.0]
    )
    chart: Literal["polar", "lightcone", "cartesian"] = Field(
        default="polar",
        description="coordinates: directions and log-norms; directions and logarithms of "
        "‖w‖ + v and ‖w‖ - v, for unbalanced starts at any scale; or plain weights",
    )
    solver: Literal["auto", "tsit5", "bosh3", "dopri8", "heun"] = Field(
        default="auto", description="explicit solver; auto is tsit5 for power >= 2, else bosh3"
    )
    tolerance: float = Field(
        default=1e-3, ge=1e-12, le=0.1, description="error of one step, relative to a neuron"
    )
    absolute_tolerance: Annotated[float, Field(gt=0)] | None = Field(
        default=None,
        description="absolute error of one step in the Cartesian chart; else 1e-6·init_scale",
        examples=[1e-13],
    )
    min_step: Literal["auto"] | Annotated[float, Field(ge=0)] = Field(
        default="auto",
        description="smallest step, in alignment time power·κ·π·t; auto is "
        f"{SLIDING_STEP:g} for power < 2, else 0",
    )
    max_steps: int = Field(
        default=20_000, ge=1, description="budget of steps, accepted and rejected together"
    )
    start: Literal["sample", "population"] = Field(
        default="sample",
        description="field of the alignment phase: that of the samples, or its expectation over "
        "the mixture, which is cheap while the network is negligible",
    )
    start_error: float = Field(
        default=0.2,
        gt=0,
        description="largest expected error of a population start, in radians and in log-masses",
    )
    coalesce: Literal["auto", "on", "off"] = Field(
        default="auto",
        description="whether neurons of one direction are integrated as one; auto does so where "
        "that saves more than it costs to compile; polar chart only",
    )
    merge_angle: float = Field(
        default=1e-3, ge=0, le=0.1, description="largest angle between such neurons, radians"
    )
    precision: Literal["float32", "float64"] = Field(
        default="float32", description="precision of the two matrix products; the state is float64"
    )


class TrainTable(Table):
    """Whether the network follows the flow, or descends in steps (final)."""

    method: Literal["flow", "sgd", "adam"] = Field(
        default="flow",
        description="the gradient flow; or stochastic gradient descent or Adam on plain weights, "
        "whose time is step size times steps (with momentum divided by 1 - momentum)",
    )
    step_size: float = Field(
        default=0.2, gt=0, description="learning rate of sgd and adam", examples=[0.2]
    )
    batch: int = Field(default=100, ge=0, description="samples in a batch; 0 for all")
    momentum: float = Field(default=0.0, ge=0, lt=1, description="momentum of sgd", examples=[0.9])
    epochs: Annotated[int, Field(ge=1)] | None = Field(
        default=None,
        description="passes through the samples after which to end earlier",
        examples=[401],
    )

    @property
    def is_flow(self) -> bool:
        """Whether nothing descends in steps."""
        return self.method == "flow"

    @property
    def time_of_step(self) -> float:
        """Flow time that a step is worth: its size, with momentum β divided by 1 - β."""
        return self.step_size / (1 - self.momentum)


class RecordTable(Table):
    """What is kept of the flow (final)."""

    linear: int = Field(
        default=24, ge=2, description="times recorded through alignment, evenly spaced"
    )
    geometric: int = Field(
        default=24, ge=2, description="times recorded after it, geometrically spaced"
    )
    groups: Annotated[tuple[Literal["neurons", "centers", "orthogonal"], ...], LAX, DISTINCT] = (
        Field(
            default=("neurons", "centers", "orthogonal"),
            description="optional groups of the record",
        )
    )


class RobustnessTable(Table):
    """How far test samples are from being misclassified (final)."""

    norms: Annotated[tuple[Literal["l1", "l2", "linf"], ...], LAX, DISTINCT] = Field(
        default=(), description="norms in which radii are attacked and certified", examples=[["l2"]]
    )
    attacked: int = Field(
        default=0, ge=0, description="number of test samples attacked, the first; 0 for all"
    )
    published: bool = Field(
        default=False,
        description="whether to run the attack of the published code as well, for comparison",
    )


class ChecksTable(Table):
    """What the run is held against (final)."""

    predictions: Literal["all"] | Annotated[tuple[Prediction, ...], LAX, DISTINCT] = Field(
        default="all", description="predictions to judge"
    )


TABLES: dict[str, tuple[type[Table], ...]] = {
    "data": (MixtureData, FileData, DigitData, FeatureData, ImageData),
    "network": (NetworkTable,),
    "flow": (FlowTable,),
    "train": (TrainTable,),
    "record": (RecordTable,),
    "robustness": (RobustnessTable,),
    "checks": (ChecksTable,),
}

HEAD = {
    "name": "name of the run folder",
    "question": "what the scenario asks",
    "seed": "seed of every random choice",
    "data": "where samples come from",
    "network": "what is trained",
    "flow": "how it moves",
    "train": "whether it flows, or descends in steps",
    "record": "what is kept",
    "robustness": "how far test samples are from being misclassified",
    "checks": "what it is held against",
    "vary": "",
}
"""Keys and tables of a scenario itself, and their meanings."""

WORDS = {
    f"{table}.{key}": field.description or ""
    for table, models in TABLES.items()
    for model in models
    for key, field in model.model_fields.items()
} | HEAD
"""Every key of a file, and its meaning."""

VARIABLE = (
    "seed",
    *(key for key in WORDS if "." in key and not key.startswith(("checks.", "robustness."))),
)
"""Keys that [vary] may name."""
