"""The contents of a page as plain values: points, verdicts, a table, provenance.

They are what the command line prints, and what page.js reads.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from gflow.judges.catalogue import CATALOGUE
from gflow.judges.finding import Finding, Verdict
from gflow.report.frames import MOST_COSINES, Frames
from gflow.report.headline import Findings, Headline, PointAnswer
from gflow.report.headline_lines import cells, clauses
from gflow.report.theory_table import Fact, facts, grounds
from gflow.report.words import readable
from gflow.runs.run import Run
from gflow.runs.study import Study

if TYPE_CHECKING:
    from gflow.report.moving_panels import Panel

ORDER = (Verdict.FAILS, Verdict.UNDECIDED, Verdict.HOLDS, Verdict.OUTSIDE)
"""Verdicts in the order in which they deserve to be read."""


class Judgment(NamedTuple):
    """A verdict as a page unfolds it."""

    verdict: str
    title: str
    statement: str
    gist: str
    """What was measured, or why it does not apply."""
    facts: list[Fact]
    """Law, source, and the grounds of the verdict."""


class Point(NamedTuple):
    """A run as a page shows it."""

    id: str
    label: str
    clauses: list[str]
    """What it answers, in sentences."""
    card: Mapping[str, str]
    judgments: list[Judgment]
    panels: "list[Panel]"
    """What moves."""
    omitted: str
    values: dict[str, object]
    """What page.js reads: frames, and the panels as bokeh reads them."""


class Row(NamedTuple):
    """A point in the table of a study."""

    id: str
    """Of the run it leads to; empty if there is none."""
    label: str
    cells: list[str]


def points_of(result: Run | Study, findings: Findings, headline: Headline) -> list[Point]:
    """Every run of a result; the more there are, the fewer frames each one has."""
    from bokeh.embed import json_item

    from gflow.report.moving_panels import panels, sphere_theory

    answers = {point.label: point for point in headline.points}
    most = MOST_COSINES // max(1, len(result.entries))
    points = []
    for i, (label, run) in enumerate(result.entries, start=1):
        frames = Frames.of(run, most)
        moving = panels(frames)
        values = {
            **frames.to_json(),
            "sphere": sphere_theory(run),
            "panels": {panel.name: json_item(panel.figure) for panel in moving},
        }
        point = Point(
            id=f"point-{i}",
            label=_spaced(label),
            clauses=clauses(answers[label], headline.needed),
            card=run.card,
            judgments=judgments_of(findings[label]),
            panels=moving,
            omitted=frames.omitted,
            values=values,
        )
        points.append(point)
    return points


def judgments_of(findings: Sequence[Finding]) -> list[Judgment]:
    """Findings as a page unfolds them, those that deserve to be read first at the top."""
    ordered = sorted(findings, key=lambda finding: ORDER.index(finding.verdict))
    return [
        Judgment(
            verdict=finding.verdict.value,
            title=f"{one.number} {one.id}" if (one := CATALOGUE.get(finding.id)) else finding.id,
            statement=finding.statement,
            gist=readable(_gist(finding)),
            facts=[*(facts(one) if one else []), *grounds(finding)],
        )
        for finding in ordered
    ]


def _gist(finding: Finding) -> str:
    opinion = finding.opinion
    return opinion.reason if finding.verdict is Verdict.OUTSIDE else opinion.measured


def table_of(
    result: Run | Study, headline: Headline, findings: Findings
) -> tuple[list[str], list[Row]]:
    """The table of a study: heads and one row per point; columns without an entry are left out."""
    if isinstance(result, Run):
        return [], []
    answers = {point.label: point for point in headline.points}
    states = {status.label: status for status in result.unanswered}
    ids = {label: f"point-{i}" for i, (label, _) in enumerate(result.entries, start=1)}
    varied = {point.label: point.varied for point in result.scenario.points()}
    columns: dict[str, dict[str, str]] = {}
    for label, values in varied.items():
        row = {key: f"{value}" for key, value in values.items()} if len(values) > 1 else {}
        row |= _entries(answers[label], findings.get(label, ())) if label in answers else {}
        row["state"] = states[label].state.value if label in states else ""
        for name, text in row.items():
            columns.setdefault(name, {})[label] = text
    heads = [name for name, column in columns.items() if any(column.values())]
    texts = {label: [columns[name].get(label, "") for name in heads] for label in varied}
    return heads, [Row(ids.get(label, ""), _spaced(label), row) for label, row in texts.items()]


def _entries(answer: PointAnswer, findings: Sequence[Finding]) -> dict[str, str]:
    """What a point answers, and how many predictions have which verdict."""
    verdicts = [finding.verdict for finding in findings]
    counts = {one.value: f"{verdicts.count(one)}" for one in ORDER[:-1] if verdicts}
    places = ("neurons end at", "cosine", "Conjecture 1", "distance")
    known = cells(answer)
    stopped = {"ended": "early"} if answer.stopped else {}
    return {**{name: known.pop(name) for name in places}, **counts, **known, **stopped}


def _spaced(label: str) -> str:
    """The label of a point as a title writes it, such as "power = 1, seed = 3"."""
    return label.replace(",", ", ").replace("=", " = ")


def provenance_of(result: Run | Study) -> dict[str, str]:
    """Versions and machine of all runs; several values where runs differ."""
    manifests = [run.manifest for _, run in result.entries]
    versions = [
        ", ".join(f"{name} {version}" for name, version in manifest["versions"].items())  # type: ignore
        for manifest in manifests
    ]
    names = ("python", "device", "cores", "threads")
    seconds = sum(float(str(manifest["seconds"])) for manifest in manifests)
    rows = {
        "versions": versions,
        **{name: [str(manifest.get(name, "")) for manifest in manifests] for name in names},
        "checksum of the data": [str(manifest.get("data") or "") for manifest in manifests],
        "seconds of flow": [f"{seconds:.1f}"] if manifests else [],
        "folder": [str(result.folder or "")],
    }
    joined = {name: "; ".join(dict.fromkeys(filter(None, row))) for name, row in rows.items()}
    return {name: text for name, text in joined.items() if text}


def commands_of(result: Run | Study) -> list[str]:
    """The commands that make the result and its page again, from a file with the scenario."""
    scenario, folder = result.scenario, result.folder or "RUN"
    norms = dict.fromkeys(
        f"--within {norm.place}" if norm.place else f"--norm {norm}"
        for _, run in result.entries if run.evidence.robustness
        for norm in run.evidence.robustness.radii
    )  # fmt: skip
    shares = {
        f"--universal {one.share:g}"
        for _, run in result.entries if run.evidence.robustness
        for one in run.evidence.robustness.universal
    }  # fmt: skip
    lines = [f"gflow run {scenario.name}.toml"]
    if norms and not scenario.robustness.norms:
        lines.append(f"gflow attack {folder} {' '.join([*norms, *sorted(shares)])}")
    return [*lines, f"gflow report {folder}"]
