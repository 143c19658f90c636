"""The catalogue of predictions as text: a list, an explanation, and the table of what was found."""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from gflow.errors import RecordError
from gflow.judges.catalogue import ALL
from gflow.judges.finding import Finding, Verdict
from gflow.judges.prediction import Prediction
from gflow.runs.findings import read_findings
from gflow.runs.index import is_study, read_index


def catalogue(predictions: Sequence[Prediction] = ALL) -> Table:
    """Every prediction with its law, source, what it is judged on, and the scenario made for it."""
    table = Table(show_lines=True, expand=True)
    for name in ("number", "prediction"):
        table.add_column(name, no_wrap=True)
    table.add_column("statement and law", ratio=3)
    table.add_column("judged on", ratio=1)
    table.add_column("source", ratio=2)
    for one in predictions:
        table.add_row(
            one.number,
            Text(one.id, style="bold"),
            Text.assemble(one.statement, (f"\n{one.formula}" if one.formula else "", "dim")),
            _judged_on(one),
            Text(one.source, style="dim"),
        )
    return table


def _judged_on(one: Prediction) -> str:
    kinds = (("a run", one.judge), ("a study", one.judge_study))
    judged = " and ".join(name for name, judge in kinds if judge is not None)
    return f"{judged}\n({one.scenario}.toml)" if one.scenario else judged


def explanation(one: Prediction, findings: dict[str, tuple[Finding, ...]]) -> RenderableType:
    """A prediction and all that was found about it: hypotheses, numbers, reason."""
    parts: list[RenderableType] = [
        Text(f"{one.number} {one.id}", style="bold"),
        Text(one.statement),
        *([Text(f"    {one.formula}")] if one.formula else []),
        Text(f"Source: {one.source}", style="dim"),
    ]
    if one.figure:
        parts.append(Text(f"Picture: gflow plot RUN --only {one.figure}", style="dim"))
    found = [_found(label, r) for label, rows in findings.items() for r in rows if r.id == one.id]
    if not found:
        found = [Text("It says nothing here.")]
    return Group(*parts, *found)


def _found(label: str, row: Finding) -> RenderableType:
    grid = Table.grid(padding=(0, 2))
    opinion = row.opinion
    lines = [
        ("verdict", row.verdict.value),
        *(("assumes", str(hypothesis)) for hypothesis in opinion.hypotheses),
        ("expected", opinion.expected),
        ("measured", opinion.measured),
        ("reason", opinion.reason),
        *((name, f"{value}") for name, value in opinion.details.items()),
    ]
    for name, value in lines:
        grid.add_row(Text(name, style="dim"), Text(value))
    return Group(Text(f"\n{label}" if label else "", style="bold"), grid)


class Row(NamedTuple):
    """What is known of one prediction."""

    prediction: Prediction
    expected: str
    measured: str
    verdict: Verdict
    counts: str
    """All verdicts found, such as "HOLDS 3, OUTSIDE 1"."""
    where: str
    """Name of the folder the row speaks of."""


class _Place(NamedTuple):
    """A finding and where it was found."""

    finding: Finding
    folder: Path
    is_study: bool


_WORST_FIRST = (Verdict.FAILS, Verdict.UNDECIDED, Verdict.HOLDS, Verdict.OUTSIDE)


def found_in(folders: Iterable[Path]) -> tuple[Row, ...]:
    """The findings table: a row a prediction, from the verdicts stored in run and study folders.

    Where the scenario made for a prediction is among the folders, the row speaks of it, and of its
    worst verdict; else of the worst anywhere. A study's verdict goes before those of its points.

    **Arguments:**

    - `folders`: run folders, study folders, or folders that hold some.
    """
    places = [place for folder in folders for place in _places(folder)]
    return tuple(_row(one, [p for p in places if p.finding.id == one.id]) for one in ALL)


def _places(folder: Path) -> list[_Place]:
    if is_study(folder):
        points = [place.folder for place in read_index(folder)]
        told = read_findings(folder, None, [p for p in points if (p / "manifest.json").is_file()])
        mine = [_Place(finding, folder, True) for finding in told or ()]
        return mine + [
            _Place(finding, folder, False)
            for point in points
            for finding in read_findings(point) or ()
        ]
    if (folder / "manifest.json").is_file():
        return [_Place(finding, folder, False) for finding in read_findings(folder) or ()]
    inside = sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
    chosen = [p for p in inside if is_study(p) or (p / "manifest.json").is_file()]
    if not chosen:
        raise RecordError(
            f"{folder}: must be a run or study folder, or hold some, but is none; try `runs`."
        )
    return [place for path in chosen for place in _places(path)]


def _row(one: Prediction, places: list[_Place]) -> Row:
    made_for = [p for p in places if p.folder.name.rpartition("-")[0] == one.scenario]
    chosen = made_for or places
    judged = [p for p in chosen if p.finding.verdict is not Verdict.OUTSIDE] or chosen
    studies = [p for p in judged if p.is_study]
    count = Counter(p.finding.verdict for p in (studies or judged))
    counts = ", ".join(f"{v} {count[v]}" for v in _WORST_FIRST if count[v])
    if not judged:
        return Row(one, "", "no run of it", Verdict.NOT_MEASURED, "", "")
    worst = min(studies or judged, key=_telling)
    opinion = worst.finding.opinion
    return Row(
        one, opinion.expected, opinion.measured, opinion.verdict, counts,
        worst.folder.name.rpartition("-")[0],
    )  # fmt: skip


def _telling(place: _Place) -> tuple[int, bool]:
    """Sorts the worst verdicts first, and of equal ones those that a solver might have missed."""
    by_construction = "by construction" in place.finding.opinion.reason
    return _WORST_FIRST.index(place.finding.verdict), by_construction


def findings_table(rows: Sequence[Row]) -> Table:
    """The findings table for a terminal."""
    table = Table(show_lines=True, expand=True)
    for name in ("number", "prediction", "verdict"):
        table.add_column(name, no_wrap=True)
    table.add_column("expected and measured", ratio=1)
    table.add_column("where", no_wrap=True)
    for row in rows:
        table.add_row(
            row.prediction.number,
            Text(row.prediction.id, style="bold"),
            row.verdict.value,
            Text.assemble((f"{row.expected}\n" if row.expected else "", "dim"), row.measured),
            f"{row.where}\n{row.counts}",
        )
    return table


def markdown(rows: Sequence[Row]) -> str:
    """The findings table for a README."""
    lines = [
        "| | prediction | expected | measured | verdict | scenario |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        cells = (
            row.prediction.number, f"`{row.prediction.id}` {row.prediction.statement}",
            row.expected, row.measured,
            row.verdict.value if len(row.counts.split(",")) < 2 else row.counts,
            f"`{row.where}`" if row.where else "",
        )  # fmt: skip
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines)
