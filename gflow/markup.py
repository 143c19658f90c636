"""Small tables in HTML, for results that a notebook shows."""

import html
from collections.abc import Iterable, Sequence

_COLORS = {"HOLDS": "#15803d", "FAILS": "#b91c1c", "UNDECIDED": "#a16207", "OUTSIDE": "#6b7280"}
"""Colors of verdicts, dark enough on white and light enough on black."""


def titled(title: str, *parts: str) -> str:
    """A title above parts that are HTML."""
    return f"<div><b>{html.escape(title)}</b>{''.join(parts)}</div>"


def table(rows: Iterable[Sequence[object]], head: Sequence[str] = ()) -> str:
    """Rows of plain values as a table; verdicts have their color."""
    top = "".join(f"<th style='text-align:left'>{html.escape(name)}</th>" for name in head)
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    return f"<table>{f'<thead><tr>{top}</tr></thead>' if top else ''}<tbody>{body}</tbody></table>"


def code(text: str) -> str:
    """Text as it is, in lines."""
    return f"<pre>{html.escape(text)}</pre>"


def folded(title: str, body: str) -> str:
    """HTML that unfolds at a click on its title."""
    return f"<details><summary>{html.escape(title)}</summary>{body}</details>"


def _cell(value: object) -> str:
    text = str(value)
    color = f"color:{_COLORS[text]};font-weight:600;" if text in _COLORS else ""
    return f"<td style='text-align:left;{color}'>{html.escape(text)}</td>"
