"""A question: plain values validated as one flow, or as a grid of flows.

One idea: a point of a grid is validated as a file without [vary] would be, whether it comes from a
file or is expanded again from a `Scenario`.  So every point of a grid can also be run by itself.
"""

import hashlib
import json
from collections.abc import Container
from typing import Annotated, Any, NamedTuple, Union

from pydantic import Field, SerializeAsAny, SkipValidation, TypeAdapter, WithJsonSchema

from gflow.data.kind import AbstractData
from gflow.errors import ScenarioError
from gflow.markup import code, titled
from gflow.scenario.axis import Axis, combinations
from gflow.scenario.networks import AbstractNetworkTable
from gflow.scenario.rules import broken
from gflow.scenario.tables import (
    HEAD,
    SLIDING_STEP,
    TABLES,
    UNIONS,
    ChecksTable,
    FlowTable,
    RecordTable,
    RobustnessTable,
    TrainTable,
    models_of,
)
from gflow.scenario.toml_lines import write_toml
from gflow.scenario.validation import read_table, sound_part, valid
from gflow.scenario.vary import vary_schema
from gflow.table import Mistake, Table

NUMERICS = 6
"""Incremented when the same scenario gives different numbers; part of `Scenario.digest`."""


class Point(NamedTuple):
    """One flow of a grid."""

    scenario: "Scenario"
    """A scenario of one flow."""
    varied: dict[str, Any]
    """Values of the keys that vary."""
    label: str
    """These values in short, such as "power=3,seed=1"; "" for a scenario of one flow."""


class Scenario(Table):
    """A question: one flow, or a grid of flows, whose own values are those of the first point.

    Made by `load_scenario` and `parse_scenario`, which also check the rules between keys.
    """

    name: str = Field(
        default="scenario", pattern=r"^[A-Za-z0-9_.-]{1,100}$", description=HEAD["name"]
    )
    question: str = Field(default="", description=HEAD["question"])
    seed: int = Field(default=0, ge=0, le=2**63 - 1, description=HEAD["seed"])
    data: SerializeAsAny[AbstractData] = Field(description=HEAD["data"])
    network: SerializeAsAny[AbstractNetworkTable] = Field(description=HEAD["network"])
    flow: FlowTable = Field(description=HEAD["flow"])
    train: TrainTable = Field(default=TrainTable(), description=HEAD["train"])
    record: RecordTable = Field(default=RecordTable(), description=HEAD["record"])
    robustness: RobustnessTable = Field(default=RobustnessTable(), description=HEAD["robustness"])
    checks: ChecksTable = Field(default=ChecksTable(), description=HEAD["checks"])
    vary: Annotated[SkipValidation[tuple[Axis, ...]], WithJsonSchema({})] = ()

    @property
    def is_grid(self) -> bool:
        """Whether the scenario has a [vary] table."""
        return bool(self.vary)

    @property
    def chart(self) -> str:
        """Coordinates of the weights: "polar", "lightcone", "cartesian", "vector" or "module"."""
        return self.network.chart(self.flow.chart, self.train.is_flow)

    @property
    def recorded_groups(self) -> tuple[str, ...]:
        """The groups in `record.groups` that exist for this kind of network."""
        return tuple(group for group in self.record.groups if group in self.network.groups)

    @property
    def solver(self) -> str:
        """Name of the solver, with "auto" resolved."""
        if self.flow.solver != "auto":
            return self.flow.solver
        return "tsit5" if self.network.power >= 2 else "bosh3"

    @property
    def min_step(self) -> float:
        """Smallest step in alignment time p·κ·π·t, with "auto" resolved."""
        if self.flow.min_step != "auto":
            return self.flow.min_step
        return SLIDING_STEP if self.network.power < 2 else 0.0

    @property
    def given(self) -> tuple[str, ...]:
        """What only Python can give of this question, as keys: `gflow.simulate` was given it."""
        keys = ("network.given", "flow.given", "record.given")
        return tuple(key for key in keys if self.value(key) is not None)

    def with_values(self, values: dict[str, Any]) -> "Scenario":
        """The scenario of one flow with other values of dotted keys, validated as a file is.

        **Arguments:**

        - `values`: by dotted key; None leaves a key out.

        **Raises:** `ScenarioError` with every mistake; none of them has a line.
        """
        tables = self.model_dump(exclude_unset=True, exclude={"vary"})
        left_out = {key for key, value in values.items() if value is None}
        flow, mistakes = read_flow(_without(assigned(tables, values), left_out))
        if flow is None or mistakes:
            raise ScenarioError(tuple(mistake.text for mistake in mistakes))
        return flow

    def value(self, key: str) -> Any:
        """The value of a dotted key; None where data or a network of this kind have no such key."""
        value: Any = self
        for name in key.split("."):
            value = getattr(value, name, None)
        return value

    def points(self) -> tuple[Point, ...]:
        """The flows of the grid in the order of the file, the last key varying fastest."""
        if not self.vary:
            return (Point(self, {}, ""),)
        tables = self.model_dump(exclude_unset=True, exclude={"vary"})
        points = []
        for varied, label in combinations(self.vary):
            flow, _ = read_flow(assigned(tables, varied))
            assert flow is not None, "every point was valid when the grid was read"
            points.append(Point(flow, varied, label))
        return tuple(points)

    def digest(self, data_checksum: str = "") -> str:
        """Eight hexadecimal digits that identify one flow.

        **Arguments:**

        - `data_checksum`: checksum of the file of samples, used in place of its path.

        **Returns:** the start of the sha256 of data, network, flow, record, seed, training if the
        network descends in steps, and `NUMERICS`.  Name, question, robustness and checks do not
        change the flow and are left out.
        """
        hashed = {"data", "network", "flow", "record", "seed"}
        question = self.model_dump(
            mode="json",
            include=hashed if self.train.is_flow else hashed | {"train"},
            exclude={"data": {"path"}},
            exclude_none=True,
        )
        question |= {"numerics": NUMERICS, "data_checksum": data_checksum}
        return hashlib.sha256(json.dumps(question, sort_keys=True).encode()).hexdigest()[:8]

    def to_toml(self) -> str:
        """The scenario as TOML, with its defaults; parsing it gives an equal scenario."""
        return write_toml(self._tables)

    @property
    def by_key(self) -> dict[str, Any]:
        """Every value, with defaults, by dotted key; those that vary by "vary." and their keys."""
        return {
            f"{name}.{key}" if isinstance(values, dict) else name: value
            for name, values in self._tables.items()
            for key, value in (values.items() if isinstance(values, dict) else [(name, values)])
        }

    def _repr_html_(self) -> str:
        return titled(self.name, code(self.to_toml()))

    @property
    def _tables(self) -> dict[str, Any]:
        """Plain values as a file would hold them, with defaults and without unused keys."""
        hidden = {key for axis in self.vary for key in axis.keys}
        for point in self.points():
            unused = point.scenario.network.unused - self.network.model_fields_set
            hidden |= {f"network.{key}" for key in unused}
        tables = self.model_dump(mode="json", exclude={"vary"}, exclude_none=True)
        vary = {key: value for axis in self.vary for key, value in axis.entry().items()}
        return _without(tables, hidden) | ({"vary": vary} if vary else {})


