"""A figure that a notebook shows as it is, whatever draws the figures of its reader."""

import io

from matplotlib.figure import Figure

_DPI = 110


class Picture(Figure):
    """A figure that shows itself (final); it is of no `pyplot`, whose backend stays untouched."""

    def _repr_png_(self) -> bytes:
        drawing = io.BytesIO()
        self.savefig(drawing, format="png", dpi=_DPI)
        return drawing.getvalue()
