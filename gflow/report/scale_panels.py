"""A panel for each series of runs that differ in ε only."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gflow.judges.evidence import Evidence
from gflow.judges.exponents import SCALE
from gflow.judges.series import Series, series
from gflow.report import style
from gflow.report.subjects import representatives
from gflow.report.symbols import in_symbols


def scale_panels(
    evidences: Sequence[Evidence], height: float
) -> tuple[Figure, list[tuple[Series, Axes]]]:
    """A row of panels with one vertical axis, titled by what sets each series apart.

    **Arguments:**

    - `evidences`: runs of one study.
    - `height`: of the panels, in inches.

    **Returns:** the figure, and every series that is shown with its panel.
    """
    shown = representatives([(one.title, one) for one in series(evidences, SCALE)])
    figure, axes = style.panels(1, len(shown), "", height, sharey=True)
    pairs = [(one, ax) for (_, one), ax in zip(shown, axes[0], strict=True)]
    for one, ax in pairs:
        ax.set_title(in_symbols(one.title))
    return figure, pairs
