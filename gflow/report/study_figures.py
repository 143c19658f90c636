"""The figures of a study over seeds, which show all of its runs, as its table has them."""

from typing import NamedTuple

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import SubplotSpec

from gflow.data.centers import Centers
from gflow.judges.conjecture import OWN_BAR
from gflow.network.reference import average_target, subclass_target
from gflow.report import paper, style
from gflow.report.figure import NotDrawable, has_laws, registered, varies
from gflow.report.panels import contribution_bars, cosine_image
from gflow.report.picture import Picture
from gflow.report.style import DASHED, DOTTED, INK, LEVEL, LOGARITHMIC
from gflow.report.subjects import Runs, as_study, beside_power, chosen
from gflow.report.symbols import Part, quantity
from gflow.robustness.published_search import PUBLISHED_DISTANCES
from gflow.runs.manifest import FINDINGS
from gflow.runs.run import Run
from gflow.runs.seed_band import SeedBand, over_seeds
from gflow.runs.study import Study
from gflow.runs.study_table import varied_keys
from gflow.scenario.axis import label_word

PUBLISHED_SIZES = (1000, 10, 6, 20_000, 2000)
"""D, K, K1, n and h of the published figure."""

OWN = ("conjecture-1.own_searched", "conjecture-1.own_certified")
"""Columns of the distance to the classifier that Conjecture 1 claims: lower and upper bound."""


class _OwnDistance(NamedTuple):
    """The own distance of Conjecture 1 along a varied key."""

    key: str
    searched: list[SeedBand]
    certified: list[SeedBand]

    @property
    def note(self) -> str:
        return f"mean and range over up to {max(band.count for band in self.certified)} seeds"


def _has_seeds(study: Study, name: str) -> bool:
    return varies(study, "seed") and has_laws(study, name)


@registered(_has_seeds, rests_on=(FINDINGS,))
def bands(runs: Runs) -> Figure:
    """How sure Conjecture 1 is over seeds: own distance against a varied key, mean and range.

    Solid: the certified distance; dotted: the searched one, which bounds it from below. One curve
    for each combination of the other varied keys, such as the power; shaded from the smallest
    searched to the largest certified distance of any seed.

    **Arguments:**

    - `runs`: a study whose [vary] has a `seed` and another key with numbers; the first such key
        that is not the power is drawn along, or else the power.
    """
    distance = _own_distance(runs)
    figure, axes = style.panels(1, 1, distance.note, 2.4)
    _draw_bands(distance, axes[0, 0])
    style.legend(figure, axes[0, 0].get_legend_handles_labels()[0])
    return figure


@registered(_has_seeds, rests_on=(FINDINGS,))
def overview(runs: Runs) -> Figure:
    """A study at a glance: distances, and the neurons of one run of its least and largest power.

    (a) as in `bands`; (b) contributions and (c), (d) final cosines of the heaviest neurons, of the
    first run of each of the two powers.  Where the study is that of the published figure, crosses
    in (a) are the published estimates over sup |target| (theory E1, T2).

    **Arguments:**

    - `runs`: a study as `bands` takes it, with the record group "neurons".

    **Source:** the layout of Min and Vidal, ICML 2024, section 5.1, with brackets in place of
    single estimates.
    """
    distance = _own_distance(runs)
    by_power: dict[float, tuple[str, Run]] = {}
    for label, run in as_study(runs).entries:
        by_power.setdefault(run.evidence.p, (label, run))
    ends = [by_power[p] for p in sorted({min(by_power), max(by_power)})]
    columns, _ = chosen([("", run) for _, run in ends], laws=True)
    # The figure: distances and bars above, maps of cosines below, which share one color bar; in one
    # column of a paper distances stand alone.
    narrow = paper.is_narrow()
    figure = Picture(figsize=(paper.width(), 6.4 if narrow else 4.6), layout="constrained")
    note = ", ".join([f"(a): {distance.note}; (b) to (d)", *beside_power(ends[0][0])])
    figure.suptitle(note, fontsize=style.SMALL, color=INK)
    if narrow:
        top, upper, lower = figure.add_gridspec(3, 1, height_ratios=(1.2, 1.0, 1.15))
        first, bars = figure.add_subplot(top), _row(figure, upper, len(columns))
    else:
        upper, lower = figure.add_gridspec(2, 1, height_ratios=(1.0, 1.15))
        first, *bars = _row(figure, upper, len(columns) + 1)
    _draw_bands(distance, first)
    if _is_published(as_study(runs)):
        _draw_published(distance, ends[0][1].centers, first)
    if first.get_legend_handles_labels()[0]:
        first.legend(loc="best")
    maps = _row(figure, lower, len(columns))
    for (title, run), bar, image in zip(columns, bars, maps, strict=True):
        contribution_bars(run, bar).set_title(title)
        cosine_image(run, image).set_title(title)
    bars[0].set_ylabel("share of all contributions")
    scale = figure.colorbar(maps[0].images[0], ax=maps, label="cosine", pad=0.02)
    scale.outline.set_visible(False)  # pyright: ignore[reportCallIssue]
    for letter, ax in zip("abcd", (first, bars[0], *maps), strict=False):
        ax.set_title(f"({letter})", loc="left")
    return figure