def _without(tables: dict[str, Any], hidden: Container[str], prefix: str = "") -> dict[str, Any]:
    return {
        key: _without(value, hidden, f"{key}.") if isinstance(value, dict) else value
        for key, value in tables.items()
        if prefix + key not in hidden
    }


def schema() -> dict[str, Any]:
    """JSON Schema of a scenario file, for editors."""
    whole = Scenario.model_json_schema()
    whole["properties"]["vary"] = vary_schema()
    # Plugins may have registered more kinds since the models were built.
    for name, registry in UNIONS.items():
        union: Any = Annotated[Union[registry.tables], Field(discriminator="kind")]  # noqa: UP007
        one = TypeAdapter(union).json_schema(ref_template="#/$defs/{model}")
        whole["$defs"] |= one.pop("$defs", {})
        whole["properties"][name] = one | {"description": HEAD[name]}
    abstract = [name for name in whole["$defs"] if name.startswith("Abstract")]
    return whole | {"$defs": {k: v for k, v in whole["$defs"].items() if k not in abstract}}


def assigned(tables: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
    """`tables` with values set by dotted keys; what should be a table but is not stays as it is."""
    tables = dict(tables)
    for key, value in values.items():
        table, dot, name = key.partition(".")
        if not dot:
            tables[key] = value
        elif isinstance(inner := tables.get(table, {}), dict):
            tables[table] = {**inner, name: value}
    return tables


def read_flow(tables: dict[str, Any]) -> tuple[Scenario | None, list[Mistake]]:
    """A scenario of one flow, None if it has mistakes in its tables, and every mistake in it."""
    read = {name: read_table(name, tables.get(name, {})) for name in TABLES}
    parts = {name: part for name, (part, _) in read.items() if part is not None}
    # The head is validated with empty tables in place of those that have mistakes.
    hollow = {name: models_of(name)[0].model_construct() for name in TABLES}
    head = {key: value for key, value in tables.items() if key not in TABLES}
    scenario, mistakes = valid(Scenario, "", head | hollow | parts)
    for _, wrong in read.values():
        mistakes += wrong
    faulty = {mistake.key for mistake in mistakes}
    # Rules apply to whatever is valid, so that one mistake hides no other.
    sound = [sound_part(name, tables.get(name, {}), faulty) for name in TABLES]
    mistakes += broken(filter(None, sound), faulty)
    return scenario if len(parts) == len(TABLES) else None, mistakes
