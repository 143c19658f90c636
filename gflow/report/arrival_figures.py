"""The figure of neurons that are on their way to a center, and where the network escapes."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from gflow.judges.cells import arrivals_of, law_times
from gflow.judges.evidence import Evidence
from gflow.judges.series import Series
from gflow.judges.voronoi import SPECIALIZED
from gflow.laws.cells import late_share
from gflow.report import style
from gflow.report.figure import NotDrawable, is_asked_about, registered
from gflow.report.scale_panels import scale_panels
from gflow.report.style import DASHED, INK, MINUS, PLUS
from gflow.report.subjects import Runs, as_study
from gflow.report.symbols import tex_number

EARLIEST = 0.3
"""Smallest alignment time drawn."""

LEAST = 3e-3
"""Smallest share drawn."""

MARKERS = "osD^vP"
"""One for each ε."""

OPEN: dict[str, Any] = {"mfc": "white", "ms": 5, "mew": 1}
"""How escapes are marked."""


@registered(is_asked_about)
def arrivals(runs: Runs) -> Figure:
    """The share of neurons on their way to a center over t̂, and its law; marked: escape, by ε.

    Points are read from the run of the smallest ε: before escape directions do not depend on ε.
    Dashed: the law of one coordinate alone, whose late power is exact.

    **Source:** theory D19, prediction P43.
    """
    evidences = [run.evidence for run in as_study(runs).runs if _has_cells(run.evidence)]
    if not evidences:
        raise NotDrawable(
            "neurons and centers of a run must be recorded at a power above 2, but are not; set "
            "`network.power` = 3 and add both to `record.groups`."
        )
    figure, panels = scale_panels(evidences, 1.9)
    for one, ax in panels:
        _panel(one, ax)
    panels[0][1].set_ylabel("share on its way")
    scales = sorted({run.scenario.network.init_scale for run in evidences}, reverse=True)
    handles = [
        Line2D([], [], color=INK, lw=0.9, label="theory"),
        Line2D([], [], color=INK, lw=0.9, ls=DASHED, label="one coordinate alone"),
        Line2D([], [], color=PLUS, ls="", marker=".", ms=4, label="class $+$"),
        Line2D([], [], color=MINUS, ls="", marker=".", ms=4, label="class $-$"),
    ]
    for eps, mark in zip(scales, MARKERS, strict=False):
        name = rf"escape at $\varepsilon = {tex_number(f'{eps:g}')}$"
        handles.append(Line2D([], [], color=INK, ls="", marker=mark, label=name, **OPEN))
    style.legend(figure, handles)
    return figure


def _has_cells(run: Evidence) -> bool:
    return run.has_laws and run.p > 2 and run.has("neurons") and run.has("centers")


def _panel(one: Series, ax: Axes) -> None:
    """The neurons of one start: their law, the run of the smallest ε, and all escapes."""
    ends = []
    for s, color in ((1, PLUS), (-1, MINUS)):
        if s not in one.runs[0].centers.signs:
            continue
        t_hat, late = _late(one.runs[0], s)
        some = t_hat >= EARLIEST
        ax.plot(t_hat[some], late[some], ".", color=color, ms=3)
        scales = sorted({run.scenario.network.init_scale for run in one.runs}, reverse=True)
        for run in one.runs:
            t_hat, late = _late(run, s)
            mark = MARKERS[scales.index(run.scenario.network.init_scale) % len(MARKERS)]
            ax.plot(t_hat[-1:], late[-1:], mark, color=color, zorder=4, **OPEN)
            ends.append(float(t_hat[-1]))
    times = np.geomspace(EARLIEST, max(1.5 * max(ends), 10 * EARLIEST), 60)
    for K_own in {one.runs[0].centers.K1, one.runs[0].centers.K2} - {0}:
        _law(one.runs[0], K_own, times, ax)
    ax.set(xscale="log", yscale="log", xlabel=r"$\hat t$", ylim=(LEAST, 1.1))
    ax.set_xlim(times[0], times[-1])


def _late(run: Evidence, s: int) -> tuple[np.ndarray, np.ndarray]:
    """Alignment times while the network is negligible, and shares neither void nor at a center."""
    t_hat, there, void = arrivals_of(run, s)
    return t_hat, (~there & ~void).mean(axis=1)


def _law(run: Evidence, K_own: int, times: np.ndarray, ax: Axes) -> None:
    D, p = run.centers.D, run.p
    law = law_times(D, K_own, run.centers.K, p)
    known = np.isfinite(law)
    share = (known & (law > times[:, None])).mean(axis=1)
    ax.plot(times, share, color=INK, lw=0.9, zorder=0)
    alone = [late_share(float(t), p, SPECIALIZED, D=D, K_own=K_own) for t in times]
    ax.plot(times, alone, color=INK, lw=0.9, ls=DASHED, zorder=0)
