"""The [vary] table: lists, ranges and counts of values, read as the axes of a grid.

An entry only lists plain values.  They are validated later, at the points of the grid; here an
entry is refused only if it does not say which values it means.
"""

import math
from collections import Counter
from collections.abc import Iterator
from typing import Any, Literal

from pydantic import Field

from gflow.scenario.axis import Axis
from gflow.scenario.mistakes import Refused, describe, not_a_table, unknown
from gflow.scenario.tables import TABLES, meanings, models_of, variable_keys
from gflow.scenario.toml_lines import toml_value
from gflow.scenario.validation import properties, required
from gflow.table import Mistake, Table

MOST_POINTS = 10_000
"""Largest number of points of a grid."""


class _Range(Table):
    """Values of one key of [vary]: evenly or geometrically spaced, both ends included (final)."""

    start: float = Field(description="first value", examples=[1.0])
    stop: float = Field(description="last value", examples=[10.0])
    count: int = Field(ge=1, le=MOST_POINTS, description="number of values", examples=[5])
    scale: Literal["linear", "geometric"] = Field(
        default="linear", description="how they are spaced"
    )

    def values(self) -> list[float]:
        """All values, from `start` to `stop`."""
        shares = [k / max(self.count - 1, 1) for k in range(self.count)]
        if self.scale == "linear":
            exact = [self.start * (1 - s) + self.stop * s for s in shares]
        else:
            exact = [self.start ** (1 - s) * self.stop**s for s in shares]
        return [float(f"{value:.12g}") for value in exact]


class _Seeds(Table):
    """Seeds of [vary], counted from the scenario's own (final)."""

    count: int = Field(ge=1, le=MOST_POINTS, description="number of seeds", examples=[5])


def vary_schema() -> dict[str, Any]:
    """JSON schema of [vary]."""
    keys = list(variable_keys())
    return {
        "type": "object",
        "description": "keys that vary over the points of a grid",
        "properties": {
            "together": {
                "description": "keys that vary together, one table per point; a key that a table "
                "leaves out has its value of the file",
                "type": "array",
                "minItems": 1,
                "items": {"type": "object", "propertyNames": {"enum": keys}},
            }
        },
        "propertyNames": {"enum": [*keys, "together"]},
        "additionalProperties": {
            "anyOf": [
                {"type": "array", "minItems": 1},
                _Range.model_json_schema(),
                _Seeds.model_json_schema(),
            ]
        },
    }


def read_axes(vary: Any, tables: dict[str, Any]) -> tuple[tuple[Axis, ...], list[Mistake]]:
    """The axes of a grid, and the mistakes in entries that give none.

    **Arguments:**

    - `vary`: the table [vary].
    - `tables`: the rest of the file, whose values hold where a table of `together` gives none.
    """
    if not isinstance(vary, dict):
        return (), [not_a_table("vary", vary)]
    axes: list[Axis] = []
    mistakes: list[Mistake] = []
    for key, value in vary.items():
        try:
            axes.append(
                _together(value, tables)
                if key == "together"
                else _axis(key, value, tables.get("seed"))
            )
        except Refused as refused:
            mistakes += refused.mistakes
    mistakes += _varied_twice(axes)
    number = math.prod(len(axis.rows) for axis in axes)
    if number > MOST_POINTS:
        sentence = (
            f"`vary` must give at most {MOST_POINTS} points, but gives {number}; leave out some "
            "values, or split the scenario."
        )
        mistakes.append(Mistake("vary", sentence))
        axes = [Axis(axis.keys, axis.rows[:1]) for axis in axes]
    return tuple(axes), mistakes


def _varied_twice(axes: list[Axis]) -> Iterator[Mistake]:
    for key, times in Counter(key for axis in axes for key in axis.keys).items():
        if times > 1:
            yield Mistake(
                "vary.together",
                f"`{key}` must vary only once, but is in [vary] twice; remove it from `together`.",
            )


def _axis(key: str, value: Any, seed: Any) -> Axis:
    _check_variable(key, f"vary.{key}")
    if isinstance(value, dict):
        return Axis((key,), tuple((v,) for v in _spread(key, value, seed)))
    if isinstance(value, list) and value:
        return Axis((key,), tuple((v,) for v in value))
    cure = "add a value" if value == [] else f"try [{toml_value(value)}]"
    sentence = (
        f"`{key}` in [vary] must be a list of values or {{start, stop, count, scale}}, but is "
        f"{describe(value)}; {cure}."
    )
    raise Refused(Mistake(f"vary.{key}", sentence))


def _spread(key: str, table: dict[str, Any], seed: Any) -> list[Any]:
    """The values that a count or a range describes."""
    if key == "seed" and not {"start", "stop"} & set(table):
        seeds = required(_Seeds, f"vary.{key}", table)
        first = seed if isinstance(seed, int) else 0
        return list(range(first, first + seeds.count))
    span = required(_Range, f"vary.{key}", table)
    if span.scale == "geometric" and not (span.start > 0 and span.stop > 0):
        sentence = (
            f"`vary.{key}` must run between positive values on a geometric scale, but runs from "
            f'{span.start!r} to {span.stop!r}; try scale = "linear".'
        )
        raise Refused(Mistake(f"vary.{key}", sentence))
    values = span.values()
    return [round(v) for v in values] if _is_whole(key) else values


def _is_whole(key: str) -> bool:
    table, _, name = key.rpartition(".")
    fields = (properties(model).get(name, {}) for model in models_of(table))
    return key == "seed" or any(field.get("type") == "integer" for field in fields)


def _together(rows: Any, tables: dict[str, Any]) -> Axis:
    if not isinstance(rows, list) or not rows or not all(isinstance(r, dict) and r for r in rows):
        sentence = (
            f"`vary.together` must be a list of tables, but is {describe(rows)}; try e.g. together "
            '= [{"network.power" = 1, "flow.end_time" = 100}].'
        )
        raise Refused(Mistake("vary.together", sentence))
    keys = tuple(dict.fromkeys(key for row in rows for key in row))
    for key in keys:
        _check_variable(key, "vary.together")
    # A table that does not name a key has the value of the file.
    own = {key: _own(key, tables) for key in keys if not all(key in row for row in rows)}
    return Axis(keys, tuple(tuple(row.get(key, own.get(key)) for key in keys) for row in rows))


def _own(key: str, tables: dict[str, Any]) -> Any:
    """The value of a key outside of [vary], or its default."""
    table, _, name = key.rpartition(".")
    values = tables.get(table, {}) if table else tables
    if isinstance(values, dict) and name in values:
        return values[name]
    model = next((m for m in models_of(table) if name in m.model_fields), None)
    field = model.model_fields[name] if model else None
    if field is None or field.is_required():
        if key == "seed":
            return 0
        sentence = (
            f"`vary.together` must give `{key}` in every table, but does not, and the file has no "
            "value of its own; add it."
        )
        raise Refused(Mistake("vary.together", sentence))
    return field.default


def _check_variable(key: str, place: str) -> None:
    allowed = variable_keys()
    if key in allowed:
        return
    if key in TABLES:
        example = next(v for v in allowed if v.startswith(key) and not v.endswith(".kind"))
        sentence = (
            f"`{key}` in [vary] must be a dotted key in quotes, but is a table; write e.g. "
            f'"{example}" = [...].'
        )
        raise Refused(Mistake(place, sentence))
    if key in meanings():
        sentence = f"`{key}` must not vary, but is in [vary]; remove it."
        raise Refused(Mistake(place, sentence))
    raise Refused(unknown(key, allowed, place))
