"""TOML text: the line of each key, and how plain values are written.

One idea: the parser decides whether some lines form a complete statement.  A statement ends with
the first line that makes its text valid, so multi-line values, quoted keys and inline tables need
no second grammar.
"""

import json
import math
import re
import tomllib
from collections.abc import Iterator
from typing import Any


def read_toml(text: str) -> dict[str, Any]:
    """TOML text as plain values; an integer beyond 64 bits, which TOML lacks, becomes a float.

    **Raises:** `ValueError` or `RecursionError` (arrays within arrays) for text that is not TOML.
    """
    return _in_64_bits(tomllib.loads(text))


def key_lines(text: str) -> dict[str, int]:
    """Line, from 1, of every key of a TOML text, by its dotted name."""
    lines: dict[str, int] = {}
    header = ""
    for line, statement, tables in _statements(text):
        if statement.lstrip().startswith("["):
            header = statement
        else:
            tables = tomllib.loads(f"{header}\n{statement}")
        for key in _dotted(tables):
            lines.setdefault(key, line)
    return lines


def repeated_key(text: str) -> tuple[str, int, int] | None:
    """The first key or table of a text that is given twice, and the lines of both; None if none is.

    A table is in brackets, as it is written.
    """
    lines: dict[str, int] = {}
    header = ""
    for line, statement, tables in _statements(text):
        leaf = ".".join(_path(tables))
        if statement.lstrip().startswith("[["):
            header = f"{leaf}, line {line}."  # each entry of an array of tables is a table anew
            continue
        if statement.lstrip().startswith("["):
            header, key = f"{leaf}.", f"[{leaf}]"
        elif leaf:
            key = header + leaf
        else:
            continue
        if key in lines:
            return key, lines[key], line
        lines[key] = line
    return None


def _path(tables: dict[str, Any]) -> Iterator[str]:
    """The keys on the way to the value of one statement; an inline table is the value."""
    while isinstance(tables, dict) and len(tables) == 1:
        ((key, tables),) = tables.items()
        yield key


def toml_value(value: Any) -> str:
    """One value as TOML, on one line."""
    match value:
        case bool():
            return str(value).lower()
        case str():
            # JSON escapes are TOML escapes, except that JSON leaves DEL alone.
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        case list() | tuple():
            return f"[{', '.join(map(toml_value, value))}]"
        case dict():
            return f"{{{', '.join(f'{_key(key)} = {toml_value(v)}' for key, v in value.items())}}}"
    return str(value)


def write_toml(tables: dict[str, Any]) -> str:
    """Plain values as TOML; a dict becomes a table, the dicts within it inline tables."""
    head = _pairs({key: value for key, value in tables.items() if not isinstance(value, dict)})
    rest = (
        f"[{_key(key)}]\n{_pairs(value)}"
        for key, value in tables.items()
        if isinstance(value, dict)
    )
    return "\n".join([head, *rest])


def _in_64_bits(value: Any) -> Any:
    match value:
        case dict():
            return {key: _in_64_bits(v) for key, v in value.items()}
        case list():
            return [_in_64_bits(v) for v in value]
        case int() if not -(2**63) <= value < 2**63:
            return (
                float(value) if abs(value) < 2**1000 else math.copysign(math.inf, value > 0 or -1)
            )
    return value


def _statements(text: str) -> Iterator[tuple[int, str, dict[str, Any]]]:
    """Every statement of valid TOML text: its first line, its text, and its values by itself."""
    start, statement = 1, ""
    for number, line in enumerate(text.split("\n"), start=1):
        statement += line + "\n"
        try:
            tables = tomllib.loads(statement)
        except ValueError:
            continue
        yield start, statement, tables
        start, statement = number + 1, ""


def _dotted(tables: dict[str, Any], prefix: str = "") -> Iterator[str]:
    for key, value in tables.items():
        yield prefix + key
        if isinstance(value, dict):
            yield from _dotted(value, f"{prefix}{key}.")


def _pairs(table: dict[str, Any]) -> str:
    return "".join(f"{_key(key)} = {toml_value(value)}\n" for key, value in table.items())


def _key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else toml_value(key)
