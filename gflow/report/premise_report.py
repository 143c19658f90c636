"""Whether the premise of the theory is met, in words and as a picture.

One idea: the picture is that of the papers' first panels, cosines of samples sorted by class and
subclass, beside how they are spread.
"""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gflow.measure.premise import Premise, spread
from gflow.report import style

_BINS, _RARE = 80, 1e-3


def premise_lines(found: Premise) -> list[str]:
    """The premise at a glance, a line each."""
    ideal = _number(found.ideal, 3)
    lines = [
        f"subclasses        {found.K} labeled, {_list(found.sizes)} a class",
        f"within subclass   cosine {_spread(found.within)}; the theory has {ideal}",
        f"within class      cosine {_spread(found.beside)}; the theory has 0",
        f"between classes   cosine {_spread(found.across)}; the theory has 0",
        f"means             largest cosine of two {found.largest_cosine:.3f}",
        f"noise             alpha = {_number(found.noise, 3)} relative to the means",
        f"directions        {_number(found.directions, 1)} (1 over the mean square of all cosines)",
    ]
    if found.estimates is None or found.clusters is None:
        lines.append(
            "clusters          not looked for (--clusters needs pip install 'gflow[clusters]')"
        )
    else:
        for c, k in found.estimates.items():
            scores = found.clusters[c]
            best = f" (largest silhouette {max(scores.values()):.2f})" if scores else ""
            lines.append(f"clusters          class {c}: {k}{best}")
    return lines


def premise_json(found: Premise) -> dict[str, object]:
    """The same as plain values."""
    spreads = {"within": found.within, "beside": found.beside, "across": found.across}
    told: dict[str, object] = {
        "subclasses": found.K,
        "subclasses_of_class": found.sizes.tolist(),
        "noise": _finite(found.noise),
        "directions": _finite(found.directions),
        "largest_cosine": found.largest_cosine,
    }
    for name, cosines in spreads.items():
        seen = spread(cosines)
        told[f"cosine_{name}"] = None if seen is None else seen._asdict()
    if found.clusters is not None:
        told["clusters"] = {str(c): k for c, k in (found.estimates or {}).items()}
        told["silhouettes"] = {str(c): dict(scores) for c, scores in found.clusters.items()}
    return told


def _list(sizes: np.ndarray) -> str:
    if len(sizes) < 3:
        return " and ".join(map(str, sizes))
    least, most = sizes.min(), sizes.max()
    return f"{least}" if least == most else f"{least} to {most}"


def _number(value: float, digits: int) -> str:
    return "unknown" if np.isnan(value) else f"{value:.{digits}f}"


def _finite(value: float) -> float | None:
    """JSON has no infinity."""
    return value if np.isfinite(value) else None


def _spread(cosines: np.ndarray) -> str:
    return str(spread(cosines) or "of no pair")


@style.styled()
def premise_figure(found: Premise) -> Figure:
    """Cosines of samples sorted by class and subclass, their spread, and cosines of the means."""
    figure, axes = style.panels(1, 3, "", 2.0)
    last = _cosine_map(found.picture, np.cumsum(found.rows), found.sizes, axes[0, 0])
    axes[0, 0].set_title("samples", loc="left")
    _histogram(found, axes[0, 1])
    _cosine_map(found.centers, np.arange(1, found.K + 1), found.sizes, axes[0, 2])
    axes[0, 2].set_title("means of subclasses", loc="left")
    figure.colorbar(last, ax=axes[0, 2], label="cosine", shrink=0.9)
    handles, names = axes[0, 1].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=3, title="two samples of")
    return figure


def _cosine_map(cosines: np.ndarray, ends: np.ndarray, sizes: np.ndarray, ax: Axes):
    """Cosines from -1 to 1, with lines where a class ends."""
    drawn = ax.imshow(cosines, cmap=style.DIVERGING, vmin=-1, vmax=1, interpolation="nearest")
    for end in ends[np.cumsum(sizes) - 1][:-1]:
        ax.axhline(end - 0.5, color=style.INK, lw=0.6)
        ax.axvline(end - 0.5, color=style.INK, lw=0.6)
    ax.set(xticks=[], yticks=[])
    return drawn


def _histogram(found: Premise, ax: Axes) -> None:
    edges = np.linspace(-1, 1, _BINS + 1).tolist()
    kinds = (
        (found.within, "one subclass", style.PLUS),
        (found.beside, "one class", style.CURVES[2]),
        (found.across, "two classes", style.MINUS),
    )
    for cosines, name, color in kinds:
        if len(cosines):
            ax.hist(cosines, edges, density=True, histtype="step", color=color, lw=1.0, label=name)
    ax.set(xlabel="cosine of two samples", ylabel="density", yscale="log", xlim=(-1, 1))
    ax.set_ylim(_RARE, None)
