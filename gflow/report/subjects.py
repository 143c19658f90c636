"""The runs that a figure shows, with their titles.

A run, a study, or any (label, run) pairs can be drawn; some figures show the first few of them
side by side, one column per run.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from gflow.errors import GflowError
from gflow.report.figure import NotDrawable
from gflow.runs.run import Entry, Run
from gflow.runs.study import Study

Runs = Run | Study | Mapping[str, Run] | Sequence[tuple[str, Run]]
"""What can be drawn: a run, a study, or runs with their labels."""

COLUMNS = 4
"""Most runs side by side in a figure."""

LINE_WIDTH = 100
"""Characters of a title that fit the width of a figure."""

FOLLOWING = ("end_time", "tolerance", "end_margin")
"""Keys that a title leaves out where the others tell the runs apart."""


def as_study(runs: Runs) -> Study:
    """Runs with their labels as a study; the question of runs that are none is that of the first.

    **Raises:** `GflowError` if there are no runs.
    """
    if isinstance(runs, Run | Study):
        entries, folder = runs.entries, runs.folder
    else:
        pairs = runs.items() if isinstance(runs, Mapping) else runs
        entries, folder = tuple(Entry(*pair) for pair in pairs), None
    if not entries:
        raise GflowError("`runs` must hold at least one run, but is empty.")
    if isinstance(runs, Study):
        return runs
    return Study(entries[0].run.scenario, entries, folder or Path())


def by_seed(runs: Sequence[tuple[str, Run]]) -> dict[str, list[Run]]:
    """Runs that differ only in their seed, by their label without it."""
    groups: dict[str, list[Run]] = {}
    for label, run in runs:
        parts = [part for part in label.split(",") if not part.startswith("seed=")]
        groups.setdefault(",".join(parts), []).append(run)
    return groups


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
    first = entries[:COLUMNS]
    for label, run in first:
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
        if neurons and not run.evidence.has("neurons"):
            raise NotDrawable(
                f'`record.groups` of the run {label or run.scenario.name} must hold "neurons", '
                f"but is {list(run.scenario.record.groups)}; add it and run again."
            )
    columns = list(zip(titles(first), (run for _, run in first), strict=True))
    return columns, f"first {COLUMNS} of {len(entries)} runs" if len(entries) > COLUMNS else ""


def titles(columns: Sequence[tuple[str, Run]]) -> list[str]:
    """A title for each column, in lines that fit it: activation, power, and other varied keys."""
    width = LINE_WIDTH // len(columns)
    rest = [beside_power(label) for label, _ in columns]
    fewer = [[part for part in parts if not part.startswith(FOLLOWING)] for parts in rest]
    if len({tuple(parts) for parts in fewer}) == len({tuple(parts) for parts in rest}):
        rest = fewer
    heads = [_activation(run) for _, run in columns]
    whole = [", ".join([head, *parts]) for head, parts in zip(heads, rest, strict=True)]
    if max(map(_length, whole)) <= width:
        return whole
    return [
        "\n".join([head, *_wrapped(parts, width)]) for head, parts in zip(heads, rest, strict=True)
    ]


def _activation(run: Run) -> str:
    p, degree = run.evidence.p, run.evidence.degree
    word = "ReLU" if p == 1 else "pReLU" if degree == 1 else "polynomial ReLU"
    return f"{word}, $p = {p:g}$"


def _wrapped(parts: Sequence[str], width: int) -> list[str]:
    """The parts with commas, in lines of at most `width` characters unless one part is longer."""
    lines: list[str] = []
    for part in parts:
        if lines and _length(lines[-1]) + _length(part) + 2 <= width:
            lines[-1] += f", {part}"
        else:
            lines = [*lines[:-1], *(f"{line}," for line in lines[-1:]), part]
    return lines


def _length(text: str) -> int:
    return len(text.replace("$", ""))


def beside_power(label: str) -> list[str]:
    """The varied keys of a label except the power, as a title writes them."""
    parts = (part.strip() for part in label.split(","))
    return [part.replace("=", " = ") for part in parts if part and not part.startswith("power=")]
