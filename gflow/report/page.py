"""The page of a run or a study: one HTML file that needs no network.

One idea: a page is told everything and decides nothing.  What stands still is written by jinja2
from the values that the command line prints; what moves are `Frames`, drawn by bokeh and moved by
templates/page.js.  Scripts are named in the page by their hashes, and nothing else may run or load.

Needs jinja2 and bokeh, the extra `gflow[report]`.
"""

import base64
import hashlib
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

from gflow.errors import MachineError
from gflow.judges.catalogue import CATALOGUE
from gflow.judges.finding import Finding, Verdict
from gflow.report import figures, radii_table, style
from gflow.report.frames import MOST_COSINES, Frames
from gflow.report.headline import Headline, PointAnswer
from gflow.report.headline_lines import cells, clauses, remarks
from gflow.report.theory_table import Fact, facts, grounds
from gflow.report.words import readable
from gflow.runs.files import write_text, writing
from gflow.runs.run import Run
from gflow.runs.study import Study
from gflow.runs.verdicts import judged
from gflow.runs.watch import Stage, unstaged

NAME = "report.html"
"""Name of the page in a run or study folder."""

_ORDER = (Verdict.FAILS, Verdict.UNDECIDED, Verdict.HOLDS, Verdict.OUTSIDE)
"""Verdicts in the order in which they deserve to be read."""


def page(result: Run | Study, out: str | Path | None = None, stage: Stage = unstaged) -> Path:
    """Write the page of a run or a study: what was asked, what came out, and how it came about.

    Verdicts and figures are those stored beside the result, and are made anew where they are not
    of today, as `gflow run` does; nothing is simulated.

    **Arguments:**

    - `result`: a run or a study.
    - `out`: the file; None for `report.html` in the folder of the result, or in the working
        directory if it is not stored.
    - `stage`: called with the name of each stage that begins.

    **Returns:** the file.

    **Raises:** `MachineError` if jinja2 or bokeh is not installed; `RecordError` if the file
    cannot be written.
    """
    path = Path(out) if out is not None else (result.folder or Path()) / NAME
    _check_libraries()
    findings = judged(result, stage)
    stage("drawing")
    pictures = _pictures(result, stage)
    stage("writing the page")
    html = _html(result, findings, pictures)
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, html)
    return path


class Judgment(NamedTuple):
    """A verdict as a page unfolds it."""

    verdict: str
    title: str
    statement: str
    gist: str
    """What was measured, or why it does not apply."""
    facts: list[Fact]
    """Law, source, and the grounds of the verdict."""


class Picture(NamedTuple):
    """A figure as a page holds it."""

    name: str
    caption: str
    png: str
    """In base64."""


class Point(NamedTuple):
    """A run as a page shows it."""

    id: str
    label: str
    clauses: list[str]
    """What it answers, in sentences."""
    card: Mapping[str, str]
    judgments: list[Judgment]
    panels: list[Any]
    """Titles and words of what moves."""
    omitted: str
    values: dict[str, object]
    """What page.js reads: frames, and the panels as bokeh reads them."""


class Row(NamedTuple):
    """A point in the table of a study."""

    id: str
    """Of the run it leads to; empty if there is none."""
    label: str
    cells: list[str]


