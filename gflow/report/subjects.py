"""The runs that a figure shows, with their titles.

A run, a study, or any (label, run) pairs can be drawn; some figures show a few of them side by
side, one column per run.
"""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from gflow.report import paper, style
from gflow.report.figure import NotDrawable, Runs, as_study
from gflow.report.symbols import Part, parts_of
from gflow.runs.run import Run

FOLLOWING = ("end_time", "tolerance", "end_margin")
"""Keys that a title leaves out where the others tell the runs apart."""

T = TypeVar("T")

_MARGIN = 30.0
"""Points beside a title that its axes leave to labels and gaps."""


def by_seed(runs: Sequence[tuple[str, Run]]) -> dict[str, list[Run]]:
    """Runs that differ only in their seed, by their label without it."""
    groups: dict[str, list[Run]] = {}
    for label, run in runs:
        parts = [part for part in label.split(",") if not part.startswith("seed=")]
        groups.setdefault(",".join(parts), []).append(run)
    return groups


def representatives(pairs: Sequence[tuple[str, T]], most: int | None = None) -> list[tuple[str, T]]:
    """As many (label, value) pairs as fit side by side: all, or one of each value of a key.

    The key is the first one whose values differ.  Of more values than fit, the first, the last,
    and some evenly between are taken.  `most` fit, or `paper.most_side_by_side()`.
    """
    most = most or paper.most_side_by_side()
    if len(pairs) <= most:
        return list(pairs)
    # `together` may give labels of several lengths; a missing part is a value of its own.
    rows = [parts_of(label) for label, _ in pairs]
    columns = ([row[k : k + 1] for row in rows] for k in range(max(map(len, rows))))
    column = next((c for c in columns if len(set(c)) > 1), range(len(pairs)))
    firsts: dict[object, tuple[str, T]] = {}
    for value, pair in zip(column, pairs, strict=True):
        firsts.setdefault(value, pair)
    one_each = list(firsts.values())
    count = min(most, len(one_each))
    return [one_each[i] for i in np.linspace(0, len(one_each) - 1, count).round().astype(int)]


def note_on(shown: Sequence[tuple[str, object]], of: int, what: str = "runs") -> str:
    """What a figure says above its axes if it does not show all of them: how many, and which."""
    if len(shown) == of:
        return ""
    common = _common([parts_of(label) for label, _ in shown])
    return f"{len(shown)} of {of} {what}" + "".join(f", {part.text}" for part in common)


def chosen(
    runs: Runs, *, laws: bool = False, neurons: bool = True
) -> tuple[list[tuple[str, Run]], str]:
    """The runs that a figure shows side by side, with their titles; a note if these are not all.

    **Arguments:**

    - `runs`: as in every figure.
    - `laws`: whether the figure is of networks of which there are laws only.
    - `neurons`: whether it needs the record group "neurons".

    **Raises:** `NotDrawable` if one of the runs shown does not have what the figure needs.
    """
    entries = as_study(runs).entries
    some = representatives(entries)
    for label, run in some:
        if laws and not run.evidence.has_laws:
            raise NotDrawable(
                f"the run {label or run.scenario.name} must have one hidden layer and one output, "
                "of which there are laws, but has more; try `training`."
            )
        if laws and not run.evidence.loss_is_known:
            raise NotDrawable(
                f"the run {label or run.scenario.name} must descend a loss whose laws are known, "
                f"but was given {run.scenario.flow.given}; try `fit`."
            )
        if neurons:
            requires(run, label, "neurons")
    note = note_on(some, len(entries))
    columns = list(zip(titles(some, noted=bool(note)), (run for _, run in some), strict=True))
    return columns, note


def requires(run: Run, label: str, group: str) -> None:
    """Refuse a run that lacks an optional group of the record."""
    if not run.evidence.has(group):
        raise NotDrawable(
            f'`record.groups` of the run {label or run.scenario.name} must hold "{group}", but is '
            f"{list(run.scenario.record.groups)}; add it and run again."
        )


def titles(columns: Sequence[tuple[str, Run]], *, noted: bool = False) -> list[str]:
    """A title for each column, in lines that fit it: activation, power, and other varied keys.

    Keys that all columns share are left out if they are `noted` above the axes.
    """
    room = 72 * paper.width() / len(columns) - _MARGIN
    rows = [[part for part in parts_of(label) if part.word != "power"] for label, _ in columns]
    if noted:
        common = _common(rows)
        rows = [[part for part in row if part not in common] for row in rows]
    fewer = [[part for part in row if part.word not in FOLLOWING] for row in rows]
    if len(set(map(tuple, fewer))) == len(set(map(tuple, rows))):
        rows = fewer
    heads = [activation(run) for _, run in columns]
    texts = [[part.text for part in row] for row in rows]
    whole = [", ".join([head, *row]) for head, row in zip(heads, texts, strict=True)]
    if max(map(style.title_width, whole)) <= room:
        return whole
    return ["\n".join([head, *_wrapped(row, room)]) for head, row in zip(heads, texts, strict=True)]


def names(columns: Sequence[tuple[str, Run]]) -> list[str]:
    """The titles in one line each, for a legend."""
    return [title.replace("\n", ", ").replace(",,", ",") for title in titles(columns)]


def activation(run: Run) -> str:
    """The activation and its power, such as "ReLU, $p = 1$"."""
    p, degree = run.evidence.p, run.evidence.degree
    word = "ReLU" if p == 1 else "pReLU" if degree == 1 else "polynomial ReLU"
    return f"{word}, $p = {p:g}$"


def beside_power(label: str) -> list[str]:
    """The varied keys of a label except the power, as a title writes them."""
    return [part.text for part in parts_of(label) if part.word != "power"]


def _common(rows: Sequence[Sequence[Part]]) -> list[Part]:
    """The parts that all rows share."""
    return [part for part in rows[0] if all(part in row for row in rows)]


def _wrapped(parts: Sequence[str], room: float) -> list[str]:
    """The parts with commas, in lines that fit `room` points unless one part is longer."""
    lines: list[str] = []
    for part in parts:
        if lines and style.title_width(f"{lines[-1]}, {part}") <= room:
            lines[-1] += f", {part}"
        else:
            lines = [*lines[:-1], *(f"{line}," for line in lines[-1:]), part]
    return lines
