"""Runs and verdicts as text for a terminal; from plain values, so nothing here needs jax."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, NamedTuple

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from gflow.judges.finding import Finding, Verdict
from gflow.report.headline import Headline
from gflow.report.words import readable
from gflow.runs.findings import finding_of
from gflow.runs.status import State, Status

if TYPE_CHECKING:
    from gflow.runs.run import Run
    from gflow.runs.study import Study

_COLORS = {
    Verdict.HOLDS: "green",
    Verdict.FAILS: "bold red",
    Verdict.UNDECIDED: "yellow",
    Verdict.OUTSIDE: "dim",
}


class Answer(NamedTuple):
    """What a person is told of a result, as plain values, so that it can be kept."""

    headline: dict
    """The answer in short (see `gflow.report.headline`)."""
    cards: list
    """Title and rows of the card of each run."""
    rows: list
    """One row per run, for `--json`; of a study also one for each point without a run, and one
    about all runs together."""

    @classmethod
    def of(cls, result: "Run | Study", findings: "dict[str, tuple[Finding, ...]]") -> "Answer":
        """The answer of a result, given its findings by point label."""
        cards = [(label or run.scenario.name, run.card) for label, run in result.entries]
        headline = Headline.of(result, findings).to_json()
        return cls(headline, cards, _rows(result, findings))

    def to_json(self) -> dict[str, object]:
        """Headline and rows, for `--json`."""
        return {"headline": self.headline, "points": self.rows}

    @property
    def findings(self) -> dict[str, tuple[Finding, ...]]:
        """Findings by point label."""
        return {row["point"]: tuple(map(finding_of, row.get("findings", ()))) for row in self.rows}


def run_card(title: str, rows: Mapping[str, str]) -> RenderableType:
    """A run at a glance."""
    grid = Table.grid(padding=(0, 2))
    for name, value in rows.items():
        grid.add_row(Text(name, style="dim"), Text(value))
    return Group(Text(title, style="bold"), grid)


def colored(line: str) -> Text:
    """A line in which every verdict has its color."""
    text = Text(line)
    for verdict, color in _COLORS.items():
        text.highlight_regex(rf"\b{verdict.value}\b", color)
    text.highlight_regex(r"\bNOT SOUND\b", _COLORS[Verdict.FAILS])
    return text


def unanswered_lines(unanswered: Sequence[Status]) -> RenderableType:
    """Points of a study that have no run, or whose last attempt failed, and the reason."""
    lines = [f"Not answered: {len(unanswered)} of the study's points."] if unanswered else []
    return Group(
        *(Text(line, style="yellow") for line in lines),
        *(
            Text(f"  {status}", style="bold red" if status.state is State.FAILED else "yellow")
            for status in unanswered
        ),
    )


def verdict_table(findings: dict[str, tuple[Finding, ...]]) -> RenderableType:
    """One table per point that was judged, with one row per prediction."""
    return Group(*(_point_table(label, rows) for label, rows in findings.items() if rows))


def _point_table(label: str, rows: tuple[Finding, ...]) -> RenderableType:
    """The verdicts on one point; below, one line for each prediction that does not apply."""
    if len(rows) == 1:
        return _verdicts(label, rows)
    outside = [row for row in rows if row.verdict is Verdict.OUTSIDE]
    inside = tuple(row for row in rows if row not in outside)
    lines = (
        Text(f"OUTSIDE {row.id}: {readable(row.opinion.reason)}", style="dim") for row in outside
    )
    return Group(*([_verdicts(label, inside)] if inside else ()), *lines)


def _verdicts(label: str, rows: tuple[Finding, ...]) -> Table:
    title = f"verdicts, {label}" if label else "verdicts"
    table = Table(title=title, title_justify="left", show_lines=True, expand=True)
    table.add_column("prediction", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    table.add_column("expected and measured", ratio=1)
    table.add_column("reason and source", ratio=1)
    for row in rows:
        opinion = row.opinion
        table.add_row(
            Text(row.id, style="bold"),
            Text(row.verdict.value, style=_COLORS[row.verdict]),
            Text.assemble((_line(opinion.expected), "dim"), readable(opinion.measured)),
            Text.assemble(_line(readable(opinion.reason)), (row.source, "dim")),
        )
    return table


def _line(text: str) -> str:
    return f"{text}\n" if text else ""


def _rows(
    result: "Run | Study", findings: "dict[str, tuple[Finding, ...]]"
) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = [
        {
            "point": label,
            "folder": str(run.folder) if run.folder else None,
            "outcome": {**asdict(run.outcome), "text": run.outcome.text},
            "effort": asdict(run.effort),
            "seconds": run.manifest["seconds"],
            "test": run.test,
            "validation": run.validation,
            "findings": [finding.to_json() for finding in findings[label]],
        }
        for label, run in result.entries
    ]
    if result.scenario.is_grid:
        rows += [status.to_json() for status in result.unanswered]
        together = [finding.to_json() for finding in findings.get("", ())]
        rows += [{"point": "", "folder": str(result.folder), "findings": together}]
    return rows