def _own_distance(runs: Runs) -> _OwnDistance:
    table = as_study(runs).table
    key = _numeric_key(table)
    searched, certified = (over_seeds(table, column, key) for column in OWN)
    if not certified:
        raise NotDrawable(
            "the own distance of Conjecture 1 must be judged at some point, but is at none; add "
            '"conjecture-1" to `checks.predictions`.'
        )
    return _OwnDistance(key, searched, certified)


def _numeric_key(table: xr.Dataset) -> str:
    """The varied key that `bands` is drawn along."""
    keys = varied_keys(table)
    if "seed" not in keys:
        raise NotDrawable("a `seed` must vary, but none does; add seed = {count = 5} to [vary].")
    numeric = [k for k in keys if k != "seed" and np.issubdtype(table[k].dtype, np.number)]
    if not numeric:
        raise NotDrawable(
            "a key with numbers must vary beside `seed`, but none does; add one to [vary], such "
            'as "data.noise".'
        )
    return next((key for key in numeric if key != "network.power"), "network.power")


def _row(figure: Figure, place: SubplotSpec, count: int) -> list[Axes]:
    """Axes side by side within a place of a grid."""
    return [figure.add_subplot(each) for each in place.subgridspec(1, count)]


def _draw_bands(distance: _OwnDistance, ax: Axes) -> None:
    """Means as curves, ranges over seeds as areas; dashed: the bar of Conjecture 1."""
    lower = {tuple(band.varied.items()): band for band in distance.searched}
    for above, color in zip(distance.certified, _colors(distance), strict=True):
        below = lower.get(tuple(above.varied.items()), above)
        # A band at one x is a dot.
        look = {"color": color, "lw": 1.1, "marker": "o", "ms": 2.5}
        ax.fill_between(above.x, below.low, above.high, color=color, alpha=0.2, lw=0, gid="range")
        ax.plot(above.x, above.mean, **look, label=_name(above.varied), gid="certified")
        ax.plot(below.x, below.mean, **look, ls=DOTTED, gid="searched")
    ax.axhline(OWN_BAR, color=LEVEL, lw=0.6, ls=DASHED, zorder=1, gid="bar")
    x = np.concatenate([band.x for band in distance.certified])
    if x.min() > 0 and x.max() >= LOGARITHMIC * x.min():
        ax.set_xscale("log")
    ax.set_yscale("log", nonpositive="mask")
    ax.set(xlabel=quantity(distance.key))
    ax.set_ylabel("own distance\n[searched, certified]")


def _colors(distance: _OwnDistance) -> list[str]:
    powers = [float(band.varied.get("network.power", np.nan)) for band in distance.certified]
    return style.curve_colors(powers)


def _is_published(study: Study) -> bool:
    """Whether a study asks the question of the published figure: its data, width and noise."""
    scenario = study.scenario
    sizes = [
        scenario.value(f"data.{key}")
        for key in ("dimension", "subclasses", "positive_subclasses", "samples")
    ]
    noise = any("data.noise" in axis.keys for axis in scenario.vary)
    width = scenario.value("network.width")
    return noise and (*sizes, width) == PUBLISHED_SIZES


def _draw_published(distance: _OwnDistance, centers: Centers, ax: Axes) -> None:
    """The published estimates of each power, in its color, over sup |target|."""
    for band, color in zip(distance.certified, _colors(distance), strict=True):
        p = float(band.varied.get("network.power", np.nan))
        if p in PUBLISHED_DISTANCES:
            target = average_target(centers) if p == 1 else subclass_target(centers, p)
            x, y = zip(*PUBLISHED_DISTANCES[p].items(), strict=True)
            ax.plot(x, np.array(y) / target.supremum, "x", color=color, ms=4, gid="published",
                    label=f"$p$ = {p:g}, published estimate")  # fmt: skip


def _name(varied: dict[str, object]) -> str:
    """Varied values as a legend names them."""
    texts = {key: f"{v:g}" if isinstance(v, int | float) else str(v) for key, v in varied.items()}
    return ", ".join(Part(label_word(key), text).text for key, text in texts.items())
