"""What a figure shows: runs with their titles, a column each.

One idea: a run, a study, or any (label, run) pairs can be drawn, and a figure shows the first few
of them side by side.
"""

from collections.abc import Mapping, Sequence

from gflow.errors import GflowError
from gflow.report.panels import NotDrawable
from gflow.runs.experiment import Run
from gflow.runs.study import Study, entries

Runs = Run | Study | Mapping[str, Run] | Sequence[tuple[str, Run]]
"""What a figure can show: a run, a study, or runs with their labels."""

COLUMNS = 4
"""Most runs side by side in a figure."""


def pairs(runs: Runs) -> list[tuple[str, Run]]:
    """Runs with their labels."""
    if isinstance(runs, Run | Study):
        return [(label, run) for label, run in entries(runs)]
    return list(runs.items() if isinstance(runs, Mapping) else runs)


def chosen(runs: Runs, name: str) -> tuple[list[tuple[str, Run]], str]:
    """The runs a figure shows with their titles, and a note if these are not all."""
    found = pairs(runs)
    if not found:
        raise GflowError("`runs` must hold at least one run, but is empty.")
    for label, run in found[:COLUMNS]:
        if name != "fit" and not run.evidence.has("neurons"):
            raise NotDrawable(
                f'`record.groups` of the run {label or run.scenario.name} must hold "neurons", '
                f"but is {list(run.scenario.record.groups)}; add it and run again."
            )
    shown = [(title_of(label, run), run) for label, run in found[:COLUMNS]]
    return shown, f"first {COLUMNS} of {len(found)} runs" if len(found) > COLUMNS else ""


def title_of(label: str, run: Run) -> str:
    """What the activation is, its power, and whatever else varies."""
    p, degree = run.evidence.p, run.evidence.degree
    word = "ReLU" if p == 1 else "pReLU" if degree == 1 else "polynomial ReLU"
    return ", ".join([f"{word}, $p = {p:g}$", *beside_power(label)])


def beside_power(label: str) -> list[str]:
    """The varied keys of a label but the power, as a title writes them."""
    parts = (part.strip() for part in label.split(","))
    return [part.replace("=", " = ") for part in parts if part and not part.startswith("power=")]