def _html(
    result: Run | Study, findings: Mapping[str, Sequence[Finding]], pictures: list[Picture]
) -> str:
    from jinja2 import Environment, PackageLoader
    from markupsafe import Markup

    headline = Headline.of(result, findings)
    points = _points(result, findings, headline)
    heads, rows = _table(result, headline, findings)
    together = findings.get("", ()) if isinstance(result, Study) else ()
    scripts = [_bokeh(), _asset("page.js")]
    environment = Environment(
        loader=PackageLoader("gflow.report"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    # Sorted keys would break what bokeh refers to before it is defined.
    environment.policies["json.dumps_kwargs"] = {"separators": (",", ":")}
    environment.filters["typeset"] = _typeset
    return environment.get_template("page.html").render(
        headline=headline,
        remarks=[readable(text) for text in remarks(headline)],
        name=result.scenario.name,
        points=points,
        heads=heads,
        rows=rows,
        together=_judgments(together),
        verdicts=[verdict.value for verdict in _ORDER],
        pictures=pictures,
        radii=radii_table.by_norm(radii_table.rows_of(result.entries)),
        radii_table=radii_table,
        published=radii_table.published_lines(result.entries),
        provenance=_provenance(result),
        scenario=result.scenario.to_toml(),
        commands=_commands(result),
        scripts=[Markup(script) for script in scripts],
        hashes=[_hash(script) for script in scripts],
        css=Markup(_asset("page.css")),
        shades=style.SHADES,
    )


def _points(
    result: Run | Study, findings: Mapping[str, Sequence[Finding]], headline: Headline
) -> list[Point]:
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
            "pair": _default_view(run),
            "panels": {panel.name: json_item(panel.figure) for panel in moving},
        }
        point = Point(
            id=f"point-{i}",
            label=_spaced(label),
            clauses=clauses(answers[label], headline.needed),
            card=run.card,
            judgments=_judgments(findings[label]),
            panels=moving,
            omitted=frames.omitted,
            values=values,
        )
        points.append(point)
    return points


def _default_view(run: Run) -> list[int]:
    """The centers that are shown first: the three of a class of three, else two of one class."""
    label, K = run.centers.label.tolist(), run.centers.K
    members = [[k for k in range(K) if label[k] == sign] for sign in (1, -1)]
    three = next((some for some in members if len(some) == 3), None)
    two = next((some[:2] for some in members if len(some) > 1), list(range(min(K, 2))))
    return three or two


def _judgments(findings: Sequence[Finding]) -> list[Judgment]:
    """Findings as a page unfolds them, those that deserve to be read first at the top."""
    ordered = sorted(findings, key=lambda finding: _ORDER.index(finding.verdict))
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


def _table(
    result: Run | Study, headline: Headline, findings: Mapping[str, Sequence[Finding]]
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
    rows = [
        Row(
            ids.get(label, ""),
            _spaced(label),
            [columns[name].get(label, "") for name in heads],
        )
        for label in varied
    ]
    return heads, rows


def _spaced(label: str) -> str:
    """The label of a point as a title writes it, such as "power = 1, seed = 3"."""
    return label.replace(",", ", ").replace("=", " = ")


def _entries(answer: PointAnswer, findings: Sequence[Finding]) -> dict[str, str]:
    """What a point answers, and how many predictions have which verdict."""
    number = [finding.verdict for finding in findings]
    counts = {verdict.value: f"{number.count(verdict)}" for verdict in _ORDER[:-1] if number}
    places = ("neurons end at", "cosine", "Conjecture 1", "distance")
    known = cells(answer)
    stopped = {"ended": "early"} if answer.stopped else {}
    return {**{name: known.pop(name) for name in places}, **counts, **known, **stopped}


def _pictures(result: Run | Study, stage: Stage) -> list[Picture]:
    """The figures that are drawn of a result by default, from its folder if they are of today."""
    if not result.entries:
        return []
    with _figure_folder(result) as folder:
        figures.draw(result, folder, tell=lambda _: None, keep=True, pdf=False, stage=stage)
        files = {
            kind: style.files(folder, kind.name, False)[-1] for kind in figures.default(result)
        }
        return [
            Picture(
                kind.name,
                (kind.draw.__doc__ or kind.name).splitlines()[0],
                base64.b64encode(path.read_bytes()).decode(),
            )
            for kind, path in files.items()
            if path.is_file()
        ]


@contextmanager
def _figure_folder(result: Run | Study) -> Iterator[Path]:
    """The folder of a result's figures; one for the moment if it has none that can be written."""
    if result.folder is not None:
        folder = result.folder / "figures"
        try:
            folder.mkdir(exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                pass
        except OSError:
            pass
        else:
            yield folder
            return
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def _provenance(result: Run | Study) -> dict[str, str]:
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


def _commands(result: Run | Study) -> list[str]:
    """The commands that make the result and its page again, from a file with the scenario."""
    scenario, folder = result.scenario, result.folder or "RUN"
    norms = dict.fromkeys(
        str(norm) for _, run in result.entries if run.evidence.robustness
        for norm in run.evidence.robustness.radii
    )  # fmt: skip
    lines = [f"gflow run {scenario.name}.toml"]
    if norms and not scenario.robustness.norms:
        lines.append(f"gflow attack {folder} {' '.join(f'--norm {norm}' for norm in norms)}")
    return [*lines, f"gflow report {folder}"]


_SIGNS = {"&lt;=": "≤", "&gt;=": "≥", " +- ": " ± "}
_WORD = re.compile(rf"\b({'|'.join(verdict.value for verdict in _ORDER)})\b")


def _typeset(text: str) -> Any:
    """A text as HTML: verdicts in color, keys in their font, relations as signs, superscripts."""
    from markupsafe import Markup, escape

    html = str(escape(text))
    for written, sign in _SIGNS.items():
        html = html.replace(written, sign)
    html = re.sub(r"`([^`]+)`", r"<code>\1</code>", html)
    html = re.sub(r"\^(\([^)]+\))", r"<sup>\1</sup>", html)
    return Markup(_WORD.sub(lambda m: f'<b class="word {m[0].lower()}">{m[0]}</b>', html))


def _asset(name: str) -> str:
    """A file of the package that goes into every page as it is."""
    return (resources.files("gflow.report") / "templates" / name).read_text(encoding="utf-8")


def _bokeh() -> str:
    """The part of BokehJS that draws figures, as one script."""
    from bokeh.resources import Resources

    return "\n".join(Resources(mode="inline", components=["bokeh"]).js_raw)


def _hash(script: str) -> str:
    """What a content security policy calls a script."""
    return f"sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}"


def _check_libraries() -> None:
    """Refuse to begin where a library is missing."""
    try:
        import bokeh  # noqa: F401
        import jinja2  # noqa: F401
    except ImportError as error:
        raise MachineError(
            f"`gflow report` must have jinja2 and bokeh, but {error.name} is not installed; try "
            "pip install 'gflow[report]'."
        ) from None
