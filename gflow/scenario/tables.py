"""The tables of a scenario file besides data and network: keys, meanings and defaults.

Every key is a field with a bound and a description.  Whatever else depends on keys is derived from
these fields: the messages about mistakes, the keys that may vary, and the JSON schema.
"""

from typing import Annotated, Literal

from pydantic import Field

from gflow.data.kinds import DATA
from gflow.errors import DataError
from gflow.scenario.networks import NETWORKS
from gflow.scenario.step_sizes import StepSchedule, StepSizes, batches
from gflow.scenario.words import LOSSES, NORMS, PREDICTIONS, SUBSPACES
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
"""Letters of the papers and the code, and the keys that stand for them."""

REMOVED = {
    "flow.start": "alignment is no longer followed in expectation",
    "flow.start_error": "alignment is no longer followed in expectation",
    "flow.coalesce": "every neuron is now integrated by itself",
    "flow.merge_angle": "every neuron is now integrated by itself",
}
"""Keys of older files that are gone, and why."""


class FlowTable(Table):
    """The gradient flow and its integration (final)."""

    loss: Annotated[str, LOSSES] = Field(
        default="exponential",
        description="loss of one sample for a single output; several outputs always have the "
        "cross-entropy",
    )
    given: str | None = Field(
        default=None,
        description="name and checksum of the loss that `gflow.simulate` was given, with loss = "
        "given; only in the scenario of a stored run",
    )
    convention: Literal["mean", "sum"] = Field(
        default="mean",
        description="weight of each sample in the loss: 1/n or 1; sets the unit of time",
    )
    end_time: float = Field(gt=0, description="flow time at which to stop", examples=[16000.0])
    end_loss: Annotated[float, Field(gt=0)] | None = Field(
        default=None, description="loss at which to stop earlier", examples=[1e-3]
    )
    end_margin: float | None = Field(
        default=None, description="smallest margin y f(x) at which to stop earlier", examples=[1.0]
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
        default=1e-3, ge=1e-12, le=0.1, description="error of one step relative to each neuron"
    )
    absolute_tolerance: Annotated[float, Field(gt=0)] | None = Field(
        default=None,
        description="absolute error of one step of plain weights; by default flow.tolerance, at "
        "most 1e-6, in units of the smallest initial neuron or layer",
        examples=[1e-13],
    )
    min_step: Literal["auto"] | Annotated[float, Field(ge=0)] = Field(
        default="auto",
        description="smallest step, in alignment time power·κ·π·t times the mean of ‖x‖^power; a "
        f"shorter one is only taken where it errs by more than this; auto is {SLIDING_STEP:g} for "
        "power < 2, else 0",
    )
    max_steps: int = Field(
        default=20_000, ge=1, description="largest number of steps, accepted and rejected together"
    )
    method: Literal["auto", "multirate", "direct"] = Field(
        default="auto",
        description="how to integrate: by few exact velocities, with the closed form of the "
        "subclasses in between; by the exact velocity at every stage; or (auto) by few as long as "
        "what the closed form leaves out is small",
    )
    precision: Literal["float32", "float64"] = Field(
        default="float32", description="precision of the two matrix products; the state is float64"
    )


class TrainTable(Table):
    """Whether the network follows the flow or descends in steps (final)."""

    method: Literal["flow", "sgd", "adam"] = Field(
        default="flow",
        description="gradient flow; or stochastic gradient descent or Adam on plain weights, "
        "whose time is the sum of all step sizes so far (over 1 - momentum)",
    )
    step_size: float = Field(
        default=0.2, gt=0, description="learning rate of sgd and adam, the largest", examples=[0.2]
    )
    schedule: StepSchedule = Field(
        default="constant",
        description="how step sizes fall over the whole descent, toward train.final times the "
        "largest; it has as many steps as add up to flow.end_time, or train.epochs if these are "
        "fewer",
        examples=["cosine"],
    )
    warmup: int = Field(
        default=0, ge=0, description="first steps, over which step sizes rise linearly from near 0"
    )
    final: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="what step sizes fall to at the end, relative to the largest",
        examples=[0.01],
    )
    drops: int = Field(
        default=2,
        ge=1,
        le=1000,
        description='number of equal drops, evenly spaced in steps, for schedule = "step"',
    )
    batch: int = Field(default=100, ge=0, description="samples per batch; 0 for all")
    momentum: float = Field(default=0.0, ge=0, lt=1, description="momentum of sgd", examples=[0.9])
    epochs: Annotated[int, Field(ge=1)] | None = Field(
        default=None,
        description="passes over the samples after which to stop earlier",
        examples=[401],
    )

    @property
    def is_flow(self) -> bool:
        """Whether the network follows the flow."""
        return self.method == "flow"

    @property
    def time_of_step(self) -> float:
        """Flow time per step of the largest size: this size, divided by 1 - β with momentum β."""
        return self.step_size / (1 - self.momentum)

    @property
    def shape(self) -> StepSizes:
        """The schedule, for no number of steps as yet."""
        return StepSizes(
            schedule=self.schedule, warmup=self.warmup, final=self.final, drops=self.drops
        )

    def sizes(self, end_time: float, n: int) -> StepSizes:
        """The relative sizes of all steps of a descent on `n` samples until a flow time.

        **Raises:** `DataError` if `epochs` end before the warmup does.
        """
        most = None
        if self.epochs is not None:
            most = self.epochs * batches(n, self.batch)
            if most <= self.warmup:
                raise DataError(
                    f"`train.warmup` must be less than the {most} steps of `train.epochs` = "
                    f"{self.epochs}, but is {self.warmup}; lower it."
                )
        return self.shape.lasting(end_time / self.time_of_step, most)


