"""Whether data meet the premise of the theory, as text and as a figure.

The figure is that of the first panels of the papers, cosines of samples sorted by class and
subclass, beside histograms of these cosines.
"""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from gflow.measure.premise import Premise, spread
from gflow.report import style

_BINS, _RARE = 80, 1e-3


def premise_lines(premise: Premise) -> list[str]:
    """The premise at a glance, one line per fact."""
    ideal = _number(premise.ideal, 3)
    lines = [
        f"subclasses        {premise.K} labeled, {_list(premise.sizes)} per class",
        f"within subclass   cosine {_spread(premise.within)}; the theory has {ideal}",
        f"within class      cosine {_spread(premise.beside)}; the theory has 0",
        f"between classes   cosine {_spread(premise.across)}; the theory has 0",
        f"means             largest cosine of two {premise.largest_cosine:.3f}",
        f"noise             alpha = {_number(premise.noise, 3)} relative to the means",
        f"directions        {_number(premise.directions, 1)} "
        "(1 over the mean square of all cosines)",
    ]
    if premise.estimates is None or premise.clusters is None:
        lines.append(
            "clusters          not looked for (--clusters needs pip install 'gflow[clusters]')"
        )
    else:
        for c, k in premise.estimates.items():
            scores = premise.clusters[c]
            best = f" (largest silhouette {max(scores.values()):.2f})" if scores else ""
            lines.append(f"clusters          class {c}: {k}{best}")
    return lines


def premise_json(premise: Premise) -> dict[str, object]:
    """The premise as plain values, for `--json`."""
    spreads = {"within": premise.within, "beside": premise.beside, "across": premise.across}
    values: dict[str, object] = {
        "subclasses": premise.K,
        "subclasses_of_class": premise.sizes.tolist(),
        "noise": _finite(premise.noise),
        "directions": _finite(premise.directions),
        "largest_cosine": premise.largest_cosine,
    }
    for name, cosines in spreads.items():
        summary = spread(cosines)
        values[f"cosine_{name}"] = None if summary is None else summary._asdict()
    if premise.clusters is not None:
        values["clusters"] = {str(c): k for c, k in (premise.estimates or {}).items()}
        values["silhouettes"] = {str(c): dict(scores) for c, scores in premise.clusters.items()}
    return values


def _list(sizes: np.ndarray) -> str:
    if len(sizes) < 3:
        return " and ".join(map(str, sizes))
    least, most = sizes.min(), sizes.max()
    return f"{least}" if least == most else f"{least} to {most}"


def _number(value: float, digits: int) -> str:
    return "unknown" if np.isnan(value) else f"{value:.{digits}f}"


def _finite(value: float) -> float | None:
    """The value for JSON, which has neither nan nor infinity."""
    return value if np.isfinite(value) else None


def _spread(cosines: np.ndarray) -> str:
    return str(spread(cosines) or "of no pair")


@style.styled()
def premise_figure(premise: Premise) -> Figure:
    """Cosines of samples sorted by class and subclass, their spread, and cosines of the means."""
    figure, axes = style.panels(1, 3, "", 2.0)
    last = _cosine_map(premise.picture, np.cumsum(premise.rows), premise.sizes, axes[0, 0])
    axes[0, 0].set_title("samples", loc="left")
    _histogram(premise, axes[0, 1])
    _cosine_map(premise.centers, np.arange(1, premise.K + 1), premise.sizes, axes[0, 2])
    axes[0, 2].set_title("means of subclasses", loc="left")
    figure.colorbar(last, ax=axes[0, 2], label="cosine", shrink=0.9)
    handles, names = axes[0, 1].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=3, title="two samples of")
    return figure


def _cosine_map(cosines: np.ndarray, ends: np.ndarray, sizes: np.ndarray, ax: Axes) -> AxesImage:
    """Cosines from -1 to 1, with lines where a class ends."""
    image = ax.imshow(cosines, cmap=style.DIVERGING, vmin=-1, vmax=1, interpolation="nearest")
    for end in ends[np.cumsum(sizes) - 1][:-1]:
        ax.axhline(end - 0.5, color=style.INK, lw=0.6)
        ax.axvline(end - 0.5, color=style.INK, lw=0.6)
    ax.set(xticks=[], yticks=[])
    return image


def _histogram(premise: Premise, ax: Axes) -> None:
    edges = np.linspace(-1, 1, _BINS + 1).tolist()
    kinds = (
        (premise.within, "one subclass", style.PLUS),
        (premise.beside, "one class", style.CURVES[2]),
        (premise.across, "two classes", style.MINUS),
    )
    for cosines, name, color in kinds:
        if len(cosines):
            ax.hist(cosines, edges, density=True, histtype="step", color=color, lw=1.0, label=name)
    ax.set(xlabel="cosine of two samples", ylabel="density", yscale="log", xlim=(-1, 1))
    ax.set_ylim(_RARE, None)
