"""The catalogue of predictions as text: a list, an explanation, and where each one stands."""

from collections.abc import Iterable, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from gflow.judges.catalogue import ALL
from gflow.judges.finding import Finding
from gflow.judges.prediction import Prediction, Subject
from gflow.laws.page import Hypotheses, hypotheses, paragraph
from gflow.report.words import readable
from gflow.runs.standing import Standing

Fact = tuple[str, str]
"""A name and a text."""


def catalogue(predictions: Sequence[Prediction] = ALL) -> RenderableType:
    """Every prediction with its law, source, what it is judged on, and the scenario made for it.

    One table per subject.
    """
    tables = [_of_subject(subject, predictions) for subject in Subject]
    return Group(*(table for table in tables if table.rows))


def _of_subject(subject: Subject, predictions: Sequence[Prediction]) -> Table:
    title = Text(subject[:1].upper() + subject[1:], style="bold")
    table = Table(title=title, title_justify="left", show_lines=True, expand=True)
    table.add_column("number", no_wrap=True)
    table.add_column("prediction", no_wrap=True, min_width=max(len(one.id) for one in predictions))
    table.add_column("statement and law", ratio=3)
    table.add_column("judged on", ratio=1)
    table.add_column("source", ratio=2)
    for one in predictions:
        if one.subject == subject:
            table.add_row(
                one.number,
                Text(one.id, style="bold"),
                Text.assemble(one.statement, (f"\n{one.formula}" if one.formula else "", "dim")),
                _judged_on(one),
                Text(one.source, style="dim"),
            )
    return table


def needs(one: Prediction, what: str) -> bool:
    """Whether a prediction needs something, as a person would ask for it.

    "run", "study" or "seeds" is what it is judged on, "neurons", "layers" or "vector" a kind of
    network; other words are looked for in what its judge asks for.
    """
    kinds = ("run", "study", "seeds", "neurons", "layers", "vector")
    if what in kinds:
        judged = {"run": one.judge, "study": one.judge_study, "seeds": one.probable}
        return bool(judged[what]) if what in judged else what in one.networks
    rows = hypotheses(one.number)
    return any(what.casefold() in f"{row.used} {row.requested}".casefold() for row in rows)


def whole(one: Prediction, standing: Standing | None = None) -> RenderableType:
    """A prediction with its paragraph of the theory page, its hypotheses, and where it stands."""
    parts: list[RenderableType] = [explanation(one)]
    if rows := hypotheses(one.number):
        parts.append(Text("\nHypotheses: used in the derivation, asked for by the judge", "bold"))
        parts.append(_hypotheses_table(rows))
    if text := paragraph(one.number):
        parts += [Text("\nCriterion and status (gflow/laws/README.md)", "bold"), Text(text)]
    if standing is not None and standing.counts:
        parts.append(Text("\nStored verdicts", "bold"))
        parts.append(_grid(_verdicts(standing)))
    return Group(*parts)


def _hypotheses_table(rows: Sequence[Hypotheses]) -> Table:
    table = Table("used", "asked for", expand=True, show_lines=len(rows) > 1)
    for row in rows:
        table.add_row(Text(row.used), Text(row.requested))
    return table


def _verdicts(standing: Standing) -> list[Fact]:
    return _known(
        ("verdicts", standing.counts),
        ("where", standing.where),
        ("expected", standing.expected),
        ("measured", standing.measured),
    )


def _judged_on(one: Prediction) -> str:
    subjects = " and ".join(_subjects(one))
    return f"{subjects}\n({one.scenario}.toml)" if one.scenario else subjects


def _subjects(one: Prediction) -> list[str]:
    kinds = (("a run", one.judge), ("a study", one.judge_study))
    return [name for name, judge in kinds if judge is not None]


def to_json(one: Prediction) -> dict[str, object]:
    """A prediction as plain values."""
    names = ("number", "id", "statement", "formula", "source", "scenario", "figure")
    return {
        **{name: getattr(one, name) for name in names},
        "subject": one.subject.value,
        "judged_on": _subjects(one),
    }


def explanation(
    one: Prediction, findings: dict[str, tuple[Finding, ...]] | None = None
) -> RenderableType:
    """A prediction, and every finding about it: hypotheses, numbers, and the reason.

    **Arguments:**

    - `one`: the prediction.
    - `findings`: by point label; None to explain the statement alone.
    """
    parts: list[RenderableType] = [
        Text(f"{one.number} {one.id}", style="bold"),
        Text(one.statement),
        _grid(facts(one)),
    ]
    if findings is None:
        return Group(*parts)
    about = [(label, row) for label, rows in findings.items() for row in rows if row.id == one.id]
    verdicts = [_finding(label, row) for label, row in about]
    return Group(*parts, *(verdicts or [Text("\nIt says nothing here.")]))


def facts(one: Prediction) -> list[Fact]:
    """What is known of a prediction besides its statement: law, source, what it is judged on."""
    return _known(
        ("law", one.formula),
        ("source", one.source),
        ("judged on", " and ".join(_subjects(one))),
        ("scenario", one.scenario and f"scenarios/{one.scenario}.toml"),
        ("figure", one.figure and f"gflow plot RUN --only {one.figure}"),
    )


def grounds(finding: Finding) -> list[Fact]:
    """The grounds of a finding: its reason, numbers, and hypotheses with what was measured."""
    opinion = finding.opinion
    return _known(
        ("verdict", finding.verdict.value),
        ("reason", opinion.reason),
        ("expected", opinion.expected),
        ("measured", opinion.measured),
        *(("assumes", str(hypothesis)) for hypothesis in opinion.hypotheses),
        *((_words(name), _value(value)) for name, value in opinion.details.items()),
    )


def _known(*facts: Fact) -> list[Fact]:
    """The facts that there are, as a person reads them."""
    return [(name, readable(text)) for name, text in facts if text]


def _finding(label: str, finding: Finding) -> RenderableType:
    title = [Text(f"\n{label}", style="bold")] if label else [Text("")]
    return Group(*title, _grid(grounds(finding)))


def _grid(facts: Iterable[Fact]) -> Table:
    """Names and texts in two columns."""
    grid = Table.grid(padding=(0, 2))
    for name, text in facts:
        grid.add_row(Text(name, style="dim"), Text(text))
    return grid


_DETAILS = {
    "own_searched": "own distance, searched",
    "own_certified": "own distance, certified",
    "own_bound": "certified by",
    "own_c": "factor c of the search",
    "own_at_least_squares_c": "own distance at the least-squares c",
    "kappa_pi_t": "κ π t at the end",
    "mean_angle_degrees": "mean angle in degrees",
    "followed": "share that followed",
    "judged": "neurons judged",
}
"""Names of details in words; others read well without their underscores."""


def _words(name: str) -> str:
    if name in _DETAILS:
        return _DETAILS[name]
    kind, _, rest = name.partition("_")
    target, _, how = rest.rpartition("_")
    if kind == "cross" and target:
        return f"distance to {target}, {how}"
    if kind == "contrast":
        return f"from the own target to {rest}"
    return name.replace("_", " ")


def _value(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.4g}"


def standing_json(one: Standing) -> dict[str, object]:
    """Where a prediction stands, as plain values."""
    names = ("expected", "measured", "counts", "where")
    values = {name: getattr(one, name) for name in names}
    return {**to_json(one.prediction), **values, "verdict": one.verdict.value}


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
            Text.assemble(
                (f"{one.expected}\n" if one.expected else "", "dim"), readable(one.measured)
            ),
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
