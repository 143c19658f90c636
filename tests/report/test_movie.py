"""A movie is checked by what moves in its frames, and by the file it becomes."""

import io
import shutil

import numpy as np
import pytest
from PIL import Image

from gflow.errors import GflowError
from gflow.report import figures, panels
from gflow.report.saving import Form


@pytest.fixture(scope="module")
def movie(both):
    return figures.movie(both)


def test_neurons_start_and_end_where_the_record_says(both, movie):
    dots = [ax.collections[-1] for ax in movie.figure.axes[:2]]

    for frame, at in ((0, 0), (movie.frames - 1, -1)):
        movie.show(frame)
        for (_, run), moving in zip(both, dots, strict=True):
            near, far = panels.plane_neurons(run, (0, 1))
            some = np.concatenate([far[::-1], near[::-1]])
            np.testing.assert_allclose(
                moving.get_offsets(), run.record["cosine"].values[at][some, :2], atol=1e-6
            )


def test_frames_go_from_the_start_to_the_end_through_all_phases(both, movie):
    cursors = [[line for line in ax.lines if len(line.get_xdata()) == 2][-1]
               for ax in movie.figure.axes[2:]]  # fmt: skip
    seen = []
    for frame in range(movie.frames):
        movie.show(frame)
        assert len({cursor.get_xdata()[0] for cursor in cursors}) == 1
        seen.append(cursors[0].get_xdata()[0])

    assert seen == sorted(seen) and seen[-1] == pytest.approx(200.0)
    for _, run in both:
        names = [run.evidence.phases.name(t) for t in seen]
        assert list(dict.fromkeys(names)) == [
            "alignment", "quiet growth", "fitting", "margin growth",
        ]  # fmt: skip


def test_a_gif_moves_and_is_small(movie):
    data = movie.encoded("gif")

    image = Image.open(io.BytesIO(data))
    assert image.n_frames == movie.frames and len(data) < 1_500_000
    first = np.asarray(image.convert("RGB"))
    image.seek(movie.frames // 2)
    assert (np.asarray(image.convert("RGB")) != first).any()


def test_a_movie_is_stored_as_a_gif(both, tmp_path):
    (path,) = figures.draw(both, tmp_path, "movie", dpi=30)

    assert path.name == "movie.gif" and path.read_bytes().startswith(b"GIF89a")


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs ffmpeg")
def test_where_ffmpeg_is_a_movie_can_be_an_mp4(movie):
    assert movie.encoded("mp4", 40)[4:8] == b"ftyp"


def test_without_ffmpeg_an_mp4_is_refused(monkeypatch):
    monkeypatch.setenv("PATH", "")

    with pytest.raises(GflowError, match="mp4 needs ffmpeg, which is not installed"):
        Form.of(["mp4"])
