"""Plain values validated as one table, or their mistakes.

One idea: pydantic decides which keys are invalid and nothing more.  Its messages are dropped; each
invalid key is reported from its value and the JSON schema of its field.
"""

from collections.abc import Container
from typing import Any, TypeVar

from pydantic import ValidationError

from gflow.scenario.mistakes import Refused, missing, must, not_a_table, unknown
from gflow.scenario.networks import RETIRED
from gflow.scenario.tables import UNIONS, models_of
from gflow.scenario.toml_lines import toml_value
from gflow.table import Mistake, Table

_M = TypeVar("_M", bound=Table)


def read_table(name: str, table: Any) -> tuple[Table | None, list[Mistake]]:
    """A table of a file by its name; the keys of [data] and [network] depend on their kind."""
    model = _model(name, table)
    if model is not None:
        return valid(model, name, table)
    kinds = list(UNIONS[name].kinds)
    return None, [must(f"{name}.kind", {"enum": kinds, "default": kinds[0]}, table["kind"])]


def sound_part(name: str, table: Any, faulty: Container[str]) -> Table | None:
    """A table without its invalid keys, for rules that read only valid ones."""
    model = _model(name, table)
    if model is None or not isinstance(table, dict):
        return None
    sound = (key for key in model.model_fields if key in table and f"{name}.{key}" not in faulty)
    return model.model_construct(**{key: table[key] for key in sound})


def _model(name: str, table: Any) -> type[Table] | None:
    """The model of a table; None for an unknown kind."""
    if name not in UNIONS or not isinstance(table, dict) or "kind" not in table:
        return models_of(name)[0]
    return UNIONS[name].get(table["kind"])


def valid(model: type[_M], prefix: str, table: Any) -> tuple[_M | None, list[Mistake]]:
    """A table as a model, or None, and its mistakes; unknown keys are reported and ignored."""
    if not isinstance(table, dict):
        return None, [not_a_table(prefix, table)]
    full = {key: f"{prefix}.{key}" if prefix else key for key in [*model.model_fields, *table]}
    allowed = [full[key] for key in model.model_fields]
    strange = [key for key in table if full[key] not in allowed]
    mistakes = [
        _of_another_kind(prefix, key, model) or unknown(full[key], allowed) for key in strange
    ]
    try:
        return model.model_validate(
            {k: v for k, v in table.items() if full[k] in allowed}
        ), mistakes
    except ValidationError as error:
        faulty = dict.fromkeys(str(part["loc"][0]) for part in error.errors(include_url=False))
    # Say in our own words what is wrong with each key that pydantic names.
    fields = properties(model)
    for key in faulty:
        if key in table:
            mistake = must(full[key], fields[key], table[key])
            mistakes.append(_moved(prefix, key, table[key]) or mistake)
        else:
            mistakes.append(missing(full[key], fields[key]))
    return None, mistakes


def _of_another_kind(prefix: str, key: str, model: type[Table]) -> Mistake | None:
    """The mistake of using a key of other kinds of the table; None for a key of no kind."""
    owners = [m for m in models_of(prefix) if key in m.model_fields]
    if not owners:
        return None
    here, *kinds = (m.model_fields["kind"].default for m in (model, *owners))
    *most, last = (f'"{kind}"' for kind in kinds)
    words = f"{', '.join(most)} or {last}" if most else last
    return Mistake(
        f"{prefix}.{key}",
        f"`{prefix}.{key}` must be left out unless {prefix}.kind = {words}, but {prefix}.kind is "
        f'"{here}"; set {prefix}.kind = "{kinds[0]}", or remove it.',
    )


def _moved(prefix: str, key: str, value: Any) -> Mistake | None:
    """The mistake of using a value of another kind of the table; None for a value of no kind."""
    owners = (m for m in models_of(prefix) if value in properties(m).get(key, {}).get("enum", ()))
    kinds = [m.model_fields["kind"].default for m in owners if prefix in UNIONS]
    kind = kinds[0] if kinds else RETIRED.get((f"{prefix}.{key}", str(value)))
    if kind is None:
        return None
    which = f'which belongs to kind "{kind}"' if kinds else "which is now a kind of its own"
    cure = f'set {prefix}.kind = "{kind}"' + ("" if kinds else f" and remove {prefix}.{key}")
    return Mistake(
        f"{prefix}.{key}",
        f"`{prefix}.{key}` must match {prefix}.kind, but is {toml_value(value)}, {which}; {cure}.",
    )


def required(model: type[_M], prefix: str, table: Any) -> _M:
    """An entry of [vary] as a table; mistakes are raised as `Refused`."""
    value, mistakes = valid(model, prefix, table)
    if value is None or mistakes:
        # Only the entry as a whole has a known line.
        raise Refused(*(mistake._replace(key=prefix) for mistake in mistakes))
    return value


def properties(model: type[Table]) -> dict[str, dict[str, Any]]:
    """JSON schema of every key of a table."""
    return model.model_json_schema()["properties"]
