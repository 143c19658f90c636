"""The figures of flows: a few runs side by side, one column per run, on common axes.

A figure composes panels, each of which draws one run in one `Axes` (see `gflow.report.panels`).
"""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from gflow.report import style
from gflow.report.figure import has_laws, registered
from gflow.report.panels import (
    OUTPUT_FLOOR,
    contribution_bars,
    cosine_curves,
    cosine_image,
    loss_curve,
    norm_curves,
    output_ceiling,
    output_curves,
    plane_paths,
    scaled_axis,
    score_curves,
    spans,
    window,
)
from gflow.report.style import FAINT, INK
from gflow.report.subjects import Runs, chosen
from gflow.runs.run import Run


@registered(has_laws, side_by_side=True, any_labels=True)
def alignment(runs: Runs) -> Figure:
    """How neurons turn: cosine to the nearest center and to the class average over time."""
    columns, note = chosen(runs)
    figure, axes = style.panels(2, len(columns), note, 1.45, sharex=True, sharey=True)
    for (title, run), (upper, lower) in zip(columns, axes.T, strict=True):
        cosine_curves(run, upper, "center").set_title(title)
        cosine_curves(run, lower, "average")
        scaled_axis(run, lower)
    axes[0, 0].set(ylabel="cosine to nearest\ncenter of its class", ylim=(None, 1.06))
    axes[1, 0].set(ylabel="cosine to its\nclass average")
    _align_times(axes, columns)
    _color_key(figure, columns)
    return figure


@registered(has_laws, side_by_side=True, any_labels=True)
def norms(runs: Runs) -> Figure:
    """How neurons grow: log10 ‖w_j‖ over time, contributing neurons in color."""
    columns, note = chosen(runs)
    figure, axes = style.panels(1, len(columns), note, 2.0, sharex=True, sharey=True)
    for (title, run), ax in zip(columns, axes[0], strict=True):
        norm_curves(run, ax).set_title(title)
    axes[0, 0].set_ylabel(r"neuron norm  $\log_{10}\,\Vert w_j\Vert$")
    _align_times(axes, columns)
    _color_key(figure, columns, more=(("not contributing", FAINT),))
    return figure


@registered(has_laws, side_by_side=True, any_labels=True)
def fit(runs: Runs) -> Figure:
    """How the network fits: loss, margins (of real labels R²), and outputs at centers over time.

    The outputs are left out if a run did not record the group "centers".
    """
    columns, note = chosen(runs, neurons=False)
    centers = all(run.evidence.has("centers") for _, run in columns)
    figure, axes = style.panels(2 + centers, len(columns), note, 1.3, sharex=True, sharey="row")
    for (title, run), column in zip(columns, axes.T, strict=True):
        loss_curve(run, column[0]).set_title(title)
        score_curves(run, column[1])
        if centers:
            output_curves(run, column[2])
    axes[0, 0].set_ylabel("loss")
    classes = all(run.evidence.has_classes for _, run in columns)
    axes[1, 0].set_ylabel(r"margin  $y_i\,f(x_i)$" if classes else "explained  $R^2$")
    if classes:
        axes[1, 0].legend(loc="upper left")
    _align_times(axes, columns)
    if centers:
        ceiling = max(output_ceiling(run) for _, run in columns)
        axes[2, 0].set(ylabel=r"output  $|f(\mu_k)|$", ylim=(OUTPUT_FLOOR, ceiling))
        _color_key(figure, columns, subclasses=True)
    return figure


@registered(has_laws, side_by_side=True, any_labels=True)
def contributions(runs: Runs, log: bool = False) -> Figure:
    """How many neurons the network consists of: shares of Σ_j m_j, largest first.

    **Arguments:**

    - `runs`: as in every figure.
    - `log`: logarithmic shares.

    **Source:** Min and Vidal, ICML 2024, figure of neuron contributions.
    """
    columns, note = chosen(runs)
    figure, axes = style.panels(1, len(columns), note, 1.7)
    for (title, run), ax in zip(columns, axes[0], strict=True):
        contribution_bars(run, ax, log).set_title(title)
    plain = all(run.evidence.degree == 1 for _, run in columns)
    mass = "$|v_j|\\,\\Vert w_j\\Vert$" if plain else "$m_j$"
    axes[0, 0].set_ylabel(f"contribution {mass}\nas a share of the total")
    _color_key(figure, columns)
    return figure


@registered(has_laws, side_by_side=True, any_labels=True)
def cosine_map(runs: Runs) -> Figure:
    """Where the dominant neurons end: their cosines to μ̄₊, μ̄₋, μ_1..μ_K as a heat map.

    **Source:** Min and Vidal, ICML 2024, figure of dominant neurons.
    """
    columns, note = chosen(runs)
    rows = 2 + max(run.centers.K for _, run in columns)
    figure, axes = style.panels(1, len(columns), note, 0.15 * rows + 0.2)
    for (title, run), ax in zip(columns, axes[0], strict=True):
        cosine_image(run, ax).set_title(title)
    image = axes[0, 0].images[0]
    bar = figure.colorbar(image, ax=axes[0], label="cosine", ticks=(-1, -0.5, 0, 0.5, 1), pad=0.02)
    bar.outline.set_visible(False)  # pyright: ignore[reportCallIssue]
    return figure


@registered(has_laws, side_by_side=True)
def plane(runs: Runs, pair: tuple[int, int] | None = None) -> Figure:
    """Where neurons go in the plane of two centers of a class: to one of them, or between.

    **Arguments:**

    - `runs`: as in every figure.
    - `pair`: two subclasses of one class, counted from 0; None for the first two positive ones,
        or the first two negative ones if there is only one positive.
    """
    columns, note = chosen(runs, laws=True)
    figure, axes = style.panels(1, len(columns), note, 0.86 * style.column_width(len(columns)))
    for (title, run), ax in zip(columns, axes[0], strict=True):
        plane_paths(run, ax, pair).set_title(title)
    handles = [
        Line2D([], [], color=INK, ls="", marker="o", ms=1.6, label="start"),
        Line2D([], [], color=INK, ls="", marker="o", ms=4, label="end"),
        Line2D([], [], color=FAINT, lw=1.2, label="neuron that ends elsewhere"),
    ]
    style.legend(figure, handles)
    return figure


def _color_key(
    figure: Figure,
    columns: list[tuple[str, Run]],
    more: Sequence[tuple[str, str]] = (),
    subclasses: bool = False,
) -> None:
    """Name the colors of contributing neurons, or of all subclasses; class averages first."""
    used: set[tuple[int, str, str]] = set()
    for _, run in columns:
        K, evidence = run.centers.K, run.evidence
        names, colors = style.reference_labels(K), style.reference_colors(run.centers.label)
        targets = range(K) if subclasses else map(int, evidence.target[evidence.contributing])
        used |= {(r if r < K else r - K - 2, names[r], colors[r]) for r in targets}
    style.color_key(figure, [*((name, color) for _, name, color in sorted(used)), *more])


def _align_times(axes: np.ndarray, columns: list[tuple[str, Run]]) -> None:
    """Common time axes, labeled in the last row, with the phases named above the first row."""
    runs = [run for _, run in columns]
    for ax in axes.flat:
        ax.set_xlim(window(runs))
    for ax in axes[:-1].flat:
        ax.set_xlabel("")
    style.place_axes(axes[0, 0].figure)
    lines = [style.name_spans(ax, spans(run)) for run, ax in zip(runs, axes[0], strict=True)]
    for ax in axes[0]:
        ax.set_title(ax.get_title(), pad=4 + style.LINE * max(lines))
