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
from gflow.judges.selection import late_at_escape, mass_by_place
from gflow.laws.critical_power import critical_power as critical
from gflow.measure.phases import ESCAPE_LEVEL
from gflow.report import paper, style
from gflow.report.figure import NotDrawable, has_laws, registered
from gflow.report.study_figures import OWN
from gflow.report.style import DASHED, DOTTED, FAINT, INK
from gflow.report.subjects import Runs, as_study
from gflow.report.symbols import quantity, tex_number
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
    return has_laws(study, name) and len(_keys(study)) > 1 and POWER in _varied(study)


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
    if POWER not in _varied(study) or not keys:
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


def _varied(study: Study) -> set[str]:
    return {key for point in study.scenario.points() for key in point.varied}


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
    ax.set_xticks(range(len(powers)), [f"{p:g}" for p in powers])
    ax.set_yticks(range(len(values)), [f"{value:g}" for value in values])
    ax.tick_params(length=0)
    for spine in ax.spines.values():
        spine.set_visible(False)
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


# --- the critical power -------------------------------------------------------------------------

SCALE = "network.init_scale"

CONE_OF_LATE = 0.9
"""Cosine from which on a neuron counts as aligned, as where its alignment time is judged (P43)."""

LEVELS = {0.3: DOTTED, 0.1: "-", 0.03: DASHED}
"""Shares of late neurons whose critical power is drawn, and the style of its curve."""


def _varies_start(study: Study, name: str) -> bool:
    return has_laws(study, name) and {POWER, SCALE} <= _varied(study)


@registered(_varies_start, rests_on=(FINDINGS,))
def critical_power(runs: Runs) -> Figure:
    """Up to which power neurons have chosen when the network escapes, over log 1/ε.

    One panel for each input dimension.  Color: share of neurons that are neither void nor within
    25° of an own center at the first |f(μ_k)| = 1/2.  Curves: the power at which by theory that
    share is .3, .1 and .03.  Filled: own distance certified at most 0.1.

    **Arguments:**

    - `runs`: a study whose [vary] has `network.power`, with powers above 2, and
        `network.init_scale`.
    """
    study = as_study(runs)
    certified = _column(study, OWN[1])
    points = [(e, own) for e, own in certified if e.p > 2 and e.has("neurons") and e.has("centers")]
    powers, scales, sizes = (
        sorted({read(e) for e, _ in points})
        for read in (_power, lambda e: -e.scenario.network.init_scale, lambda e: e.centers.D)
    )
    if not powers or len(scales) < 2:
        raise NotDrawable(
            "`network.init_scale` must vary at a `network.power` above 2, but does not; add it to "
            "[vary]."
        )
    figure, axes = style.row(len(sizes), "", 0.24 * max(len(powers), 4) + 0.7, sharey=True)
    images = []
    for D, ax in zip(sizes, axes, strict=True):
        here = [(e, own) for e, own in points if e.centers.D == D]
        images.append(_late_panel(here, powers, [-s for s in scales], ax))
        ax.set_title(f"$D = {D}$")
    axes[0].set_ylabel(quantity(POWER))
    bar = figure.colorbar(images[0], ax=axes, label="late neurons", pad=0.02)
    bar.outline.set_visible(False)  # pyright: ignore[reportCallIssue]
    laws = [
        Line2D([], [], color=INK, lw=1.1, ls=look, label=f"theory, share {share:g}")
        for share, look in LEVELS.items()
    ]
    marks = [
        Line2D([], [], ls="", marker="o", ms=4, mfc=face, mec=INK, mew=0.7, label=label)
        for face, label in ((INK, f"own distance ≤ {OWN_BAR}, certified"), ("none", "not so"))
    ]
    style.legend(figure, [*laws, *marks])
    return figure


def _power(evidence: Evidence) -> float:
    return evidence.p


def _column(study: Study, name: str) -> list[tuple[Evidence, float]]:
    """Every run with its number in a column of the table; nan where there is none."""
    if name not in study.table:
        return [(run.evidence, np.nan) for run in study.runs]
    labels, values = (study.table[key].values.ravel() for key in ("label", name))
    number = dict(zip(labels.tolist(), values.tolist(), strict=True))
    return [(run.evidence, number[label]) for label, run in study.entries]


def _late_panel(
    points: Sequence[tuple[Evidence, float]],
    powers: Sequence[float],
    scales: Sequence[float],
    ax: Axes,
) -> Any:
    """One dimension: the share of late neurons by color, its law by curves."""
    late = np.full((len(powers), len(scales)), np.nan)
    for evidence, own in points:
        i, j = powers.index(evidence.p), scales.index(evidence.scenario.network.init_scale)
        late[i, j] = late_at_escape(evidence, CONE_OF_LATE)
        face = INK if own <= OWN_BAR else "none"
        ax.plot(j, i, "o", ms=4, mfc=face, mec=INK, mew=0.7, gid="distance")
    ax.set_facecolor(FAINT)
    image = ax.imshow(
        late, aspect="auto", interpolation="nearest", origin="lower", cmap="YlOrRd",
        vmin=0, vmax=0.75,
    )  # fmt: skip
    # Curves run between the rows and columns of cells, along log log 1/ε.
    first = points[0][0]
    K_own, D = first.centers.K1, first.centers.D
    ticks = np.log(-np.log(scales))
    along = np.linspace(ticks[0], ticks[-1], 60)
    for share, look in LEVELS.items():
        p = [
            critical(share, np.exp(x) - np.log(D) / 2, CONE_OF_LATE, D=D, K_own=K_own)
            for x in along
        ]
        inside = (np.array(p) >= powers[0]) & (np.array(p) <= powers[-1])
        y = np.where(inside, np.interp(p, powers, range(len(powers))), np.nan)
        x = np.interp(along, ticks, range(len(ticks)))
        ax.plot(x, y, color=INK, lw=1.1, ls=look, gid=f"law {share:g}")
    ax.set_xticks(range(len(scales)), [f"${tex_number(f'{s:g}')}$" for s in scales])
    ax.set_yticks(range(len(powers)), [f"{p:g}" for p in powers])
    ax.tick_params(length=0)
    for spine in ax.spines.values():
        spine.set_visible(False)
    ax.set_xlabel(quantity(SCALE))
    return image
