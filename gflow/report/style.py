"""How figures look: colors, type, sizes, shaded phases.

One idea: a subclass has the same color in every figure, warm in the positive class and cool in the
negative one.  Any two of the ten colors for K1 = 6 and K2 = 4, or for 5 and 5, are at least 14
apart (CIE 1976 color difference), also in simulated deuteranopia and protanopia.

The font is STIX, which comes with matplotlib, so a figure is the same on every machine.
"""

import functools
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import matplotlib
from jaxtyping import Int
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.textpath import TextPath
from numpy import ndarray

from gflow.report import paper
from gflow.report.picture import Picture

SMALL = 7.0
"""Size in points of text inside a figure; that of axis labels and ticks is in `_RC`."""

PLUS, MINUS = "#c3160a", "#1540d8"
"""Colors of the positive and the negative class."""

WARM = ("#eaaf1b", "#5e1829", "#f28955", "#dd4d8c", "#eda7ba", "#8f6a1f")
COOL = ("#018e8b", "#224c60", "#8fc7f8", "#9558e9", "#4638ed")
"""Colors of positive and of negative subclasses; then lighter, then darker copies of them."""

CURVES = ("#e08e0b", "#6a3d9a", "#1f9e57", "#1a1a1a", "#9c5a2e", "#7f8c1f")
"""Colors of runs and of what else is neither a class nor a subclass."""

POWERS = {
    1.0: CURVES[0], 1.5: CURVES[4], 2.0: CURVES[2], 2.5: CURVES[5], 3.0: CURVES[1], 4.0: CURVES[3]
}  # fmt: skip
"""Color of a power, in every figure where powers tell curves apart."""

FAINT, LEVEL, INK = "#b8b8b8", "0.35", "0.25"
"""Colors of neurons that contribute nothing or end elsewhere, of reference lines, of small text."""

SHADES = {
    "alignment": "#ffffff",
    "quiet growth": "#f7f0dc",
    "fitting": "#ecdcb0",
    "margin growth": "#fbf8ee",
}
"""Background of each phase of a flow, by its name in `measure.phases`."""

DOTTED: Any = (0, (1, 2))
DASHED: Any = (0, (4, 1.5))

DIVERGING = "RdBu_r"
"""Color map of signed values, white at 0."""

LOGARITHMIC = 20
"""Ratio of the largest to the smallest varied value from which on its axis is logarithmic."""

DPI = 200
"""Dots per inch of a stored figure, unless asked otherwise."""

LINE = 8.5
"""Height in points of one line of small text."""

_GAP = 5.0
"""Points left free between names of phases."""

_ENTRY = 26.0
"""Points of an entry of a legend beside its text: the handle and the gaps."""

_RC: Any = {
    "font.family": "STIXGeneral",
    "mathtext.fontset": "stix",
    "axes.formatter.use_mathtext": True,
    "font.size": 8.5,
    "axes.titlesize": 9.0,
    "axes.labelsize": 8.5,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "legend.fontsize": 7.5,
    "legend.frameon": False,
    "legend.handlelength": 1.4,
    "legend.handletextpad": 0.6,
    "legend.columnspacing": 1.2,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.minor.width": 0.4,
    "ytick.minor.width": 0.4,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "xtick.minor.size": 1.5,
    "ytick.minor.size": 1.5,
    "pdf.fonttype": 42,
    "svg.hashsalt": "gflow",
    "figure.autolayout": False,
    "figure.constrained_layout.use": False,
}


class Span(NamedTuple):
    """A named stretch of flow time."""

    name: str
    begin: float
    end: float


def styled() -> Any:
    """A context, also usable as a decorator, in which figures are drawn and saved."""
    return matplotlib.rc_context(_RC)


def panels(
    rows: int, columns: int, note: str, height: float, **options: Any
) -> tuple[Figure, ndarray]:
    """A figure of `rows` × `columns` axes, as wide as one or two columns of a paper.

    **Arguments:**

    - `rows`, `columns`: of axes.
    - `note`: small text above the axes.
    - `height`: of one row, in inches.
    - `options`: of `Figure.subplots`.

    **Returns:** the figure and its axes, of shape (rows, columns).
    """
    width = paper.width(1 if columns == 1 else 2)
    figure = Picture(figsize=(width, rows * height + 0.75), layout="constrained")
    if note:
        figure.suptitle(note, fontsize=SMALL, color=INK)
    return figure, figure.subplots(rows, columns, squeeze=False, **options)


