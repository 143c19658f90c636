"""Figures are checked by the data they draw, not by their pixels."""

import dataclasses

import matplotlib
import numpy as np
import pytest
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure

from gflow.data.centers import Centers
from gflow.errors import GflowError, GflowWarning
from gflow.report import figures, panels, style
from gflow.report.style import Span
from gflow.runs.experiment import simulate
from gflow.runs.run import Run
from gflow.runs.study import Entry, Study
from gflow.scenario import parse_scenario

SCENARIO = """
name = "tiny"
[data]
dimension = 20
subclasses = 3
positive_subclasses = 2
noise = 0.1
samples = 60
test_samples = 0
[network]
power = {power}
width = 12
init_scale = 1e-4
[flow]
end_time = 200.0
{flow}
[record]
linear = 8
geometric = 8
groups = ["neurons", "centers"]
"""


def tiny(power, flow=""):
    return simulate(parse_scenario(SCENARIO.format(power=power, flow=flow)))


@pytest.fixture(scope="module")
def relu():
    return tiny(1)


@pytest.fixture(scope="module")
def prelu():
    return tiny(3)


@pytest.fixture(scope="module")
def both(relu, prelu):
    return [("power=1", relu), ("power=3", prelu)]


@pytest.fixture
def unsaved(monkeypatch):
    """Figures are made but not written; their names stand for their files."""
    monkeypatch.setattr(style, "save", lambda figure, folder, name: [folder / name])


def changed(run: Run, **variables) -> Run:
    """The run with variables of its record replaced."""
    record = run.record.assign({n: (run.record[n].dims, v) for n, v in variables.items()})
    return dataclasses.replace(run, evidence=dataclasses.replace(run.evidence, record=record))


def without(run: Run, group: str) -> Run:
    """The run as if a group had not been recorded."""
    groups = tuple(g for g in run.scenario.record.groups if g != group)
    recorded = run.scenario.record.model_copy(update={"groups": groups})
    scenario = run.scenario.model_copy(update={"record": recorded})
    dropped = {
        "neurons": ["cosine", "chord", "log_norm", "log_output", "sign"],
        "centers": ["center_output"],
    }[group]
    evidence = dataclasses.replace(
        run.evidence, scenario=scenario, record=run.record.drop_vars(dropped)
    )
    return dataclasses.replace(run, evidence=evidence)


def lines(ax, prefix):
    """Lines of an axes by the number in their id, for ids such as "neuron 7"."""
    found = [line for line in ax.lines if str(line.get_gid()).startswith(prefix + " ")]
    return {int(line.get_gid().split()[-1]): line for line in found}


def shaded(ax):
    """Names, begins and ends of the shaded phases of an axes."""
    spans = [patch for patch in ax.patches if patch.get_gid() in style.SHADES]
    return [(s.get_gid(), s.get_x(), s.get_x() + s.get_width()) for s in spans]


