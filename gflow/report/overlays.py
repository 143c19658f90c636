"""Theory and simulation in one figure: laws as lines, runs as points, their difference below.

One idea: an overlay draws the numbers that a judge of `gflow.judges` compares, so that a verdict
can be seen.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from gflow.judges.alignment_phase import clock, coordinates, negligible, own, signs
from gflow.judges.escape_slopes import escape_law
from gflow.judges.evidence import Evidence
from gflow.judges.fitting_line import Group, followed, potential_line
from gflow.judges.noise_free import closed_form
from gflow.judges.selection import mass_by_place
from gflow.judges.series import series
from gflow.laws.reduced import aligned, stability_rates
from gflow.report import style
from gflow.report.figure import NotDrawable, is_asked_about, registered
from gflow.report.style import CURVES, DASHED, DOTTED, FAINT, INK, LEVEL, MINUS, PLUS
from gflow.report.subjects import Runs, as_study, chosen
from gflow.report.symbols import in_symbols, quantity, tex_number
from gflow.runs.run import Run
from gflow.runs.study import Study

NEURONS = 24
"""Most neurons drawn in an overlay."""

FINEST = 1e-5
"""Smallest chord drawn."""

FLOW_LINES = 15
"""Flow lines start on a grid with this many points along each side of the triangle."""


def _compares_runs(study: Study, name: str) -> bool:
    return study.scenario.is_grid and is_asked_about(study, name)


@registered(is_asked_about, side_by_side=True)
def closed_forms(runs: Runs) -> Figure:
    """Cosine of neurons to their target while f ≪ 1: recorded, and by theory D3; difference below.

    With noise the line is still the noise-free law, so the difference shows the effect of noise.
    """
    figure, axes = _side_by_side(runs, _closed_form_panel, 2, sharey="row")
    axes[0, 0].set_ylabel("largest own\ncoordinate $u_k$")
    axes[1, 0].set_ylabel("recorded − law")
    return figure


def _side_by_side(
    runs: Runs,
    panel: Callable[..., None],
    rows: int,
    recorded: tuple[str, str] = ("simulation", "."),
    **options: Any,
) -> tuple[Figure, np.ndarray]:
    """One column of axes per run, drawn by `panel(evidence, *axes)`.

    `recorded` is the name and the marker of the record in the legend.
    """
    columns, note = chosen(runs, laws=True)
    figure, axes = style.panels(rows, len(columns), note, 1.5 if rows > 1 else 2.0, **options)
    for (title, run), column in zip(columns, axes.T, strict=True):
        panel(run.evidence, *column)
        column[0].set_title(title)
    curves = [line for ax in axes[0] for line in ax.get_legend_handles_labels()[0]]
    _key(figure, *recorded, curves)
    return figure, axes


def _closed_form_panel(evidence: Evidence, upper: Axes, lower: Axes) -> None:
    quiet = negligible(evidence)
    if quiet.sum() < 3:
        raise NotDrawable("a record must have three times at which Σ m_j <= 1e-5; record more.")
    t_hat, u = clock(evidence)[quiet], coordinates(evidence)[quiet]
    some = _some(evidence, own(evidence) & (u[0] > 0))
    law = closed_form(evidence, t_hat, some)
    # Cut the record a little after the last neuron has come to rest.
    turning = np.abs(law - law[-1]).max(axis=(1, 2)) > 1e-3
    until = slice(0, int(np.flatnonzero(turning)[-1] * 1.1) + 3 if turning.any() else None)
    t_hat, u, law = t_hat[until], u[until], law[until]
    # Of every neuron, the coordinate of its class that is largest at the start.
    closest = np.where(own(evidence), u[0], -1).argmax(axis=1)[some]
    place = np.arange(len(some)), closest
    colors = style.reference_colors(evidence.centers.label)
    for j, k in zip(*place, strict=True):
        upper.plot(t_hat, law[:, j, k], color=colors[k], lw=0.8)
        upper.plot(t_hat, u[:, some[j], k], ".", color=colors[k], ms=2.2)
        lower.plot(t_hat, u[:, some[j], k] - law[:, j, k], color=colors[k], lw=0.7)
    lower.axhline(0, color=LEVEL, lw=0.6, ls=DOTTED)
    lower.set_xlabel(r"alignment time  $p\,\kappa\,\pi\,t$")


def _some(evidence: Evidence, awake: Bool[np.ndarray, "h K"]) -> np.ndarray:
    """The heaviest neurons that are awake to a center of their class, `NEURONS` at most."""
    order = np.argsort(-evidence.share, kind="stable")
    return order[np.asarray(awake.any(axis=1))[order]][:NEURONS]


@registered(is_asked_about, side_by_side=True)
def fitting_law(runs: Runs) -> Figure:
    """The potential of each output, Ei(z_k) for exponential loss, over 2 π_k t; difference below.

    **Source:** theory D8, prediction P13.
    """
    figure, axes = _side_by_side(runs, _fitting_panel, 2, sharex="col")
    axes[0, 0].set_ylabel("rise of the potential")
    axes[1, 0].set_ylabel("recorded / law − 1")
    return figure


def _fitting_panel(evidence: Evidence, upper: Axes, lower: Axes) -> None:
    groups = followed(evidence)
    lines = [(g, line) for g in groups if (line := potential_line(evidence, g))]
    if not lines:
        raise NotDrawable("an output must grow to 0.1 and be recorded three times, but none is.")
    for group, line in lines:
        name, color = group.name, _group_color(evidence, group)
        upper.loglog(line.law, line.law, color=color, lw=0.8, label=_typeset(name))
        upper.loglog(line.law, line.rise, ".", color=color, ms=2.5)
        lower.semilogx(line.law, line.rise / line.law - 1, color=color, lw=0.8)
    lower.axhline(0, color=LEVEL, lw=0.6, ls=DOTTED)
    lower.set_xlabel(r"$2\,\pi_k\sqrt{m}\,(t-t_0)$")


def _group_color(evidence: Evidence, group: Group) -> str:
    """The color of a subclass, or of a class if its subclasses grow as one."""
    first = int(group.members.argmax())
    if group.m == 1:
        return style.reference_colors(evidence.centers.label)[first]
    return PLUS if evidence.centers.label[first] > 0 else MINUS


def _typeset(name: str) -> str:
    """A name such as "μ_10" or "class -" with its symbol as a formula."""
    return f"$\\mu_{{{name[2:]}}}$" if name.startswith("μ_") else f"{name[:-1]}${name[-1]}$"


@registered(is_asked_about, side_by_side=True)
def rates(runs: Runs) -> Figure:
    """Chord of neurons to their target over alignment time, beside the linear rate of theory D5."""
    figure, axes = _side_by_side(runs, _rate_panel, 1, ("neurons", "-"), sharey=True)
    axes[0, 0].set_ylabel("chord to the target")
    return figure


def _rate_panel(evidence: Evidence, ax: Axes) -> None:
    quiet, chord = negligible(evidence, 1e-2), evidence.target_chord
    if quiet.sum() < 3:
        raise NotDrawable("a record must have three times at which Σ m_j <= 1e-2; record more.")
    t_hat, colors = clock(evidence), style.reference_colors(evidence.centers.label)
    # The recorded chords, one line per neuron.
    some = _some(evidence, own(evidence) & (coordinates(evidence)[0] > 0))
    for j in some:
        ax.semilogy(t_hat[quiet], chord[quiet, j], color=colors[evidence.target[j]], lw=0.6)
    # The linear regime: from the last time at which some neuron is far from its target until they
    # are as close as noise lets them come.
    resting = chord[quiet][-1, some]
    far = quiet[:, None] & (chord[:, some] > np.maximum(1.1 * resting, FINEST))
    begin = float(t_hat[(chord[:, some] > 0.1).any(axis=1) & quiet][-1])
    end = max(float(t_hat[far.any(axis=1)][-1]), begin + 1e-9)
    for m in _attracting_sizes(evidence):
        span = np.linspace(begin, begin + 1.2 * (end - begin), 2)
        slope = stability_rates(evidence.p, m).outside
        ax.semilogy(span, 0.5 * np.exp(slope * (span - begin)), color=INK, lw=1.2, ls=DASHED)
    ax.set_xlim(0, begin + 1.2 * (end - begin))
    lowest = np.nanmin(chord[quiet][:, some], initial=1.0)
    ax.set_ylim(max(FINEST, 0.5 * float(lowest)), 2)
    ax.set_xlabel(r"alignment time  $p\,\kappa\,\pi\,t$")


def _attracting_sizes(evidence: Evidence) -> set[int]:
    """Numbers of centers that the attractors average: 1 for p > 2, else all of either class."""
    if evidence.p > 2:
        return {1}
    label = evidence.centers.label
    return {int((label > 0).sum()), int((label < 0).sum())}


@registered(_compares_runs)
def escape(runs: Runs) -> Figure:
    """Escape times of a study over log 1/ε, beside lines of slope 1/(κ π λ); difference below.

    **Source:** theory D7, prediction P11.
    """
    evidences = [run.evidence for run in as_study(runs).runs]
    if len({e.scenario.network.init_scale for e in evidences}) < 2:
        raise NotDrawable("`network.init_scale` must vary, but does not; add it to [vary].")
    studied = series(evidences, "network.init_scale")
    laws = [(one, law) for one in studied for law in escape_law(one)]
    if not any(np.isfinite(law.times).any() for _, law in laws):
        raise NotDrawable("a run must have escaped, but none has; raise `flow.end_time`.")
    figure, axes = style.panels(2, 1, "", 1.6, sharex=True)
    upper, lower = axes[:, 0]
    # Theory gives the slope; the offset is fitted, and left out of the difference below.
    colors = style.curve_colors([one.runs[0].p for one in studied])
    paints = dict(zip([one.title for one in studied], colors, strict=True))
    for one, law in laws:
        if not np.isfinite(law.times).any():
            continue
        paint = paints[one.title]
        look: dict[str, Any] = {"color": paint, "mfc": paint if law.sign > 0 else "white"}
        x = np.array([-np.log10(run.scenario.network.init_scale) for run in one.runs])
        line = law.slope * np.log(10) * x
        shift = float(np.nanmean(law.times - line))
        upper.plot(x, line + shift, color=paint, lw=0.8)
        upper.plot(x, law.times, "o", ms=3, mew=0.8, **look)
        lower.plot(x, law.times - line - shift, "o-", ms=2.5, mew=0.6, lw=0.6, **look)
    upper.set_ylabel("escape time $t$")
    lower.axhline(0, color=LEVEL, lw=0.6, ls=DOTTED)
    lower.set(xlabel=r"$\log_{10} 1/\varepsilon$", ylabel="recorded − law")
    handles = [Line2D([], [], color=paints[title], lw=2.2, label=in_symbols(title))
               for title in paints if title]  # fmt: skip
    for word, face in (("$+$", INK), ("$-$", "white")):
        handles.append(Line2D([], [], color=INK, ls="", marker="o", ms=3, mew=0.8, mfc=face,
                              label=f"class {word}"))  # fmt: skip
    style.legend(figure, handles)
    return figure


@registered(is_asked_about, side_by_side=True)
def sphere(runs: Runs) -> Figure:
    """The directions of a three-subclass class: flow lines of theory D3, saddles, real neurons.

    Seen from the class average. Colored: basins, of the centers for p > 2 and of the class average
    for p < 2. Filled: attractors; open: other averages of centers, which repel in some direction,
    or in none at p = 2, where every direction rests. Black: neurons of the run that are awake to
    all three, projected to their span.
    """
    columns, note = chosen(runs, laws=True)
    figure, axes = style.panels(1, len(columns), note, 0.95 * style.column_width(len(columns)))
    for (title, run), ax in zip(columns, axes[0], strict=True):
        _sphere_panel(run, ax)
        ax.set_title(title, pad=14)
    place = {"color": INK, "ls": "", "marker": "o", "ms": 5, "mew": 0.9}
    handles = [
        Line2D([], [], color=LEVEL, lw=0.6, label="flow line of theory"),
        Line2D([], [], color="k", marker=".", ms=2.5, lw=0.8, label="neuron, from its start"),
        Line2D([], [], **place, label="attracts"),
        Line2D([], [], **place, mfc="white", label="does not"),
    ]
    style.legend(figure, handles)
    return figure


_EAST = np.array([-1.0, 1.0, 0.0]) / np.sqrt(2)
_NORTH = np.array([-1.0, -1.0, 2.0]) / np.sqrt(6)


def _sphere_panel(run: Run, ax: Axes) -> None:
    label = run.centers.label
    members = next((np.flatnonzero(label == s) for s in (1, -1) if (label == s).sum() == 3), None)
    if members is None:
        raise NotDrawable(
            "a class must have three subclasses, but none does; try scenarios/sphere.toml."
        )
    p = run.evidence.p
    colors = [style.reference_colors(label)[k] for k in members]
    average = PLUS if label[members[0]] > 0 else MINUS
    _basins(ax, colors if p > 2 else [average if p < 2 else "white"] * 3)
    for start in _triangle(FLOW_LINES):
        path = aligned(start, 0.0, np.ones(3), p, t_hat=np.linspace(0, 12 if p > 2 else 5, 80)).u
        ax.plot(path @ _EAST, path @ _NORTH, color=LEVEL, lw=0.35, alpha=0.7)
    _fixed_points(ax, p)
    _neurons_on(ax, run, members)
    for corner, k, color in zip(np.eye(3), members, colors, strict=True):
        x, y = 1.13 * corner @ _EAST, 1.13 * corner @ _NORTH
        name = style.reference_labels(len(label))[k]
        ax.text(x, y, name, ha="center", va="center", color=color)
        ax.update_datalim([(x, y)])  # so that no title lies on a name
    ax.autoscale_view()
    ax.set_aspect("equal")
    ax.set_axis_off()


def _triangle(count: int) -> Float[np.ndarray, "q 3"]:
    """Evenly spread directions with positive coordinates."""
    rows = [(i, j, count - i - j) for i in range(1, count) for j in range(1, count - i)]
    points = np.array(rows, float)
    return points / np.linalg.norm(points, axis=1, keepdims=True)


def _basins(ax: Axes, colors: Sequence[str]) -> None:
    """Shade directions by the center that they are closest to."""
    points = _triangle(120)
    shade = np.array([to_rgb(color) for color in colors])[points.argmax(axis=1)]
    ax.scatter(points @ _EAST, points @ _NORTH, c=0.75 + 0.25 * shade, s=7, lw=0, rasterized=True)


def _fixed_points(ax: Axes, p: float) -> None:
    """The averages μ̄_S of all subsets S of the centers; those that attract are filled."""
    for bits in range(1, 8):
        subset = np.array([(bits >> k) & 1 for k in range(3)], float)
        m = subset.sum()
        attracts = m == 1 if p > 2 else m == 3
        place = subset / np.sqrt(m)
        face = INK if attracts and p != 2 else "white"
        ax.plot(place @ _EAST, place @ _NORTH, "o", ms=5, mec=INK, mfc=face, mew=0.9, zorder=5)


def _neurons_on(ax: Axes, run: Run, members: np.ndarray) -> None:
    """Paths of neurons of the class while f ≪ 1, projected to the sphere of their span."""
    evidence = run.evidence
    quiet = negligible(evidence, 1e-2)
    if not quiet.any():
        return
    of_class = signs(evidence) == evidence.centers.label[members[0]]
    u = coordinates(evidence)[quiet][:, of_class][..., members]
    awake = (u[0] > 0).all(axis=1)
    u = u[:, awake] / np.linalg.norm(u[:, awake], axis=2, keepdims=True)
    for path in np.moveaxis(u, 1, 0)[:NEURONS]:
        ax.plot(path @ _EAST, path @ _NORTH, color="k", lw=0.8, zorder=4)
        ax.plot(path[0] @ _EAST, path[0] @ _NORTH, ".", color="k", ms=2.5, zorder=4)


@registered(_compares_runs)
def power_map(runs: Runs) -> Figure:
    """Where mass ends, over power and log 1/ε: at centers, at class averages, elsewhere.

    Each cell mixes three colors by their shares of the final mass.
    """
    evidences = [run.evidence for run in as_study(runs).runs]
    powers = sorted({e.p for e in evidences})
    scales = sorted({e.scenario.network.init_scale for e in evidences}, reverse=True)
    if len(powers) < 2 or len(scales) < 2:
        raise NotDrawable("`network.power` and `network.init_scale` must vary; add them to [vary].")
    sizes = sorted({e.centers.D for e in evidences})
    figure, axes = style.row(len(sizes), "", 0.22 * len(scales) + 0.7, sharey=True)
    for D, ax in zip(sizes, axes, strict=True):
        _map_panel([e for e in evidences if e.centers.D == D], powers, scales, ax)
        ax.set_title(f"$D = {D}$")
    axes[0].set_ylabel(quantity("init_scale"))
    handles = [
        Line2D([], [], ls="", marker="s", ms=6, color=color, label=name)
        for name, color in _PLACES.items()
    ]
    style.legend(figure, handles)
    return figure


_PLACES = {"at a center": CURVES[1], "at the class average": CURVES[0], "elsewhere": FAINT}


def _map_panel(
    evidences: Sequence[Evidence], powers: Sequence[float], scales: Sequence[float], ax: Axes
) -> None:
    paint = np.array([to_rgb(color) for color in _PLACES.values()])
    image = np.ones((len(scales), len(powers), 3))
    for e in evidences:
        place = scales.index(e.scenario.network.init_scale), powers.index(e.p)
        image[place] = np.array(mass_by_place(e)) @ paint
    ax.imshow(image, aspect="auto", interpolation="nearest")
    ax.set_xticks(range(len(powers)), [f"{p:g}" for p in powers])
    ax.set_yticks(range(len(scales)), [f"${tex_number(f'{s:g}')}$" for s in scales])
    ax.set_xlabel("power $p$")


def _key(figure: Figure, name: str, mark: str, curves: Sequence[Line2D] = ()) -> None:
    """A legend of curves by color, and of the law and the record: a line and points, or dashes."""
    if mark == "-":
        law = Line2D([], [], color=INK, lw=1.2, ls=DASHED, label="slope of theory")
        record = Line2D([], [], color=INK, lw=0.6, label=name)
    else:
        law = Line2D([], [], color=INK, lw=0.9, label="theory")
        record = Line2D([], [], color=INK, ls="", marker=mark, ms=4, label=name)
    colors = {str(one.get_label()): one.get_color() for one in curves}
    named = [Line2D([], [], color=paint, lw=2.2, label=word) for word, paint in colors.items()]
    style.legend(figure, [law, record, *named])