def column_width(columns: int) -> float:
    """Width in inches of each column of `panels`."""
    return paper.width(1 if columns == 1 else 2) / columns


def row(columns: int, note: str, height: float, **options: Any) -> tuple[Figure, ndarray]:
    """A figure of axes side by side, or one above the other in one column of a paper.

    **Arguments:** as in `panels`.

    **Returns:** the figure and its axes, of shape (columns,).
    """
    if paper.is_narrow():
        figure, axes = panels(columns, 1, note, height, **options)
    else:
        figure, axes = panels(1, columns, note, height, **options)
    return figure, axes.ravel()


def curve_colors(powers: Sequence[float]) -> list[str]:
    """A color for each curve: that of its power where no two curves share one, else in order."""
    if len(set(powers)) == len(powers) and POWERS.keys() >= set(powers):
        return [POWERS[p] for p in powers]
    return [_nth(CURVES, n) for n in range(len(powers))]


def reference_colors(label: Int[ndarray, " K"]) -> tuple[str, ...]:
    """Colors of μ_1..μ_K, μ̄₊, μ̄₋, in the order of `Centers.references`.

    **Arguments:**

    - `label`: class of each center, ±1.
    """
    used = {1: 0, -1: 0}
    colors = []
    for y in map(int, label):
        colors.append(_nth(WARM if y > 0 else COOL, used[y]))
        used[y] += 1
    return (*colors, PLUS, MINUS)


def reference_labels(K: int) -> tuple[str, ...]:
    """Names of μ_1..μ_K, μ̄₊, μ̄₋ in a figure."""
    centers = (rf"$\mu_{{{k + 1}}}$" for k in range(K))
    return (*centers, r"$\bar\mu_{\!+}$", r"$\bar\mu_{\!-}$")


def color_key(figure: Figure, entries: Sequence[tuple[str, str]]) -> None:
    """A legend below the axes that names colors.

    **Arguments:**

    - `figure`: gets the legend.
    - `entries`: names and colors; repetitions are left out.
    """
    distinct = list(dict.fromkeys(entries))
    legend(figure, [Line2D([], [], color=color, lw=2.2, label=name) for name, color in distinct])


def legend(figure: Figure, handles: Sequence[Artist], **options: Any) -> None:
    """A legend below the axes, in as many columns as fit the width of the figure."""
    if not handles:
        return
    widths = [_width(str(h.get_label()), _RC["legend.fontsize"]) + _ENTRY for h in handles]
    room, n = 72 * figure.get_figwidth() - _GAP, len(handles)
    # matplotlib fills a legend column by column.
    for rows in range(1, n + 1):
        columns = [widths[k : k + rows] for k in range(0, n, rows)]
        if sum(map(max, columns)) <= room:
            break
    figure.legend(
        handles=list(handles),
        loc="outside lower center",
        ncols=len(columns),
        **options,
    )


def shade(ax: Axes, spans: Sequence[Span]) -> None:
    """Shade phases behind the curves of `ax`."""
    for name, begin, end in spans:
        ax.axvspan(begin, end, color=SHADES[name], lw=0, zorder=0, gid=name)


