"""How a figure is stored: in which formats, and how fine.

One idea: a file of another format that is there already is renewed too, since it would be out of
date beside the others.
"""

import io
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from matplotlib.figure import Figure

from gflow.errors import GflowError
from gflow.report import style
from gflow.report.movie import Movie
from gflow.runs.files import write_bytes

STILL = ("pdf", "png", "svg")
"""Formats of a figure that does not move."""

MOVING = ("gif", "mp4")
"""Formats of a movie."""

FORMATS = (*STILL, *MOVING)

Drawing = Figure | Movie


class Form(NamedTuple):
    """In which formats figures are stored, and how fine."""

    still: tuple[str, ...] = ("pdf", "png")
    moving: tuple[str, ...] = ("gif",)
    dpi: int | None = None
    """Dots per inch; None for 200, and for 100 of movies."""

    @classmethod
    def of(cls, formats: Sequence[str] | None, dpi: int | None = None) -> "Form":
        """The form that a person asks for; the usual one for None.

        **Raises:** `GflowError` for a format that is none, for mp4 without ffmpeg, and for a
        resolution that is not positive.
        """
        if dpi is not None and not 1 <= dpi <= 2400:
            raise GflowError(f"`dpi` must be from 1 to 2400, but is {dpi}; try 300.")
        if formats is None:
            return cls(dpi=dpi)
        if wrong := [one for one in formats if one not in FORMATS]:
            raise GflowError(
                f"`format` must be one of {', '.join(FORMATS)}, but is {wrong[0]!r}; try pdf."
            )
        if "mp4" in formats and shutil.which("ffmpeg") is None:
            raise GflowError(
                "`format` must be one that can be written here, but mp4 needs ffmpeg, which is not "
                "installed; install it, or take gif."
            )
        still, moving = (tuple(f for f in kind if f in formats) for kind in (STILL, MOVING))
        return cls(still, moving, dpi)

    def files(self, folder: Path, name: str, moves: bool = False) -> tuple[Path, ...]:
        """Where a figure is stored: a file of each format, and those of others that are there."""
        asked, all_ = (self.moving, MOVING) if moves else (self.still, STILL)
        paths = {one: folder / f"{name}.{one}" for one in all_}
        return tuple(path for one, path in paths.items() if one in asked or path.exists())


USUAL = Form()
"""A png and a pdf, or a gif."""


def save(drawing: Drawing, folder: Path, name: str, form: Form = USUAL) -> list[Path]:
    """Store a figure or a movie in its `Form.files`, each completely or not at all.

    **Raises:** `RecordError` if one cannot be written; an older one, and what was drawn before, is
    then still there.
    """
    paths = form.files(folder, name, isinstance(drawing, Movie))
    with style.styled():
        for path in paths:
            kind = path.suffix[1:]
            if isinstance(drawing, Movie):
                data = drawing.encoded(kind, form.dpi)
            else:
                data = _still(drawing, kind, form.dpi or style.DPI)
            write_bytes(path, data)
    return list(paths)


def _still(figure: Figure, kind: str, dpi: int) -> memoryview:
    figure.set_dpi(dpi)  # text is measured once for the layout and for the pixels
    style.lay_out(figure)
    # Without a creation date, the same figure is the same file.
    metadata = {"pdf": {"CreationDate": None}, "svg": {"Date": None}}.get(kind)
    # In memory first: on a full disk the libraries that draw fail in ways of their own.
    drawing = io.BytesIO()
    figure.savefig(drawing, format=kind, dpi=dpi, metadata=metadata)
    return drawing.getbuffer()
