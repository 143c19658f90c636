"""An axis of a grid: keys that vary together, the values they take, and their labels.

A label uses the shortest words that distinguish the values of a key, since it names both the folder
of a run and its row in a table.
"""

import itertools
import re
from collections.abc import Callable, Container, Iterator, Sequence
from typing import Any, NamedTuple

from gflow.scenario.toml_lines import toml_value


class Axis(NamedTuple):
    """Keys that vary together, and the values they take."""

    keys: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    """One value per key in each row."""

    def steps(self) -> Iterator[tuple[dict[str, Any], str]]:
        """Each row as values by key, and as a label such as "power=3"."""
        names = [label_word(key) for key in self.keys]
        texts = zip(*(_texts(column) for column in zip(*self.rows, strict=True)), strict=True)
        for row, text in zip(self.rows, texts, strict=True):
            label = ",".join(f"{name}={t}" for name, t in zip(names, text, strict=True))
            yield dict(zip(self.keys, row, strict=True)), label

    def without(self, keys: Container[str]) -> "Axis":
        """The axis without some of its keys."""
        columns = [i for i, key in enumerate(self.keys) if key not in keys]
        rows = tuple(tuple(row[i] for i in columns) for row in self.rows)
        return Axis(tuple(self.keys[i] for i in columns), rows)

    def entry(self) -> dict[str, Any]:
        """The axis as an entry of [vary]."""
        if len(self.keys) == 1:
            return {self.keys[0]: [value for (value,) in self.rows]}
        rows = (zip(self.keys, row, strict=True) for row in self.rows)
        # TOML has no null: a key without a value is one that is left out.
        return {"together": [{k: v for k, v in row if v is not None} for row in rows]}

    def mapped(self, change: Callable[[str, Any], Any]) -> "Axis":
        """The axis with `change(key, value)` in place of every value."""
        rows = (tuple(map(change, self.keys, row)) for row in self.rows)
        return Axis(self.keys, tuple(rows))


def label_word(key: str) -> str:
    """The word for a key in labels: its last part, or its table where only that tells it apart."""
    table, _, last = key.rpartition(".")
    return table if last == "kind" or key == "flow.method" else last


def combinations(axes: tuple[Axis, ...]) -> Iterator[tuple[dict[str, Any], str]]:
    """Values by key and label of every point: the product of the axes, the last varying fastest."""
    for steps in itertools.product(*(tuple(axis.steps()) for axis in axes)):
        values = {key: value for varied, _ in steps for key, value in varied.items()}
        yield values, ",".join(label for _, label in steps)


def _texts(values: Sequence[Any]) -> list[str]:
    """Values as words fit for file names, the shortest that distinguish them."""
    distinct = len({repr(value) for value in values})
    for word in (_word, _exact_word):
        words = [word(value) for value in values]
        if len(set(words)) == distinct:
            return words
    return [f"{word}-{i}" for i, word in enumerate(words, start=1)]


def _word(value: Any) -> str:
    match value:
        case None:
            return "none"
        case float():
            return f"{value:g}"
        case list():
            return "+".join(map(_word, value))
        case str():
            return re.sub(r"[^A-Za-z0-9_.+-]+", "-", value)[:40]
    return _word(toml_value(value))


def _exact_word(value: Any) -> str:
    return repr(value) if isinstance(value, float) else _word(value)
