"""All figures by name, and the files they are stored in.

Each figure decides whether it is drawn by default (see `gflow.report.figure`).  Only modules of
this folder import matplotlib.
"""

import difflib
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from gflow.errors import GflowError, GflowWarning
from gflow.report import (
    arrival_figures,
    bottleneck_figures,
    comparisons,
    conjecture_figures,
    critical_power_figures,
    flow_figures,
    input_figures,
    movie_figures,
    off_manifold_figures,
    overlays,
    paper,
    rank_one_figures,
    robustness_figures,
    step_figures,
    study_figures,
    teacher_figures,
    training_figures,
)
from gflow.report.figure import FIGURES, FigureKind, NotDrawable
from gflow.report.movie import Movie
from gflow.report.saving import MOVING, STILL, Form, save
from gflow.report.subjects import Runs, as_study, representatives
from gflow.runs.files import writing
from gflow.runs.freshness import is_current
from gflow.runs.run import Run
from gflow.runs.watch import Stage, unstaged

_MODULES = (
    flow_figures,
    teacher_figures,
    input_figures,
    comparisons,
    overlays,
    step_figures,
    arrival_figures,
    off_manifold_figures,
    bottleneck_figures,
    rank_one_figures,
    study_figures,
    conjecture_figures,
    critical_power_figures,
    robustness_figures,
    training_figures,
    movie_figures,
)
"""Modules that draw figures, in the order in which these are drawn."""


def draw(
    result: Runs,
    folder: str | Path,
    only: str | Sequence[str] | None = None,
    tell: Callable[[str], object] | None = None,
    *,
    formats: Sequence[str] | None = None,
    dpi: int | None = None,
    columns: int | None = None,
    keep: bool = False,
    stage: Stage = unstaged,
) -> list[Path]:
    """Draw the figures of a result and store each, as png and pdf unless asked otherwise.

    **Arguments:**

    - `result`: a run, a study, or (label, run) pairs.
    - `folder`: created if it does not exist.
    - `only`: names of the figures to draw; None for those that are drawn by default.
    - `tell`: called with one sentence for each figure that is left out, and with one if not all
        runs of a long study are shown; None for a `GflowWarning`.
    - `formats`: among "pdf", "png", "svg", and "gif" and "mp4" for movies; None for pdf and png, or
        gif. A file of another format that is there already is renewed, too.
    - `dpi`: dots per inch; None for 200, and 110 of movies.
    - `columns`: 1 or 2, how many columns of a paper each figure spans; None for what suits it.
    - `keep`: leave figures alone that are newer than every stored run they show.
    - `stage`: called with the name of each stage that begins.

    **Returns:** the files written, in the order of `known`.

    **Raises:** `GflowError` for a name, format or width that is none, and `NotDrawable` for named
    figures that cannot be drawn, once the others are; `RecordError` if one cannot be written, those
    drawn before being kept.
    """
    tell = tell or _warn
    study, form = as_study(result), Form.of(formats, dpi)
    kinds = default(result) if only is None else _named([only] if isinstance(only, str) else only)
    _check_formats(kinds, form, formats)
    folder = Path(folder)
    written: list[Path] = []
    undrawable: list[str] = []
    with paper.spanning(columns):
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
        some = representatives(study.entries)
        if len(some) < len(study.entries) and any(kind.side_by_side for kind in kinds):
            tell(_which(some, len(study.entries)))
        for kind in kinds:
            runs = [run for _, run in some] if kind.side_by_side else study.runs
            files = form.files(folder, kind.name, kind.moves)
            if keep and is_current(files, runs, kind.rests_on):
                continue
            stage(f"drawing {kind.name}")
            drawing = _drawn(kind, result, asked=only is not None)
            if isinstance(drawing, str):
                undrawable.append(drawing)
            else:
                written += save(drawing, folder, kind.name, form)
    if undrawable and only is not None:
        raise NotDrawable("\n".join(undrawable))
    for sentence in undrawable:
        tell(sentence)
    return written


def _drawn(kind: FigureKind, result: Runs, *, asked: bool) -> Figure | Movie | str:
    """A figure, or a sentence on why it is left out; a mistake in one that was asked for raises."""
    try:
        return kind.draw(result)
    except GflowError as reason:
        return f"Figure {kind.name} is left out: {reason}"
    except Exception as error:
        if asked:
            raise
        # One figure that fails keeps no other from being drawn, nor an answer from being kept.
        return (
            f"Figure {kind.name} is left out by a mistake in gflow "
            f"({type(error).__name__}: {error}); please report it."
        )


def _which(some: Sequence[tuple[str, Run]], of: int) -> str:
    """Which runs of a long study are side by side."""
    labels = "; ".join(label for label, _ in some)
    return (
        f"Figures of runs side by side show {len(some)} of {of} runs ({labels}); choose others "
        "with `gflow plot RUN --points`, or give a figure (label, run) pairs."
    )


def _check_formats(kinds: Sequence[FigureKind], form: Form, formats: Sequence[str] | None) -> None:
    """Refuse a format in which a figure cannot be stored."""
    for kind in kinds:
        if formats is not None and not (form.moving if kind.moves else form.still):
            possible, what = (MOVING, "a movie") if kind.moves else (STILL, "no movie")
            raise GflowError(
                f"`format` must be {' or '.join(possible)} for {kind.name}, which is {what}, but "
                f"is {', '.join(formats)}; try {possible[0]}."
            )


def known() -> dict[str, FigureKind]:
    """All figures by name, in the order of their modules; a caller's own come last."""
    place = {module.__name__: i for i, module in enumerate(_MODULES)}
    kinds = sorted(FIGURES.values(), key=lambda kind: place.get(kind.draw.__module__, len(place)))
    return {kind.name: kind for kind in kinds}


def default(result: Runs) -> list[FigureKind]:
    """The figures that are drawn of a result if none is requested by name."""
    study = as_study(result)
    classes = all(run.evidence.has_classes for run in study.runs)
    kinds = (kind for kind in known().values() if classes or kind.any_labels)
    return [kind for kind in kinds if kind.by_default(study, kind.name)]


def __getattr__(name: str) -> Any:
    """The function that draws a figure: `gflow.figures.alignment(run)`."""
    if name in FIGURES:
        return FIGURES[name].draw
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *FIGURES])


def _warn(sentence: str) -> None:
    warnings.warn(sentence, GflowWarning, stacklevel=3)


def _named(names: Sequence[str]) -> list[FigureKind]:
    kinds = known()
    if wrong := [name for name in names if name not in kinds]:
        near = difflib.get_close_matches(wrong[0], kinds, n=1, cutoff=0.0)[0]
        raise GflowError(
            f"`only` must be one of {', '.join(kinds)}, but is {wrong[0]!r}; did you mean {near!r}?"
        )
    return [kind for name, kind in kinds.items() if name in names]
