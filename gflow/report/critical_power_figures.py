"""The share of late neurons over power and ε, and the power up to which theory has few of them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from gflow.judges.conjecture import OWN_BAR
from gflow.judges.evidence import Evidence
from gflow.judges.exponents import SCALE
from gflow.judges.selection import late_at_escape
from gflow.judges.voronoi import SPECIALIZED
from gflow.laws.critical_power import critical_power as critical
from gflow.report import style
from gflow.report.conjecture_figures import POWER
from gflow.report.figure import NotDrawable, has_laws, registered, varies
from gflow.report.study_figures import OWN
from gflow.report.style import DASHED, DOTTED, FAINT, INK
from gflow.report.subjects import Runs, as_study
from gflow.report.symbols import quantity, tex_number
from gflow.runs.manifest import FINDINGS
from gflow.runs.study import Study

LEVELS = {0.3: DOTTED, 0.1: "-", 0.03: DASHED}
"""Shares of late neurons whose critical power is drawn, and the style of its curve."""


def _varies_start(study: Study, name: str) -> bool:
    return has_laws(study, name) and varies(study, POWER, SCALE)


@registered(_varies_start, rests_on=(FINDINGS,))
def critical_power(runs: Runs) -> Figure:
    """Up to which power neurons have chosen when the network escapes, over log 1/ε.

    One panel for each input dimension.  Color: share of neurons that are neither void nor within
    25° of an own center at the first |f(μ_k)| = 1/2.  Curves: the power at which by theory that
    share is .3, .1 and .03.  Filled: own distance certified at most 0.1.

    **Arguments:**

    - `runs`: a study whose [vary] has `network.power`, with powers above 2, and
        `network.init_scale`.
    """
    study = as_study(runs)
    certified = _column(study, OWN[1])
    points = [(e, own) for e, own in certified if e.p > 2 and e.has("neurons") and e.has("centers")]
    powers, scales, sizes = (
        sorted({read(e) for e, _ in points})
        for read in (_power, lambda e: -e.scenario.network.init_scale, lambda e: e.centers.D)
    )
    if not powers or len(scales) < 2:
        raise NotDrawable(
            "`network.init_scale` must vary at a `network.power` above 2, but does not; add it to "
            "[vary]."
        )
    figure, axes = style.row(len(sizes), "", 0.24 * max(len(powers), 4) + 0.7, sharey=True)
    images = []
    for D, ax in zip(sizes, axes, strict=True):
        here = [(e, own) for e, own in points if e.centers.D == D]
        images.append(_late_panel(here, powers, [-s for s in scales], ax))
        ax.set_title(f"$D = {D}$")
    axes[0].set_ylabel(quantity(POWER))
    bar = figure.colorbar(images[0], ax=axes, label="late neurons", pad=0.02)
    bar.outline.set_visible(False)  # pyright: ignore[reportCallIssue]
    laws = [
        Line2D([], [], color=INK, lw=1.1, ls=look, label=f"theory, share {share:g}")
        for share, look in LEVELS.items()
    ]
    marks = [
        Line2D([], [], ls="", marker="o", ms=4, mfc=face, mec=INK, mew=0.7, label=label)
        for face, label in ((INK, f"own distance ≤ {OWN_BAR}, certified"), ("none", "not so"))
    ]
    style.legend(figure, [*laws, *marks])
    return figure


def _power(evidence: Evidence) -> float:
    return evidence.p


def _column(study: Study, name: str) -> list[tuple[Evidence, float]]:
    """Every run with its number in a column of the table; nan where there is none."""
    if name not in study.table:
        return [(run.evidence, np.nan) for run in study.runs]
    labels, values = (study.table[key].values.ravel() for key in ("label", name))
    number = dict(zip(labels.tolist(), values.tolist(), strict=True))
    return [(run.evidence, number[label]) for label, run in study.entries]


def _late_panel(
    points: Sequence[tuple[Evidence, float]],
    powers: Sequence[float],
    scales: Sequence[float],
    ax: Axes,
) -> Any:
    """One dimension: the share of late neurons by color, its law by curves."""
    late = np.full((len(powers), len(scales)), np.nan)
    for evidence, own in points:
        i, j = powers.index(evidence.p), scales.index(evidence.scenario.network.init_scale)
        late[i, j] = late_at_escape(evidence, SPECIALIZED)
        face = INK if own <= OWN_BAR else "none"
        ax.plot(j, i, "o", ms=4, mfc=face, mec=INK, mew=0.7, gid="distance")
    ax.set_facecolor(FAINT)
    image = ax.imshow(
        late, aspect="auto", interpolation="nearest", origin="lower", cmap="YlOrRd",
        vmin=0, vmax=0.75,
    )  # fmt: skip
    # Curves run between the rows and columns of cells, along log log 1/ε.
    first = points[0][0]
    K_own, D = first.centers.K1, first.centers.D
    ticks = np.log(-np.log(scales))
    along = np.linspace(ticks[0], ticks[-1], 60)
    for share, look in LEVELS.items():
        p = [
            critical(share, np.exp(x) - np.log(D) / 2, SPECIALIZED, D=D, K_own=K_own) for x in along
        ]
        inside = (np.array(p) >= powers[0]) & (np.array(p) <= powers[-1])
        y = np.where(inside, np.interp(p, powers, range(len(powers))), np.nan)
        x = np.interp(along, ticks, range(len(ticks)))
        ax.plot(x, y, color=INK, lw=1.1, ls=look, gid=f"law {share:g}")
    columns = [f"${tex_number(f'{s:g}')}$" for s in scales]
    style.label_cells(ax, columns, [f"{p:g}" for p in powers])
    ax.set_xlabel(quantity(SCALE))
    return image
