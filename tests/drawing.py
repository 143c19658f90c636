"""A small flow to draw, variants of it, and what its figures show."""

import dataclasses

import numpy as np
from matplotlib.axes._base import _AxesBase as Axes
from matplotlib.figure import Figure
from matplotlib.text import Text

from gflow.report import style
from gflow.runs.experiment import simulate
from gflow.runs.run import Run
from gflow.scenario import parse_scenario

FLOWS = ("alignment", "norms", "fit", "contributions", "cosine_map", "plane")
"""The figures of a flow."""

SCENARIO = """
name = "tiny"
[data]
dimension = 20
subclasses = 3
positive_subclasses = 2
noise = 0.1
samples = 60
test_samples = 0
[network]
power = {power}
width = 12
init_scale = 1e-4
[flow]
end_time = 200.0
{flow}
[record]
linear = 8
geometric = 8
groups = ["neurons", "centers"]
"""


def tiny(power, flow=""):
    return simulate(parse_scenario(SCENARIO.format(power=power, flow=flow)))


def changed(run: Run, **variables) -> Run:
    """The run with variables of its record replaced."""
    values = {name: (run.record[name].dims, value) for name, value in variables.items()}
    return with_evidence(run, record=run.record.assign(values))


def with_evidence(run: Run, **fields) -> Run:
    """The run with fields of its evidence replaced."""
    return dataclasses.replace(run, evidence=dataclasses.replace(run.evidence, **fields))


def without(run: Run, group: str) -> Run:
    """The run as if a group had not been recorded."""
    groups = tuple(g for g in run.scenario.record.groups if g != group)
    recorded = run.scenario.record.model_copy(update={"groups": groups})
    scenario = run.scenario.model_copy(update={"record": recorded})
    dropped = {
        "neurons": ["cosine", "chord", "log_norm", "log_output", "sign"],
        "centers": ["center_output"],
    }[group]
    return with_evidence(run, scenario=scenario, record=run.record.drop_vars(dropped))


def lines(ax, prefix):
    """Lines of an axes by the number in their id, for ids such as "neuron 7"."""
    named = [line for line in ax.lines if str(line.get_gid()).startswith(prefix + " ")]
    return {int(line.get_gid().split()[-1]): line for line in named}


def shaded(ax):
    """Names, begins and ends of the shaded phases of an axes."""
    spans = [patch for patch in ax.patches if patch.get_gid() in style.SHADES]
    return [(s.get_gid(), s.get_x(), s.get_x() + s.get_width()) for s in spans]


def panels_of(figure: Figure, columns: int):
    """The axes of a figure by row and column, without colorbars and second axes."""
    return np.array(figure.axes[: len(figure.axes) // columns * columns]).reshape(-1, columns)


def written(figure: Figure):
    """Every text that a figure shows, with its place in pixels."""
    figure.draw_without_rendering()
    every = [ax for ax in figure.findobj(Axes) if ax.get_visible()]
    axes = [axis for ax in every for axis in (ax.xaxis, ax.yaxis)]
    # Ticks out of view keep their texts.
    labels, shown = (
        {label for axis in of for tick in ticks(axis) for label in (tick.label1, tick.label2)}
        for of, ticks in (
            (axes, lambda axis: [*axis.get_major_ticks(), *axis.get_minor_ticks()]),
            ([axis for axis in axes if axis.axes.axison], lambda axis: axis._update_ticks()),
        )
    )
    texts = [text for text in figure.findobj(Text) if text not in labels - shown]
    visible = [t for t in texts if t.get_text().strip() and t.get_visible()]
    return [(text.get_text(), text.get_window_extent()) for text in visible]


def clipped(figure: Figure):
    """Texts that reach beyond the edge of a figure."""
    edge = figure.bbox.padded(1)
    return [
        text
        for text, box in written(figure)
        if box.x0 < edge.x0 or box.y0 < edge.y0 or box.x1 > edge.x1 or box.y1 > edge.y1
    ]


def colliding(figure: Figure):
    """Pairs of texts that overlap, by more than the white around letters."""
    slack = figure.dpi / 72
    boxes = [(text, box.padded(-slack)) for text, box in written(figure)]
    return [
        (text, other)
        for i, (text, box) in enumerate(boxes)
        for other, another in boxes[:i]
        if box.width > 0 and box.height > 0 and box.overlaps(another)
        and another.width > 0 and another.height > 0
    ]  # fmt: skip
