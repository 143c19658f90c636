"""The pictures of a study over seeds.

One idea: they show all of its runs, as its table has them.
"""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import SubplotSpec

from gflow.report import style
from gflow.report.panels import NotDrawable, band_curves, contribution_bars, cosine_image
from gflow.report.shown import Runs, beside_power, chosen, pairs
from gflow.report.style import INK
from gflow.runs.run import Run
from gflow.runs.study import Study
from gflow.runs.study_table import OWN, Curve, over_seeds, varied_keys


@style.styled()
def bands(runs: Runs) -> Figure:
    """How sure Conjecture 1 is over seeds: own distance against a varied key, mean and range.

    Solid: the certified distance; dotted: the searched one, which bounds it from below. A curve
    for each combination of the other varied keys, such as the power; shaded from the smallest
    searched to the largest certified distance of any seed.

    **Arguments:**

    - `runs`: a study whose [vary] has a `seed` and another key with numbers; the first such key
        that is not the power is drawn along, or else the power.
    """
    x, searched, certified = _own_distances(runs)
    figure, axes = style.panels(1, 1, _seeds_note(certified), 2.4)
    _draw_bands(x, searched, certified, axes[0, 0])
    if axes[0, 0].get_legend_handles_labels()[0]:
        figure.legend(loc="outside lower center", ncols=3)
    return figure


@style.styled()
def overview(runs: Runs) -> Figure:
    """A study at a glance: distances, and the neurons of one run of its least and largest power.

    (a) as in `bands`; (b) contributions and (c), (d) final cosines of the heaviest neurons, of the
    first run of each of the two powers.

    **Arguments:**

    - `runs`: a study as `bands` takes it, with the record group "neurons".

    **Source:** the layout of Min and Vidal, ICML 2024, section 5.1, with brackets in place of
    single estimates.
    """
    x, searched, certified = _own_distances(runs)
    by_power: dict[float, tuple[str, Run]] = {}
    for label, run in pairs(runs):
        by_power.setdefault(run.evidence.p, (label, run))
    ends = [by_power[p] for p in sorted({min(by_power), max(by_power)})]
    shown, _ = chosen([("", run) for _, run in ends], "overview")
    note = f"(a): {_seeds_note(certified)}; (b) to (d): {', '.join(beside_power(ends[0][0]))}"
    figure = Figure(figsize=(style.DOUBLE, 4.6), layout="constrained")
    figure.suptitle(note, fontsize=style.SMALL, color=INK)
    upper, lower = figure.add_gridspec(2, 1, height_ratios=(1.0, 1.15))
    distance, *bars = _row(figure, upper, len(shown) + 1)
    _draw_bands(x, searched, certified, distance)
    if distance.get_legend_handles_labels()[0]:
        distance.legend(loc="lower right")
    maps = _row(figure, lower, len(shown))
    for (title, run), bar, image in zip(shown, bars, maps, strict=True):
        contribution_bars(run, bar).set_title(title)
        cosine_image(run, image).set_title(title)
    bars[0].set_ylabel("share of all contributions")
    scale = figure.colorbar(maps[0].images[0], ax=maps, label="cosine", pad=0.02)
    scale.outline.set_visible(False)  # pyright: ignore[reportCallIssue]
    for name, ax in zip("abcd", (distance, bars[0], *maps), strict=False):
        ax.set_title(f"({name})", loc="left")
    return figure


def _own_distances(runs: Runs) -> tuple[str, list[Curve], list[Curve]]:
    """The key that distances are drawn along, and their two bounds."""
    table = runs.table if isinstance(runs, Study) else None
    x = _numeric_key(table)
    assert table is not None
    searched, certified = (over_seeds(table, column, x) for column in OWN)
    if not certified:
        raise NotDrawable(
            "the own distance of Conjecture 1 must be judged at some point, but is at none; add "
            '"conjecture-1" to `checks.predictions`.'
        )
    return x, searched, certified


def _row(figure: Figure, place: SubplotSpec, count: int) -> list[Axes]:
    """Axes side by side within a place of a grid."""
    return [figure.add_subplot(each) for each in place.subgridspec(1, count)]


def _draw_bands(x: str, searched: list[Curve], certified: list[Curve], ax: Axes) -> None:
    band_curves(searched, certified, ax)
    ax.set(xlabel=x.rpartition(".")[2].replace("_", " "))
    ax.set_ylabel("own distance\n[searched, certified]")


def _seeds_note(curves: list[Curve]) -> str:
    return f"mean and range over up to {max(curve.count for curve in curves)} seeds"


def _numeric_key(table: xr.Dataset | None) -> str:
    """The varied key that `bands` is drawn along."""
    keys = [] if table is None else varied_keys(table)
    if table is None or "seed" not in keys:
        raise NotDrawable("a `seed` must vary, but none does; add seed = {count = 5} to [vary].")
    numeric = [k for k in keys if k != "seed" and np.issubdtype(table[k].dtype, np.number)]
    if not numeric:
        raise NotDrawable(
            "a key with numbers must vary beside `seed`, but none does; add one to [vary], such "
            'as "data.noise".'
        )
    return next((key for key in numeric if key != "network.power"), "network.power")
