"""The figure of what is left of other neurons where the first of their class escapes."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from gflow.judges.evidence import Evidence
from gflow.judges.rank_one import ahead, readable, sizes_alone, sizes_at_level, with_growth
from gflow.judges.series import Series
from gflow.laws.hypothesis import all_met
from gflow.report import style
from gflow.report.figure import NotDrawable, is_asked_about, registered
from gflow.report.scale_panels import scale_panels
from gflow.report.style import INK, MINUS, PLUS
from gflow.report.subjects import Runs, as_study

SIZES = {"excess of mass": "o", "excess of rank": "s", "angle to a KKT point": "^"}
"""What is drawn, in the order in which the judge reads it, and its marker."""

OPEN: dict[str, Any] = {"ls": "", "mfc": "white", "ms": 4, "mew": 0.9}
"""How what was read off records is marked."""


@registered(is_asked_about)
def rank_one(runs: Runs) -> Figure:
    """How far a class is from one neuron when its first has grown, over ε; lines: neurons alone.

    **Source:** theory D29, prediction P39.
    """
    evidences = [run.evidence for run in as_study(runs).runs if _is_readable(run.evidence)]
    if not evidences:
        raise NotDrawable(
            "one neuron of a class must escape ahead of the others, without normalization or noise "
            "and with its direction recorded; give `network.normalized` = false, `data.noise` = 0 "
            'and "directions" in `record.groups`.'
        )
    figure, panels = scale_panels(evidences, 2.0)
    for one, ax in panels:
        _panel(one, ax)
    panels[0][1].set_ylabel("distance from one neuron")
    handles = [
        Line2D([], [], color=INK, marker=mark, label=name, **OPEN) for name, mark in SIZES.items()
    ]
    handles += [
        Line2D([], [], color=color, lw=0.9, label=f"class ${sign}$, neurons alone")
        for color, sign in ((PLUS, "+"), (MINUS, "-"))
    ]
    style.legend(figure, handles)
    return figure


def _is_readable(run: Evidence) -> bool:
    """Whether the law of neurons alone is about a run, and one of them has grown."""
    known = run.has_laws and run.loss_is_known
    return known and bool(all_met(with_growth([run], readable(run))))


def _panel(one: Series, ax: Axes) -> None:
    """Every size of both classes over ε."""
    for s, color in ((1, PLUS), (-1, MINUS)):
        those = [run for run in one.runs if s in ahead(run)]
        if not those:
            continue
        scales = [run.scenario.network.init_scale for run in those]
        at_level = np.array([sizes_at_level(run, s) for run in those])
        alone = np.array([sizes_alone(run, s) for run in those])
        for measured, law, mark in zip(at_level.T, alone.T, SIZES.values(), strict=False):
            ax.plot(scales, law, color=color, lw=0.9, zorder=0)
            ax.plot(scales, measured, marker=mark, color=color, **OPEN)
    ax.set(xscale="log", yscale="log", xlabel=r"$\varepsilon$")
