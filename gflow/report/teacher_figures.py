"""The figure of a student beside its teacher: loss, angles between their neurons, and masses."""

import numpy as np
from jaxtyping import Int
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from gflow.data.kind import TeacherNeurons
from gflow.report import style
from gflow.report.figure import NotDrawable, has_laws, registered
from gflow.report.panels import loss_curve, time_axis
from gflow.report.style import FAINT, INK
from gflow.report.subjects import Runs, chosen
from gflow.runs.run import Run
from gflow.runs.study import Study

LEAST_ANGLE = 1e-3
"""Smallest angle drawn, in degrees."""


def _has_teacher(study: Study, name: str) -> bool:
    """Whether the neurons that gave the labels of every run are known."""
    return has_laws(study, name) and all(_teacher(run) for run in study.runs)


def _teacher(run: Run) -> TeacherNeurons | None:
    return run.scenario.data.teacher_neurons_of(run.scenario.seed)


@registered(_has_teacher, side_by_side=True, any_labels=True)
def student(runs: Runs) -> Figure:
    """The loss of a student, the angle of its neurons to the teacher's, and their masses.

    A contributing neuron has the color of the teacher's neuron of its sign that it is closest to at
    the end; the heavier, the stronger its line. Bars: the mass Σ m_j of all such neurons, which
    adds up to the mass |v_k|‖w_k‖ of the teacher's neuron (line) where the student has copied it.
    """
    columns, note = chosen(runs)
    for title, run in columns:
        if _teacher(run) is None:
            raise NotDrawable(
                f'the run {title} must have data.kind = "teacher", but has '
                f'"{run.scenario.data.kind}"; try `fit`.'
            )
    figure, axes = style.panels(3, len(columns), note, 1.4)
    for (title, run), (upper, middle, lower) in zip(columns, axes.T, strict=True):
        loss_curve(run, upper).set(title=title, xlabel="")
        _angles(run, middle)
        _masses(run, lower)
    axes[0, 0].set_ylabel("loss")
    axes[1, 0].set_ylabel("angle to neuron\nof the teacher")
    axes[2, 0].set_ylabel(r"mass  $\Sigma_j\, m_j$")
    handles = [
        Line2D([], [], color=INK, lw=1.4, label="teacher"),
        Line2D([], [], color=FAINT, lw=4, label="student"),
    ]
    style.legend(figure, handles)
    return figure


def _closest(run: Run) -> Int[np.ndarray, " h"]:
    """The teacher's neuron of its sign that each neuron is closest to at the end; -1 for none."""
    last, centers = run.record.isel(time=-1), run.centers
    cosine = last["cosine"].values[:, : centers.K]
    own = np.where(last["sign"].values[:, None] == centers.label, cosine, -np.inf)
    return np.where(np.isfinite(own).any(axis=1), own.argmax(axis=1), -1)


def _angles(run: Run, ax: Axes) -> None:
    """Degrees from each contributing neuron to its neuron of the teacher, over time."""
    closest, share = _closest(run), run.evidence.share
    colors = style.reference_colors(run.centers.label)
    chord = run.record["chord"].values.astype(np.float64)
    for j in np.flatnonzero(run.evidence.contributing & (closest >= 0)):
        angle = np.degrees(2 * np.arcsin(np.minimum(chord[:, j, closest[j]] / 2, 1)))
        strength = np.sqrt(share[j] / share.max())
        ax.plot(
            run.evidence.times, np.maximum(angle, LEAST_ANGLE), color=colors[closest[j]],
            lw=0.5 + 0.9 * strength, alpha=0.35 + 0.65 * strength, gid=f"neuron {j}",
        )  # fmt: skip
    ax.set(yscale="log", ylim=(LEAST_ANGLE, 200))
    ax.yaxis.set_major_formatter(lambda degrees, _: f"{degrees:g}°")
    time_axis(run, ax)


def _masses(run: Run, ax: Axes) -> None:
    """The mass of the student's neurons around each neuron of the teacher, and that one's own."""
    teacher, closest = _teacher(run), _closest(run)
    assert teacher is not None, "it was looked for"
    K, mass = len(teacher.v), np.exp(run.evidence.log_mass[-1])
    gathered = np.bincount(closest[closest >= 0], mass[closest >= 0], minlength=K)
    place = np.arange(1, K + 1)
    ax.bar(place, gathered, width=0.6, color=style.reference_colors(run.centers.label)[:K])
    ax.hlines(np.abs(teacher.mass), place - 0.42, place + 0.42, color=INK, lw=1.4)
    ax.set(xlim=(0.3, K + 0.7), xlabel="neuron of the teacher", xticks=place)
