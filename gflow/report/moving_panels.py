"""The panels of a page that move: drawn here by bokeh, and moved by templates/page.js.

page.js knows sources and marks by their names: "neurons", "trails" and "image" are filled anew at
each frame, "marks", "rests" and "lines" at each view, and every "cursor" is set to the time.
"""

import functools
import itertools
import math
from typing import Any, NamedTuple

import matplotlib
import numpy as np
from bokeh.core.properties import value
from bokeh.models import (
    BoxAnnotation,
    ColumnDataSource,
    FixedTicker,
    HoverTool,
    LinearColorMapper,
    Span,
)
from bokeh.plotting import figure
from jaxtyping import Float
from matplotlib.colors import to_hex

from gflow.laws.reduced import aligned
from gflow.measure.phases import ESCAPE_LEVEL
from gflow.report import style
from gflow.report.frames import Frames, has_classes, reference_colors, reference_names
from gflow.report.panels import OUTPUT_FLOOR, output_ceiling, spans, window
from gflow.runs.run import Run

HEIGHT = 250
"""Height in pixels of a panel over time."""

STARTS = 9
"""Flow lines on the sphere start on a grid with this many points along each side."""

_LINE = to_hex(style.LEVEL)
_FONT = "system-ui, sans-serif"


class Panel(NamedTuple):
    """A bokeh figure and its words."""

    name: str
    title: str
    alt: str
    """What it shows, for those who cannot see it."""
    figure: Any


def panels(frames: Frames) -> list[Panel]:
    """The panels of a run, without those that show what it did not record."""
    run = frames.run
    has_neurons, has_moved = len(frames.neurons) > 0, run.evidence.times[-1] > 0
    choice = [
        (has_neurons and run.centers.K > 1, _place),
        (has_neurons, _map),
        (has_moved and run.evidence.has("centers"), _outputs),
        (has_moved, _loss),
        (has_moved, _norms),
    ]
    return [panel(frames) for shown, panel in choice if shown]


def sphere_theory(run: Run) -> dict[str, object] | None:
    """Flow lines of theory D3 on the sphere of three centers of a class; None without laws of it.

    **Returns:** "paths" and the "sides" of the triangle of centers as [east, north] coordinates,
    seen from their average; the averages of one, two or three of them, where neurons may rest, as
    "rests", and whether they "attract".
    """
    evidence = run.evidence
    label = run.centers.label
    if not (evidence.has_laws and run.centers.orthonormal):
        return None
    if max((label > 0).sum(), (label < 0).sum()) < 3:
        return None
    return _sphere(evidence.p)


@functools.cache
def _sphere(p: float) -> dict[str, object]:
    east, north = np.array([-1, 1, 0]) / math.sqrt(2), np.array([-1, -1, 2]) / math.sqrt(6)

    def seen(u: np.ndarray) -> list[list[float]]:
        return np.stack([u @ east, u @ north], axis=-1).round(3).tolist()

    # Flow lines from a grid of directions between the centers.
    starts = [(i, j, STARTS - i - j) for i in range(1, STARTS) for j in range(1, STARTS - i)]
    clock = np.linspace(0, 12 if p > 2 else 5, 40)
    paths = [
        aligned(np.array(start) / math.hypot(*start), 0.0, np.ones(3), p, t_hat=clock).u
        for start in starts
    ]
    # The sides of the triangle, and the averages of one, two or three centers.
    angle = np.linspace(0, math.pi / 2, 31)
    corners = np.eye(3)
    sides = [
        np.outer(np.cos(angle), a) + np.outer(np.sin(angle), b)
        for a, b in itertools.combinations(corners, 2)
    ]
    subsets = [np.array(bits) for bits in itertools.product((0, 1), repeat=3) if any(bits)]
    rests = [subset / math.sqrt(subset.sum()) for subset in subsets]
    attractors = {1} if p > 2 else {3} if p < 2 else set()
    return {
        "paths": [seen(path) for path in paths],
        "sides": [seen(side) for side in sides],
        "rests": seen(np.array(rests)),
        "attract": [int(subset.sum()) in attractors for subset in subsets],
    }


