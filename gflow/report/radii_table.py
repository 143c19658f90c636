"""Radii of test samples as text: medians, and robust accuracies at a few attack radii."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from gflow.judges.robust_accuracy import radius_law
from gflow.robustness.norm import Norm
from gflow.robustness.published_search import PUBLISHED_RADII
from gflow.robustness.universal_attack import Universal
from gflow.runs.run import Run

Ends = tuple[float, float]
"""Certified and attacked."""

LARGE = 1e4
"""From here on radii are printed in powers of ten."""


class Row(NamedTuple):
    """The radii of one run in one norm."""

    label: str
    norm: Norm
    law: tuple[float, ...] | None
    """Radius of the centers of either class if the run learned what theory says it learns."""
    median: Ends
    worst_ratio: float
    """Smallest certified over attacked radius of a sample."""
    accuracy: dict[float, Ends]
    """Robust accuracy by attack radius."""
    samples: int
    neurons: int
    dimension: int | None
    """That of the subspace which perturbations lie in; None for all of space."""
    universal: tuple[Universal, ...]
    """One vector for each class, in l2."""

    def to_json(self) -> dict[str, object]:
        """Plain values, for `--json`."""
        vectors = [
            {"class": one.label, "share": one.share, "certified": one.certified,
             "attacked": one.attacked}
            for one in self.universal
        ]  # fmt: skip
        accuracy = [{"radius": R, "certified": a, "attacked": b} for R, (a, b) in
                    self.accuracy.items()]  # fmt: skip
        return {**self._asdict(), "norm": str(self.norm), "accuracy": accuracy,
                "universal": vectors}  # fmt: skip


def rows_of(entries: Sequence[tuple[str, Run]], at: Sequence[float] = ()) -> list[Row]:
    """One row for each run and norm that was measured.

    **Arguments:**

    - `entries`: runs and their labels.
    - `at`: attack radii to read robust accuracies at; none for a few that suit each norm.
    """
    return [
        _row(label, run, norm, at)
        for label, run in entries
        if run.evidence.robustness is not None
        for norm in run.evidence.robustness.radii
    ]


def _row(label: str, run: Run, norm: Norm, at: Sequence[float]) -> Row:
    robustness = run.evidence.robustness
    assert robustness is not None
    radii = robustness.radii[norm]
    R = tuple(at) or norm.readable_radii(run.scenario.data.facts.scale, run.centers.K)
    ends = (end.tolist() for end in radii.accuracy(np.array(R)))
    return Row(
        label or run.scenario.name,
        norm,
        law=radius_law(run.evidence, norm),
        median=robustness.median(norm),
        worst_ratio=robustness.worst_ratio(norm),
        accuracy=dict(zip(R, zip(*ends, strict=True), strict=True)),
        samples=robustness.n,
        neurons=radii.neurons,
        dimension=radii.dimension,
        universal=robustness.universal if norm == Norm.L2 else (),
    )


def lines_below(entries: Sequence[tuple[str, Run]]) -> list[str]:
    """What no table of radii says: universal vectors, empty subspaces, the published attack."""
    return [*_universal_lines(entries), *_empty_lines(entries), *published_lines(entries)]


def _universal_lines(entries: Sequence[tuple[str, Run]]) -> list[str]:
    """The length of one vector for each class: one line per run."""
    lines = []
    for label, run in entries:
        robustness = run.evidence.robustness
        if robustness is None or not robustness.universal:
            continue
        parts = [
            f"class {one.label:+g}: {bracket((one.certified, one.attacked), 4)}"
            if run.scenario.network.grain == "sign"
            else f"class {one.label:g}: {bracket((one.certified, one.attacked), 4)}"
            for one in robustness.universal
        ]
        lines.append(
            f"one l2 vector for {robustness.universal[0].share:.4g} of a class, "
            f"{label or run.scenario.name}: {', '.join(parts)}"
        )
    return lines


def _empty_lines(entries: Sequence[tuple[str, Run]]) -> list[str]:
    """The subspaces that hold nothing but the origin, where no perturbation flips anything."""
    empty = dict.fromkeys(
        norm.place
        for _, run in entries
        if run.evidence.robustness is not None
        for norm, radii in run.evidence.robustness.radii.items()
        if radii.dimension == 0
    )
    return [f"{place}: of dimension 0, so nothing within it flips a sample" for place in empty]


def published_lines(entries: Sequence[tuple[str, Run]]) -> list[str]:
    """Accuracy under the published attack beside ours: one line for each run with both.

    Radii at which both accuracies are 0 are left out.
    """
    lines = []
    for label, run in entries:
        robustness = run.evidence.robustness
        if robustness is None or robustness.published is None:
            continue
        ours = robustness.radii[Norm.L2].accuracy(PUBLISHED_RADII)
        parts = [
            f"{R:.3f}: {theirs:.3f} (ours {bracket((float(low), float(high)), 3)})"
            for R, theirs, low, high in zip(
                PUBLISHED_RADII, robustness.published, *ours, strict=True
            )
            if R > 0 and (theirs > 0 or high > 0)
        ]
        lines.append(f"published attack, {label or run.scenario.name}: {', '.join(parts)}")
    return lines


def robustness_table(rows: Sequence[Row]) -> RenderableType:
    """One table per norm: law, median radius, robust accuracies, as [certified, attacked]."""
    return Group(*(_norm_table(norm, some) for norm, some in by_norm(rows).items()))


def _norm_table(norm: Norm, rows: Sequence[Row]) -> RenderableType:
    title = Text(f"radii in {norm.sign}, [certified, attacked]")
    table = Table(title=title, title_justify="left", expand=True)
    table.add_column("run", overflow="fold")
    for head in heads(rows):
        table.add_column(head)
    for row in rows:
        table.add_row(*map(Text, [row.label, *cells(row)]))
    return Group(table, Text(f"{rows[0].samples} test samples", style="dim"))


def by_norm(rows: Sequence[Row]) -> dict[Norm, list[Row]]:
    """The rows of each norm that was measured."""
    return {
        norm: [r for r in rows if r.norm == norm] for norm in dict.fromkeys(r.norm for r in rows)
    }


def heads(rows: Sequence[Row]) -> list[str]:
    """Heads of the `cells` of some rows; attack radii are numbered where they differ by row."""
    same = len({tuple(row.accuracy) for row in rows}) == 1
    most = max((list(row.accuracy) for row in rows), key=len)
    radii = [f"{R:.3g}" if same else f"radius {i}" for i, R in enumerate(most, start=1)]
    return ["law at centers", "median radius", "worst ratio", *(f"right at {R}" for R in radii)]


def cells(row: Row) -> list[str]:
    """Law, median radius, worst ratio, and robust accuracies, as text."""
    law = "-" if row.law is None else " and ".join(dict.fromkeys(f"{R:.3f}" for R in row.law))
    return [
        law,
        bracket(row.median, 4),
        f"{row.worst_ratio:.3f}",
        *(bracket(ends, 3) for ends in row.accuracy.values()),
    ]


def bracket(ends: Ends, digits: int) -> str:
    """Two numbers in brackets, or one if they agree in so many digits."""
    low, high = (f"{end:.{digits}f}" if end < LARGE else f"{end:.3g}" for end in ends)
    return low if low == high else f"[{low}, {high}]"


def markdown(rows: Sequence[Row]) -> str:
    """The same tables for a README."""
    lines: list[str] = []
    for norm, some in by_norm(rows).items():
        head = [norm.sign, *heads(some)]
        lines += [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
        lines += [f"| {' | '.join([row.label, *cells(row)])} |" for row in some]
        lines.append("")
    return "\n".join(lines)
