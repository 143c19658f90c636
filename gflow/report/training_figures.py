"""The figures of networks of any depth, and of images that were attacked."""

import numpy as np
from jaxtyping import Int
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from gflow.report import style
from gflow.report.figure import NotDrawable, has_laws, has_radii, registered
from gflow.report.style import CURVES
from gflow.report.subjects import Runs, as_study, by_seed, names, note_on
from gflow.robustness.attack import Attack
from gflow.robustness.norm import NORMS, Norm
from gflow.runs.manifest import RADII
from gflow.runs.radii import read_witnesses
from gflow.runs.run import Run
from gflow.runs.score import score_of
from gflow.runs.study import Study

IMAGES = 8
"""Images in a row."""


def _has_many_layers_or_outputs(study: Study, name: str) -> bool:
    return not has_laws(study, name)


def _has_attacked_images(study: Study, name: str) -> bool:
    return has_radii(study, name) and study.scenario.data.facts.picture is not None


@registered(_has_many_layers_or_outputs, any_labels=True)
def training(runs: Runs) -> Figure:
    """Loss, accuracy (of real labels R²), and stable rank of the last hidden layer over time.

    Runs share axes, so that powers and depths can be compared; seeds share a color.
    """
    entries = [entry for entry in as_study(runs).entries if "stable_rank" in entry.run.record]
    if not entries:
        raise NotDrawable("a network must be deep or have many outputs, but none is.")
    groups = list(by_seed(entries).items())
    some = groups[: len(CURVES)]
    figure, axes = style.row(3, note_on(some, len(groups)), 1.9)
    colors = style.curve_colors([seeds[0].evidence.p for _, seeds in some])
    for (_, seeds), color in zip(some, colors, strict=True):
        for run in seeds:
            score, _ = score_of(run.scenario.data).headline
            for ax, column in zip(axes, ("loss", score, "stable_rank"), strict=True):
                ax.plot(run.record["time"].values, run.record[column].values, color=color, lw=0.9)
    flows = all(run.evidence.is_flow for _, run in entries)
    axes[0].set(yscale="log", ylabel="training loss")
    classes = all(run.evidence.has_classes for _, run in entries)
    axes[1].set(ylabel="training accuracy" if classes else "explained  $R^2$", ylim=(None, 1.02))
    axes[2].set(ylabel="stable rank of features", ylim=(0, None))
    for ax in axes:
        ax.set_xlabel("flow time $t$" if flows else "time $t$ = step size × steps")
    handles = [
        Line2D([], [], color=color, lw=2, label=name)
        for name, color in zip(names([(k, runs[0]) for k, runs in some]), colors, strict=True)
    ]
    style.legend(figure, handles)
    return figure


@registered(_has_attacked_images, rests_on=(RADII,))
def adversarial(runs: Runs) -> Figure:
    """Images before and after the attack: three rows per run.

    The image, the shortest perturbation that was found in l∞ (else l2, l1), and their sum, for the
    first images that are classified correctly and were flipped. All have the gray scale of the
    images.
    """
    firsts = [(label, seeds[0]) for label, seeds in by_seed(as_study(runs).entries).items()]
    attacked = [
        (name, run, norm, read_witnesses(run.folder, norm))
        for name, (_, run) in zip(names(firsts), firsts, strict=True)
        if run.scenario.data.facts.picture and run.folder is not None
        for norm in _measured(run)
    ]
    if not attacked:
        raise NotDrawable("images must have been attacked, but none were; run `gflow attack`.")
    some = [one for one in attacked if len(_flipped(one[-1]))][:3]
    if not some:
        raise NotDrawable("an image must be classified correctly and be flipped, but none is.")
    figure, axes = style.panels(3 * len(some), IMAGES, "", 0.62)
    for i, (name, run, norm, attack) in enumerate(some):
        _image_rows(name, run, norm, attack, rows=axes[3 * i : 3 * i + 3])
    return figure


def _flipped(attack: Attack) -> Int[np.ndarray, " k"]:
    """The first samples that are classified correctly and were flipped, at most `IMAGES`."""
    return np.flatnonzero((attack.radius > 0) & np.isfinite(attack.radius))[:IMAGES]


def _measured(run: Run) -> list[Norm]:
    """The norm whose perturbations are shown, if one was measured; at most one."""
    radii = run.evidence.robustness.radii if run.evidence.robustness else {}
    return [norm for norm in reversed(NORMS.values()) if norm in radii][:1]


def _image_rows(name: str, run: Run, norm: Norm, attack: Attack, *, rows: np.ndarray) -> None:
    shape = run.scenario.data.facts.picture
    assert shape is not None
    test = run.scenario.data.read_test(run.scenario.seed)
    assert test is not None
    flipped = _flipped(attack)
    rows[0, 0].set_title(name, loc="left")
    scale = float(np.abs(test.x[flipped]).max())
    for i, column in zip(flipped, rows.T, strict=False):
        delta = attack.perturbation[i]
        for ax, image in zip(column, (test.x[i], delta, test.x[i] + delta), strict=True):
            ax.imshow(image.reshape(shape), cmap="gray", vmin=-scale, vmax=scale)
        column[1].set_title(f"{attack.radius[i]:.2g}", fontsize=style.SMALL, pad=1)
    for ax, word in zip(rows[:, 0], ("image", norm.tex, "sum"), strict=True):
        ax.set_ylabel(word, fontsize=style.SMALL)
    for ax in rows.flat:
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
