"""A movie: a figure that is drawn anew for each frame, and how it is encoded.

One idea: a gif keeps one palette for all frames and stores of each frame what has changed, so a
minute of moving dots is smaller than a photograph.
"""

import base64
import io
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.artist import Artist
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from gflow.errors import GflowError
from gflow.report import style

DPI = 110
"""Dots per inch of a movie, unless asked otherwise."""

COLORS = 128
"""Colors of a gif."""

_SAMPLED = 8
"""Frames from which the palette of a gif is chosen."""


@dataclass(frozen=True)
class Movie:
    """A figure that moves (final); a notebook shows it as a gif."""

    figure: Figure
    frames: int
    show: Callable[[int], object]
    """Changes what moves to a frame, counted from 0."""
    moving: Sequence[Artist]
    """What moves; all else is drawn once."""
    rate: float = 12.0
    """Frames per second."""
    rest: float = 1.5
    """Seconds for which the last frame stays before a gif starts again."""

    def encoded(self, kind: str, dpi: int | None = None) -> bytes:
        """The movie as the contents of a "gif" or an "mp4" file."""
        self.figure.set_dpi(dpi or DPI)
        style.lay_out(self.figure)
        return self._gif() if kind == "gif" else self._mp4()

    def _repr_html_(self) -> str:
        with style.styled():
            data = base64.b64encode(self.encoded("gif")).decode()
        return f'<img src="data:image/gif;base64,{data}">'

    def _gif(self) -> bytes:
        images = list(self._images())
        palette = _stacked(images[:: max(len(images) // _SAMPLED, 1)]).quantize(
            COLORS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE
        )
        frames = [image.quantize(palette=palette, dither=Image.Dither.NONE) for image in images]
        pause = round(1000 / self.rate)
        durations = [pause] * (len(frames) - 1) + [round(1000 * self.rest)]
        file = io.BytesIO()
        frames[0].save(
            file, "GIF", save_all=True, append_images=frames[1:], duration=durations, loop=0,
            optimize=True,
        )  # fmt: skip
        return file.getvalue()

    def _images(self) -> Iterator[Image.Image]:
        canvas = FigureCanvasAgg(self.figure)
        for artist in self.moving:
            artist.set_animated(True)
        canvas.draw()
        still = canvas.copy_from_bbox(self.figure.bbox)
        for i in range(self.frames):
            self.show(i)
            canvas.restore_region(still)
            for artist in self.moving:
                artist.draw(canvas.renderer)
            yield Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3].copy())

    def _mp4(self) -> bytes:
        # An even number of pixels each way, which the usual players need.
        images = [
            image.crop((0, 0, image.width & ~1, image.height & ~1)) for image in self._images()
        ]
        size = f"{images[0].width}x{images[0].height}"
        command = ["ffmpeg", "-loglevel", "error", "-y", "-f", "rawvideo", "-pix_fmt", "rgb24"]
        command += ["-s", size, "-r", f"{self.rate:g}", "-i", "-", "-an"]
        command += ["-c:v", "libx264", "-pix_fmt", "yuv420p", "-movflags", "+faststart"]
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "movie.mp4"
            frames = b"".join(image.tobytes() for image in images)
            done = subprocess.run(
                [*command, str(path)], input=frames, capture_output=True, check=False
            )
            if done.returncode:
                why = done.stderr.decode(errors="replace").strip().splitlines()
                raise GflowError(
                    "`format` must be one that can be written here, but ffmpeg writes no mp4 "
                    f"({why[-1] if why else 'no reason given'}); take gif."
                )
            return path.read_bytes()


def _stacked(images: Sequence[Image.Image]) -> Image.Image:
    """Images one above the other."""
    return Image.fromarray(np.concatenate([np.asarray(image) for image in images]))
