"""Mistakes in a scenario, and the sentences that report them.

One idea: what a key must be is derived from the JSON schema of its field, so no sentence can
disagree with the check; the suggested fix is an example, a default or the closest allowed word.
"""

import difflib
import math
from collections.abc import Sequence
from typing import Any

from gflow.scenario.tables import LETTERS, REMOVED, TABLES, meanings, variable_keys
from gflow.scenario.toml_lines import toml_value
from gflow.table import Mistake


class Refused(Exception):
    """Raised where mistakes leave no value to continue with."""

    def __init__(self, *mistakes: Mistake):
        self.mistakes = mistakes


def unknown(key: str, allowed: Sequence[str], place: str = "") -> Mistake:
    """A key that does not exist, with a guess at what was meant."""
    if why := REMOVED.get(key):
        return Mistake(place or key, f"`{key}` must be left out, since {why}; remove it.")
    near = _nearest(key, allowed)
    if near is None and len(allowed) > 20:
        hint = "`gflow schema` lists the known keys."
    elif near is None:
        # Nobody writes what gflow writes of a run that was given something.
        known = [word for word in allowed if not word.endswith(".given")]
        hint = f"known keys are {', '.join(f'`{k}`' for k in known)}."
    else:
        meaning = meanings().get(near)
        hint = f"did you mean `{near}`{f' ({meaning})' if meaning else ''}?"
    return Mistake(place or key, f"unknown key `{key}`; {hint}")


def _nearest(key: str, allowed: Sequence[str]) -> str | None:
    """The key meant by a letter of the papers, a key of another table or a typo, if any."""
    table, _, last = key.rpartition(".")
    if last in LETTERS:
        return LETTERS[last]
    words = meanings()
    elsewhere = [word for word in words if word.rpartition(".")[0] != table]
    for known in (allowed, elsewhere if allowed[0] in words else ()):
        by_last = {_last(word): word for word in known}
        completions = [word for word in by_last if len(last) > 2 and word.startswith(last)]
        for near in completions or difflib.get_close_matches(last, by_last, 1):
            return by_last[near]
    return None


def _last(key: str) -> str:
    return key.rpartition(".")[2]


def not_a_table(name: str, value: Any) -> Mistake:
    """A plain value in place of a table."""
    sentence = (
        f"`{name}` must be a table, but is {describe(value)}; write [{name}] and its keys below."
    )
    return Mistake(name, sentence)


def missing(key: str, field: dict[str, Any]) -> Mistake:
    """A key that has no default and is not given."""
    table, _, name = key.rpartition(".")
    example = toml_value(field["examples"][0])
    under = f" under [{table}]" if table in TABLES else ""
    return Mistake(
        key,
        f"`{key}` must be given ({field['description']}), but is missing; add e.g. "
        f"{name} = {example}{under}.",
    )


def must(key: str, field: dict[str, Any], value: Any) -> Mistake:
    """A value that the field of its key does not accept."""
    demand = requirement(field)
    if isinstance(value, float) and not math.isfinite(value):
        demand = demand.replace("a number", "a finite number")
    elif isinstance(value, float) and abs(value) >= BEYOND_TOML and field.get("type") == "integer":
        demand += "" if "maximum" in field else " of at most 64 bits"
    cure = _cure(field, value)
    if isinstance(value, list) and value[1:] and key in variable_keys() and not _takes_lists(field):
        cure = f"{cure}, or, for several values, {_entry(key, value)} under [vary]"
    return Mistake(key, f"`{key}` must be {demand}, but is {describe(value)}; try {cure}.")


BEYOND_TOML = 2.0**63
"""Integers of this size and more are none of TOML's, and are read as floats."""


def _takes_lists(field: dict[str, Any]) -> bool:
    return any(one.get("type") == "array" for one in (field, *field.get("anyOf", ())))


def _entry(key: str, values: list[Any]) -> str:
    """An entry of [vary], which quotes a dotted key."""
    return f"{toml_value(key) if '.' in key else key} = {_short(toml_value(values))}"


_BOUNDS = {"minimum": ">=", "exclusiveMinimum": ">", "maximum": "<=", "exclusiveMaximum": "<"}


def requirement(field: dict[str, Any]) -> str:
    """The requirement of a JSON schema, in words."""
    if "anyOf" in field:
        return " or ".join(requirement(f) for f in field["anyOf"] if f.get("type") != "null")
    if choices := _choices(field):
        words = _alternatives(choices)
        return f"a list of {words} without repeats" if field.get("type") == "array" else words
    if field.get("type") == "array":
        one = requirement(field["items"]).removeprefix("an ").removeprefix("a ")
        one = one.replace("integer", "integers").replace("number", "numbers")
        return f"a list of {_count(field)}{one}" + (
            " without repeats" if field.get("uniqueItems") else ""
        )
    bounds = " and ".join(f"{sign} {_bound(field[b])}" for b, sign in _BOUNDS.items() if b in field)
    words = {
        "integer": f"an integer {bounds}",
        "number": f"a number {bounds}",
        "boolean": "true or false",
        "string": "1 to 100 letters, digits, - _ or ." if "pattern" in field else "a string",
    }
    return words[field["type"]].strip()


def _count(field: dict[str, Any]) -> str:
    """How many entries a list must have, if more than one, as words before their name."""
    least = field.get("minItems", 0)
    if least == field.get("maxItems"):
        return f"{least} "
    return f"{least} or more " if least > 1 else ""


def _bound(value: int | float) -> str:
    return str(value) if isinstance(value, int) else f"{value:g}"


def _choices(field: dict[str, Any]) -> list[str]:
    """The strings that a JSON schema allows; none if it allows any."""
    if "items" in field:
        return _choices(field["items"])
    return field.get("enum") or [field[key] for key in ("const",) if key in field]


def _alternatives(choices: Sequence[str]) -> str:
    *most, last = map(toml_value, choices)
    return f"{', '.join(most)} or {last}" if most else last


def _cure(field: dict[str, Any], value: Any) -> str:
    choices = [c for f in (field, *field.get("anyOf", ())) for c in _choices(f)]
    for text in value if isinstance(value, list) else [value]:
        if isinstance(text, str) and text not in choices:
            for near in difflib.get_close_matches(text, choices, 1):
                return toml_value([near] if isinstance(value, list) else near)
    return " or ".join(map(toml_value, field.get("examples") or [field.get("default")]))


def describe(value: Any) -> str:
    """A value as TOML, preceded by its type where that is not obvious."""
    text = _short(toml_value(value))
    match value:
        case bool() | int() | float():
            return text
        case str():
            return f"the string {text}"
        case list():
            return f"the list {text}"
        case dict():
            return "a table"
    return f"the date or time {text}"


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}..."
