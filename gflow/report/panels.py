"""One run in one `Axes`: the panels that figures are composed of.

A panel only draws.  Every number comes from the record of a run or from its evidence, so a figure
can be made from a stored folder at any time.

A neuron has the color of the reference that theory predicts for it: a subclass for p > 2, a class
for p <= 2.
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Int
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.ticker import MaxNLocator

from gflow.errors import GflowError
from gflow.measure.phases import ESCAPE_LEVEL
from gflow.report import style
from gflow.report.figure import NotDrawable
from gflow.report.style import DASHED, DOTTED, FAINT, INK, LEVEL, SMALL, Span
from gflow.runs.run import Run

BARS_SPREAD, BARS_SELECTED = 300, 50
"""Most bars in `contributions` for p <= 2, where the mass spreads, and for p > 2."""

DOMINANT = 60
"""Most neurons in `cosine_map`."""

PATHS = 40
"""Most paths of either kind in `plane`: near the plane, and away from it."""

OUTPUT_FLOOR = 1e-6
"""Smallest |f(μ_k)| shown in `fit`."""


def cosine_curves(run: Run, ax: Axes, against: Literal["center", "average"]) -> Axes:
    """Cosine of every contributing neuron to the nearest center, or the average, of its class.

    The heavier a neuron, the stronger its line. Dotted: the cosine 1/√K1 (1/√K2) between an
    orthonormal center and its class average.
    """
    values = _nearest_center(run) if against == "center" else _own_average(run)
    _neuron_curves(run, ax, values)
    levels = _average_levels(run)
    for y, name in levels.items():
        ax.axhline(y, color=LEVEL, lw=0.6, ls=DOTTED, zorder=1, gid="level")
        ax.annotate(
            name,
            (1, y),
            (3, 0),
            ("axes fraction", "data"),
            "offset points",
            fontsize=SMALL,
            va="bottom" if y == max(levels) else "top",
            color=INK,
        )
    return time_axis(run, ax)


def norm_curves(run: Run, ax: Axes) -> Axes:
    """log10 ‖w_j‖ of every neuron; those that do not contribute are faint."""
    log10 = run.record["log_norm"].values / math.log(10)
    log10 = np.where(np.isfinite(log10), log10, np.nan)
    rest = log10[:, ~run.evidence.contributing].T
    times = np.broadcast_to(run.evidence.times, rest.shape)
    # Hundreds of gray curves are pixels even in a pdf.
    curves = LineCollection(
        list(np.stack([times, rest], axis=-1)),
        colors=FAINT,
        lw=0.4,
        alpha=0.5,
        rasterized=True,
        gid="rest",
    )
    ax.add_collection(curves)
    _neuron_curves(run, ax, log10)
    return time_axis(run, ax)


def loss_curve(run: Run, ax: Axes) -> Axes:
    """Loss over time, both logarithmic."""
    ax.plot(run.evidence.times, run.record["loss"].values, color="k", lw=1.1, gid="loss")
    ax.set_yscale("log")
    return time_axis(run, ax)


def score_curves(run: Run, ax: Axes) -> Axes:
    """Margins over time; where labels are real numbers, the share R² of their variance."""
    return margin_curves(run, ax) if run.evidence.has_classes else explained_curve(run, ax)


def explained_curve(run: Run, ax: Axes) -> Axes:
    """R² over time; dotted: 0 and 1."""
    values = run.record["r_squared"].values
    ax.plot(run.evidence.times, values, color="k", lw=1.1, gid="r_squared")
    for level in (0, 1):
        ax.axhline(level, color=LEVEL, lw=0.6, ls=DOTTED, zorder=1)
    return time_axis(run, ax)


def margin_curves(run: Run, ax: Axes) -> Axes:
    """Smallest and mean margin over time."""
    for name, word, dashes in (("margin_mean", "mean", DASHED), ("margin_min", "smallest", "-")):
        values = run.record[name].values
        ax.plot(run.evidence.times, values, color="k", lw=1.1, ls=dashes, label=word, gid=name)
    ax.axhline(0, color=LEVEL, lw=0.6, ls=DOTTED, zorder=1)
    return time_axis(run, ax)


def output_curves(run: Run, ax: Axes) -> Axes:
    """|f(μ_k)| over time, one curve per subclass; dotted: the level 1/2 that defines escape."""
    outputs = np.abs(run.record["center_output"].values)
    colors = style.reference_colors(run.centers.label)
    for k, output in enumerate(outputs.T):
        ax.plot(run.evidence.times, output, color=colors[k], lw=1.0, gid=f"center {k}")
    ax.axhline(ESCAPE_LEVEL, color=LEVEL, lw=0.6, ls=DOTTED, zorder=1, gid="level")
    ax.set_yscale("log", nonpositive="mask")
    ax.set_ylim(OUTPUT_FLOOR, output_ceiling(run))
    return time_axis(run, ax)


def contribution_bars(run: Run, ax: Axes, log: bool = False) -> Axes:
    """Shares of the contributing neurons as bars, at most 300 for p <= 2 and 50 for p > 2."""
    evidence = run.evidence
    order = _heaviest(run, evidence.contributing)
    bars = order[: BARS_SPREAD if evidence.p <= 2 else BARS_SELECTED]
    ax.bar(
        np.arange(1, len(bars) + 1),
        evidence.share[bars],
        width=0.8 if len(bars) <= 60 else 1.0,
        color=target_colors(run)[bars],
        log=log,
    )
    text = f"{len(order)} of {len(evidence.share)} neurons\nhold 99.9 %"
    if len(bars) < len(order):
        text += f"\n({len(bars)} shown)"
    ax.text(0.98, 0.97, text, transform=ax.transAxes, ha="right", va="top", fontsize=SMALL)
    ax.set(xlim=(0.3, len(bars) + 0.7), xlabel="neuron, largest first")
    ax.xaxis.set_major_locator(MaxNLocator(6, integer=True, min_n_ticks=1, steps=[1, 2, 5, 10]))
    return ax


def cosine_image(run: Run, ax: Axes) -> Axes:
    """Final cosines of the dominant neurons, one column each, by class, target and contribution.

    Cells of a class without subclasses are hatched.
    """
    # One row per reference: the class averages first, then the centers.
    chosen, K = _dominant(run), run.centers.K
    rows = np.array([K, K + 1, *range(K)])
    cells = run.record["cosine"].values[-1][np.ix_(chosen, rows)].T
    ax.patch.set(hatch="//////", edgecolor=LEVEL, lw=0)  # visible where a cosine is nan
    ax.imshow(
        cells, cmap=style.DIVERGING, vmin=-1, vmax=1, aspect="auto", interpolation="none"
    )  # fmt: skip
    # Lines between averages and centers, and between neurons of the two classes.
    ax.axhline(1.5, color=INK, lw=0.8)
    positive = int((_signs(run)[chosen] > 0).sum())
    if 0 < positive < len(chosen):
        ax.axvline(positive - 0.5, color=INK, lw=0.8)
    # Every row has its name and, as its tick, its color.
    names, colors = style.reference_labels(K), style.reference_colors(run.centers.label)
    ax.set_yticks(range(K + 2), [names[r] for r in rows])
    for tick, r in zip(ax.yaxis.get_major_ticks(), rows, strict=True):
        tick.tick1line.set(markeredgecolor=colors[r], markeredgewidth=6, markersize=4)
    ax.set(xticks=[], xlabel=f"{len(chosen)} heaviest neurons")
    ax.spines[:].set_visible(False)
    return ax


def plane_paths(run: Run, ax: Axes, pair: tuple[int, int] | None = None) -> Axes:
    """Paths (<u_j, μ_a>, <u_j, μ_b>) of contributing neurons of the class of μ_a and μ_b.

    Neurons that end near the plane have their color, the others are faint; of each kind, the 40
    heaviest at most. `pair` holds a and b, counted from 0.
    """
    a, b = plane_pair(run, pair)
    paths = run.record["cosine"].values[:, :, [a, b]]
    near, far = plane_neurons(run, (a, b))
    colors = target_colors(run)
    # Paths away from the plane, then paths near it: a small dot where they start, a large one where
    # they end.
    for j in far:
        ax.plot(*paths[:, j].T, color=FAINT, lw=0.5, alpha=0.7, gid=f"far {j}")
    for j in near:
        x, y = paths[:, j].T
        ax.plot(x, y, color=colors[j], lw=0.8, alpha=0.8, gid=f"neuron {j}", zorder=3)
        ax.plot(x[:1], y[:1], color=colors[j], marker="o", ms=1.6, zorder=3)
        ax.plot(x[-1:], y[-1:], color=colors[j], marker="o", ms=4.5, mec="w", mew=0.5, zorder=4)
    return plane_axes(run, ax, (a, b))


def plane_axes(run: Run, ax: Axes, pair: tuple[int, int]) -> Axes:
    """The plane of two centers: its axes, the unit circle, the centers and their class average."""
    a, b = pair
    arc = np.linspace(0, np.pi / 2, 91)
    ax.plot(np.cos(arc), np.sin(arc), color="0.6", lw=0.7, gid="circle")
    ax.axhline(0, color="0.88", lw=0.6, zorder=0)
    ax.axvline(0, color="0.88", lw=0.6, zorder=0)
    _landmarks(run, ax, pair)
    ax.set(xlim=(-0.2, 1.25), ylim=(-0.2, 1.25), aspect="equal")
    ax.set(xticks=(0, 0.5, 1), yticks=(0, 0.5, 1))
    ax.set_xlabel(rf"$\langle u_j, \mu_{{{a + 1}}}\rangle$")
    ax.set_ylabel(rf"$\langle u_j, \mu_{{{b + 1}}}\rangle$")
    return ax


def _signs(run: Run) -> Int[np.ndarray, " h"]:
    """Class of each neuron at the end."""
    return run.record["sign"].values[-1]


def target_colors(run: Run) -> np.ndarray:
    """Color of each neuron: that of its target."""
    return np.array(style.reference_colors(run.centers.label))[run.evidence.target]


def _nearest_center(run: Run) -> Float[np.ndarray, "T h"]:
    """Cosine of each neuron to the center of its class that is nearest at that time."""
    cosine, label = run.record["cosine"].values[..., : run.centers.K], run.centers.label
    plus, minus = (cosine[..., label == s].max(axis=-1, initial=-1.0) for s in (1, -1))
    return np.where(_signs(run) > 0, plus, minus)


def _own_average(run: Run) -> Float[np.ndarray, "T h"]:
    """Cosine of each neuron to the average of its class."""
    cosine, K = run.record["cosine"].values, run.centers.K
    return np.where(_signs(run) > 0, cosine[..., K], cosine[..., K + 1])


def _heaviest(run: Run, among: Bool[np.ndarray, " h"]) -> Int[np.ndarray, " q"]:
    """Indices of some neurons, heaviest first."""
    order = np.argsort(-run.evidence.share, kind="stable")
    return order[among[order]]


def _dominant(run: Run) -> Int[np.ndarray, " q"]:
    """Indices of the heaviest contributing neurons by class, then target, then contribution."""
    chosen = _heaviest(run, run.evidence.contributing)[:DOMINANT]
    order = np.lexsort((run.evidence.target[chosen], -_signs(run)[chosen]))
    return chosen[order]


def _neuron_curves(run: Run, ax: Axes, values: Float[np.ndarray, "T h"]) -> None:
    """One line per contributing neuron, the heaviest on top."""
    colors, share = target_colors(run), run.evidence.share
    neurons = _heaviest(run, run.evidence.contributing)[::-1]
    for rank, j in enumerate(neurons):
        strength = math.sqrt(share[j] / share.max())
        ax.plot(
            run.evidence.times,
            values[:, j],
            color=colors[j],
            lw=0.5 + 0.9 * strength,
            alpha=0.35 + 0.65 * strength,
            zorder=2 + rank / len(neurons),
            rasterized=len(neurons) > 200,
            gid=f"neuron {j}",
        )


def output_ceiling(run: Run) -> float:
    """Upper limit of |f(μ_k)| in a figure, above the level of escape."""
    outputs = np.abs(run.record["center_output"].values)
    return 3 * float(outputs[np.isfinite(outputs)].max(initial=ESCAPE_LEVEL))


def _average_levels(run: Run) -> dict[float, str]:
    """Cosine between a center and its class average, and its name, if centers are orthonormal."""
    if not run.centers.orthonormal:
        return {}
    K1, K2 = run.centers.K1, run.centers.K - run.centers.K1
    counts = {"1": K1, "2": K2} if K1 != K2 else {"{1,2}": K1}
    return {1 / math.sqrt(n): rf"$1/\sqrt{{K_{i}}}$" for i, n in counts.items() if n > 1}


def plane_pair(run: Run, pair: tuple[int, int] | None) -> tuple[int, int]:
    """Two subclasses of one class."""
    label = run.centers.label
    if pair is None:
        members = [np.flatnonzero(label == s)[:2] for s in (1, -1)]
        a, b = next((two for two in members if len(two) == 2), (0, 0))
        if a == b:
            raise NotDrawable(
                "a class must have two subclasses, but each has at most one; the plane is that "
                "of two centers of a class."
            )
        return int(a), int(b)
    a, b = pair
    if not (0 <= a < len(label) and 0 <= b < len(label) and a != b and label[a] == label[b]):
        raise GflowError(
            f"`pair` must be two subclasses of one class, counted from 0, but is {pair} and the "
            f"classes are {label.tolist()}."
        )
    return a, b


def plane_neurons(
    run: Run, pair: tuple[int, int]
) -> tuple[Int[np.ndarray, " q"], Int[np.ndarray, " r"]]:
    """Contributing neurons of the class, near the plane at the end or not, heaviest first.

    A neuron is near if its projection is at least half as long as that of the class average.
    """
    end = np.linalg.norm(run.record["cosine"].values[-1][:, list(pair)], axis=1)
    near = end >= 0.5 * np.linalg.norm(_average_point(run, pair)[1])
    own = run.evidence.contributing & (_signs(run) == run.centers.label[pair[0]])
    return _heaviest(run, own & near)[:PATHS], _heaviest(run, own & ~near)[:PATHS]


def _average_point(run: Run, pair: tuple[int, int]) -> tuple[int, Float[np.ndarray, " 2"]]:
    """Index of the class average of two centers, and its coordinates in their plane."""
    references, K = run.centers.references, run.centers.K
    average = K if run.centers.label[pair[0]] > 0 else K + 1
    return average, references[list(pair)] @ references[average]


def _landmarks(run: Run, ax: Axes, pair: tuple[int, int]) -> None:
    """Mark and name two centers and their class average."""
    names = style.reference_labels(run.centers.K)
    colors = style.reference_colors(run.centers.label)
    average, point = _average_point(run, pair)
    for r, (x, y) in {pair[0]: (1.0, 0.0), pair[1]: (0.0, 1.0), average: point}.items():
        ax.plot(x, y, marker="s", ms=8, mfc="none", mec=colors[r], mew=1.0, ls="", zorder=5)
        text = ax.annotate(
            names[r], (x, y), (11, 8), textcoords="offset points", color=colors[r], zorder=6
        )
        text.set_fontsize(10)
        text.set_path_effects([patheffects.withStroke(linewidth=2.5, foreground="w")])


def spans(run: Run) -> list[Span]:
    """The phases of a run, and the flow times at which they begin and end; none if unrecorded."""
    phases, last = run.evidence.phases, float(run.evidence.times[-1])
    if phases is None or last == 0:
        return []
    edges = [0.0, *sorted({t for t in phases if 0 < t < last}), last]
    spans: list[Span] = []
    for begin, end in pairwise(edges):
        name = phases.name((begin + end) / 2)
        if spans and spans[-1].name == name:
            begin = spans.pop().begin
        spans.append(Span(name, begin, end))
    return spans


def window(runs: Sequence[Run]) -> tuple[float, float]:
    """Limits of a logarithmic time axis: the first scheduled time and the last time."""
    times = [run.evidence.times for run in runs]
    scheduled = [run.record["scheduled"].values.astype(bool) for run in runs]
    later = [t[s & (t > 0)] for t, s in zip(times, scheduled, strict=True)]
    first = min((float(t[0]) for t in later if t.size), default=0.1)
    return first, max(2 * first, *(float(t[-1]) for t in times))


def time_axis(run: Run, ax: Axes) -> Axes:
    """Give axes a logarithmic time axis, and shade the phases of the run."""
    ax.set(xlim=window([run]), xlabel="flow time $t$")
    ax.set_xscale("log", nonpositive="clip")
    style.shade(ax, spans(run))
    return ax


def scaled_axis(run: Run, ax: Axes) -> None:
    """A second time axis, in units of κπt, below the first."""
    scaled, times = run.record["scaled_time"].values, run.evidence.times
    if times[-1] > 0:
        clock = scaled[-1] / times[-1]
        below = ax.secondary_xaxis("bottom", functions=(lambda t: clock * t, lambda s: s / clock))
        below.spines["bottom"].set_position(("outward", 30))
        below.set_xlabel(r"scaled time $\kappa\pi t$", labelpad=1)
