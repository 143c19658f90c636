"""Where Conjecture 1 stops: a map of what networks of every power become."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle

from gflow.judges.conjecture import OWN_BAR
from gflow.judges.evidence import Evidence
from gflow.judges.finding import Verdict
from gflow.judges.radii_at_centers import radii_at_centers
from gflow.judges.selection import mass_by_place
from gflow.measure.phases import ESCAPE_LEVEL
from gflow.report import paper, style
from gflow.report.figure import NotDrawable, has_laws, registered, varies
from gflow.report.study_figures import OWN
from gflow.report.style import DASHED, FAINT, INK
from gflow.report.subjects import Runs, as_study
from gflow.report.symbols import quantity
from gflow.runs.manifest import FINDINGS
from gflow.runs.study import Study

POWER = "network.power"

COMPANIONS = ("data.positive_subclasses", "data.samples", "data.dimension")
"""Keys that may vary along with another one and have no panel of their own."""

MOST = 0.9
"""Share of the mass that decides what a network has become."""

NEAREST = 0.01
"""Own distance at which colors end."""

TRIVIAL = 1.0
"""Own distance of f = 0, which certifies nothing."""

FRAME = "#0a7d4f"
"""Color of the line around what Conjecture 1 is about."""

HATCH = "////"
_UNSURE = {"facecolor": "none", "edgecolor": "#9a9a9a", "lw": 0}
"""Look of cells whose distance is not certified."""

_MARKS = {
    "mass at subclass centers": "o",
    "at class averages": "s",
    "elsewhere": "d",
    "not all fitted": "x",
}
"""What a network may have become."""


class _Cell(NamedTuple):
    """One network of the map."""

    varied: Mapping[str, Any]
    became: str
    own: float
    """Own distance, certified where `certified`, else searched; nan where it is not defined."""
    certified: bool
    radius: float
    """Smallest certified radius of a center."""
    inside: bool
    """Whether the hypotheses of Conjecture 1 hold."""


def _varies_setting(study: Study, name: str) -> bool:
    return has_laws(study, name) and varies(study, POWER) and len(_keys(study)) > 1


@registered(_varies_setting, rests_on=(FINDINGS,))
def conjecture_map(runs: Runs) -> Figure:
    """What networks of each power become, and how far from what Conjecture 1 claims.

    One panel for each key that varies beside the power, the others being those of the first point.
    Color: own distance, certified, or hatched where only a search bounds it, from below; gray where
    it is not defined or the numerics are not sound.  Mark: where nine tenths of the mass ended.
    Number: smallest certified l2 radius of a center.  Framed: the hypotheses hold.

    **Arguments:**

    - `runs`: a study whose [vary] has `network.power` and other keys with numbers, one or more.
    """
    study = as_study(runs)
    keys = _keys(study)
    if not (varies(study, POWER) and keys):
        raise NotDrawable("`network.power` and another key must vary; add them to [vary].")
    if OWN[1] not in study.table:
        raise NotDrawable('"conjecture-1" must be judged; add it to `checks.predictions`.')
    cells = _cells(study)
    rows = {key: _values(cells, key) for key in keys}
    columns = 1 if paper.is_narrow() else 2
    count = -(-len(keys) // columns)
    height = 0.3 * max(len(values) for values in rows.values()) + 0.45
    figure, axes = style.panels(count, columns, "", height)
    image = None
    for key, ax in zip(keys, axes.ravel(), strict=False):
        image = _panel([c for c in cells if _belongs(c, key, cells[0])], key, ax) or image
    for ax in axes.ravel()[len(keys) :]:
        ax.set_visible(False)
    assert image is not None, "there is a panel"
    bar = figure.colorbar(image, ax=axes, label="own distance", pad=0.02, aspect=30)
    bar.ax.axhline(OWN_BAR, color=INK, lw=0.8, ls=DASHED)
    bar.outline.set_visible(False)  # pyright: ignore[reportCallIssue]
    style.legend(figure, _key(cells))
    return figure


def _keys(study: Study) -> list[str]:
    """The keys that have a panel, in the order of the file."""
    points = study.scenario.points()
    keys = [key for key in points[0].varied if key not in (POWER, "seed", *COMPANIONS)]
    return [
        key
        for key in keys
        if len({p.varied.get(key) for p in points}) > 1
        and isinstance(points[0].varied[key], int | float)
    ]


def _cells(study: Study) -> list[_Cell]:
    """Every stored run, in the order of the grid."""
    table, cells = study.table, []
    varied = {point.label: point.varied for point in study.scenario.points()}
    searched, certified, verdict = (
        dict(zip(table["label"].values.ravel().tolist(), table[name].values.ravel(), strict=True))
        for name in (*OWN, "conjecture-1")
    )
    for label, run in study.entries:
        evidence = run.evidence
        known = not float(certified[label]) >= TRIVIAL
        own = float((certified if known else searched)[label])
        cells.append(
            _Cell(
                varied[label],
                _became(evidence),
                own,
                certified=known,
                radius=float(radii_at_centers(evidence).certified.min()),
                inside=verdict[label] != Verdict.OUTSIDE.value and np.isfinite(own),
            )
        )
    return cells


def _became(evidence: Evidence) -> str:
    if not (evidence.largest_outputs >= ESCAPE_LEVEL).all():
        return "not all fitted"
    centers, averages, _ = mass_by_place(evidence)
    if centers >= MOST:
        return "mass at subclass centers"
    return "at class averages" if averages >= MOST else "elsewhere"


def _values(cells: Sequence[_Cell], key: str) -> list[Any]:
    return sorted({cell.varied[key] for cell in cells})


def _belongs(cell: _Cell, key: str, first: _Cell) -> bool:
    """Whether a cell differs from the first in the power and in one key and its companions only."""
    free = (POWER, key, *COMPANIONS)
    return all(cell.varied[k] == value for k, value in first.varied.items() if k not in free) and (
        cell.varied[key] != first.varied[key]
        or all(cell.varied[k] == first.varied[k] for k in COMPANIONS if k in first.varied)
    )


def _panel(cells: Sequence[_Cell], key: str, ax: Axes) -> Any:
    """One key against the power."""
    powers, values = _values(cells, POWER), _values(cells, key)
    own = np.full((len(values), len(powers)), np.nan)
    inside = np.zeros(own.shape, bool)
    places = {}
    for cell in cells:
        place = values.index(cell.varied[key]), powers.index(cell.varied[POWER])
        places[place] = cell
        own[place], inside[place] = cell.own, cell.inside
    ax.set_facecolor(FAINT)
    image = ax.imshow(
        np.maximum(own, NEAREST),
        aspect="auto",
        interpolation="nearest",
        origin="lower",
        cmap="magma_r",
        norm=LogNorm(NEAREST, 1.0),
    )
    for (i, j), cell in places.items():
        ink = _ink(image.cmap(image.norm(cell.own))) if np.isfinite(cell.own) else INK
        if not cell.certified:
            ax.add_patch(Rectangle((j - 0.5, i - 0.5), 1, 1, hatch=HATCH, **_UNSURE))
        ax.plot(j, i + 0.16, _MARKS[cell.became], color=ink, ms=3.5, mew=0.8, gid=cell.became)
        ax.text(j, i - 0.42, f"{cell.radius:.2f}".lstrip("0"), ha="center", va="bottom",
                fontsize=5.5, color=ink)  # fmt: skip
    _frame(inside, ax)
    style.label_cells(ax, [f"{p:g}" for p in powers], [f"{value:g}" for value in values])
    ax.set(xlabel=quantity(POWER), ylabel=quantity(key))
    return image


def _ink(color: Any) -> str:
    """What can be read on a color."""
    return INK if np.dot(color[:3], (0.299, 0.587, 0.114)) > 0.55 else "white"


def _frame(inside: np.ndarray, ax: Axes) -> None:
    """A line between cells where the hypotheses hold and cells where they do not."""
    padded = np.pad(inside, 1)
    for i, j in zip(*np.nonzero(inside), strict=True):
        x, y = (j - 0.5, j + 0.5), (i - 0.5, i + 0.5)
        look = {"color": FRAME, "lw": 1.6, "solid_capstyle": "projecting", "clip_on": False}
        for beside, ends in (
            (padded[i, j + 1], (x, (y[0], y[0]))), (padded[i + 2, j + 1], (x, (y[1], y[1]))),
            (padded[i + 1, j], ((x[0], x[0]), y)), (padded[i + 1, j + 2], ((x[1], x[1]), y)),
        ):  # fmt: skip
            if not beside:
                ax.plot(*ends, **look, gid="hypotheses")


def _key(cells: Sequence[_Cell]) -> list[Artist]:
    """What marks, numbers, hatches and frames mean."""
    seen = {cell.became for cell in cells}
    marks = [
        Line2D([], [], ls="", marker=mark, ms=4, color=INK, label=name)
        for name, mark in _MARKS.items()
        if name in seen
    ]
    number = Line2D([], [], ls="", marker="$.7$", ms=6, color=INK,
                    label="smallest certified radius of a center")  # fmt: skip
    frame = Line2D([], [], color=FRAME, lw=1.6, label="hypotheses of Conjecture 1 hold")
    hatch = Patch(hatch=HATCH, label="distance searched, not certified", **_UNSURE)
    return [*marks, number, frame, *([] if all(c.certified for c in cells) else [hatch])]
