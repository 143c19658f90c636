"""Ticks of logarithmic axes: powers of ten, and numbers in between where too few are in view.

matplotlib labels 2, 3, 4 and 6 times a power of ten below one decade, which collide on the axes of
a column.
"""

import math
from collections.abc import Iterator

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import (
    LogFormatterMathtext,
    LogLocator,
    MaxNLocator,
    NullFormatter,
)
from numpy import ndarray

_PLAIN = (1e-2, 1e4)
"""Range of the numbers that are written without a power of ten on a short axis."""


class _Locator(LogLocator):
    """Powers of ten; below two decades as many numbers more as there is room for."""

    def tick_values(self, vmin: float, vmax: float):  # pyright: ignore[reportIncompatibleMethodOverride]
        decades = _decades(vmin, vmax)
        if decades >= 2:
            return self._with((1.0,), vmin, vmax)
        # From the densest to the sparsest; at least two where they fit.
        room = max(self.axis.get_tick_space() * (1.0 if _is_plain(vmin, vmax) else 0.45), 1)  # pyright: ignore[reportOptionalMemberAccess, reportAttributeAccessIssue]
        choices = [self._with(subs, vmin, vmax) for subs in ((1.0, 2.0, 5.0), (1.0, 3.0), (1.0,))]
        choices += [
            np.asarray(MaxNLocator(n, steps=[1, 2, 5, 10]).tick_values(vmin, vmax))
            for n in (4, 3, 2)
        ]
        counts = [int(((t >= vmin) & (t <= vmax)).sum()) for t in choices]
        fitting = [k for k, count in enumerate(counts) if 2 <= count <= room]
        sparsest = min(range(len(counts)), key=lambda k: (counts[k] == 0, counts[k]))
        return choices[fitting[0] if fitting else sparsest]

    def _with(self, subs: tuple[float, ...], vmin: float, vmax: float) -> ndarray:
        self.set_params(subs=subs)
        return np.asarray(super().tick_values(vmin, vmax))


class _Formatter(LogFormatterMathtext):
    """Plain numbers where less than two decades near 1 are in view; else powers of ten."""

    def __call__(self, x: float, pos: int | None = None) -> str:
        vmin, vmax = sorted(self.axis.get_view_interval())  # pyright: ignore[reportOptionalMemberAccess, reportAttributeAccessIssue]
        if _decades(vmin, vmax) < 2:
            if _is_plain(vmin, vmax):
                return f"${x:g}$"
            exponent = math.floor(math.log10(x) + 1e-9)
            mantissa = f"{x / 10**exponent:.3g}"
            power = f"10^{{{exponent}}}"
            return f"${power}$" if mantissa == "1" else rf"${mantissa}\times{power}$"
        return super().__call__(x, pos)


def dress(figure: Figure) -> None:
    """Give every logarithmic axis of a figure its ticks."""
    for ax in figure.axes:
        for axis in _logarithmic(ax):
            axis.set_major_locator(_Locator())
            axis.set_major_formatter(_Formatter())
            axis.set_minor_formatter(NullFormatter())


def _logarithmic(ax: Axes) -> Iterator[Axis]:
    for each in (ax, *ax.child_axes):
        for axis in (each.xaxis, each.yaxis):
            if axis.get_scale() == "log":
                yield axis


def _is_plain(low: float, high: float) -> bool:
    """Whether numbers are written without a power of ten."""
    return bool(_PLAIN[0] <= low and high <= _PLAIN[1])


def _decades(low: float, high: float) -> float:
    return math.log10(high / low) if 0 < low < high < math.inf else math.inf
