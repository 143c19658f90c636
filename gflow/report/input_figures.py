"""Inputs of two or three coordinates: samples, neurons and the decision boundary at a few times.

One idea: without biases the sign of f(x) depends on x/‖x‖ alone, so two coordinates are drawn in
the plane, and three on a map of the sphere that keeps areas.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Float, Int
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from gflow.data.dataset import Dataset
from gflow.network.prelu import Network
from gflow.report import paper, style
from gflow.report.figure import NotDrawable, has_laws, registered
from gflow.report.style import INK, MINUS, PLUS, SMALL
from gflow.report.subjects import Runs, chosen
from gflow.report.symbols import tex_number
from gflow.runs.run import Run
from gflow.runs.study import Study

MOMENTS = ("start", "escape", "end")

_TINTS = ("#dfe5fb", "#ffffff", "#fbe1df")
"""Backgrounds where f is negative, zero and positive."""

_FINE = 241
"""Points along each side of the grid on which the sign of f is evaluated."""


def _is_pictured(study: Study, name: str) -> bool:
    return has_laws(study, name) and all(run.centers.D in (2, 3) for run in study.runs)


@registered(_is_pictured, side_by_side=True)
def input_space(runs: Runs) -> Figure:
    """Inputs of two or three coordinates: samples, neurons, and where f changes its sign.

    One row per run: at the start, at the first recorded time after escape, and at the end. In the
    plane a neuron is an arrow along w_j, in length √(m_j / max m) of its present mass; on the
    sphere, a dot of that size. Red: the positive class, neurons with v_j > 0, and f > 0; blue: the
    negative ones; white: where no neuron is active.
    """
    rows, note = chosen(runs, laws=True)
    D = {run.centers.D for _, run in rows}
    if not {2, 3} >= D or len(D) > 1:
        raise NotDrawable(
            "inputs must have two or three coordinates, the same number in all runs, but have "
            f"{' and '.join(map(str, sorted(D)))}; try `plane`."
        )
    on_sphere = {3} == D
    height = (0.5 if on_sphere else 0.9) * paper.width() / len(MOMENTS) + 0.1
    # A name stands beside its row.
    height = max(height, max(style.title_width(title) for title, _ in rows) / 72 + 0.3)
    options = {"subplot_kw": {"projection": "hammer"}} if on_sphere else {}
    figure, axes = _grid(len(rows), note, height, options)
    for (title, run), line in zip(rows, axes, strict=True):
        _row(run, line, _on_sphere if on_sphere else _in_plane)
        line[0].annotate(
            title, (0, 0.5), (-8, 0), "axes fraction", "offset points",
            ha="right", va="center", rotation=90, fontsize=8.5,
        )  # fmt: skip
    for ax, moment in zip(axes[0], MOMENTS, strict=True):
        ax.set_title(f"{moment}\n{ax.get_title()}" if ax.get_title() else moment)
    _key(figure, on_sphere)
    return figure


def _grid(
    rows: int, note: str, height: float, options: dict[str, Any]
) -> tuple[Figure, np.ndarray]:
    figure, axes = style.panels(rows, len(MOMENTS), note, height, **options)
    for ax in axes.flat:
        ax.set(xticks=[], yticks=[])
    return figure, axes


class _Moment(NamedTuple):
    """The neurons of a run at one time."""

    u: Float[np.ndarray, "h D"]
    log_mass: Float[np.ndarray, " h"]
    sign: Float[np.ndarray, " h"]
    p: float

    @property
    def size(self) -> Float[np.ndarray, " h"]:
        """√(m_j / max m)."""
        return np.exp(0.5 * (self.log_mass - self.log_mass.max()))

    def sign_at(self, x: Float[np.ndarray, "q D"]) -> Int[np.ndarray, " q"]:
        """The sign of f(x), which is that of f(x/‖x‖); 0 where no neuron is active."""
        length = np.linalg.norm(x, axis=1, keepdims=True)
        unit = np.divide(x, length, out=np.zeros_like(x), where=length > 0)
        with jax.enable_x64(True):
            u, log_mass, sign = (
                jax.device_put(np.asarray(part, np.float64))
                for part in (self.u, self.log_mass - self.log_mass.max(), self.sign)
            )
            network = Network(u, log_mass, sign, self.p)
            return np.sign(np.asarray(network(unit))).astype(int)


Picture = Callable[[Run, _Moment, Dataset, Axes], None]


def _row(run: Run, axes: np.ndarray, picture: Picture) -> None:
    """One run at its moments."""
    if "direction" not in run.record:
        raise NotDrawable(
            f"the directions of neurons of {run.scenario.name} must be recorded, but are not; run "
            "it again with --fresh."
        )
    samples, record = run.scenario.data.read(run.scenario.seed).train, run.record
    for at, ax in zip(_moments(run), axes, strict=True):
        if at is None:
            ax.text(
                0.5, 0.5, "has not escaped", transform=ax.transAxes, ha="center", fontsize=SMALL
            )
            ax.set_axis_off()
            continue
        moment = _Moment(
            record["direction"].values[at].astype(np.float64),
            run.evidence.log_mass[at],
            record["sign"].values[at].astype(np.float64),
            run.evidence.p,
        )
        picture(run, moment, samples, ax)
        mass = tex_number(f"{np.exp(moment.log_mass).sum():.2g}")
        ax.set_xlabel(
            rf"$t = {tex_number(f'{run.evidence.times[at]:.3g}')}$,  $\Sigma_j m_j = {mass}$",
            fontsize=SMALL,
        )


def _moments(run: Run) -> tuple[int | None, ...]:
    """Records at the start, at the first time after escape if there was one, and at the end."""
    phases, times = run.evidence.phases, run.evidence.times
    escaped = phases is not None and np.isfinite(phases.escape)
    return 0, int(np.searchsorted(times, phases.escape)) if escaped and phases else None, -1


def _in_plane(run: Run, moment: _Moment, samples: Dataset, ax: Axes) -> None:
    """Samples, arrows and the sign of f in the plane."""
    reach = 1.12 * max(1.0, float(np.abs(samples.x).max()))
    side = np.linspace(-reach, reach, _FINE)
    grid = np.stack(np.meshgrid(side, side), axis=-1)
    f = moment.sign_at(grid.reshape(-1, 2)).reshape(_FINE, _FINE)
    ax.contourf(side, side, f, levels=(-1.5, -0.5, 0.5, 1.5), colors=_TINTS)
    ax.contour(side, side, f, levels=(0,), colors="k", linewidths=0.9)
    ax.scatter(*samples.x.T, s=3, c=_paint(samples.targets("sign")), lw=0, alpha=0.5, zorder=2)
    tips = moment.size[:, None] * moment.u
    order = np.argsort(moment.size)
    ax.quiver(
        *np.zeros((2, len(tips))), *tips[order].T, color=_paint(moment.sign[order]),
        angles="xy", scale_units="xy", scale=1, width=0.011, headwidth=3.2, headlength=4,
        headaxislength=3.6, zorder=3, ec="w", lw=0.25,
    )  # fmt: skip
    ax.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
    ax.spines[:].set_visible(False)


def _on_sphere(run: Run, moment: _Moment, samples: Dataset, ax: Axes) -> None:
    """Samples, neurons and the sign of f on the sphere, seen from the mean of the centers."""
    turn = _facing(run.centers.mu.mean(axis=0))
    east, north = np.linspace(-np.pi, np.pi, _FINE), np.linspace(-np.pi / 2, np.pi / 2, _FINE)
    a, b = np.meshgrid(east, north)
    grid = np.stack([np.cos(b) * np.cos(a), np.cos(b) * np.sin(a), np.sin(b)], axis=-1)
    f = moment.sign_at(grid.reshape(-1, 3) @ turn).reshape(_FINE, _FINE)
    ax.contourf(a, b, f, levels=(-1.5, -0.5, 0.5, 1.5), colors=_TINTS)
    ax.contour(a, b, f, levels=(0,), colors="k", linewidths=0.9)
    ax.scatter(*_longitude_latitude(samples.x @ turn.T), s=2.5,
               c=_paint(samples.targets("sign")), lw=0, alpha=0.5, zorder=2)  # fmt: skip
    order = np.argsort(-moment.size)
    ax.scatter(*_longitude_latitude(moment.u[order] @ turn.T), s=3 + 45 * moment.size[order] ** 2,
               c=_paint(moment.sign[order]), ec="k", lw=0.4, zorder=3)  # fmt: skip


def _facing(x: Float[np.ndarray, " 3"]) -> Float[np.ndarray, "3 3"]:
    """A rotation that takes `x` to the first axis."""
    basis, _ = np.linalg.qr(np.column_stack([x, np.eye(3)[:, np.argsort(np.abs(x))[:2]]]))
    basis *= np.sign(basis[:, 0] @ x)
    return basis.T * np.array([1.0, 1.0, np.linalg.det(basis)])[:, None]


def _longitude_latitude(x: Float[np.ndarray, "q 3"]) -> tuple[np.ndarray, np.ndarray]:
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    return np.arctan2(unit[:, 1], unit[:, 0]), np.arcsin(np.clip(unit[:, 2], -1, 1))


def _paint(sign: np.ndarray) -> np.ndarray:
    """The color of a class for each sign."""
    return np.where(np.asarray(sign) > 0, PLUS, MINUS)


def _key(figure: Figure, on_sphere: bool) -> None:
    neuron = {"marker": "o", "ms": 5, "mec": "k"} if on_sphere else {"marker": r"$\rightarrow$",
                                                                     "ms": 9}  # fmt: skip
    handles = [
        Line2D([], [], color=INK, ls="", marker="o", ms=2, alpha=0.6, label="sample"),
        Line2D([], [], color=INK, ls="", label="neuron", **neuron),
        Line2D([], [], color="k", lw=0.9, label="decision boundary"),
        Line2D([], [], color=PLUS, lw=2.2, label="class $+$"),
        Line2D([], [], color=MINUS, lw=2.2, label="class $-$"),
    ]
    style.legend(figure, handles)