def _place(frames: Frames) -> Panel:
    """Neurons in the plane of two centers, or on the sphere of three; page.js fills it."""
    plot = _figure(
        x_range=(-0.25, 1.25),
        y_range=(-0.25, 1.25),
        aspect_ratio=1,
        sizing_mode="scale_width",
    )
    plot.axis.ticker = FixedTicker(ticks=[0, 0.5, 1])
    plot.grid.ticker = FixedTicker(ticks=[0])
    plot.multi_line("xs", "ys", color="color", line_width=1, source=_source("lines", xs=[], ys=[]))
    trails = _source("trails", xs=[], ys=[])
    plot.multi_line("xs", "ys", color="color", alpha="alpha", line_width=1.2, source=trails)
    rests = _source("rests", x=[], y=[], fill=[])
    plot.scatter("x", "y", size=7, color=_LINE, fill_color="fill", source=rests)
    marks = _source("marks", x=[], y=[], name=[])
    plot.scatter(
        "x", "y", marker="square", size=11, color="color", fill_color=None, line_width=1.5,
        source=marks,
    )  # fmt: skip
    plot.text(
        "x", "y", "name", text_color="color", x_offset=9, y_offset=-6, text_font=value(_FONT),
        text_font_size="14px", source=marks,
    )  # fmt: skip
    neurons = plot.scatter(
        "x", "y", size="size", color="color", alpha="alpha", line_color="white", line_width=0.5,
        source=_source("neurons", x=[], y=[], size=[], name=[], share=[]),
    )  # fmt: skip
    tips = [("", "@name"), ("share of the mass", "@share{0.0 %}"), ("at", "(@x{0.000}, @y{0.000})")]
    plot.add_tools(HoverTool(renderers=[neurons], tooltips=tips))
    return Panel(
        "place",
        "Neurons",
        "Each neuron as a point in the plane of two centers, or on the sphere of three seen from "
        "between them, with its path up to the time of the slider; the larger, the heavier.",
        _lettered(plot),
    )


def _map(frames: Frames) -> Panel:
    """Cosines of the heaviest neurons, one column each, to every center and class average."""
    centers = frames.run.centers
    names, colors = reference_names(centers), reference_colors(centers)
    # From the top: class averages, then centers.
    rows = [*range(centers.K, len(names)), *range(centers.K)][::-1]
    q, R = len(frames.neurons), len(names)
    plot = _figure(
        x_range=(-0.04 * q, q),
        y_range=(0, R),
        aspect_ratio=1,
        sizing_mode="scale_width",
    )
    palette = [to_hex(color) for color in matplotlib.colormaps[style.DIVERGING](range(256))]
    mapper = LinearColorMapper(palette=palette, low=-1, high=1, nan_color=style.FAINT)
    image = np.zeros((R, q), np.float32)
    source = _source("image", image=[image])
    cells = plot.image("image", x=0, y=0, dw=q, dh=R, color_mapper=mapper, source=source)
    bar = cells.construct_color_bar(
        width=8, padding=4, ticker=FixedTicker(ticks=[-1, 0, 1]), major_label_text_font=_FONT
    )
    plot.add_layout(bar, "right")
    # A line between averages and centers, and one between neurons of the two classes.
    positive = int((frames.run.record["sign"].values[-1][frames.neurons] > 0).sum())
    plot.add_layout(Span(location=centers.K, dimension="width", line_color=_LINE))
    if 0 < positive < q and has_classes(frames.run):
        plot.add_layout(Span(location=positive, dimension="height", line_color=_LINE))
    # Where there are many references, only some have their name.
    every = math.ceil(R / 24)
    ticks = {i + 0.5: names[r] for i, r in enumerate(rows) if i % every == 0}
    plot.yaxis.ticker = FixedTicker(ticks=list(ticks))
    plot.yaxis.major_label_overrides = ticks
    heights = [i + 0.5 for i in range(R)]
    plot.rect(-0.025 * q, heights, 0.02 * q, 0.8, color=[colors[r] for r in rows])
    plot.xaxis.visible = False
    plot.grid.visible = False
    plot.add_tools(HoverTool(renderers=[cells], tooltips=[("cosine", "@image{0.000}")]))
    return Panel(
        "map",
        f"Cosines of the {q} heaviest neurons",
        "One column per neuron, by class and target; one row per class average and center; red "
        "where a neuron points at it, blue where it points away.",
        _lettered(plot),
    )


