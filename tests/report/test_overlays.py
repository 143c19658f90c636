"""Overlays are checked by the data they draw: lines are the theory, points the record."""

import numpy as np
import pytest
from drawing import changed
from matplotlib.colors import to_rgb
from questions import ESCAPING

from gflow.errors import GflowError
from gflow.report import overlays, style
from gflow.report.panels import NotDrawable
from gflow.runs.experiment import simulate
from gflow.scenario import parse_scenario


def run_of(*overrides):
    return simulate(parse_scenario(ESCAPING, overrides=["flow.end_margin=3", *overrides]))


@pytest.fixture(scope="module")
def runs():
    """A study over ε and p in small."""
    return [
        (f"power={p},init_scale={eps}", run_of(f"network.power={p}", f"network.init_scale={eps}"))
        for p in (3, 1)
        for eps in (1e-6, 1e-10)
    ]


def drawn(ax, mark):
    """All points of the lines of an axes that have this marker, or of those that have none."""
    return [line.get_xydata() for line in ax.get_lines() if line.get_marker() == mark]


def test_the_closed_form_goes_through_the_points(runs):
    figure = overlays.closed_forms(runs[:1])
    upper, lower = figure.axes[:2]
    laws, points = drawn(upper, "None"), drawn(upper, ".")
    residual = np.concatenate(drawn(lower, "None")[:-1])[:, 1]  # the last line marks zero

    assert len(laws) == len(points) > 10
    # Without noise the law is exact up to the solver's tolerance, while coordinates go 0 to 1.
    assert max(np.ptp(line[:, 1]) for line in laws) > 0.5
    assert np.abs(residual).max() < 1e-4
    gap = np.concatenate(points)[:, 1] - np.concatenate(laws)[:, 1]
    np.testing.assert_allclose(gap, residual, atol=1e-12)


def test_the_potential_of_outputs_is_a_line(runs):
    upper = overlays.fitting_law(runs[:1]).axes[0]

    for law, points in zip(drawn(upper, "None"), drawn(upper, "."), strict=True):
        np.testing.assert_allclose(law[:, 0], law[:, 1])
        np.testing.assert_allclose(points[:, 1], points[:, 0], rtol=1e-4)
    # One line per subclass, named after it and in its color.
    colors = style.reference_colors(runs[0][1].centers.label)
    named = {line.get_label(): line.get_color() for line in upper.get_legend_handles_labels()[0]}
    assert named == {f"$\\mu_{{{k + 1}}}$": colors[k] for k in range(5)}


@pytest.mark.parametrize(("run", "slopes"), [(0, {-1.0}), (2, {-(3**0.5), -(2**0.5)})])
def test_rates_are_drawn_with_the_slopes_of_theory(runs, run, slopes):
    ax = overlays.rates(runs[run : run + 1]).axes[0]
    dashed = [line.get_xydata() for line in ax.get_lines() if line.get_linestyle() == "--"]

    steepness = [np.diff(np.log(y))[0] / np.diff(x)[0] for x, y in (line.T for line in dashed)]
    np.testing.assert_allclose(sorted(steepness), sorted(slopes))


def test_escape_times_lie_on_lines_of_their_slope(runs):
    upper, lower = overlays.escape(runs).axes[:2]
    # 1/(κ π λ) per factor e, with π = 1/5: λ = 1 at p = 3, √3 and √2 at p = 1.
    expected = 5 * np.log(10) / np.array([1, 1, 3**0.5, 2**0.5])

    slopes = [np.diff(line[:, 1]) / np.diff(line[:, 0]) for line in drawn(upper, "None")]
    np.testing.assert_allclose(np.mean(slopes, axis=1), expected)
    left = [line[:, 1] for line in drawn(lower, "o")]
    np.testing.assert_allclose(np.mean(left, axis=1), 0, atol=1e-9)


def test_neurons_on_the_sphere_go_where_the_filled_circles_are(runs):
    for at, (run, filled) in enumerate([(0, 3), (2, 1)]):
        ax = overlays.sphere(runs[run : run + 1]).axes[0]
        circles = [line for line in ax.get_lines() if line.get_marker() == "o"]
        solid = [c.get_xydata()[0] for c in circles if c.get_markerfacecolor() != "white"]
        black = [line.get_xydata() for line in ax.get_lines() if line.get_color() == "k"]
        ends = [path[-1] for path in black if len(path) > 1]

        assert len(circles) == 7 and len(solid) == filled, at
        assert ends
        for end in ends:
            assert min(np.linalg.norm(end - place) for place in solid) < 0.02


def test_the_power_map_mixes_colors_by_share(runs):
    image = overlays.power_map(runs).axes[0].get_images()[0].get_array()
    average, center = map(to_rgb, style.CURVES[:2])

    # Powers 1 and 3 along x, ε falling downward: all mass at averages once ε is small, at centers.
    np.testing.assert_allclose(image[:, 1], np.tile(center, (2, 1)), atol=0.02)
    np.testing.assert_allclose(image[1:, 0], np.array([average]), atol=0.02)


def test_escape_is_not_drawn_where_none_was_seen(runs):
    flat = [
        (label, changed(run, center_output=0 * run.record["center_output"].values))
        for label, run in runs
    ]

    with pytest.raises(NotDrawable, match="a run must have escaped, but none has"):
        overlays.escape(flat)


def test_overlays_say_what_they_need(runs):
    two = [runs[0], runs[2]]
    for draw, given, words in (
        (overlays.escape, two, "`network.init_scale` must vary, but does not; add it to [vary]."),
        (overlays.power_map, two, "`network.power` and `network.init_scale` must vary"),
    ):
        with pytest.raises(NotDrawable) as caught:
            draw(given)
        assert str(caught.value).startswith(words)
        assert isinstance(caught.value, GflowError)


@pytest.mark.slow
def test_a_class_of_three_is_needed_for_the_sphere():
    pair = run_of("data.positive_subclasses=4", "data.subclasses=6", "flow.end_time=1")

    with pytest.raises(NotDrawable, match="a class must have three subclasses, but none does"):
        overlays.sphere(pair)
