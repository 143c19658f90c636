"""Plain values as one table, or what is wrong with them.

One idea: pydantic decides which keys are wrong and nothing more.  Its own words are dropped; each
faulty key is told anew from its value and the JSON schema of its field.
"""

import functools
from collections.abc import Container
from typing import Any, TypeVar

from pydantic import ValidationError

from gflow.scenario.mistakes import Mistake, Refused, missing, must, not_a_table, unknown
from gflow.scenario.table import Table
from gflow.scenario.tables import TABLES

_M = TypeVar("_M", bound=Table)


def read_table(name: str, table: Any) -> tuple[Table | None, list[Mistake]]:
    """A table of a file by its name; what [data] may say depends on its kind."""
    model = _model(name, table)
    if model is not None:
        return valid(model, name, table)
    return None, [must("data.kind", {"enum": list(_KINDS), "default": "mixture"}, table["kind"])]


def sound_part(name: str, table: Any, faulty: Container[str]) -> Table | None:
    """A table as far as its keys are sound, for rules that read no faulty key."""
    model = _model(name, table)
    if model is None or not isinstance(table, dict):
        return None
    kept = {key: table[key] for key in model.model_fields if key in table}
    return model.model_construct(**{k: v for k, v in kept.items() if f"{name}.{k}" not in faulty})


_KINDS = {model.model_fields["kind"].default: model for model in TABLES["data"]}


def _model(name: str, table: Any) -> type[Table] | None:
    """The model of a table; None where the data's kind is none of the known ones."""
    if name != "data" or not isinstance(table, dict):
        return TABLES[name][0]
    kind = table.get("kind", "mixture")
    return _KINDS.get(kind) if isinstance(kind, str) else None


def valid(model: type[_M], prefix: str, table: Any) -> tuple[_M | None, list[Mistake]]:
    """A table as a model, or None, and its mistakes; unknown keys are reported and left out."""
    if not isinstance(table, dict):
        return None, [not_a_table(prefix, table)]
    full = {key: f"{prefix}.{key}" if prefix else key for key in [*model.model_fields, *table]}
    allowed = [full[key] for key in model.model_fields]
    mistakes = [unknown(full[key], allowed) for key in table if full[key] not in allowed]
    try:
        return model.model_validate(
            {k: v for k, v in table.items() if full[k] in allowed}
        ), mistakes
    except ValidationError as error:
        faulty = dict.fromkeys(str(part["loc"][0]) for part in error.errors(include_url=False))
    fields = properties(model)
    for key in faulty:
        if key in table:
            mistakes.append(must(full[key], fields[key], table[key]))
        else:
            mistakes.append(missing(full[key], fields[key]))
    return None, mistakes


def required(model: type[_M], prefix: str, table: Any) -> _M:
    """An entry of [vary] as a table; its mistakes are raised as `Refused`."""
    value, mistakes = valid(model, prefix, table)
    if value is None or mistakes:
        # The place of [vary] keys is the entry as a whole.
        raise Refused(*(mistake._replace(key=prefix) for mistake in mistakes))
    return value


@functools.cache
def properties(model: type[Table]) -> dict[str, dict[str, Any]]:
    """JSON schema of every key of a table."""
    return model.model_json_schema()["properties"]