def name_spans(ax: Axes, spans: Sequence[Span]) -> int:
    """Write the name of each phase above its shade.

    A name that is longer than its phase is broken into lines and extends over the longer neighbor;
    names that would touch are raised.

    **Arguments:**

    - `ax`: its logarithmic time axis must have its final limits, and its width, as after
        `place_axes`.
    - `spans`: phases.

    **Returns:** the number of lines of text above the axes.
    """
    left, right = ax.get_xlim()
    scale = 72 * ax.bbox.width / ax.figure.dpi / math.log(right / left)
    inside = [Span(n, max(a, left), min(b, right)) for n, a, b in spans if a < right and b > left]
    lengths = [scale * math.log(span.end / span.begin) for span in inside]
    # The shortest phase comes first, since its name has the least freedom.
    lines: list[list[tuple[float, float]]] = []
    for i in sorted(range(len(inside)), key=lengths.__getitem__):
        span, room = inside[i], lengths[i] - _GAP
        name = span.name if _width(span.name) <= room else span.name.replace(" ", "\n")
        # Where it may stand: centered or at either end of its phase if it fits there; otherwise
        # extending over the longer neighbor, or over the other one.
        before, after = (lengths[k] if 0 <= k < len(inside) else 0.0 for k in (i - 1, i + 1))
        slack = (room - _width(name)) / 2
        reach = math.copysign(slack, after - before)
        center = math.sqrt(span.begin) * math.sqrt(span.end)  # at 1e-300, too
        middle = scale * math.log(center / left)
        half = (_width(name) + _GAP) / 2
        shifts = (0.0, -slack, slack) if slack >= 0 else (reach, -reach)
        line, shift = _place(lines, middle, half, height=1 + name.count("\n"), shifts=shifts)
        ax.annotate(
            name,
            (center, 1),
            (shift, 1.5 + LINE * line),
            ("data", "axes fraction"),
            "offset points",
            ha="center",
            va="bottom",
            color=INK,
            fontsize=SMALL,
            linespacing=0.95,
            annotation_clip=False,
        )
    return len(lines)


def title_width(text: str) -> float:
    """Length in points of the longest line of a title."""
    return _width(text, _RC["axes.titlesize"])


@functools.cache
def _width(text: str, size: float = SMALL) -> float:
    """Length in points of the longest line of a text."""
    with styled():
        font = FontProperties(family=_RC["font.family"], math_fontfamily="stix")
        paths = [TextPath((0, 0), line, size=size, prop=font) for line in text.split("\n")]
    return max(path.get_extents().width for path in paths)


def _place(
    lines: list[list[tuple[float, float]]],
    middle: float,
    half: float,
    *,
    height: int,
    shifts: tuple[float, ...],
) -> tuple[int, float]:
    """The lowest line with room for a name of `height` lines, and how far it is shifted there."""
    for line in range(len(lines) + 1):
        for shift in (0.0,) if line else shifts:
            begin, end = middle + shift - half, middle + shift + half
            taken = [stretch for row in lines[line : line + height] for stretch in row]
            if all(end <= a + 1e-6 or b <= begin + 1e-6 for a, b in taken):
                lines.extend([] for _ in range(line + height - len(lines)))
                for row in lines[line : line + height]:
                    row.append((begin, end))
                return line, shift
    raise AssertionError("there is always room above all lines")


def place_axes(figure: Figure) -> None:
    """Give axes the width that their labels leave, before the layout is computed for all."""
    if engine := figure.get_layout_engine():
        engine.execute(figure)


def lay_out(figure: Figure) -> None:
    """Compute the layout of a figure, once and for all."""
    if engine := figure.get_layout_engine():
        # Axes of a fixed aspect get their height in the first pass, and room in the second.
        for _ in range(1 + any(ax.get_aspect() != "auto" for ax in figure.axes)):
            engine.execute(figure)
    # Any engine that is left, even one that does nothing, makes `savefig` draw twice.
    figure.set_layout_engine(None)


def _nth(palette: Sequence[str], n: int) -> str:
    """Color n of a palette that is continued by lighter, then by darker copies."""
    lap, i = divmod(n, len(palette))
    toward, share = ((1.0, 0.0), (1.0, 0.6), (0.0, 0.4))[min(lap, 2)]
    red, green, blue = ((1 - share) * c + share * toward for c in to_rgb(palette[i]))
    return to_hex((red, green, blue))


def label_cells(ax: Axes, columns: Sequence[str], rows: Sequence[str]) -> None:
    """Name columns and rows of an image with one cell each, without ticks and a frame."""
    ax.set_xticks(range(len(columns)), columns)
    ax.set_yticks(range(len(rows)), rows)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
