"""A figure: its name, the function that draws it, and when it is drawn by default.

A figure is registered where it is drawn, by `@registered`.  A new one touches the file that draws
it and, if this file is new, the list of modules in `gflow.report.figures`.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from gflow.errors import GflowError
from gflow.judges.catalogue import CATALOGUE
from gflow.report import style, ticks
from gflow.report.movie import Movie
from gflow.runs.run import Entry, Run
from gflow.runs.study import Study

Runs = Run | Study | Mapping[str, Run] | Sequence[tuple[str, Run]]
"""What can be drawn: a run, a study, or runs with their labels."""

ByDefault = Callable[[Study, str], bool]
"""Whether a figure, given by its name, is drawn of a study if no figure is requested by name."""

FIGURES: dict[str, "FigureKind"] = {}
"""Every figure of the modules that were imported, by name."""


class NotDrawable(GflowError):
    """A figure that needs what was not recorded, or what the data do not have."""


def as_study(runs: Runs) -> Study:
    """Runs with their labels as a study; the question of runs that are none is that of the first.

    **Raises:** `GflowError` if there are no runs.
    """
    if isinstance(runs, Run | Study):
        entries, folder = runs.entries, runs.folder
    else:
        pairs = runs.items() if isinstance(runs, Mapping) else runs
        entries, folder = tuple(Entry(*pair) for pair in pairs), None
    if not entries:
        raise GflowError("`runs` must hold at least one run, but is empty.")
    if isinstance(runs, Study):
        return runs
    return Study(entries[0].run.scenario, entries, folder or Path())


@dataclass(frozen=True)
class FigureKind:
    """A kind of figure, to be drawn of any runs (final)."""

    name: str
    """What the command line and predictions call it."""
    draw: Callable[..., Figure | Movie]
    """Takes `Runs`; raises `NotDrawable` if they do not have what it shows."""
    by_default: ByDefault
    side_by_side: bool
    """Whether it shows `representatives` of the runs, one column per run, rather than all runs."""
    rests_on: tuple[str, ...]
    """Files of a run folder, besides its manifest, whose contents it shows."""
    moves: bool
    """Whether it is a movie."""
    any_labels: bool
    """Whether it can be drawn where labels are real numbers, and not only of classes."""

    @property
    def about(self) -> str:
        """What it shows, in a sentence."""
        return " ".join((self.draw.__doc__ or "").split("\n\n")[0].split())


def registered(
    by_default: ByDefault,
    *,
    side_by_side: bool = False,
    rests_on: tuple[str, ...] = (),
    moves: bool = False,
    any_labels: bool = False,
) -> Callable[[Any], Any]:
    """Register a function that draws a figure, under its own name and in the style of gflow.

    **Arguments:** the fields of `FigureKind`.
    """

    def register(draw: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(draw)
        def dressed(runs: Runs, *args: Any, **options: Any) -> Any:
            if not any_labels:
                _require_classes(as_study(runs))
            with style.styled():
                drawing = draw(runs, *args, **options)
                ticks.dress(drawing.figure if isinstance(drawing, Movie) else drawing)
            return drawing

        FIGURES[draw.__name__] = FigureKind(
            draw.__name__,
            dressed,
            by_default,
            side_by_side=side_by_side,
            rests_on=rests_on,
            moves=moves,
            any_labels=any_labels,
        )
        return dressed

    return register


def _require_classes(study: Study) -> None:
    """Refuse runs whose labels are real numbers."""
    for label, run in study.entries:
        if not run.evidence.has_classes:
            raise NotDrawable(
                f"the run {label or run.scenario.name} must have labels that are classes, but has "
                "real numbers; try `fit`."
            )


def never(study: Study, name: str) -> bool:
    """For a figure that is drawn only if it is named."""
    return False


def varies(study: Study, *keys: str) -> bool:
    """Whether [vary] names all of these keys."""
    return set(keys) <= {key for axis in study.scenario.vary for key in axis.keys}


def has_laws(study: Study, name: str) -> bool:
    """Whether there are laws of the networks of a study, as figures of flows need."""
    return study.scenario.network.has_laws


def is_asked_about(study: Study, name: str) -> bool:
    """Whether the scenario asks about a prediction of its networks that names this figure."""
    ids, kind = study.scenario.checks.predictions, study.scenario.network.kind
    asked = () if ids == "all" else map(CATALOGUE.__getitem__, ids)
    return any(one.figure == name and kind in one.networks for one in asked)


def has_radii(study: Study, name: str) -> bool:
    """Whether the radii of some run were measured."""
    return any(run.evidence.robustness for run in study.runs)
