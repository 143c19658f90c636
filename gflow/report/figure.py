"""A figure and what it says of itself: its name, how it is drawn, and when it is drawn unasked.

A figure is registered where it is drawn, by `@registered`.  A new one touches the file that draws
it and, if this file is new, the list of modules in `gflow.report.figures`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from matplotlib.figure import Figure

from gflow.errors import GflowError
from gflow.judges.catalogue import CATALOGUE
from gflow.report import style
from gflow.runs.study import Study

Unasked = Callable[[Study, str], bool]
"""Whether a figure, given by its name, is drawn of a result of which no figure was named."""

FIGURES: dict[str, "FigureKind"] = {}
"""Every figure of the modules that were imported, by name."""


class NotDrawable(GflowError):
    """A figure that needs what was not recorded, or what the data do not have."""


@dataclass(frozen=True)
class FigureKind:
    """A figure that can be drawn of runs (final)."""

    name: str
    """What the command line and predictions call it."""
    draw: Callable[..., Figure]
    """Takes `Runs`; raises `NotDrawable` if they do not have what it shows."""
    unasked: Unasked
    side_by_side: bool
    """Whether it shows the first `COLUMNS` runs, one column per run, rather than all runs."""
    rests_on: tuple[str, ...]
    """Files of a run folder, besides its manifest, whose contents it shows."""


def registered(
    unasked: Unasked, *, side_by_side: bool = False, rests_on: tuple[str, ...] = ()
) -> Callable[[Any], Any]:
    """Register a function that draws a figure, under its own name and in the style of gflow.

    **Arguments:** the fields of `FigureKind`.
    """

    def register(draw: Callable[..., Figure]) -> Callable[..., Figure]:
        name, styled = draw.__name__, style.styled()(draw)
        FIGURES[name] = FigureKind(name, styled, unasked, side_by_side, rests_on)
        return styled

    return register


def has_laws(study: Study, name: str) -> bool:
    """Figures of flows are drawn of networks of which there are laws."""
    return study.scenario.network.has_laws


def is_asked_about(study: Study, name: str) -> bool:
    """A figure of a law is drawn where the scenario asks about a prediction that names it."""
    ids = study.scenario.checks.predictions
    return (
        has_laws(study, name) and ids != "all" and any(CATALOGUE[id].figure == name for id in ids)
    )


def has_radii(study: Study, name: str) -> bool:
    """Figures of radii are drawn where these were measured."""
    return any(run.evidence.robustness for run in study.runs)
