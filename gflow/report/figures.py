"""The pictures: of a flow, of a study, of radii, and overlays of theory and simulation.

One idea: a figure of flows shows up to four runs side by side, a column each, on common axes, and
draws nothing itself: `panels` puts one run into one `Axes`, and `style` gives colors, sizes and
files.  Only modules of this folder import matplotlib.  The figures of a study, `bands`
and `overview`, show all of its runs, as its table has them.
"""

import difflib
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import SubplotSpec
from matplotlib.lines import Line2D

from gflow.errors import GflowError, GflowWarning
from gflow.report import overlays, robustness_figures, style, training_figures
from gflow.report.panels import (
    OUTPUT_FLOOR,
    NotDrawable,
    band_curves,
    contribution_bars,
    cosine_curves,
    cosine_image,
    loss_curve,
    margin_curves,
    norm_curves,
    output_ceiling,
    output_curves,
    plane_paths,
    scaled_axis,
    spans,
    window,
)
from gflow.report.shown import COLUMNS, Runs, beside_power, chosen, pairs
from gflow.report.style import FAINT, INK
from gflow.runs.experiment import Run
from gflow.runs.study import Study
from gflow.runs.table import OWN, Curve, over_seeds, varied_keys
from gflow.theory.predictions import CATALOGUE


def draw(
    result: Runs,
    folder: str | Path,
    only: str | None = None,
    tell: Callable[[str], object] | None = None,
    keep: bool = False,
) -> list[Path]:
    """Draw the figures of a result and store each as pdf and png.

    **Arguments:**

    - `result`: a run, a study, or (label, run) pairs.
    - `folder`: made if it is not there.
    - `only`: name of the one figure to draw; None for all, those of a study only if its seed
        varies.
    - `tell`: told in a sentence each which figures are left out and why, and that not all runs
        of a long study are shown; None for a `GflowWarning`.
    - `keep`: leave figures alone that are newer than every stored run they show.

    **Returns:** the files written, in the order of `FIGURES`.

    **Raises:** `GflowError` if there is no figure of that name.
    """
    tell = tell or _warn
    names = [_known(only)] if only is not None else _names(result)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    if (count := len(pairs(result))) > COLUMNS and set(names) & set(FIGURES):
        tell(
            f"The figures show the first {COLUMNS} of {count} runs; give a figure (label, run) "
            "pairs to see others, as in `figures.alignment([(label, run), ...])`."
        )
    written: list[Path] = []
    for name in names:
        if keep and _is_current(_files_shown(result, name), style.files(folder, name)):
            continue
        try:
            figure = _ALL[name](result)
        except NotDrawable as reason:
            tell(f"Figure {name} is left out: {reason}")
        else:
            written += style.save(figure, folder, name)
    return written


@style.styled()
def alignment(runs: Runs) -> Figure:
    """How neurons turn: cosine to the nearest center and to the class average over time."""
    shown, note = chosen(runs, "alignment")
    figure, axes = style.panels(2, len(shown), note, 1.45, sharex=True, sharey=True)
    for (title, run), (upper, lower) in zip(shown, axes.T, strict=True):
        cosine_curves(run, upper, "center").set_title(title)
        cosine_curves(run, lower, "average")
        scaled_axis(run, lower)
    axes[0, 0].set(ylabel="cosine to nearest\ncenter of its class", ylim=(None, 1.06))
    axes[1, 0].set(ylabel="cosine to its\nclass average")
    _align_times(axes, shown)
    _color_key(figure, shown)
    return figure


@style.styled()
def norms(runs: Runs) -> Figure:
    """How neurons grow: log10 ‖w_j‖ over time, contributing neurons in color."""
    shown, note = chosen(runs, "norms")
    figure, axes = style.panels(1, len(shown), note, 2.0, sharex=True, sharey=True)
    for (title, run), ax in zip(shown, axes[0], strict=True):
        norm_curves(run, ax).set_title(title)
    axes[0, 0].set_ylabel(r"neuron norm  $\log_{10}\,\Vert w_j\Vert$")
    _align_times(axes, shown)
    _color_key(figure, shown, more=(("not contributing", FAINT),))
    return figure


