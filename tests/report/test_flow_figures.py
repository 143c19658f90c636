"""Figures of flows are checked by the data they draw, not by their pixels."""

import numpy as np
import pytest
from drawing import FLOWS, changed, lines, panels_of, shaded, tiny, with_evidence, without
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from gflow.data.centers import Centers
from gflow.errors import GflowError
from gflow.report import figures, panels, style


def test_alignment_draws_both_cosines_of_every_contributing_neuron(both):
    axes = panels_of(figures.alignment(both), 2)

    for (_, run), (upper, lower) in zip(both, axes.T, strict=True):
        chosen = set(np.flatnonzero(run.evidence.contributing))
        assert set(lines(upper, "neuron")) == set(lines(lower, "neuron")) == chosen
        cosine, K = run.record["cosine"].values, run.centers.K
        for j in chosen:
            positive = run.record["sign"].values[-1, j] > 0
            nearest = cosine[:, j, :2].max(axis=1) if positive else cosine[:, j, 2]
            average = cosine[:, j, K if positive else K + 1]
            np.testing.assert_array_equal(lines(upper, "neuron")[j].get_ydata(), nearest)
            np.testing.assert_array_equal(lines(lower, "neuron")[j].get_ydata(), average)
            np.testing.assert_array_equal(lines(upper, "neuron")[j].get_xdata(), run.evidence.times)


def test_heavier_neurons_have_stronger_lines(prelu):
    upper = figures.alignment(prelu).axes[0]

    drawn = lines(upper, "neuron")
    by_share = sorted(drawn, key=lambda j: prelu.evidence.share[j])
    widths = [drawn[j].get_linewidth() for j in by_share]
    assert len(by_share) > 1
    assert widths == sorted(widths)
    assert widths[0] < widths[-1]


def test_level_of_a_center_against_its_class_average_is_marked(prelu):
    # K1 = 2 and K2 = 1: only the positive class has an average that is not a center.
    for ax in figures.alignment(prelu).axes[:2]:
        levels = [line.get_ydata()[0] for line in ax.lines if line.get_gid() == "level"]
        assert levels == pytest.approx([1 / np.sqrt(2)])


def test_classes_of_one_size_share_one_level(prelu):
    centers = Centers(np.eye(4, 20), np.array([1, 1, -1, -1]), "given")
    run = with_evidence(prelu, centers=centers)

    assert panels._average_levels(run) == {1 / np.sqrt(2): r"$1/\sqrt{K_{1,2}}$"}


@pytest.mark.parametrize("name", ["alignment", "norms", "fit"])
def test_shades_are_the_phases_of_the_evidence(both, name):
    axes = panels_of(getattr(figures, name)(both), 2)

    for (_, run), ax in zip(both, axes[0], strict=True):
        phases, times = run.evidence.phases, run.evidence.times
        assert phases.aligned < phases.escape < phases.fitted
        assert shaded(ax) == [
            ("alignment", 0.0, pytest.approx(phases.aligned)),
            ("quiet growth", pytest.approx(phases.aligned), pytest.approx(phases.escape)),
            ("fitting", pytest.approx(phases.escape), pytest.approx(phases.fitted)),
            ("margin growth", pytest.approx(phases.fitted), pytest.approx(times[-1])),
        ]


def test_phases_that_never_came_are_not_shaded(prelu):
    asleep = changed(
        prelu,
        cosine=0 * prelu.record["cosine"].values,
        center_output=0 * prelu.record["center_output"].values,
        margin_min=-np.ones_like(prelu.evidence.times),
    )
    assert np.isnan(asleep.evidence.phases).all()

    for name in ("alignment", "norms", "fit"):
        assert shaded(getattr(figures, name)(asleep).axes[0]) == [("alignment", 0.0, 200.0)]


