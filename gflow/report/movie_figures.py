"""The movie of neurons that align: their plane above, the loss with a cursor below.

One idea: all runs have one clock, so that what is quick and what is slow can be seen.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from gflow.report import paper, style
from gflow.report.figure import NotDrawable, never, registered
from gflow.report.movie import Movie
from gflow.report.panels import (
    loss_curve,
    plane_axes,
    plane_neurons,
    plane_pair,
    spans,
    target_colors,
    window,
)
from gflow.report.style import FAINT, INK
from gflow.report.subjects import Runs, chosen
from gflow.report.symbols import tex_number
from gflow.runs.run import Run

SLOW, FAST = 72, 12
"""Frames until the last run fits all samples, and after that."""

_TAIL = 6
"""Frames that the tail of a neuron reaches back."""

_LIGHTEST, _HEAVIEST = 3.0, 42.0
"""Areas in points² of the dots of the lightest and the heaviest neuron."""


class _Stage(NamedTuple):
    """What moves in the column of one run."""

    times: Float[np.ndarray, " T"]
    path: Float[np.ndarray, "T q 2"]
    log_mass: Float[np.ndarray, "T q"]
    dots: PathCollection
    tails: LineCollection
    cursor: Line2D
    mark: Line2D
    loss: Float[np.ndarray, " T"]

    @property
    def moving(self) -> tuple[Artist, ...]:
        """All that moves, from the back to the front."""
        return self.tails, self.dots, self.cursor, self.mark


@registered(never, side_by_side=True, moves=True)
def movie(runs: Runs, pair: tuple[int, int] | None = None) -> Movie:
    """Neurons as they align, in the plane of two centers, above the loss and its phases.

    A dot is a neuron, in the color of its target and in area its share of the present mass; gray
    ones end elsewhere. Between recorded times positions are interpolated.

    **Arguments:**

    - `runs`: as in every figure; two at most side by side, such as ReLU and pReLU.
    - `pair`: as in `plane`.
    """
    with paper.at_most(2):
        columns, note = chosen(runs, laws=True)
    if any(run.evidence.times[-1] == 0 for _, run in columns):
        raise NotDrawable("a flow must have moved, but none of its steps was accepted.")
    figure, axes = _axes(len(columns), note)
    for (title, run), ax in zip(columns, axes[0], strict=True):
        ax.set_title(title)
        plane_axes(run, ax, plane_pair(run, pair))
    _widen(columns, pair, axes[0])
    clock = _clock([run for _, run in columns])
    for (_, run), ax in zip(columns, axes[1], strict=True):
        loss_curve(run, ax).set_xlim(window([run for _, run in columns]))
    style.place_axes(figure)
    for (_, run), ax in zip(columns, axes[1], strict=True):
        style.name_spans(ax, spans(run))
    axes[1, 0].set_ylabel("loss")
    stages = [_stage(run, pair, *column) for (_, run), column in zip(columns, axes.T, strict=True)]
    caption = figure.suptitle(_caption(clock[-1]), fontsize=9, color=INK)

    def show(frame: int) -> None:
        caption.set_text(_caption(clock[frame]))
        for stage in stages:
            _show(stage, clock[: frame + 1])

    show(len(clock) - 1)
    moving = [caption, *(artist for stage in stages for artist in stage.moving)]
    return Movie(figure, len(clock), show, moving)


def _axes(columns: int, note: str) -> tuple[Figure, np.ndarray]:
    width = paper.width(1 if columns == 1 else 2)
    side = 0.86 * width / columns
    figure = Figure(figsize=(width, side + 2.1), layout="constrained")
    if note:
        figure.supxlabel(note, fontsize=style.SMALL, color=INK)
    axes = figure.subplots(2, columns, squeeze=False, height_ratios=(side, 1.0), sharey="row")
    return figure, axes


def _widen(columns: list[tuple[str, Run]], pair: tuple[int, int] | None, axes: np.ndarray) -> None:
    """Let every neuron and every name be in view, also before neurons have turned."""
    places = [
        run.record["cosine"].values[:, np.concatenate(plane_neurons(run, two))][..., list(two)]
        for _, run in columns
        for two in [plane_pair(run, pair)]
    ]
    low = min(min(float(place.min(initial=0.0)) for place in places) - 0.08, -0.2)
    # The names of the centers need 20 points beyond them.
    room = 20 / (54 * style.column_width(len(columns)))
    high = (1 - room * low) / (1 - room)
    for ax in axes:
        ax.set(xlim=(low, high), ylim=(low, high))


def _clock(runs: list[Run]) -> Float[np.ndarray, " frames"]:
    """Flow times of the frames: the start, a geometric sequence until all fit, then a faster one.

    So the cursor moves evenly over the logarithmic time axes.
    """
    begin, end = window(runs)
    phases = [run.evidence.phases for run in runs if run.evidence.phases is not None]
    fitted = [1.5 * t for each in phases for t in each if np.isfinite(t)]
    turn = min(max(fitted, default=end), end)
    if turn <= begin or 2 * turn > end:
        return np.concatenate([[0.0], np.geomspace(begin, end, SLOW + FAST)])
    slow, fast = np.geomspace(begin, turn, SLOW), np.geomspace(turn, end, FAST + 1)
    return np.concatenate([[0.0], slow, fast[1:]])


def _caption(t: float) -> str:
    return rf"flow time  $t = {tex_number(f'{t:.3g}')}$"


def _stage(run: Run, pair: tuple[int, int] | None, plane: Axes, below: Axes) -> _Stage:
    """The artists of one run, without a place yet."""
    near, far = plane_neurons(run, plane_pair(run, pair))
    some: Int[np.ndarray, " q"] = np.concatenate([far[::-1], near[::-1]])
    paint = np.concatenate([np.full(len(far), FAINT), target_colors(run)[near[::-1]]])
    path = run.record["cosine"].values[:, some][:, :, list(plane_pair(run, pair))]
    tails = LineCollection([], colors=list(paint), lw=1.0, alpha=0.45, zorder=3)
    plane.add_collection(tails)
    dots = plane.scatter(*path[0].T, c=list(paint), ec="w", lw=0.4, zorder=4)
    (cursor,) = below.plot([], [], color=INK, lw=0.8)
    (mark,) = below.plot([], [], "o", color=INK, ms=4, mec="w", mew=0.6)
    return _Stage(
        run.evidence.times, path.astype(np.float64), run.evidence.log_mass[:, some],
        dots=dots, tails=tails, cursor=cursor, mark=mark, loss=run.record["loss"].values,
    )  # fmt: skip


def _show(stage: _Stage, past: Float[np.ndarray, " frames"]) -> None:
    """Move everything to the last of the times that have passed."""
    recent = np.array([_at(stage.times, stage.path, t) for t in past[-_TAIL:]])
    stage.dots.set_offsets(recent[-1])
    stage.tails.set_segments(list(np.moveaxis(recent, 1, 0)))
    log_mass = _at(stage.times, stage.log_mass, past[-1])
    share = np.exp(log_mass - log_mass.max())
    stage.dots.set_sizes(_LIGHTEST + (_HEAVIEST - _LIGHTEST) * share)
    left, _ = stage.cursor.axes.get_xlim()  # pyright: ignore[reportOptionalMemberAccess]
    t = max(float(past[-1]), left)
    stage.cursor.set_data([t, t], stage.cursor.axes.get_ylim())  # pyright: ignore[reportOptionalMemberAccess]
    stage.mark.set_data([t], [_at(stage.times, stage.loss, past[-1])])


def _at(
    times: Float[np.ndarray, " T"], values: Float[np.ndarray, " T *q"], t: float
) -> Float[np.ndarray, " *q"]:
    """Recorded values at a time, interpolated between records; the last ones beyond them."""
    i = int(np.clip(np.searchsorted(times, t, side="right") - 1, 0, len(times) - 2))
    share = float(np.clip((t - times[i]) / (times[i + 1] - times[i]), 0, 1))
    return np.asarray((1 - share) * values[i] + share * values[i + 1])
