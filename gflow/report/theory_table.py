"""The catalogue of predictions as text: a list, an explanation, and where each one stands."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from gflow.judges.catalogue import ALL
from gflow.judges.finding import Finding
from gflow.judges.prediction import Prediction
from gflow.runs.standing import Standing


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
    subjects = " and ".join(name for name, judge in kinds if judge is not None)
    return f"{subjects}\n({one.scenario}.toml)" if one.scenario else subjects


def explanation(one: Prediction, findings: dict[str, tuple[Finding, ...]]) -> RenderableType:
    """A prediction and every finding about it: hypotheses, numbers, and the reason."""
    parts: list[RenderableType] = [
        Text(f"{one.number} {one.id}", style="bold"),
        Text(one.statement),
        *([Text(f"    {one.formula}")] if one.formula else []),
        Text(f"Source: {one.source}", style="dim"),
    ]
    if one.figure:
        parts.append(Text(f"Figure: gflow plot RUN --only {one.figure}", style="dim"))
    about = [(label, row) for label, rows in findings.items() for row in rows if row.id == one.id]
    verdicts = [_finding(label, row) for label, row in about]
    return Group(*parts, *(verdicts or [Text("It says nothing here.")]))


def _finding(label: str, finding: Finding) -> RenderableType:
    grid = Table.grid(padding=(0, 2))
    opinion = finding.opinion
    lines = [
        ("verdict", finding.verdict.value),
        *(("assumes", str(hypothesis)) for hypothesis in opinion.hypotheses),
        ("expected", opinion.expected),
        ("measured", opinion.measured),
        ("reason", opinion.reason),
        *((name, f"{value}") for name, value in opinion.details.items()),
    ]
    for name, value in lines:
        grid.add_row(Text(name, style="dim"), Text(value))
    return Group(Text(f"\n{label}" if label else "", style="bold"), grid)


def findings_table(standings: Sequence[Standing]) -> Table:
    """The findings table for a terminal."""
    table = Table(show_lines=True, expand=True)
    for name in ("number", "prediction", "verdict"):
        table.add_column(name, no_wrap=True)
    table.add_column("expected and measured", ratio=1)
    table.add_column("where", no_wrap=True)
    for one in standings:
        table.add_row(
            one.prediction.number,
            Text(one.prediction.id, style="bold"),
            one.verdict.value,
            Text.assemble((f"{one.expected}\n" if one.expected else "", "dim"), one.measured),
            f"{one.where}\n{one.counts}",
        )
    return table


def markdown(standings: Sequence[Standing]) -> str:
    """The findings table for a README."""
    lines = [
        "| | prediction | expected | measured | verdict | scenario |",
        "|---|---|---|---|---|---|",
    ]
    for one in standings:
        cells = (
            one.prediction.number, f"`{one.prediction.id}` {one.prediction.statement}",
            one.expected, one.measured,
            one.verdict.value if len(one.counts.split(",")) < 2 else one.counts,
            f"`{one.where}`" if one.where else "",
        )  # fmt: skip
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines)