def test_alignment_that_ends_after_escape_is_one_phase(prelu):
    cosine = prelu.record["cosine"].values.copy()
    cosine[:-2] = 0.0
    late = changed(prelu, cosine=cosine)
    escape, fitted = late.evidence.phases.escape, late.evidence.phases.fitted
    assert late.evidence.phases.aligned == late.evidence.times[-2] > fitted

    assert shaded(figures.norms(late).axes[0]) == [
        ("alignment", 0.0, pytest.approx(escape)),
        ("fitting", pytest.approx(escape), pytest.approx(fitted)),
        ("margin growth", pytest.approx(fitted), 200.0),
    ]


def test_time_axis_starts_at_the_first_scheduled_time(both):
    times = [
        run.evidence.times[run.record["scheduled"].values & (run.evidence.times > 0)]
        for _, run in both
    ]
    for ax in panels_of(figures.norms(both), 2)[0]:
        assert ax.get_xscale() == "log"
        assert ax.get_xlim() == pytest.approx((min(t[0] for t in times), 200.0))


def test_second_time_axis_is_in_units_of_kappa_pi_t(prelu):
    lower = figures.alignment(prelu).axes[1]

    (below,) = lower.child_axes
    lower.figure.draw_without_rendering()
    kappa_pi = prelu.evidence.loss.kappa * prelu.evidence.pi.mean()
    assert below.get_xlim() == pytest.approx(np.array(lower.get_xlim()) * kappa_pi)


@pytest.mark.parametrize("shift", [0.0, -800.0])
def test_norms_are_logarithms_at_any_scale(prelu, shift):
    logs = prelu.record["log_norm"].values + shift
    run = changed(prelu, log_norm=logs, log_output=logs)

    ax = figures.norms(run).axes[0]

    expected = logs / np.log(10)
    for j, line in lines(ax, "neuron").items():
        np.testing.assert_allclose(line.get_ydata(), expected[:, j])
    (rest,) = [c for c in ax.collections if c.get_gid() == "rest"]
    others = np.flatnonzero(~run.evidence.contributing)
    assert len(others) + len(lines(ax, "neuron")) == 12
    for j, path in zip(others, rest.get_segments(), strict=True):
        np.testing.assert_allclose(path[:, 1], expected[:, j])
    low, high = ax.get_ylim()
    assert low <= expected.min() and expected.max() <= high


def test_fit_draws_loss_margins_and_outputs_of_the_record(prelu):
    loss, margin, output = figures.fit(prelu).axes

    (curve,) = [line for line in loss.lines if line.get_gid() == "loss"]
    np.testing.assert_array_equal(curve.get_ydata(), prelu.record["loss"].values)
    for name in ("margin_min", "margin_mean"):
        (curve,) = [line for line in margin.lines if line.get_gid() == name]
        np.testing.assert_array_equal(curve.get_ydata(), prelu.record[name].values)
    outputs = np.abs(prelu.record["center_output"].values)
    assert set(lines(output, "center")) == {0, 1, 2}
    for k, curve in lines(output, "center").items():
        np.testing.assert_array_equal(curve.get_ydata(), outputs[:, k])
    assert [line.get_ydata()[0] for line in output.lines if line.get_gid() == "level"] == [0.5]


def test_outputs_fill_their_axes_even_if_they_start_at_1e_300(both):
    started_lower = []
    for label, run in both:
        outputs = run.record["center_output"].values.copy()
        outputs[:3] *= 1e-290
        started_lower.append((label, changed(run, center_output=outputs)))

    axes = panels_of(figures.fit(started_lower), 2)[2]

    largest = [np.abs(run.record["center_output"].values).max() for _, run in both]
    for ax in axes:
        assert ax.get_ylim() == pytest.approx((1e-6, 3 * max(largest)))
    alone = panels.output_curves(started_lower[1][1], Figure().subplots())
    assert alone.get_ylim() == pytest.approx((1e-6, 3 * largest[1]))


def test_fit_without_centers_has_no_outputs(prelu):
    assert len(figures.fit(without(prelu, "centers")).axes) == 2


