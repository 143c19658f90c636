"""The pictures of networks of any depth, and of images that were attacked.

One idea: runs share axes, so powers and depths are compared, and a curve is a run.
"""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from gflow.report import style
from gflow.report.panels import NotDrawable
from gflow.report.shown import Runs, by_seed, pairs, titles
from gflow.report.style import CURVES
from gflow.robustness.norm import NORMS, Norm
from gflow.runs.radii import read_witnesses
from gflow.runs.run import Run

IMAGES = 8
"""Images in a row."""


@style.styled()
def training(runs: Runs) -> Figure:
    """Loss, accuracy on training samples, and stable rank of the last hidden layer over time.

    Seeds share a color.
    """
    shown = [(label, run) for label, run in pairs(runs) if "stable_rank" in run.record]
    if not shown:
        raise NotDrawable("a network must be deep or have many outputs, but none is.")
    groups = list(by_seed(shown).items())
    some = groups[: len(CURVES)]
    note = f"first {len(some)} of {len(groups)} runs" if len(groups) > len(some) else ""
    figure, axes = style.panels(1, 3, note, 1.9)
    names = [name.replace("\n", " ") for name in titles([(k, seeds[0]) for k, seeds in some])]
    for (_, seeds), color in zip(some, CURVES, strict=False):
        for run in seeds:
            for ax, column in zip(axes[0], ("loss", "accuracy", "stable_rank"), strict=True):
                ax.plot(run.record["time"].values, run.record[column].values, color=color, lw=0.9)
    flows = all(run.evidence.is_flow for _, run in shown)
    axes[0, 0].set(yscale="log", ylabel="training loss")
    axes[0, 1].set(ylabel="training accuracy", ylim=(None, 1.02))
    axes[0, 2].set(ylabel="stable rank of features", ylim=(0, None))
    for ax in axes[0]:
        ax.set_xlabel("flow time $t$" if flows else "time $t$ = step size × steps")
    handles = [
        Line2D([], [], color=color, lw=2, label=name)
        for name, color in zip(names, CURVES, strict=False)
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=min(len(names), 3))
    return figure


@style.styled()
def adversarial(runs: Runs) -> Figure:
    """Images as the network sees them, and as the attack leaves them: three rows a run.

    Original, the shortest perturbation found in l∞ (else l2, l1), and both together, for the first
    images that are right and were flipped. All in the gray scale of the originals.
    """
    firsts = [(label, seeds[0]) for label, seeds in by_seed(pairs(runs)).items()]
    found = [
        (name, run, norm)
        for name, (_, run) in zip(titles(firsts), firsts, strict=True)
        if run.scenario.data.facts.picture and run.folder is not None
        for norm in _measured(run)
    ][:3]
    if not found:
        raise NotDrawable("images must have been attacked, but none were; run `gflow attack`.")
    figure, axes = style.panels(3 * len(found), IMAGES, "", 0.62)
    for i, (name, run, norm) in enumerate(found):
        _image_rows(name.replace("\n", " "), run, norm, axes[3 * i : 3 * i + 3])
    return figure


def _measured(run: Run) -> list[Norm]:
    """The norm whose witnesses are shown, if there is one."""
    radii = run.evidence.robustness.radii if run.evidence.robustness else {}
    return [norm for norm in reversed(NORMS.values()) if norm in radii][:1]


def _image_rows(name: str, run: Run, norm: Norm, rows: np.ndarray) -> None:
    assert run.folder is not None
    test = run.scenario.data.read_test(run.scenario.seed)
    assert test is not None
    found = read_witnesses(run.folder, norm)
    flipped = np.flatnonzero((found.radius > 0) & np.isfinite(found.radius))[:IMAGES]
    rows[0, 0].set_title(name, loc="left")
    scale = float(np.abs(test.x[flipped]).max())
    for i, column in zip(flipped, rows.T, strict=False):
        delta = found.perturbation[i]
        for ax, image in zip(column, (test.x[i], delta, test.x[i] + delta), strict=True):
            _image(image, scale, ax)
        column[1].set_title(f"{found.radius[i]:.3f}", fontsize=style.SMALL, pad=1)
    rows[1, 0].set_ylabel(norm.tex)
    for ax in rows.flat:
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(False)


def _image(image: np.ndarray, scale: float, ax: Axes) -> None:
    side = round(image.size**0.5)
    ax.imshow(image.reshape(side, side), cmap="gray", vmin=-scale, vmax=scale)
