"""How figures look and how they are stored: colors, names of phases, whole files."""

import resource

import matplotlib
import numpy as np
import pytest
from drawing import FLOWS
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from gflow.errors import RecordError
from gflow.report import figures, style
from gflow.report.saving import save
from gflow.report.style import Span


@pytest.mark.parametrize(("K1", "K2"), [(6, 4), (5, 5), (10, 0), (12, 8)])
def test_subclass_colors_differ(K1, K2):
    colors = style.reference_colors(np.repeat([1, -1], [K1, K2]))

    assert len(colors) == K1 + K2 + 2
    rgb = np.array([to_rgb(color) for color in colors])
    apart = np.linalg.norm(rgb[:, None] - rgb, axis=-1) + 9 * np.eye(len(rgb))
    assert apart.min() > 0.1


def test_a_disk_that_is_full_leaves_the_stored_figure_and_is_named(prelu, tmp_path):
    (tmp_path / "norms.pdf").write_text("old")
    figure = figures.norms(prelu)

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(RecordError, match=r"norms\.pdf: must be written, but cannot be \(File"):
            save(figure, tmp_path, "norms")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    assert (tmp_path / "norms.pdf").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["norms.pdf"]


def test_a_figure_is_laid_out_once_and_drawn_once_per_file(prelu, tmp_path, monkeypatch):
    figure, calls = figures.norms(prelu), []
    engine = figure.get_layout_engine()
    monkeypatch.setattr(figure, "draw", lambda r, draw=figure.draw: [calls.append("draw"), draw(r)])
    monkeypatch.setattr(
        engine, "execute", lambda f, lay=engine.execute: [calls.append("layout"), lay(f)]
    )

    save(figure, tmp_path, "norms")

    assert calls == ["layout", "draw", "draw"]


@pytest.mark.parametrize("name", FLOWS)
def test_titles_are_inside_the_figure(both, tmp_path, name):
    figure = getattr(figures, name)(both)

    save(figure, tmp_path, name)

    for ax in figure.axes:
        assert ax.title.get_window_extent().y1 <= figure.bbox.y1


def test_the_same_figure_is_the_same_file(prelu, tmp_path):
    first, second = (figures.draw(prelu, tmp_path / name, "plane")[0].read_bytes() for name in "ab")
    assert first == second


def test_drawing_leaves_matplotlib_as_it_was(prelu):
    before = dict(matplotlib.rcParams)

    figures.fit(prelu)

    assert dict(matplotlib.rcParams) == before
    assert before["font.family"] == matplotlib.rcParamsDefault["font.family"]


@pytest.mark.parametrize("width", [1.6, 4.0])
@pytest.mark.parametrize(
    "ends",
    [(25, 50, 53, 16000), (64, 160, 161, 16000), (30, 31, 32, 40), (2, 3, 15000, 16000)],
)
@style.styled()
def test_names_of_phases_do_not_touch_and_stay_by_their_phase(width, ends):
    figure = Figure(figsize=(width, 2))
    ax = figure.subplots()
    ax.set(xscale="log", xlim=(1, ends[-1]))
    spans = [Span(*span) for span in zip(style.SHADES, (0, *ends), ends, strict=False)]

    lines_of_writing = style.name_spans(ax, spans)

    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in ax.texts]
    assert len(boxes) == 4
    for i, box in enumerate(boxes):
        assert box.y0 >= ax.bbox.y1
        assert box.y1 <= ax.bbox.y1 + (style.LINE * lines_of_writing + 2) * figure.dpi / 72
        assert not any(box.overlaps(other) for other in boxes[:i])
    for text, box in zip(ax.texts, boxes, strict=True):
        (span,) = (s for s in spans if s.name == text.get_text().replace("\n", " "))
        begin, end = ax.transData.transform([(max(span.begin, 1), 0), (span.end, 0)])[:, 0]
        # Half the gap between names, and the rounding of writing to pixels.
        assert box.x0 <= end + 4 and begin - 4 <= box.x1


def test_names_of_wide_phases_are_one_line():
    ax = Figure(figsize=(6, 2)).subplots()
    ax.set(xscale="log", xlim=(1, 10000))
    spans = zip(style.SHADES, (0, 10, 100, 1000), (10, 100, 1000, 10000), strict=True)

    assert style.name_spans(ax, [Span(*span) for span in spans]) == 1
    assert [text.get_position()[0] for text in ax.texts] == [0.0] * 4


def test_a_power_has_one_color_in_every_figure_and_others_are_told_apart():
    assert style.curve_colors([3.0]) == [style.curve_colors([1.0, 3.0])[1]]
    assert set(style.curve_colors([1.0, 1.5, 2.0, 2.5, 3.0, 4.0])) == set(style.CURVES)
    # Where powers do not tell curves apart, or have no color, their order does.
    assert style.curve_colors([3.0, 3.0]) == style.curve_colors([1.7, 3.0]) == [*style.CURVES[:2]]
