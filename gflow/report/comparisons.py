"""Several runs in one axis: loss, cosine to the target, outputs and escape over time.

One idea: a run is one curve, in the color of the varied key (see `gflow.report.coloring`), so a
sweep over twenty scales is read at a glance; and a descent in steps lies over the flow, since its
time is the number of steps times the step size.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from gflow.measure.phases import ESCAPE_LEVEL
from gflow.report import style
from gflow.report.coloring import Coloring
from gflow.report.figure import has_laws, never, registered
from gflow.report.panels import OUTPUT_FLOOR, window
from gflow.report.style import DOTTED, INK, LEVEL
from gflow.report.subjects import Runs, as_study, requires
from gflow.report.symbols import spaced
from gflow.runs.run import Entry
from gflow.runs.study import Study

Panel = Callable[[Sequence[Entry], Coloring, Axes], None]


def _compares_networks_with_laws(study: Study, name: str) -> bool:
    return study.scenario.is_grid and has_laws(study, name)


@registered(_compares_networks_with_laws, any_labels=True)
def overlay(runs: Runs) -> Figure:
    """All runs in one axis: loss, cosine to the target, and largest output with its escape."""
    return _figure(runs, _loss, _cosine, _outputs)


@registered(never, any_labels=True)
def loss(runs: Runs) -> Figure:
    """The training loss of all runs in one axis."""
    return _figure(runs, _loss)


@registered(never)
def cosine(runs: Runs) -> Figure:
    """How well all runs align, in one axis: the mean cosine of neurons to their targets by mass.

    The mass is the final one, so that neurons which stay small do not count.
    """
    return _figure(runs, _cosine)


@registered(never)
def outputs(runs: Runs) -> Figure:
    """The largest output max_k |f(μ_k)| of all runs in one axis; a dot where it escapes, at 1/2."""
    return _figure(runs, _outputs)


def _figure(runs: Runs, *panels: Panel) -> Figure:
    entries = as_study(runs).entries
    coloring = Coloring.of([label for label, _ in entries])
    alike = [*coloring.rest, *(["seed"] if any("seed=" in label for label, _ in entries) else [])]
    words = ", ".join(map(spaced, alike))
    note = f"{len(entries)} runs; not told apart: {words}" if alike else ""
    figure, axes = style.row(len(panels), note, 1.9 if len(panels) > 1 else 2.2)
    for panel, ax in zip(panels, axes, strict=True):
        panel(entries, coloring, ax)
        ax.set(xscale="log", xlim=window([run for _, run in entries]), xlabel=_time(entries))
    escapes = [] if _outputs not in panels else [
        Line2D([], [], color=INK, ls="", marker="o", ms=3, label="escape")
    ]  # fmt: skip
    coloring.explain(figure, axes, escapes)
    return figure


def _time(entries: Sequence[Entry]) -> str:
    """The time axis of flows, or of flows beside descents in steps."""
    flows = [run.evidence.is_flow for _, run in entries]
    if all(flows):
        return "flow time $t$"
    return "time $t$, or steps × step size" if any(flows) else "time $t$ = steps × step size"


def _loss(entries: Sequence[Entry], coloring: Coloring, ax: Axes) -> None:
    for label, run in entries:
        _curve(ax, run.evidence.times, run.record["loss"].values, coloring.look(label), label=label)
    ax.set(yscale="log", ylabel="training loss")


def _cosine(entries: Sequence[Entry], coloring: Coloring, ax: Axes) -> None:
    for label, run in entries:
        requires(run, label, "neurons")
        evidence = run.evidence
        mean = np.nan_to_num(evidence.target_cosine) @ evidence.share
        _curve(ax, evidence.times, mean, coloring.look(label), label=label)
    ax.set(ylabel="cosine to the target", ylim=(None, 1.04))


def _outputs(entries: Sequence[Entry], coloring: Coloring, ax: Axes) -> None:
    for label, run in entries:
        requires(run, label, "centers")
        look, evidence = coloring.look(label), run.evidence
        largest = np.abs(run.record["center_output"].values).max(axis=1)
        _curve(ax, evidence.times, largest, look, label=label)
        if evidence.phases is not None and np.isfinite(evidence.phases.escape):
            ax.plot(evidence.phases.escape, ESCAPE_LEVEL, "o", ms=3, color=look["color"],
                    mec="w", mew=0.4, gid="escape", zorder=3)  # fmt: skip
    ax.axhline(ESCAPE_LEVEL, color=LEVEL, lw=0.6, ls=DOTTED, zorder=1, gid="level")
    ax.set_yscale("log", nonpositive="mask")
    ax.set(ylabel=r"largest output $|f(\mu_k)|$", ylim=(OUTPUT_FLOOR, None))


def _curve(
    ax: Axes,
    times: Float[np.ndarray, " T"],
    values: Float[np.ndarray, " T"],
    look: dict[str, Any],
    *,
    label: str,
) -> None:
    ax.plot(times, values, lw=1.0, gid=f"run {label}", **look)
