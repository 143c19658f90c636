"""The figures of radii: robust accuracy, radii of every sample, radius over a varied key.

One idea: both ends of every bracket are drawn, and the band between them is filled, so that what is
not known has an area.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from gflow.data.centers import Centers
from gflow.judges.evidence import Evidence
from gflow.judges.radii_at_centers import ideal_radii
from gflow.judges.robust_accuracy import accuracy_law, radius_law
from gflow.judges.series import Series, series
from gflow.laws.critical_radii import critical_radii
from gflow.report import paper, style
from gflow.report.figure import NotDrawable, has_radii, registered
from gflow.report.style import CURVES, DASHED, DOTTED, INK, LEVEL, LOGARITHMIC
from gflow.report.subjects import Runs, as_study, by_seed, note_on, representatives, titles
from gflow.report.symbols import in_symbols, quantity
from gflow.robustness.bracket import Robustness
from gflow.robustness.norm import NORMS, Norm
from gflow.robustness.published_search import PUBLISHED_RADII
from gflow.robustness.radius import Radii
from gflow.runs.manifest import RADII
from gflow.runs.run import Run
from gflow.runs.study import Study

FALLEN = 1.2
"""Attack radius at which the accuracy under the published attack has fallen at every power."""

BINS = 60
"""Most bins of a histogram of radii."""

_ATTACKED, _CERTIFIED = "#7fa8a4", "#5a2f6b"
"""Colors of the ends of a bracket in a histogram."""

OVER = ("network.init_scale", "network.power", "data.subclasses", "data.noise", "network.width")
"""Keys that a radius is drawn over: the first of them that varies."""


class Group(NamedTuple):
    """Runs that differ only in their seed."""

    title: str
    runs: tuple[Run, ...]

    @property
    def measured(self) -> list[Robustness]:
        """Their radii in all norms."""
        return [run.evidence.robustness for run in self.runs if run.evidence.robustness is not None]

    def ends(self, norm: Norm) -> list[Radii]:
        """Their brackets in one norm; none if it was not measured."""
        return [one.radii[norm] for one in self.measured if norm in one.radii]


@registered(has_radii, rests_on=(RADII,))
def robust_accuracy(runs: Runs) -> Figure:
    """Share of test samples that no perturbation of norm R flips: one panel per norm.

    Shaded from certified to attacked, over all seeds; over attacked ends only where nothing is
    certified, as for deep networks. Dashed: the law of F or F^(p) in l2; crosses: accuracy under
    the published attack, where it was run; dotted lines: 1/√K and √2/2.

    **Source:** Min and Vidal, ICML 2024, section 5.1, panel (e), with brackets in place of single
    estimates; theory D6.
    """
    groups, note = _groups(runs, len(CURVES))
    colors = _colors(groups)
    norms = _norms(groups)
    figure, axes = style.row(len(norms), note, 2.2, sharey=True)
    for norm, ax in zip(norms, axes, strict=True):
        end = 1.2 * max(_reach(group, norm) for group in groups)
        if norm == Norm.L2 and any(one.published is not None for g in groups for one in g.measured):
            end = max(end, FALLEN)
        for group, color in zip(groups, colors, strict=True):
            _accuracy_band(group, norm, ax, color=color, end=end)
        _reference_lines(groups[0].runs[0].evidence, norm, end, ax)
        ax.set(xlabel=_in_norm("attack radius $R$", norm), xlim=(0, end), ylim=(-0.03, 1.05))
    axes[0].set_ylabel("robust accuracy")
    published = any(one.published is not None for group in groups for one in group.measured)
    lawful = any(accuracy_law(g.runs[0].evidence, np.zeros(1)) is not None for g in groups)
    _key(figure, groups, published and Norm.L2 in norms, lawful and Norm.L2 in norms)
    return figure


def _groups(runs: Runs, most: int) -> tuple[list[Group], str]:
    """Groups of runs whose radii were measured, `most` at most, and a note on what is shown."""
    measured = [entry for entry in as_study(runs).entries if entry.run.evidence.robustness]
    if not measured:
        raise NotDrawable(
            "radii of test samples must be measured, but are not; set `robustness.norms`, or run "
            "`gflow attack` on the folder."
        )
    gathered = list(by_seed(measured).items())
    some = representatives(gathered, most)
    note = note_on(some, len(gathered))
    heads = titles([(label, group[0]) for label, group in some], noted=bool(note))
    groups = [Group(head, tuple(group)) for head, (_, group) in zip(heads, some, strict=True)]
    seeds = max(len(group.runs) for group in groups)
    notes = [note] * bool(note) + [f"range over {seeds} seeds"] * (seeds > 1)
    return groups, ", ".join(notes)


def _colors(groups: Sequence[Group]) -> list[str]:
    return style.curve_colors([group.runs[0].evidence.p for group in groups])


def _norms(groups: Sequence[Group]) -> list[Norm]:
    """The norms that were measured, l2 first, of which the theory speaks most."""
    radii = (one.radii for group in groups for one in group.measured)
    places = [norm for norm in dict.fromkeys(norm for some in radii for norm in some) if norm.place]
    measured = [n for n in reversed(NORMS.values()) if any(group.ends(n) for group in groups)]
    return [*sorted(measured, key=lambda norm: norm != Norm.L2), *places]


def _in_norm(what: str, norm: Norm) -> str:
    """The label of an axis; a subspace has a line of its own."""
    between = ",\n" if norm.place else ", "
    return f"{what}{between}{norm.tex}"


def _reach(group: Group, norm: Norm) -> float:
    """The largest radius at which a sample was flipped."""
    attacked = [
        end.attacked[np.isfinite(end.attacked)].max(initial=0.0) for end in group.ends(norm)
    ]
    return float(max(attacked, default=0.0))


def _accuracy_band(group: Group, norm: Norm, ax: Axes, *, color: str, end: float) -> None:
    R = np.linspace(0, end, 601)
    curves = [ends.accuracy(R) for ends in group.ends(norm)]
    if not curves:
        return
    low = np.min([certified for certified, _ in curves], axis=0)
    high = np.max([attacked for _, attacked in curves], axis=0)
    if not low.any():  # nothing is certified of a deep network: the range over seeds
        low = np.min([attacked for _, attacked in curves], axis=0)
    if (low < high).any():
        ax.fill_between(R, low, high, color=color, alpha=0.3, lw=0)
        ax.plot(R, low, color=color, lw=0.9)
    ax.plot(R, high, color=color, lw=0.9)
    if norm != Norm.L2:
        return
    law = accuracy_law(group.runs[0].evidence, R)
    if law is not None:
        ax.plot(R, law, color=color, lw=1.0, ls=DASHED)
    published = [one.published for one in group.measured if one.published is not None]
    if published:
        inside = end >= PUBLISHED_RADII
        ax.plot(PUBLISHED_RADII[inside], np.mean(published, axis=0)[inside], "x", color=color,
                ms=4, ls=DOTTED, lw=0.6)  # fmt: skip


def _reference_lines(evidence: Evidence, norm: Norm, end: float, ax: Axes) -> None:
    if norm != Norm.L2 or not evidence.centers.orthonormal:
        return
    for R, name in _levels(evidence.centers):
        if end < R:
            continue
        ax.axvline(R, color=LEVEL, lw=0.6, ls=DOTTED, zorder=0)
        ax.annotate(name, (R, 1.055), ha="center", va="bottom", fontsize=style.SMALL, color=INK,
                    annotation_clip=False)  # fmt: skip


def _levels(centers: Centers) -> list[tuple[float, str]]:
    """The l2 radii at which F falls, and, of two classes, beyond which no classifier is robust."""
    falls = (centers.K**-0.5, r"$1/\sqrt{K}$")
    beyond = (0.5**0.5, r"$\sqrt{2}/2$")
    if len(centers.signs) == 1:
        return [falls]
    return [beyond] if centers.K == 2 else [falls, beyond]


def _key(figure: Figure, groups: Sequence[Group], published: bool, law: bool) -> None:
    handles = [
        Line2D([], [], color=color, lw=2.2, label=group.title.replace("\n", ", "))
        for group, color in zip(groups, _colors(groups), strict=True)
    ]
    if law:
        ideal = "law of the ideal classifier"
        handles.append(Line2D([], [], color=INK, lw=1.0, ls=DASHED, label=ideal))
    if published:
        handles.append(Line2D([], [], color=INK, marker="x", ls=DOTTED, ms=4, lw=0.6,
                              label="published attack"))  # fmt: skip
    style.legend(figure, handles)


@registered(has_radii, rests_on=(RADII,))
def radii(runs: Runs) -> Figure:
    """How far each test sample is from being misclassified: histograms, one column per run.

    Filled: attacked; outlined: certified; dotted: the radius of a center by theory.
    """
    groups, note = _groups(runs, paper.most_side_by_side())
    norms = _norms(groups)
    figure, axes = style.panels(len(norms), len(groups), note, 1.3)
    for group, column in zip(groups, axes.T, strict=True):
        column[0].set_title(group.title)
        for norm, ax in zip(norms, column, strict=True):
            _histogram(group, norm, ax)
    for norm, ax in zip(norms, axes[:, 0], strict=True):
        ax.set_ylabel(_in_norm("samples", norm))
    for ax in axes[-1]:
        ax.set_xlabel("radius")
    handles: list[Artist] = [
        Patch(color=_ATTACKED, alpha=0.4, lw=0, label="attacked: upper ends"),
    ]
    if any(end.certified.any() for group in groups for norm in norms for end in group.ends(norm)):
        handles.append(Line2D([], [], color=_CERTIFIED, lw=0.9, label="certified: lower ends"))
    if any(radius_law(group.runs[0].evidence, norm) for group in groups for norm in norms):
        law = "radius of a center, by theory"
        handles.append(Line2D([], [], color=LEVEL, lw=0.8, ls=DOTTED, label=law))
    style.legend(figure, handles)
    return figure


def _histogram(group: Group, norm: Norm, ax: Axes) -> None:
    ends, evidence = group.ends(norm), group.runs[0].evidence
    if not ends:
        ax.set_axis_off()
        return
    attacked = np.concatenate([end.attacked for end in ends])
    certified = np.concatenate([end.certified for end in ends])
    shown = certified if certified.any() else attacked[np.isfinite(attacked)]
    low, high = float(shown.min(initial=np.inf)), _reach(group, norm)
    low = min(low, high)
    room = 0.05 * (high - low) + 1e-9
    bins = int(np.clip(2 * np.sqrt(len(certified)), 10, BINS))
    edges = np.linspace(low - room, high + room, bins).tolist()
    ax.hist(attacked[np.isfinite(attacked)], edges, color=_ATTACKED, alpha=0.4)
    if certified.any():  # nothing is certified of a deep network
        ax.hist(certified, edges, color=_CERTIFIED, histtype="step", lw=0.9)
    ax.xaxis.set_major_locator(MaxNLocator(4, min_n_ticks=3))
    ax.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    for R in set(radius_law(evidence, norm) or ()):
        ax.axvline(R, color=LEVEL, lw=0.8, ls=DOTTED)


def _has_radii_over_a_key(study: Study, name: str) -> bool:
    evidences = [run.evidence for run in study.runs]
    return has_radii(study, name) and _varied_key(evidences) is not None


@registered(_has_radii_over_a_key, rests_on=(RADII,))
def critical_radius(runs: Runs) -> Figure:
    """Median l2 radius of test samples over a varied key, as [certified, attacked].

    Over the power: also the radius of the centers under F^(p), by its law for either class and as
    measured, and 1/√K. Flows that ended early are left out. The band over seeds reaches from the
    smallest certified to the largest attacked median.

    **Source:** theory D6, predictions P19 and P23.
    """
    evidences = [run.evidence for run in as_study(runs).runs if _has_l2(run.evidence)]
    key = _varied_key(evidences)
    if key is None:
        raise NotDrawable(
            "one of " + ", ".join(OVER) + " must take three values among runs with radii in l2."
        )
    # The medians of trained networks, then the laws where there are some.
    figure, axes = style.panels(1, 1, "", 2.3)
    ax = axes[0, 0]
    curves = series(evidences, key, "seed")
    colors = style.curve_colors([one.runs[0].p for one in curves])
    for one, color in zip(curves, colors, strict=True):
        _radius_curve(one, key, color, ax)
    centers = evidences[0].centers
    if centers.orthonormal:
        if key == "network.power":
            _power_laws(evidences, ax)
        for R, name in _levels(centers):
            ax.axhline(R, color=LEVEL, lw=0.6, ls=DOTTED, zorder=0)
            ax.annotate(name, (1.01, R), xycoords=("axes fraction", "data"), va="center",
                        fontsize=style.SMALL, color=INK, annotation_clip=False)  # fmt: skip
    values = [e.scenario.value(key) for e in evidences]
    if min(values) > 0 and max(values) / min(values) >= LOGARITHMIC:
        ax.set_xscale("log")
    ax.set(xlabel=quantity(key), ylabel=f"radius, {Norm.L2.tex}\n[certified, attacked]")
    ax.set_ylim(0, None)
    style.legend(figure, ax.get_legend_handles_labels()[0])
    return figure


def _has_l2(evidence: Evidence) -> bool:
    """Whether a flow reached its end and its radii were measured in l2."""
    return (
        evidence.outcome.complete
        and evidence.robustness is not None
        and Norm.L2 in evidence.robustness.radii
    )


def _varied_key(evidences: Sequence[Evidence]) -> str | None:
    """The first key of `OVER` with three values among runs with radii in l2; None without one."""
    scenarios = [e.scenario for e in evidences if _has_l2(e)]
    return next((k for k in OVER if len({one.value(k) for one in scenarios}) > 2), None)


def _radius_curve(one: Series, key: str, color: str, ax: Axes) -> None:
    at: dict[float, list[tuple[float, float]]] = {}
    for run in one.runs:
        assert run.robustness is not None
        at.setdefault(run.scenario.value(key), []).append(run.robustness.median(Norm.L2))
    x = np.array(sorted(at))
    low = np.array([min(a for a, _ in at[v]) for v in x])
    high = np.array([max(b for _, b in at[v]) for v in x])
    name = "trained" + (f", {in_symbols(one.title)}" if one.title else "")
    ax.fill_between(x, low, high, color=color, alpha=0.3, lw=0)
    ax.plot(x, low, "v-", color=color, ms=3, lw=0.8)
    ax.plot(x, high, "^-", color=color, ms=3, lw=0.8, label=name)


def _power_laws(evidences: Sequence[Evidence], ax: Axes) -> None:
    """Radii of the centers under F^(p): one line per class, and measured brackets at each power."""
    centers = evidences[0].centers
    label = centers.label
    powers = [e.p for e in evidences]
    for power in sorted(set(powers)):
        ideal = ideal_radii(centers, power)
        ends = ideal.certified.min(), ideal.attacked.max()
        ax.plot([power] * 2, ends, color=INK, lw=0.8)
        ax.plot([power] * (2 * len(label)), [*ideal.certified, *ideal.attacked], "_", color=INK,
                ms=5, label=r"$F^{(p)}$, measured" if power == min(powers) else None)  # fmt: skip
    p, even = np.linspace(min(powers), max(powers), 200), np.ones(len(label))
    law = np.array([critical_radii(even, label, power) for power in p.tolist()])
    for s in centers.signs:
        style_ = DASHED if s > 0 else DOTTED
        sign = "$+$" if s > 0 else "$-$"
        ax.plot(p, law[:, label == s][:, 0], color=INK, lw=1.0, ls=style_,
                label=rf"law of $F^{{(p)}}$, class {sign}")  # fmt: skip
