"""Pages made of the package itself, so that none can fall behind: written before each build.

A page is a function that returns Markdown; its file is in `generated`, which git ignores.
"""

import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
from sphinx.application import Sphinx
from typer.cli import get_docs_for_click

from gflow.cli import app as command
from gflow.report.figures import known
from gflow.runs.code import ROOMS
from gflow.scenario import schema
from gflow.scenario.mistakes import requirement
from gflow.scenario.toml_lines import toml_value

ROOT = Path(__file__).parents[2]
FIGURES = ROOT / "figures"
THEORY = ROOT / "gflow" / "laws" / "README.md"

Fields = dict[str, Any]
"""A JSON schema, or a part of one."""


def theory() -> str:
    """The theory page of the package; what is numbered D5 there is the target `theory-D5`."""
    number = r"(\d+(?:\.\d+)?|[A-Z]\d+[a-h]?)(?=[. ])"
    text = THEORY.read_text(encoding="utf-8")
    text = re.sub(rf"^(#{{2,4}} ){number}", r"(theory-\2)=\n\1\2", text, flags=re.MULTILINE)
    entry = re.compile(rf"^((?:- )?)\*\*{number}", re.MULTILINE)
    return entry.sub(r"\1[]{#theory-\2}**\2", text)


def keys() -> str:
    """Every key of a scenario, from its JSON schema."""
    whole = schema()
    lines = [
        "# Keys of a scenario\n",
        "A key without a default must be given. `gflow schema` prints the same as JSON Schema, for "
        "editors. A `[vary]` table [turns a flow into a grid](../how-to/grid.md).\n",
        "## At the top\n",
        *_key_table({k: v for k, v in whole["properties"].items() if not _tables(v, whole)}, whole),
    ]
    for name, field in whole["properties"].items():
        for table in _tables(field, whole):
            kind = table["properties"].get("kind", {}).get("const")
            about = table["description"].removesuffix(".").removesuffix(" (final)")
            lines.append(f"## `[{name}]`" + (f' of kind `"{kind}"`' if kind else "") + "\n")
            lines += [f"{about}.\n", *_key_table(table["properties"], table)]
    return "\n".join(lines)


def _tables(field: Fields, whole: Fields) -> list[Fields]:
    """The tables that a key may hold: one, one of several kinds, or none."""
    forms = [field, *field.get("anyOf", ()), *field.get("oneOf", ())]
    names = [form["$ref"].rpartition("/")[2] for form in forms if "$ref" in form]
    return [whole["$defs"][name] for name in names]


def _key_table(fields: Fields, table: Fields) -> Iterator[str]:
    """One line per key: its meaning, what it must be, and its default."""
    yield "| key | meaning | must be | default |\n|---|---|---|---|"
    for key, field in fields.items():
        if key in ("kind", "vary"):
            continue
        value = field.get("default")
        default = "none" if value is None else f"`{toml_value(value)}`"
        shown = "" if key in table.get("required", ()) else default
        yield f"| `{key}` | {_cell(field['description'])} | {_cell(requirement(field))} | {shown} |"
    yield ""


def _cell(text: str) -> str:
    """Plain text in a cell of a table."""
    return re.sub(r"([|<>*_])", r"\\\1", text)


def options() -> str:
    """Every verb of the command line with its options."""
    group = typer.main.get_command(command)
    text = get_docs_for_click(
        obj=group, ctx=typer.Context(group), name="gflow", title="All options"
    )
    # The list of verbs breaks off after 45 characters; here is space for a sentence.
    for name, verb in getattr(group, "commands", {}).items():
        first = (verb.help or "").partition("\n")[0]
        text = re.sub(rf"^\* `{name}`: .*$", f"* `{name}`: {first}", text, flags=re.MULTILINE)
    return text


def gallery() -> str:
    """Every figure by name, with the command that draws it and pictures that are stored."""
    lines = [
        "# Gallery\n",
        "`gflow run` draws the figures that suit a question. `gflow plot RUN --only NAME` draws "
        "any other from a stored run, as `gflow.figures.NAME(run)` does in Python.\n",
    ]
    pictures = _recipes()
    for name, kind in known().items():
        about, _, more = (kind.draw.__doc__ or "").partition("\n\n")
        lines += [f"## {name}\n", f"{_joined(about)}\n"]
        if more and not more.lstrip().startswith("**"):
            lines.append(f"{_joined(more.partition('**')[0])}\n")
        lines.append(f"```sh\ngflow plot RUN --only {name}\n```\n")
        for file, recipe in pictures.items():
            if Path(file).stem == name or Path(file).stem.endswith(f"_{name}"):
                lines.append(f"![{name}](../../figures/{file})\n\n{recipe}.\n")
    return "\n".join(lines)


def _joined(text: str) -> str:
    return " ".join(text.split())


def _recipes() -> dict[str, str]:
    """Stored pictures, each with its recipe, from the table of figures/README.md."""
    table = (FIGURES / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`.+?) \| (.+?) \|$", table, re.MULTILINE)
    return {name: recipe for names, recipe in rows for name in re.findall(r"`(\S+?)`", names)}


def room(name: str) -> str:
    """The public names of a room of the package, module by module."""
    package = importlib.import_module(f"gflow.{name}")
    paths = getattr(package, "__path__", ())
    inside = [module.name for module in pkgutil.walk_packages(paths, f"gflow.{name}.")]
    lines = [f"# gflow.{name}\n", f"{package.__doc__}\n"]
    for module in inside or [package.__name__]:
        lines.append(f"## {module.removeprefix('gflow.')}\n")
        lines.append(f"```{{eval-rst}}\n.. automodule:: {module}\n```\n")
    return "\n".join(lines)


def write(app: Sphinx) -> None:
    """Write all pages; one that has not changed keeps its time, so it is not read again."""
    pages = {page.__name__: page() for page in (theory, keys, options, gallery)}
    pages |= {f"rooms/{name}": room(name) for name in ROOMS}
    for name, text in pages.items():
        path = Path(app.srcdir) / "generated" / f"{name}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def setup(app: Sphinx) -> dict[str, bool]:
    """Have the pages written before any is read."""
    app.connect("builder-inited", write)
    return {"parallel_read_safe": True}