def panels_of(figure: Figure, columns: int):
    """The axes of a figure by row and column, without colorbars and second axes."""
    return np.array(figure.axes[: len(figure.axes) // columns * columns]).reshape(-1, columns)


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
    run = dataclasses.replace(prelu, evidence=dataclasses.replace(prelu.evidence, centers=centers))

    assert panels._average_levels(run) == {1 / np.sqrt(2): r"$1/\sqrt{K_{1,2}}$"}


@pytest.mark.parametrize("name", ["alignment", "norms", "fit"])
def test_shades_are_the_phases_of_the_evidence(both, name):
    axes = panels_of(figures.FIGURES[name](both), 2)

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
        assert shaded(figures.FIGURES[name](asleep).axes[0]) == [("alignment", 0.0, 200.0)]


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
    kappa_pi = prelu.evidence.kappa * prelu.evidence.pi.mean()
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
    moved = [
        (
            label,
            changed(run, **{n: run.record[n].values + shift for n in ("log_norm", "log_output")}),
        )
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


def test_cosine_to_the_average_of_an_empty_class_is_gray(prelu):
    cosine = prelu.record["cosine"].values.copy()
    cosine[..., 4] = np.nan

    ax = figures.cosine_map(changed(prelu, cosine=cosine)).axes[0]

    image = ax.images[0].get_array()
    assert image.mask[1].all()
    assert image.mask.sum() == image.shape[1]
    assert to_hex(ax.get_facecolor()) == style.FAINT


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
    run = dataclasses.replace(prelu, evidence=dataclasses.replace(prelu.evidence, centers=centers))

    with pytest.raises(figures.NotDrawable, match="must have two subclasses"):
        figures.plane(run)


def test_a_subclass_has_one_color_in_every_figure(prelu):
    colors = style.reference_colors(prelu.centers.label)
    target = prelu.evidence.target
    alignment, norms, plane = (
        lines(figures.FIGURES[name](prelu).axes[0], "neuron")
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


@pytest.mark.parametrize(("K1", "K2"), [(6, 4), (5, 5), (10, 0), (12, 8)])
def test_subclass_colors_differ(K1, K2):
    colors = style.reference_colors(np.repeat([1, -1], [K1, K2]))

    assert len(colors) == K1 + K2 + 2
    rgb = np.array([to_rgb(color) for color in colors])
    apart = np.linalg.norm(rgb[:, None] - rgb, axis=-1) + 9 * np.eye(len(rgb))
    assert apart.min() > 0.1


@pytest.mark.parametrize("name", figures.FIGURES)
def test_draw_stores_a_figure_as_pdf_and_png(prelu, tmp_path, name):
    written = figures.draw(prelu, tmp_path / "figures", name, tell=pytest.fail)

    assert [path.name for path in written] == [f"{name}.pdf", f"{name}.png"]
    assert set((tmp_path / "figures").iterdir()) == set(written)
    for path, magic in zip(written, (b"%PDF", b"\x89PNG"), strict=True):
        assert path.read_bytes().startswith(magic)


def test_draw_draws_all_figures_in_order(prelu, tmp_path, unsaved):
    written = figures.draw(prelu, tmp_path, tell=pytest.fail)

    assert [path.name for path in written] == list(figures.FIGURES)


def test_a_stored_figure_is_replaced_only_when_the_new_one_is_complete(
    prelu, tmp_path, monkeypatch
):
    (tmp_path / "norms.pdf").write_text("old")
    figure = figures.norms(prelu)

    def broken(path, **options):
        path.write_text("half")
        raise OSError("disk full")

    monkeypatch.setattr(figure, "savefig", broken)
    with pytest.raises(OSError, match="disk full"):
        style.save(figure, tmp_path, "norms")

    assert (tmp_path / "norms.pdf").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["norms.pdf"]


def test_the_same_figure_is_the_same_file(prelu, tmp_path):
    first, second = (figures.draw(prelu, tmp_path / name, "plane")[0].read_bytes() for name in "ab")
    assert first == second


def test_an_unknown_figure_is_refused_with_the_known_ones(prelu, tmp_path):
    with pytest.raises(GflowError) as error:
        figures.draw(prelu, tmp_path, "alignmnt")

    assert str(error.value) == (
        "`only` must be one of alignment, norms, fit, contributions, cosine_map, plane, "
        "closed_forms, fitting_law, rates, sphere, escape, power_map, bands, "
        "overview, robust_accuracy, radii, critical_radius, training, adversarial, but "
        "is 'alignmnt'; did you mean 'alignment'?"
    )


def test_figures_of_what_was_not_recorded_are_left_out_with_a_reason(prelu, tmp_path, unsaved):
    told = []

    written = figures.draw(without(prelu, "neurons"), tmp_path, tell=told.append)

    assert written == [tmp_path / "fit"]
    assert len(told) == 5
    assert told[0] == (
        'Figure alignment is left out: `record.groups` of the run tiny must hold "neurons", but '
        "is ['centers']; add it and run again."
    )


def test_of_a_long_study_the_first_four_runs_are_drawn_and_this_is_said(prelu, tmp_path, unsaved):
    study = Study(
        prelu.scenario, tuple(Entry(f"power=3,seed={i}", prelu) for i in range(5)), tmp_path
    )

    with pytest.warns(GflowWarning, match="the first 4 of 5 runs"):
        figures.draw(study, tmp_path, "plane")

    figure = figures.plane(study)
    assert len(figure.axes) == 4
    assert figure.get_suptitle() == "first 4 of 5 runs"
    assert figure.axes[3].get_title() == "pReLU, $p = 3$, seed = 3"


def test_a_run_a_study_a_mapping_and_pairs_are_alike(both, tmp_path):
    study = Study(both[0][1].scenario, tuple(Entry(*pair) for pair in both), tmp_path)

    titles = [
        [ax.get_title() for ax in figures.contributions(runs).axes]
        for runs in (study, dict(both), both)
    ]

    assert titles == [["ReLU, $p = 1$", "pReLU, $p = 3$"]] * 3
    assert figures.contributions(both[1][1]).axes[0].get_title() == "pReLU, $p = 3$"


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

    for name in figures.FIGURES:
        figures.FIGURES[name](run).draw_without_rendering()
    assert not run.evidence.contributing[weak]
    curve = lines(figures.alignment(run).axes[0], "neuron")[strong].get_ydata()
    own = prelu.centers.label == record["sign"][-1, strong]
    np.testing.assert_array_equal(curve, record["cosine"][:, strong, :3][:, own].max(axis=1))


@pytest.mark.parametrize("name", figures.FIGURES)
def test_a_run_that_stopped_at_its_start_is_drawn(prelu, name):
    record = prelu.record.isel(time=slice(0, 1))
    run = dataclasses.replace(prelu, evidence=dataclasses.replace(prelu.evidence, record=record))

    figures.FIGURES[name](run).draw_without_rendering()


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
