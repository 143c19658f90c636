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
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

from gflow.errors import MachineError
from gflow.report import figures, radii_table
from gflow.report.headline import Findings, Headline
from gflow.report.headline_lines import remarks
from gflow.report.page_contents import (
    ORDER,
    commands_of,
    judgments_of,
    points_of,
    provenance_of,
    table_of,
)
from gflow.report.words import readable
from gflow.runs.files import write_text, writing
from gflow.runs.run import Run
from gflow.runs.study import Study
from gflow.runs.verdicts import judged
from gflow.runs.watch import Stage, unstaged

NAME = "report.html"
"""Name of the page in a run or study folder."""


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


class Picture(NamedTuple):
    """A figure as a page holds it."""

    name: str
    caption: str
    png: str
    """In base64."""


def _html(result: Run | Study, findings: Findings, pictures: list[Picture]) -> str:
    from jinja2 import Environment, PackageLoader
    from markupsafe import Markup

    headline = Headline.of(result, findings)
    points = points_of(result, findings, headline)
    heads, rows = table_of(result, headline, findings)
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
        together=judgments_of(together),
        pictures=pictures,
        radii=radii_table.by_norm(radii_table.rows_of(result.entries)),
        radii_table=radii_table,
        published=radii_table.lines_below(result.entries),
        provenance=provenance_of(result),
        scenario=result.scenario.to_toml(),
        commands=commands_of(result),
        scripts=[Markup(script) for script in scripts],
        hashes=[_hash(script) for script in scripts],
        css=Markup(_asset("page.css")),
    )


def _pictures(result: Run | Study, stage: Stage) -> list[Picture]:
    """The figures that are drawn of a result by default, from its folder if they are of today."""
    if not result.entries:
        return []
    with _figure_folder(result) as folder:
        figures.draw(result, folder, tell=lambda _: None, formats=("png",), keep=True, stage=stage)
        files = {kind: folder / f"{kind.name}.png" for kind in figures.default(result)}
        return [
            Picture(kind.name, kind.about, base64.b64encode(path.read_bytes()).decode())
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


_SIGNS = {"&lt;=": "≤", "&gt;=": "≥", " +- ": " ± "}
_WORD = re.compile(rf"\b({'|'.join(verdict.value for verdict in ORDER)})\b")


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