class RecordTable(Table):
    """What is recorded of the flow (final)."""

    linear: int = Field(
        default=24, ge=2, description="number of times recorded during alignment, evenly spaced"
    )
    geometric: int = Field(
        default=24,
        ge=2,
        description="number of times recorded after alignment, geometrically spaced",
    )
    times: Annotated[tuple[Annotated[float, Field(gt=0)], ...], LAX, DISTINCT] = Field(
        default=(),
        description="further flow times to record at, increasing",
        examples=[[10.0, 100.0]],
    )
    groups: Annotated[
        tuple[Literal["neurons", "centers", "orthogonal", "directions"], ...], LAX, DISTINCT
    ] = Field(
        default=("neurons", "centers", "orthogonal"),
        description="optional groups of quantities to record; directions are u_j(t), which need "
        "as much memory as a network for each time",
    )
    given: Annotated[tuple[str, ...], LAX] | None = Field(
        default=None,
        description="names and checksums of what `gflow.simulate` was given to observe; only in "
        "the scenario of a stored run",
    )


class RobustnessTable(Table):
    """How far test samples are from being misclassified (final)."""

    norms: Annotated[tuple[Annotated[str, NORMS], ...], LAX, DISTINCT] = Field(
        default=(),
        description="norms in which test samples are attacked and radii certified",
        examples=[["l2"]],
    )
    within: Annotated[tuple[Annotated[str, SUBSPACES], ...], LAX, DISTINCT] = Field(
        default=(),
        description="subspaces in which l2 perturbations are looked for as well: the span of the "
        "training samples or of the centers and what is orthogonal to it, or both ways along a "
        "vector of classes",
        examples=[["off_samples"]],
    )
    universal: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="share of the test samples of a class that one l2 vector is to misclassify at "
        "once; 0 to look for none",
        examples=[0.95],
    )
    attacked: int = Field(
        default=0, ge=0, description="number of test samples to attack, from the first; 0 for all"
    )
    published: bool = Field(
        default=False,
        description="whether to also run the attack of the published code, for comparison",
    )


class ChecksTable(Table):
    """The predictions to judge (final)."""

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
"""Tables that have no kinds, by name."""

UNIONS: dict[str, Registry] = {"data": DATA, "network": NETWORKS}
"""Tables that have several kinds, by name."""

TABLES = (*UNIONS, *PLAIN)
"""Names of all tables, in the order in which files are written."""

HEAD = {
    "name": "name of the run folder",
    "question": "what the scenario asks",
    "seed": "seed of every random choice",
    "data": "where samples come from",
    "network": "what is trained",
    "flow": "the gradient flow and its integration",
    "train": "whether the network follows the flow or descends in steps",
    "record": "what is recorded",
    "robustness": "how far test samples are from being misclassified",
    "checks": "the predictions to judge",
    "vary": "",
}
"""Top-level keys and tables of a scenario, and their meanings."""


def models_of(table: str) -> tuple[type[Table], ...]:
    """The models of a table, the default first; none for an unknown name."""
    if table in UNIONS:
        return UNIONS[table].tables
    return (PLAIN[table],) if table in PLAIN else ()


def meanings() -> dict[str, str]:
    """Every dotted key of a file and its meaning."""
    keys = {
        f"{table}.{key}": field.description or ""
        for table in TABLES
        for model in models_of(table)
        for key, field in model.model_fields.items()
    }
    return keys | HEAD


def variable_keys() -> tuple[str, ...]:
    """Keys that [vary] may name."""
    fixed, given = ("checks.", "robustness."), ".given"
    keys = (key for key in meanings() if "." in key and not key.endswith(given))
    return ("seed", *(key for key in keys if not key.startswith(fixed)))
