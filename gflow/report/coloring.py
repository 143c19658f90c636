"""Colors and line styles of several runs in one axis, by the keys in which they differ.

One idea: of the keys that vary, one gives the color: a sequential color map with a color bar for
three numbers or more, on a logarithmic scale where they span decades; else one color for each
value.  A second key gives the line style.  Seeds look alike.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import matplotlib
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy import ndarray

from gflow.report import style
from gflow.report.style import CURVES, DASHED, DOTTED, INK, LOGARITHMIC
from gflow.report.symbols import Part, parts_of, quantity, tex_number

FOLLOWING = ("end_time", "tolerance", "end_margin", "end_loss")
"""Keys that follow others in a study, and give no color where others vary."""

_SHADES = matplotlib.colormaps["viridis_r"]
_DARKEST, _LIGHTEST = 1.0, 0.1

_STYLES: tuple[Any, ...] = ("-", DASHED, DOTTED, (0, (5, 1.2, 1, 1.2)))

_TICKS = 7
"""Most values that are named beside a color bar, each at its place."""


class Coloring(NamedTuple):
    """How each run of a figure looks."""

    hue: tuple[Part, ...]
    """The values of the key that gives the color; empty if nothing varies."""
    line: tuple[Part, ...]
    """The values of the key that gives the line style; empty if there is none."""
    rest: tuple[str, ...]
    """Words for the keys that vary besides."""
    bare: tuple[Part, ...] = ()
    """Values that runs without the key of the color have, such as a gradient flow no step size."""

    @classmethod
    def of(cls, labels: Sequence[str]) -> "Coloring":
        """The coloring of runs with these labels."""
        rows = [parts_of(label) for label in labels]
        words = list(dict.fromkeys(part.word for row in rows for part in row))
        factors = {
            word: tuple(dict.fromkeys(part for row in rows for part in row if part.word == word))
            for word in words
            if word != "seed" and len({_part(row, word) for row in rows}) > 1
        }
        leading = {word: parts for word, parts in factors.items() if word not in FOLLOWING}
        factors = leading or factors
        numeric = [word for word, parts in factors.items() if _is_scale(parts)]
        hue = max(numeric, key=lambda word: len(factors[word]), default=next(iter(factors), None))
        others = [word for word in factors if word != hue]
        line = next((word for word in others if len(factors[word]) <= len(_STYLES)), None)
        colored = factors[hue] if hue is not None else ()
        dark = [row for row in rows if _of(row, colored) is None] if colored else []
        bright = {part for row in rows if row not in dark for part in row}
        return cls(
            colored,
            factors[line] if line is not None else (),
            tuple(word for word in others if word != line),
            tuple(dict.fromkeys(part for row in dark for part in row if part not in bright)),
        )

    @property
    def is_scale(self) -> bool:
        """Whether colors are read off a color bar."""
        return _is_scale(self.hue)

    @property
    def norm(self) -> Normalize:
        """From values to places on the color map."""
        values = [part.number or 0.0 for part in self.hue]
        low, high = min(values), max(values)
        decades = low > 0 and high >= LOGARITHMIC * low
        return LogNorm(low, high) if decades else Normalize(low, high)

    def look(self, label: str) -> dict[str, Any]:
        """Color and line style of a run; one without the key that gives the color is dark."""
        row = parts_of(label)
        part, line = (_of(row, parts) for parts in (self.hue, self.line))
        return {
            "color": CURVES[0] if not self.hue else self.color(part),
            "ls": _STYLES[self.line.index(line)] if line is not None else "-",
        }

    def color(self, part: Part | None) -> str:
        """The color of a value of the key."""
        if part is None:
            return INK
        if self.is_scale:
            share = float(self.norm(part.number or 0.0))
            return style.to_hex(_SHADES(_LIGHTEST + (_DARKEST - _LIGHTEST) * share))
        powers = [part.number or 0.0 for part in self.hue] if part.word == "power" else []
        colors = style.curve_colors(powers) or CURVES
        return colors[self.hue.index(part) % len(colors)]

    def explain(self, figure: Figure, axes: ndarray, more: Sequence[Line2D] = ()) -> None:
        """A color bar or a legend of the colors, and a legend of the line styles.

        `more` are further entries of the legend.
        """
        handles: list[Line2D] = []
        if self.is_scale:
            self._bar(figure, list(axes.ravel()))
        elif len(self.hue) > 1:
            handles += [
                Line2D([], [], color=self.color(part), lw=2.2, label=part.text) for part in self.hue
            ]
        if self.bare:
            name = ", ".join(part.text for part in self.bare)
            handles.append(Line2D([], [], color=INK, lw=2.2, label=name))
        handles += [
            Line2D([], [], color=INK, lw=1.1, ls=line, label=part.text)
            for part, line in zip(self.line, _STYLES, strict=False)
        ]
        style.legend(figure, [*handles, *more])

    def _bar(self, figure: Figure, axes: list[Axes]) -> None:
        ramp = _SHADES([_LIGHTEST + (_DARKEST - _LIGHTEST) * i / 255 for i in range(256)])
        colors = ListedColormap(ramp)
        bar = figure.colorbar(
            ScalarMappable(self.norm, colors), ax=axes, pad=0.02, aspect=25,
            label=quantity(self.hue[0].word),
        )  # fmt: skip
        if len(self.hue) <= _TICKS:
            named = [f"${tex_number(part.value)}$" for part in self.hue]
            bar.set_ticks([part.number or 0.0 for part in self.hue], labels=named)
            bar.minorticks_off()
        bar.outline.set_visible(False)  # pyright: ignore[reportCallIssue]


def _is_scale(parts: Sequence[Part]) -> bool:
    """Whether the values of a key are at least three numbers."""
    return len(parts) > 2 and all(part.number is not None for part in parts)


def _part(row: Sequence[Part], word: str) -> Part | None:
    return next((part for part in row if part.word == word), None)


def _of(row: Sequence[Part], parts: Sequence[Part]) -> Part | None:
    return next((part for part in row if part in parts), None)