@pytest.mark.parametrize("shift", [0.0, -800.0])
def test_bars_are_shares_of_the_total_even_if_masses_underflow(both, shift):
    # e^{2·(-800)} is 0 in float64, and so is e^{-800}; shares must not care.
    logs = ("log_norm", "log_output")
    moved = [
        (label, changed(run, **{name: run.record[name].values + shift for name in logs}))
        for label, run in both
    ]
    axes = panels_of(figures.contributions(moved), 2)[0]

    for (_, run), ax in zip(both, axes, strict=True):
        heights = [bar.get_height() for bar in ax.patches]
        log_mass = run.evidence.log_mass[-1]
        shares = np.sort(np.exp(log_mass) / np.exp(log_mass).sum())[::-1]
        np.testing.assert_allclose(heights, shares[: len(heights)])
        assert len(heights) == run.evidence.contributing.sum()


def test_bars_can_be_logarithmic(prelu):
    linear, log = (figures.contributions(prelu, log=log).axes[0] for log in (False, True))

    assert (linear.get_yscale(), log.get_yscale()) == ("linear", "log")
    assert [bar.get_height() for bar in log.patches] == [b.get_height() for b in linear.patches]


def test_bars_end_at_the_limit_and_say_so(prelu, monkeypatch):
    monkeypatch.setattr(panels, "BARS_SELECTED", 2)

    ax = figures.contributions(prelu).axes[0]

    assert len(ax.patches) == 2
    assert "(2 shown)" in ax.texts[0].get_text()
    assert f"{prelu.evidence.contributing.sum()} of 12 neurons" in ax.texts[0].get_text()


def test_cosine_map_holds_final_cosines_by_class_target_and_contribution(both):
    axes = panels_of(figures.cosine_map(both), 3)[0][:2]

    for (_, run), ax in zip(both, axes, strict=True):
        evidence, sign = run.evidence, run.record["sign"].values[-1]
        order = sorted(
            np.flatnonzero(evidence.contributing),
            key=lambda j: (-sign[j], evidence.target[j], -evidence.share[j]),
        )
        final = run.record["cosine"].values[-1]
        expected = final[order][:, [3, 4, 0, 1, 2]].T
        np.testing.assert_array_equal(ax.images[0].get_array(), expected)
        assert ax.images[0].get_clim() == (-1, 1)


def test_cosine_map_shows_the_heaviest_neurons(prelu, monkeypatch):
    monkeypatch.setattr(panels, "DOMINANT", 2)

    image = figures.cosine_map(prelu).axes[0].images[0].get_array()

    heaviest = np.argsort(-prelu.evidence.share)[:2]
    final = prelu.record["cosine"].values[-1][heaviest][:, [3, 4, 0, 1, 2]]
    assert {tuple(column) for column in image.T} == {tuple(row) for row in final}


def test_cosine_to_the_average_of_an_empty_class_is_hatched(prelu):
    cosine = prelu.record["cosine"].values.copy()
    cosine[..., 4] = np.nan

    ax = figures.cosine_map(changed(prelu, cosine=cosine)).axes[0]

    image = ax.images[0].get_array()
    assert image.mask[1].all()
    assert image.mask.sum() == image.shape[1]
    assert ax.patch.get_hatch() and to_hex(ax.get_facecolor()) == "#ffffff"


def test_plane_shows_paths_of_the_record(both):
    axes = panels_of(figures.plane(both), 2)[0]

    for (_, run), ax in zip(both, axes, strict=True):
        cosine = run.record["cosine"].values
        drawn = lines(ax, "neuron") | lines(ax, "far")
        own = run.evidence.contributing & (run.record["sign"].values[-1] > 0)
        assert set(drawn) == set(np.flatnonzero(own))
        for j, line in drawn.items():
            np.testing.assert_array_equal(np.array(line.get_data()).T, cosine[:, j, :2])


def test_relu_paths_end_at_the_class_average_and_prelu_paths_at_a_center(relu, prelu):
    # K1 = 2: the average is at (1, 1)/√2, the centers are at (1, 0) and (0, 1).
    def ends(run):
        drawn = lines(figures.plane(run).axes[0], "neuron").values()
        return np.array([[values[-1] for values in line.get_data()] for line in drawn])

    np.testing.assert_allclose(ends(relu), 1 / np.sqrt(2), atol=0.1)
    np.testing.assert_allclose(ends(prelu).max(axis=1), 1, atol=0.05)


