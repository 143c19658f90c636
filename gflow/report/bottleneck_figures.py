"""The figure of escape times of deep networks over the scale of the layers that start small."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from gflow.judges.bottleneck import Bottleneck, bottlenecks
from gflow.judges.far_enough import LEFT
from gflow.laws.layers import escape_exponent
from gflow.report import style
from gflow.report.figure import NotDrawable, is_asked_about, registered
from gflow.report.style import FAINT
from gflow.report.subjects import Runs, as_study
from gflow.report.symbols import in_symbols


@registered(is_asked_about)
def bottleneck(runs: Runs) -> Figure:
    """Escape times of deep networks over the scale ε of their small layers, one line per set.

    Gray: the law's power of 1/ε, or log 1/ε at Σ q_l = 2, through the smallest ε.

    **Source:** theory D28, prediction P38.
    """
    evidences = [run.evidence for run in as_study(runs).runs]
    layered = [one for one in evidences if one.scenario.network.kind == "layers"]
    studied = [one for one in bottlenecks(layered) if np.ptp(one.log_inverse) > 0]
    studied.sort(key=lambda one: one.degree)
    if not studied:
        raise NotDrawable(
            "`network.layer_scales` or `network.init_scale` of layers must vary, but does not; try "
            "scenarios/bottleneck.toml."
        )
    figure, axes = style.panels(1, 1, "", 2.6)
    ax = axes[0, 0]
    colors = style.curve_colors([one.degree for one in studied])
    handles = []
    for one, paint in zip(studied, colors, strict=True):
        eps = np.exp(-one.log_inverse)
        times = np.array([left.time for left in one.departures(LEFT)])
        ax.loglog(eps, times[-1] * _law(one), color=FAINT, lw=2.6)
        ax.loglog(eps, times, "o-", ms=3, lw=0.8, color=paint)
        name = rf"$\Sigma q = {one.degree:g}$: {in_symbols(one.title)}"
        handles.append(Line2D([], [], color=paint, marker="o", ms=3, lw=0.8, label=name))
    ax.invert_xaxis()
    ax.set(xlabel=r"scale $\varepsilon$ of the small layers", ylabel="escape time $t$")
    handles.append(
        Line2D([], [], color=FAINT, lw=2.6, label=r"law, through the smallest $\varepsilon$")
    )
    style.legend(figure, handles)
    return figure


def _law(one: Bottleneck) -> np.ndarray:
    """Escape times over the last one, by the law alone."""
    x = one.log_inverse
    if one.degree == 2:
        return x / x[-1]
    return np.exp(escape_exponent([one.degree]) * (x - x[-1]))
