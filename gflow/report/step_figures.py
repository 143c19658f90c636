"""The figure of a loss that falls in steps, behind it the steps that theory counts out."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from gflow.judges.evidence import Evidence
from gflow.judges.loss_steps import step_law
from gflow.judges.series import Series
from gflow.report import style
from gflow.report.figure import NotDrawable, is_asked_about, registered
from gflow.report.scale_panels import scale_panels
from gflow.report.style import FAINT
from gflow.report.subjects import Runs, as_study
from gflow.report.symbols import tex_number

PAST = 1.15
"""How far the axis reaches, over the last step of the law."""


@registered(is_asked_about)
def loss_steps(runs: Runs) -> Figure:
    """The loss over t/log(1/ε), one curve per ε, and the steps it tends to as ε → 0.

    **Source:** theory D17, predictions P30 and P31.
    """
    evidences = [run.evidence for run in as_study(runs).runs]
    if not all(map(_has_steps, evidences)):
        raise NotDrawable(
            "the loss must be a square one, the data without noise, and neurons and centers "
            'recorded; give `flow.loss` = "half_square" and `data.noise` = 0.'
        )
    figure, panels = scale_panels(evidences, 1.7)
    for one, ax in panels:
        _steps_panel(one, ax)
    panels[0][1].set_ylabel("loss")
    scales = sorted({run.scenario.network.init_scale for run in evidences})
    shown = [Line2D([], [], color=FAINT, lw=2.8, label=r"theory, $\varepsilon \to 0$")]
    for eps, paint in zip(scales, _shades(len(scales)), strict=True):
        name = rf"$\varepsilon = {tex_number(f'{eps:g}')}$"
        shown.append(Line2D([], [], color=paint, lw=1, label=name))
    style.legend(figure, shown)
    return figure


def _has_steps(run: Evidence) -> bool:
    """Whether a law says in which steps the loss of a run falls."""
    lawful = run.has_laws and run.loss_is_known and run.loss.saturates and run.alpha == 0
    recorded = run.has("neurons") and run.has("centers")
    return lawful and recorded and run.scenario.network.init_scale < 1


def _shades(count: int) -> list[tuple[float, float, float]]:
    """A color per ε, the darker the smaller."""
    light = np.arange(count)[:, None] / count
    return [tuple(row) for row in np.array([0.05, 0.15, 0.4]) + light * [1.0, 0.55, -0.35]]


def _steps_panel(one: Series, ax: Axes) -> None:
    """The runs of one start: their loss, behind it the steps of their law."""
    first = one.runs[0]
    law = step_law(first)
    end = PAST * law.instants.max(initial=1.0)
    ax.stairs(
        law.levels(first.pi, first.loss.kappa), [0, *law.instants, end],
        baseline=None, color=FAINT, lw=2.8,
    )  # fmt: skip
    for run, paint in zip(one.runs, _shades(len(one.runs)), strict=True):
        folds = -np.log(run.scenario.network.init_scale)
        ax.plot(run.times / folds, run.record["loss"].values, color=paint, lw=1)
    ax.set(xlabel=r"$t\,/\,\log(1/\varepsilon)$", xlim=(0, end), ylim=(0, None))