@style.styled()
def fit(runs: Runs) -> Figure:
    """How the network fits: loss, margins, and the output at every center over time.

    The outputs are left out if a run did not record the group "centers".
    """
    shown, note = chosen(runs, "fit")
    centers = all(run.evidence.has("centers") for _, run in shown)
    figure, axes = style.panels(2 + centers, len(shown), note, 1.3, sharex=True, sharey="row")
    for (title, run), column in zip(shown, axes.T, strict=True):
        loss_curve(run, column[0]).set_title(title)
        margin_curves(run, column[1])
        if centers:
            output_curves(run, column[2])
    axes[0, 0].set_ylabel("loss")
    axes[1, 0].set_ylabel(r"margin  $y_i\,f(x_i)$")
    axes[1, 0].legend(loc="upper left")
    _align_times(axes, shown)
    if centers:
        ceiling = max(output_ceiling(run) for _, run in shown)
        axes[2, 0].set(ylabel=r"output  $|f(\mu_k)|$", ylim=(OUTPUT_FLOOR, ceiling))
        _color_key(figure, shown, subclasses=True)
    return figure


@style.styled()
def contributions(runs: Runs, log: bool = False) -> Figure:
    """How many neurons the network is made of: shares of Σ_j m_j, largest first.

    **Arguments:**

    - `runs`: as in every figure.
    - `log`: logarithmic shares.

    **Source:** Min and Vidal, ICML 2024, figure of neuron contributions.
    """
    shown, note = chosen(runs, "contributions")
    figure, axes = style.panels(1, len(shown), note, 1.7)
    for (title, run), ax in zip(shown, axes[0], strict=True):
        contribution_bars(run, ax, log).set_title(title)
    plain = all(run.evidence.degree == 1 for _, run in shown)
    mass = "$|v_j|\\,\\Vert w_j\\Vert$" if plain else "$m_j$"
    axes[0, 0].set_ylabel(f"contribution {mass}\nas a share of the total")
    _color_key(figure, shown)
    return figure


@style.styled()
def cosine_map(runs: Runs) -> Figure:
    """Where the dominant neurons end: their cosines to μ̄₊, μ̄₋, μ_1..μ_K as a heat map.

    **Source:** Min and Vidal, ICML 2024, figure of dominant neurons.
    """
    shown, note = chosen(runs, "cosine_map")
    rows = 2 + max(run.centers.K for _, run in shown)
    figure, axes = style.panels(1, len(shown), note, 0.15 * rows + 0.2)
    for (title, run), ax in zip(shown, axes[0], strict=True):
        cosine_image(run, ax).set_title(title)
    image = axes[0, 0].images[0]
    bar = figure.colorbar(image, ax=axes[0], label="cosine", ticks=(-1, -0.5, 0, 0.5, 1), pad=0.02)
    bar.outline.set_visible(False)  # pyright: ignore[reportCallIssue]
    return figure


@style.styled()
def plane(runs: Runs, pair: tuple[int, int] | None = None) -> Figure:
    """Where neurons go in the plane of two centers of a class: to one of them, or between.

    **Arguments:**

    - `runs`: as in every figure.
    - `pair`: two subclasses of one class, counted from 0; None for the first two positive ones,
        or the first two negative ones if there is only one positive.
    """
    shown, note = chosen(runs, "plane")
    side = style.DOUBLE / max(len(shown), 2)
    figure, axes = style.panels(1, len(shown), note, 0.86 * side)
    for (title, run), ax in zip(shown, axes[0], strict=True):
        plane_paths(run, ax, pair).set_title(title)
    figure.legend(
        handles=[
            Line2D([], [], color=INK, ls="", marker="o", ms=1.6, label="start"),
            Line2D([], [], color=INK, ls="", marker="o", ms=4, label="end"),
            Line2D([], [], color=FAINT, lw=1.2, label="neuron of the class that ends elsewhere"),
        ],
        loc="outside lower center",
        ncols=3,
    )
    return figure


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


FIGURES: dict[str, Callable[[Runs], Figure]] = {
    "alignment": alignment,
    "norms": norms,
    "fit": fit,
    "contributions": contributions,
    "cosine_map": cosine_map,
    "plane": plane,
}
"""The figures of flows by name. All but "fit" need the record group "neurons"."""

OVERLAYS: dict[str, Callable[[Runs], Figure]] = {
    "closed_forms": overlays.closed_forms,
    "fitting_law": overlays.fitting_law,
    "rates": overlays.rates,
    "sphere": overlays.sphere,
    "escape": overlays.escape,
    "power_map": overlays.power_map,
}
"""Theory and simulation in one picture, by name; drawn where a scenario asks about the law."""

_OF_SEVERAL = {"escape", "power_map"}
"""Overlays that compare the runs of a study."""

STUDY_FIGURES: dict[str, Callable[[Runs], Figure]] = {"bands": bands, "overview": overview}
"""The figures of a study by name."""