def _outputs(frames: Frames) -> Panel:
    run = frames.run
    outputs = np.abs(run.record["center_output"].values)
    plot = _over_time(run, y_axis_type="log", y_range=(OUTPUT_FLOOR, output_ceiling(run)))
    colors, names = reference_colors(run.centers), reference_names(run.centers)
    for output, color, name in zip(outputs.T, colors, names, strict=False):
        _curve(plot, run, output, color, name=name)
    plot.add_layout(_level(ESCAPE_LEVEL))
    return Panel(
        "outputs",
        "Outputs at centers |f(μₖ)|",
        "Output of the network at each center over flow time, both logarithmic; dotted: 1/2, the "
        "level of escape.",
        plot,
    )


def _loss(frames: Frames) -> Panel:
    run = frames.run
    plot = _over_time(run, y_axis_type="log")
    _curve(plot, run, run.record["loss"].values, "black", name="loss")
    return Panel("loss", "Loss", "Loss over flow time, both logarithmic.", plot)


def _norms(frames: Frames) -> Panel:
    """log10 of each neuron's norm, where recorded, and of the norm of all weights."""
    run = frames.run
    plot = _over_time(run)
    whole = np.log10(np.maximum(run.record["squared_norm"].values, 1e-300)) / 2
    if len(frames.neurons):
        log10 = run.record["log_norm"].values[:, frames.neurons] / math.log(10)
        plot.multi_line(*_curves(run, log10), color=frames.colors, line_width=0.8, line_alpha=0.6)
    _curve(plot, run, whole, "black", name="‖θ‖")
    of_neurons = " and, colored, of each neuron" if len(frames.neurons) else ""
    return Panel(
        "norms",
        "Norms log₁₀ ‖wⱼ‖ and log₁₀ ‖θ‖" if len(frames.neurons) else "Norm log₁₀ ‖θ‖",
        f"Logarithm of the norm of all weights, in black{of_neurons}, over logarithmic flow time.",
        plot,
    )


def _over_time(run: Run, **options: Any) -> Any:
    """A figure with a logarithmic time axis, shaded phases, and a cursor."""
    begin, end = window([run])
    plot = _figure(
        x_axis_type="log",
        x_range=(begin, end),
        x_axis_label="flow time t" if run.evidence.is_flow else "t = step size × steps",
        height=HEIGHT,
        sizing_mode="stretch_width",
        **options,
    )
    for name, left, right in spans(run):
        shade = {"fill_color": style.SHADES[name], "fill_alpha": 1, "line_color": None}
        plot.add_layout(BoxAnnotation(left=left, right=right, level="image", **shade))
    cursor = Span(location=begin, dimension="height", line_color=style.PLUS, line_width=1.5)
    cursor.name = "cursor"
    plot.add_layout(cursor)
    plot.grid.visible = False
    return _lettered(plot)


def _curve(plot: Any, run: Run, values: Float[np.ndarray, " T"], color: str, *, name: str) -> None:
    """A line over time that says its name and value."""
    line = plot.multi_line(*_curves(run, values[:, None]), color=color, line_width=1.4)
    plot.add_tools(HoverTool(renderers=[line], tooltips=[("", name), ("", "t = $data_x")]))


def _curves(run: Run, values: Float[np.ndarray, "T q"]) -> tuple[list[Any], list[Any]]:
    """Times after 0 and values of some curves, with gaps where a value is not finite."""
    later = run.evidence.times > 0
    curves = np.where(np.isfinite(values), values, np.nan)[later].T
    return [run.evidence.times[later]] * len(curves), list(curves.astype(np.float32))


def _level(y: float) -> Span:
    return Span(location=y, dimension="width", line_color=_LINE, line_dash="dotted")


def _source(name: str, /, **columns: Any) -> ColumnDataSource:
    empty = {"color": [], "alpha": []} if "image" not in columns else {}
    return ColumnDataSource({**columns, **empty}, name=name)


def _figure(**options: Any) -> Any:
    """A figure without frame and tools."""
    return figure(toolbar_location=None, tools="", outline_line_color=None, **options)


def _lettered(plot: Any) -> Any:
    """The same figure in the type of the page."""
    plot.axis.axis_label_text_font = plot.axis.major_label_text_font = _FONT
    plot.axis.axis_label_text_font_style = "normal"
    plot.axis.axis_label_text_font_size = plot.axis.major_label_text_font_size = "12px"
    plot.axis.minor_tick_line_color = None
    return plot
