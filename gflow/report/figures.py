"""All figures by name, and the files they are stored in.

Each figure decides whether it is drawn by default (see `gflow.report.figure`).  Only modules of
this folder import matplotlib.
"""

import difflib
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gflow.errors import GflowError, GflowWarning
from gflow.report import (
    flow_figures,
    overlays,
    robustness_figures,
    study_figures,
    style,
    training_figures,
)
from gflow.report.figure import FIGURES, FigureKind, NotDrawable
from gflow.report.subjects import COLUMNS, Runs, as_study
from gflow.runs.files import writing
from gflow.runs.freshness import is_current
from gflow.runs.watch import Stage, unstaged

_MODULES = (flow_figures, overlays, study_figures, robustness_figures, training_figures)
"""Modules that draw figures, in the order in which these are drawn."""


def draw(
    result: Runs,
    folder: str | Path,
    only: str | None = None,
    tell: Callable[[str], object] | None = None,
    *,
    keep: bool = False,
    pdf: bool = True,
    stage: Stage = unstaged,
) -> list[Path]:
    """Draw the figures of a result and store each as png and, unless declined, as pdf.

    **Arguments:**

    - `result`: a run, a study, or (label, run) pairs.
    - `folder`: created if it does not exist.
    - `only`: name of the one figure to draw; None for those that are drawn by default.
    - `tell`: called with one sentence for each figure that is left out, and with one if not all
        runs of a long study are shown; None for a `GflowWarning`.
    - `keep`: leave figures alone that are newer than every stored run they show.
    - `pdf`: whether to store a pdf where there is none yet; one that is there is always renewed.
    - `stage`: called with the name of each stage that begins.

    **Returns:** the files written, in the order of `known`.

    **Raises:** `GflowError` if there is no figure of that name; `RecordError` if one cannot be
    written, those drawn before being kept.
    """
    tell = tell or _warn
    study = as_study(result)
    kinds = [_named(only)] if only is not None else default(result)
    folder = Path(folder)
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    if len(study.runs) > COLUMNS and any(kind.side_by_side for kind in kinds):
        tell(
            f"The figures show the first {COLUMNS} of {len(study.runs)} runs; give a figure "
            "(label, run) pairs to see others, as in `figures.alignment([(label, run), ...])`."
        )
    written: list[Path] = []
    for kind in kinds:
        runs = study.runs[:COLUMNS] if kind.side_by_side else study.runs
        if keep and is_current(style.files(folder, kind.name, pdf), runs, kind.rests_on):
            continue
        stage(f"drawing {kind.name}")
        try:
            figure = kind.draw(result)
        except NotDrawable as reason:
            tell(f"Figure {kind.name} is left out: {reason}")
        except Exception as error:
            if only is not None:
                raise
            # One figure that fails keeps no other from being drawn, nor an answer from being kept.
            tell(
                f"Figure {kind.name} is left out by a mistake in gflow ({type(error).__name__}: "
                f"{error}); please report it."
            )
        else:
            written += style.save(figure, folder, kind.name, pdf)
    return written


def known() -> dict[str, FigureKind]:
    """All figures by name, in the order of their modules; a caller's own come last."""
    place = {module.__name__: i for i, module in enumerate(_MODULES)}
    kinds = sorted(FIGURES.values(), key=lambda kind: place.get(kind.draw.__module__, len(place)))
    return {kind.name: kind for kind in kinds}


def default(result: Runs) -> list[FigureKind]:
    """The figures that are drawn of a result if none is requested by name."""
    study = as_study(result)
    return [kind for kind in known().values() if kind.by_default(study, kind.name)]


def __getattr__(name: str) -> Any:
    """The function that draws a figure: `gflow.figures.alignment(run)`."""
    if name in FIGURES:
        return FIGURES[name].draw
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *FIGURES])


def _warn(sentence: str) -> None:
    warnings.warn(sentence, GflowWarning, stacklevel=3)


def _named(name: str) -> FigureKind:
    kinds = known()
    if name in kinds:
        return kinds[name]
    near = difflib.get_close_matches(name, kinds, n=1, cutoff=0.0)[0]
    raise GflowError(
        f"`only` must be one of {', '.join(kinds)}, but is {name!r}; did you mean {near!r}?"
    )
