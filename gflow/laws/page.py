"""What the theory page says of a prediction: its paragraph, and what its judge asks for.

The page is README.md beside this file, so that hypotheses and criteria are stated once.
"""

import re
from functools import cache
from importlib.resources import files
from typing import NamedTuple


class Hypotheses(NamedTuple):
    """A row of the table of what judges ask for."""

    used: str
    """In the derivation."""
    requested: str
    """By the judge."""


@cache
def _page() -> str:
    return files("gflow.laws").joinpath("README.md").read_text(encoding="utf-8")


def paragraph(number: str) -> str:
    """The paragraph of a prediction such as "P13"; empty if the page has none."""
    start, end = rf"^\*\*{re.escape(number)}\. ", r"\n\n(?:\*\*P\d|#)"
    match = re.search(f"{start}.*?(?={end})", _page(), re.DOTALL | re.MULTILINE)
    return match[0].replace("**", "") if match else ""


def hypotheses(number: str) -> tuple[Hypotheses, ...]:
    """What the derivation of a prediction uses and its judge asks for, row by row."""
    table = _page().partition("### What a judge asks for")[2].partition("\n## ")[0]
    rows, numbers = [], ""
    for line in table.splitlines():
        if not line.startswith(("| P", "| | ")):
            continue
        about, used, requested, _ = (cell.strip() for cell in line[1:].split("|")[:4])
        numbers = about or numbers  # a row without a number continues the one before
        if number in numbers.split(", "):
            rows.append(Hypotheses(used, requested))
    return tuple(rows)
