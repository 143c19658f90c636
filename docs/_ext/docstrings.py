"""Docstrings of gflow are Markdown: autodoc hands each of them to MyST instead of reading rST."""

import re
from typing import Any, TypeVar

from docutils import nodes
from docutils.utils import new_document
from myst_parser.parsers.sphinx_ import MystParser
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

HOMES = re.compile(r"\bjaxlib\._jax\.|\bnumpy\.")
"""Modules that a signature does not name, although the types are from there."""


class Markdown(SphinxDirective):
    """Text in Markdown within a page in reStructuredText."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        """Parse the content of the directive."""
        document = new_document(self.get_source_info()[0], self.state.document.settings)
        MystParser().parse("\n".join(self.content), document)
        return document.children


def as_markdown(
    app: Sphinx, what: str, name: str, thing: Any, options: Any, lines: list[str]
) -> None:
    """Wrap the lines of a docstring in a `markdown` directive."""
    if any(line.strip() for line in lines):
        lines[:] = [".. markdown::", "", *(f"   {line}" for line in lines), ""]


def with_short_types(
    app: Sphinx, what: str, name: str, thing: Any, options: Any, signature: str, returns: str
) -> tuple[str, str]:
    """Call types in a signature as the source calls them."""
    return tuple(
        text and re.sub(r"jaxlib\._jax\.|~?numpy\.", "", text) for text in (signature, returns)
    )


def is_alias(
    app: Sphinx, what: str, name: str, thing: Any, skip: bool, options: Any
) -> bool | None:
    """Leave out names of shapes, whose value autodoc prints as text that rST cannot read."""
    return True if isinstance(thing, TypeVar) or type(thing).__module__ == "jaxtyping" else None


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive and the hooks of autodoc."""
    app.add_directive("markdown", Markdown)
    app.connect("autodoc-process-docstring", as_markdown)
    app.connect("autodoc-process-signature", with_short_types)
    app.connect("autodoc-skip-member", is_alias)
    return {"parallel_read_safe": True}
