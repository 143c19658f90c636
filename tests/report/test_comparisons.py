"""Runs in one axis are checked by the data they draw and by the colors of varied keys."""

import numpy as np
import pytest
from drawing import without
from matplotlib.colors import LogNorm, to_rgb

from gflow.report import figures, style
from gflow.report.coloring import Coloring
from gflow.report.figure import NotDrawable
from gflow.report.symbols import in_symbols, parts_of, quantity, tex_number


def curves(ax):
    return {c.get_gid()[4:]: c for c in ax.lines if str(c.get_gid()).startswith("run ")}


def test_an_overlay_draws_loss_cosine_to_the_target_and_largest_output(both):
    loss, cosine, outputs = figures.overlay(both).axes

    for label, run in both:
        evidence = run.evidence
        mean = (evidence.target_cosine * evidence.share).sum(axis=1)
        largest = np.abs(run.record["center_output"].values).max(axis=1)
        np.testing.assert_array_equal(curves(loss)[label].get_ydata(), run.record["loss"].values)
        np.testing.assert_allclose(curves(cosine)[label].get_ydata(), mean, rtol=1e-6)
        np.testing.assert_array_equal(curves(outputs)[label].get_ydata(), largest)
    # A dot where each run escapes, which is where its curve crosses 1/2.
    dots = [line.get_xydata()[0] for line in outputs.lines if line.get_gid() == "escape"]
    assert dots == [
        pytest.approx((run.evidence.phases.escape, 0.5)) for _, run in both
    ]  # fmt: skip


def test_a_figure_of_one_panel_shows_what_the_overlay_shows(both):
    whole = figures.overlay(both).axes

    for name, panel in zip(("loss", "cosine", "outputs"), whole, strict=True):
        (ax,) = getattr(figures, name)(both).axes
        assert ax.get_ylabel() == panel.get_ylabel()
        for label, curve in curves(panel).items():
            np.testing.assert_array_equal(curves(ax)[label].get_xydata(), curve.get_xydata())


def test_overlays_say_which_group_of_the_record_is_missing(prelu):
    with pytest.raises(NotDrawable, match='must hold "centers"'):
        figures.outputs(without(prelu, "centers"))


def test_numbers_that_span_decades_have_a_logarithmic_color_map():
    scales = [1e-2, 1e-5, 1e-8]
    labels = [f"power={p},init_scale={eps:g},seed={s}" for p in (1, 3) for eps in scales
              for s in (0, 1)]  # fmt: skip

    coloring = Coloring.of(labels)

    assert coloring.is_scale and isinstance(coloring.norm, LogNorm)
    assert [part.number for part in coloring.hue] == scales
    # Darker is larger: the lightness (Rec. 709) falls, and 1e-5 is half way from 1e-8 to 1e-2.
    light = [
        np.dot((0.2126, 0.7152, 0.0722), to_rgb(coloring.color(part))) for part in coloring.hue
    ]
    assert light[0] < light[1] < light[2]
    assert coloring.norm(1e-5) == pytest.approx(0.5)
    # The power gives the line style; seeds look alike.
    looks = [coloring.look(label) for label in labels]
    assert looks[::2] == looks[1::2]
    assert len({look["color"] for look in looks}) == 3
    assert {str(look["ls"]) for look in looks[:6]} == {"-"} and looks[6]["ls"] != "-"


def test_words_have_colors_of_their_own():
    coloring = Coloring.of(["loss=exponential", "loss=logistic"])

    assert not coloring.is_scale
    assert [coloring.color(part) for part in coloring.hue] == list(style.CURVES[:2])


def test_a_flow_beside_descents_is_dark_and_named():
    labels = ["method=flow,step_size=0.2,batch=100", *(
        f"method=sgd,step_size={eta},batch=100" for eta in (0.2, 1, 5)
    )]  # fmt: skip

    coloring = Coloring.of(labels)

    assert coloring.look(labels[0])["color"] == style.INK
    assert [part.text for part in coloring.bare] == ["gradient flow"]
    assert [part.text for part in coloring.hue] == [r"$\eta = 0.2$", r"$\eta = 1$", r"$\eta = 5$"]


@pytest.mark.parametrize(
    ("label", "text"),
    [
        ("power=3", "$p = 3$"),
        ("init_scale=1e-07", r"$\varepsilon = 10^{-7}$"),
        ("init_scale=2.5e-06", r"$\varepsilon = 2.5\times 10^{-6}$"),
        ("noise=0.1", r"$\alpha = 0.1$"),
        ("width=200", "$h = 200$"),
        ("seed=3", "seed = 3"),
        ("method=adam", "Adam"),
        ("clusters=k-means", "clusters = k-means"),
        ("a run of mine", "a run of mine"),
    ],
)
def test_labels_are_written_in_the_symbols_of_the_papers(label, text):
    assert [part.text for part in parts_of(label)] == [text]


def test_symbols_on_axes_and_of_series():
    assert quantity("network.init_scale") == r"initialization scale $\varepsilon$"
    assert quantity("data.clusters") == "clusters"
    assert in_symbols("power = 3, seed = 1") == "$p = 3$, seed = 1"
    assert [tex_number(text) for text in ("0.0001", "100000", "0", "sgd")] == [
        "10^{-4}", "10^{5}", "0", "sgd",
    ]  # fmt: skip
