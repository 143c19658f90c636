"""The figure of how far errors are off the samples' span, over ε, beside the slopes of theory."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from gflow.judges.exponents import SCALE, log_scales
from gflow.judges.off_manifold import ErrorLaw, error_laws
from gflow.judges.series import Series, series
from gflow.report import style
from gflow.report.figure import NotDrawable, is_asked_about, registered
from gflow.report.style import INK
from gflow.report.subjects import Runs, as_study

Law = tuple[Series, ErrorLaw]


@registered(is_asked_about)
def off_manifold(runs: Runs) -> Figure:
    """How far the closest error off the span of all samples is, over 1/ε, and lines of theory.

    On the left no neuron of the other class is void, on the right one is or more. Bars reach from
    what is certified to what was found, and are mostly shorter than marks. Lines have the slope E
    of theory and pass through the mean.

    **Source:** theory D25, prediction P35.
    """
    evidences = [run.evidence for run in as_study(runs).runs]
    if not all({"direction", "log_norm"} <= set(run.record) for run in evidences):
        raise NotDrawable(
            'neurons and directions must be recorded; add "neurons" and "directions" to '
            "`record.groups`."
        )
    laws = [(one, law) for one in series(evidences, SCALE) for law in error_laws(one)]
    if not any(np.isfinite(law.low).any() for _, law in laws):
        raise NotDrawable(
            "samples must be fitted and leave out some dimensions, but do not at any run; give "
            "`data.noise` = 0 or a later `flow.end_time`."
        )
    powers = sorted({run.p for run in evidences})
    paints = dict(zip(powers, style.curve_colors(powers), strict=True))
    groups = {
        "no void neuron": [pair for pair in laws if not pair[1].void],
        "a void neuron": [pair for pair in laws if pair[1].void],
    }
    groups = {title: pairs for title, pairs in groups.items() if pairs}
    figure, axes = style.panels(1, len(groups), "", 2.0, sharey=True)
    for ax, (title, pairs) in zip(axes[0], groups.items(), strict=True):
        for one, law in pairs:
            _distances(one, law, ax, paints[one.runs[0].p])
        ax.set(title=title, xlabel=r"$\log_{10} 1/\varepsilon$")
    axes[0, 0].set_ylabel(r"$\log_{10}$ distance of the closest error")
    style.legend(figure, [
        Line2D([], [], color=paint, marker="o", ms=3, lw=0.8, label=f"$p = {p:g}$")
        for p, paint in paints.items()
    ] + [
        Line2D([], [], color=INK, ls="", marker="o", ms=3, mew=0.8, mfc=face, label=f"class {word}")
        for word, face in (("$+$", INK), ("$-$", "white"))
    ])  # fmt: skip
    return figure


def _distances(one: Series, law: ErrorLaw, ax: Axes, paint: str) -> None:
    """The distances of one class in one series, and a line of the slope of theory."""
    x = -log_scales(one) / np.log(10)
    low, high = law.low / np.log(10), law.high / np.log(10)
    seen = np.isfinite(low) & np.isfinite(high)
    if not seen.any():
        return
    shift = float(((low + high) / 2 - law.exponent * x)[seen].mean())
    ax.plot(x, law.exponent * x + shift, color=paint, lw=0.8)
    ax.vlines(x[seen], low[seen], high[seen], color=paint, lw=2)
    face = paint if law.sign > 0 else "white"
    ax.plot(x[seen], high[seen], "o", ms=3, mew=0.8, color=paint, mfc=face)