def test_neurons_that_end_away_from_the_plane_are_faint(prelu):
    cosine = prelu.record["cosine"].values.copy()
    own = prelu.evidence.contributing & (prelu.record["sign"].values[-1] > 0)
    away = np.flatnonzero(own)[0]
    cosine[-1, away, :2] = 0.01

    ax = figures.plane(changed(prelu, cosine=cosine)).axes[0]

    assert set(lines(ax, "far")) == {away}
    assert to_hex(lines(ax, "far")[away].get_color()) == style.FAINT


def test_plane_refuses_centers_of_two_classes(prelu):
    with pytest.raises(GflowError, match=r"`pair` must be two subclasses of one class.*\(0, 2\)"):
        figures.plane(prelu, pair=(0, 2))


def test_plane_needs_a_class_of_two_subclasses(prelu):
    centers = Centers(np.eye(2, 20), np.array([1, -1]), "given")
    run = with_evidence(prelu, centers=centers)

    with pytest.raises(figures.NotDrawable, match="must have two subclasses"):
        figures.plane(run)


def test_a_subclass_has_one_color_in_every_figure(prelu):
    colors = style.reference_colors(prelu.centers.label)
    target = prelu.evidence.target
    alignment, norms, plane = (
        lines(getattr(figures, name)(prelu).axes[0], "neuron")
        for name in ("alignment", "norms", "plane")
    )
    outputs = lines(figures.fit(prelu).axes[2], "center")
    bars = figures.contributions(prelu).axes[0].patches
    heaviest = np.argsort(-prelu.evidence.share)

    assert set(plane) <= set(alignment) == set(norms)
    for curves in (alignment, norms, plane):
        for j, line in curves.items():
            assert to_hex(line.get_color()) == colors[target[j]]
    assert [to_hex(outputs[k].get_color()) for k in range(3)] == list(colors[:3])
    for j, bar in zip(heaviest, bars, strict=False):
        assert to_hex(bar.get_facecolor()) == colors[target[j]]


def test_relu_neurons_have_the_color_of_their_class(relu):
    sign = relu.record["sign"].values[-1]
    for j, line in lines(figures.alignment(relu).axes[0], "neuron").items():
        assert line.get_color() == (style.PLUS if sign[j] > 0 else style.MINUS)


@pytest.mark.slow
def test_a_cartesian_run_is_drawn_in_full(tmp_path):
    run = tiny(3, 'chart = "cartesian"')

    assert len(figures.draw(run, tmp_path, tell=pytest.fail)) == 12
    drawn = lines(figures.norms(run).axes[0], "neuron")
    assert set(drawn) == set(np.flatnonzero(run.evidence.contributing))


@pytest.mark.slow
def test_a_neuron_that_died_or_changed_sides_is_drawn(prelu):
    # What an unbalanced Cartesian run may leave: v_j = 0, no direction, a new sign.
    record = {n: prelu.record[n].values.copy() for n in ("cosine", "log_output", "sign")}
    weak, strong = np.argsort(prelu.evidence.share)[[0, -1]]
    record["log_output"][-1, weak] = -np.inf
    record["cosine"][-1, weak] = np.nan
    record["sign"][0, strong] *= -1
    run = changed(prelu, **record)

    for name in FLOWS:
        getattr(figures, name)(run).draw_without_rendering()
    assert not run.evidence.contributing[weak]
    curve = lines(figures.alignment(run).axes[0], "neuron")[strong].get_ydata()
    own = prelu.centers.label == record["sign"][-1, strong]
    np.testing.assert_array_equal(curve, record["cosine"][:, strong, :3][:, own].max(axis=1))


@pytest.mark.parametrize("name", FLOWS)
def test_a_run_that_stopped_at_its_start_is_drawn(prelu, name):
    record = prelu.record.isel(time=slice(0, 1))
    run = with_evidence(prelu, record=record)

    getattr(figures, name)(run).draw_without_rendering()
