"""How figures look: colors, type, sizes, shaded phases; and how figures are saved.

One idea: a subclass has the same color in every figure, warm in the positive class and cool in the
negative one.  Any two of the ten colors for K1 = 6 and K2 = 4, or for 5 and 5, are at least 14
apart (CIE 1976 color difference), also in simulated deuteranopia and protanopia.

The font is STIX, which comes with matplotlib, so a figure is the same on every machine.
"""

import functools
import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib
from jaxtyping import Int
from matplotlib.axes import Axes
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.textpath import TextPath
from numpy import ndarray

from gflow.report.picture import Picture
from gflow.runs.files import write_bytes

SINGLE, DOUBLE = 3.25, 6.75
"""Widths in inches of one and two columns of a two-column paper."""

SMALL = 7.0
"""Size in points of text inside a figure; that of axis labels and ticks is in `_RC`."""

PLUS, MINUS = "#c3160a", "#1540d8"
"""Colors of the positive and the negative class."""

WARM = ("#eaaf1b", "#5e1829", "#f28955", "#dd4d8c", "#eda7ba", "#8f6a1f")
COOL = ("#018e8b", "#224c60", "#8fc7f8", "#9558e9", "#4638ed")
"""Colors of positive and of negative subclasses; then lighter, then darker copies of them."""

CURVES = (PLUS, MINUS, "#e08e0b", "#018e8b", "#8c3fa8", "#4d4d4d")
"""Colors of curves that are neither a class nor a subclass."""

FAINT, LEVEL, INK = "#b8b8b8", "0.35", "0.25"
"""Colors of what is in the background, of reference lines, and of small text."""

SHADES = {
    "alignment": "#ffffff",
    "quiet growth": "#e9e9e9",
    "fitting": "#c6c6c6",
    "margin growth": "#f4f4f4",
}
"""Background of each phase of a flow, by its name in `measure.phases`."""

DOTTED: Any = (0, (1, 2))
DASHED: Any = (0, (4, 1.5))

DIVERGING = "RdBu_r"
"""Color map of signed values, white at 0."""

LOGARITHMIC = 20
"""Ratio of the largest to the smallest varied value from which on its axis is logarithmic."""

_DPI = 200

LINE = 8.5
"""Height in points of one line of small text."""

_GAP = 5.0
"""Points left free between names of phases."""

_RC: Any = {
    "font.family": "STIXGeneral",
    "mathtext.fontset": "stix",
    "font.size": 8.5,
    "axes.titlesize": 9,
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
    width = SINGLE if columns == 1 else DOUBLE
    figure = Picture(figsize=(width, rows * height + 0.75), layout="constrained")
    if note:
        figure.suptitle(note, fontsize=SMALL, color=INK)
    return figure, figure.subplots(rows, columns, squeeze=False, **options)


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
    names = [name for name, _ in distinct]
    points = sum(22 + (10 if name.startswith("$") else 3.4 * len(name)) for name in names)
    rows = math.ceil(points / (72 * figure.get_figwidth()))
    figure.legend(
        [Line2D([], [], color=color, lw=2.2) for _, color in distinct],
        names,
        loc="outside lower center",
        ncols=math.ceil(len(names) / rows),
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

    - `ax`: its logarithmic time axis must have its final limits.
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


@functools.cache
def _width(text: str) -> float:
    """Length in points of the longest line of small text."""
    font = FontProperties(family=_RC["font.family"])
    paths = [TextPath((0, 0), line, size=SMALL, prop=font) for line in text.split("\n")]
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


def save(figure: Figure, folder: Path, name: str, pdf: bool = True) -> list[Path]:
    """Store a figure in its `files`, each completely or not at all.

    Its layout is computed once for both, which have the same size in points.

    **Raises:** `RecordError` if one cannot be written; an older one, and what was drawn before, is
    then still there.
    """
    figure.set_dpi(_DPI)  # text is measured once for the layout and for the png
    with styled():
        if engine := figure.get_layout_engine():
            # Axes of a fixed aspect get their height in the first pass, and room in the second.
            for _ in range(1 + any(ax.get_aspect() != "auto" for ax in figure.axes)):
                engine.execute(figure)
        # Any engine that is left, even one that does nothing, makes `savefig` draw twice.
        figure.set_layout_engine(None)
    return [_save(figure, path, path.suffix[1:]) for path in files(folder, name, pdf)]


def files(folder: Path, name: str, pdf: bool = True) -> tuple[Path, ...]:
    """Where `save` stores a figure: `name`.pdf and `name`.png (200 dpi).

    Without `pdf` there is none, unless there was one, which would be out of date beside the png.
    """
    vector, image = folder / f"{name}.pdf", folder / f"{name}.png"
    return (vector, image) if pdf or vector.exists() else (image,)


def _save(figure: Figure, path: Path, kind: str) -> Path:
    # Without a creation date, the same figure is the same file.
    metadata = {"CreationDate": None} if kind == "pdf" else None
    # In memory first: on a full disk the libraries that draw fail in ways of their own.
    drawing = io.BytesIO()
    with styled():
        figure.savefig(drawing, format=kind, dpi=_DPI, metadata=metadata)
    write_bytes(path, drawing.getbuffer())
    return path


def _nth(palette: Sequence[str], n: int) -> str:
    """Color n of a palette that is continued by lighter, then by darker copies."""
    lap, i = divmod(n, len(palette))
    toward, share = ((1.0, 0.0), (1.0, 0.6), (0.0, 0.4))[min(lap, 2)]
    red, green, blue = ((1 - share) * c + share * toward for c in to_rgb(palette[i]))
    return to_hex((red, green, blue))
