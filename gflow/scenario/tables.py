"""What a file may say besides data and network: tables, their keys, their meanings, the defaults.

Every key is a field with a bound and a description, and whatever else knows keys is made of these
fields: sentences about mistakes, the keys that may vary, and the JSON schema.
"""

from typing import Annotated, Literal

from pydantic import Field

from gflow.data.kinds import DATA
from gflow.scenario.networks import NETWORKS
from gflow.scenario.words import LOSSES, NORMS, PREDICTIONS
from gflow.table import DISTINCT, LAX, Registry, Table

SLIDING_STEP = 1e-2
"""Smallest step for p < 2, in alignment time p·κ·π·t, where the flow may slide along a kink."""

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


class FlowTable(Table):
    """The gradient flow and its integration (final)."""

    loss: Annotated[str, LOSSES] = Field(
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

    norms: Annotated[tuple[Annotated[str, NORMS], ...], LAX, DISTINCT] = Field(
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

    predictions: (
        Literal["all"] | Annotated[tuple[Annotated[str, PREDICTIONS], ...], LAX, DISTINCT]
    ) = Field(default="all", description="predictions to judge")


PLAIN: dict[str, type[Table]] = {
    "flow": FlowTable,
    "train": TrainTable,
    "record": RecordTable,
    "robustness": RobustnessTable,
    "checks": ChecksTable,
}
"""Tables of one kind, by name."""

UNIONS: dict[str, Registry] = {"data": DATA, "network": NETWORKS}
"""Tables of several kinds, by name."""

TABLES = (*UNIONS, *PLAIN)
"""Names of all tables, in the order of a file."""

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


def models_of(table: str) -> tuple[type[Table], ...]:
    """The models that a table may be, the default first; none for a name that is no table's."""
    if table in UNIONS:
        return UNIONS[table].tables
    return (PLAIN[table],) if table in PLAIN else ()


def meanings() -> dict[str, str]:
    """Every key of a file, dotted, and its meaning."""
    keys = {
        f"{table}.{key}": field.description or ""
        for table in TABLES
        for model in models_of(table)
        for key, field in model.model_fields.items()
    }
    return keys | HEAD


def variable_keys() -> tuple[str, ...]:
    """Keys that [vary] may name."""
    fixed = ("checks.", "robustness.")
    return ("seed", *(key for key in meanings() if "." in key and not key.startswith(fixed)))