ROBUSTNESS: dict[str, Callable[[Runs], Figure]] = {
    "robust_accuracy": robustness_figures.robust_accuracy,
    "radii": robustness_figures.radii,
    "critical_radius": robustness_figures.critical_radius,
}
"""The figures of radii by name, drawn where they were measured."""

TRAINING: dict[str, Callable[[Runs], Figure]] = {
    "training": training_figures.training,
    "adversarial": training_figures.adversarial,
}
"""The figures of deep networks and of attacked images by name."""

_ALL = FIGURES | OVERLAYS | STUDY_FIGURES | ROBUSTNESS | TRAINING


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


def _warn(sentence: str) -> None:
    warnings.warn(sentence, GflowWarning, stacklevel=3)


def _names(result: Runs) -> list[str]:
    """The figures drawn unasked: of a flow, those of the laws asked about, those of a study."""
    if not isinstance(result, Run | Study):
        return list(FIGURES)
    radii = _of_radii(result)
    if radii and result.scenario.data.kind == "mnist":
        radii.append("adversarial")
    if result.scenario.network.is_deep:
        return ["training", *radii]
    seeds = isinstance(result, Study) and any("seed" in axis.keys for axis in result.scenario.vary)
    asked = result.scenario.checks.predictions
    laws = () if asked == "all" else (CATALOGUE[id].figure for id in asked)
    wanted = set(laws) - {""} - (set() if isinstance(result, Study) else _OF_SEVERAL)
    return [
        *FIGURES,
        *(n for n in OVERLAYS if n in wanted),
        *(STUDY_FIGURES if seeds else ()),
        *radii,
    ]


def _of_radii(result: Run | Study) -> list[str]:
    """Figures of radii for a result whose radii were measured."""
    evidences = [run.evidence for _, run in pairs(result)]
    if not any(evidence.robustness for evidence in evidences):
        return []
    varied = robustness_figures.varied_key(evidences)
    return ["robust_accuracy", "radii", *(["critical_radius"] if varied else [])]


def _files_shown(result: Runs, name: str) -> list[Path] | None:
    """The files of the runs that a figure shows; None if one of them is not stored."""
    every = name in STUDY_FIGURES or name in ROBUSTNESS or name in TRAINING
    shown = pairs(result) if every else pairs(result)[:COLUMNS]
    more = "findings.json" if name in STUDY_FIGURES else "robustness.json"
    files = ["manifest.json", *([more] if every else [])]
    folders = [run.folder for _, run in shown]
    if None in folders:
        return None
    paths = [folder / file for folder in folders if folder for file in files]
    return [path for path in paths if path.is_file()]


def _is_current(shown: Sequence[Path] | None, files: Sequence[Path]) -> bool:
    """Whether every file was drawn after everything it shows was stored."""
    if not shown or not all(file.is_file() for file in files):
        return False
    stored = max(path.stat().st_mtime_ns for path in shown)
    return min(file.stat().st_mtime_ns for file in files) >= stored


def _known(name: str) -> str:
    known = list(_ALL)
    if name in known:
        return name
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.0)[0]
    raise GflowError(
        f"`only` must be one of {', '.join(known)}, but is {name!r}; did you mean {near!r}?"
    )


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


def _color_key(
    figure: Figure,
    shown: list[tuple[str, Run]],
    more: Sequence[tuple[str, str]] = (),
    subclasses: bool = False,
) -> None:
    """Name the colors of the contributing neurons (or of all subclasses), averages first."""
    used: set[tuple[int, str, str]] = set()
    for _, run in shown:
        K, evidence = run.centers.K, run.evidence
        names, colors = style.reference_labels(K), style.reference_colors(run.centers.label)
        found = range(K) if subclasses else map(int, evidence.target[evidence.contributing])
        used |= {(r if r < K else r - K - 2, names[r], colors[r]) for r in found}
    style.color_key(figure, [*((name, color) for _, name, color in sorted(used)), *more])


def _align_times(axes: np.ndarray, shown: list[tuple[str, Run]]) -> None:
    """Common time axes, labeled in the last row, and phases named above the first."""
    runs = [run for _, run in shown]
    for ax in axes.flat:
        ax.set_xlim(window(runs))
    for ax in axes[:-1].flat:
        ax.set_xlabel("")
    lines = [style.name_spans(ax, spans(run)) for run, ax in zip(runs, axes[0], strict=True)]
    for ax in axes[0]:
        ax.set_title(ax.get_title(), pad=4 + style.LINE * max(lines))
