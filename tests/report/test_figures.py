"""Which figures are drawn of a result, by name or by default, and what is said of the others."""

import pytest
from drawing import FLOWS, without
from PIL import Image

from gflow.errors import GflowError, GflowWarning
from gflow.report import figure, figures, paper, subjects
from gflow.report.figure import NotDrawable
from gflow.runs.run import Entry
from gflow.runs.study import Study


@pytest.fixture
def unsaved(monkeypatch):
    """Figures are made but not written; their names stand for their files."""
    monkeypatch.setattr(figures, "save", lambda figure, folder, name, form: [folder / name])


@pytest.mark.parametrize("name", FLOWS)
def test_draw_stores_a_figure_as_pdf_and_png(prelu, tmp_path, name):
    written = figures.draw(prelu, tmp_path / "figures", name, tell=pytest.fail)

    assert [path.name for path in written] == [f"{name}.pdf", f"{name}.png"]
    assert set((tmp_path / "figures").iterdir()) == set(written)
    for path, magic in zip(written, (b"%PDF", b"\x89PNG"), strict=True):
        assert path.read_bytes().startswith(magic)


def test_of_other_formats_only_files_that_are_there_are_renewed(prelu, tmp_path):
    (tmp_path / "plane.pdf").write_text("out of date")

    written = [
        path.name
        for name in ("norms", "plane")
        for path in figures.draw(prelu, tmp_path, name, formats=["png"])
    ]

    assert written == ["norms.png", "plane.pdf", "plane.png"]
    assert (tmp_path / "plane.pdf").read_bytes().startswith(b"%PDF")


def test_draw_draws_all_figures_in_order(prelu, tmp_path, unsaved):
    written = figures.draw(prelu, tmp_path, tell=pytest.fail)

    assert [path.name for path in written] == list(FLOWS)


def test_an_unknown_figure_is_refused_with_the_known_ones(prelu, tmp_path):
    with pytest.raises(GflowError) as error:
        figures.draw(prelu, tmp_path, "alignmnt")

    assert str(error.value) == (
        "`only` must be one of alignment, norms, fit, contributions, cosine_map, plane, student, "
        "input_space, overlay, loss, cosine, outputs, closed_forms, fitting_law, rates, "
        "escape, sphere, power_map, loss_steps, arrivals, off_manifold, bottleneck, "
        "rank_one, bands, overview, conjecture_map, critical_power, robust_accuracy, "
        "radii, critical_radius, training, adversarial, movie, "
        "but is 'alignmnt'; did you mean 'alignment'?"
    )


def test_figures_of_what_was_not_recorded_are_left_out_with_a_reason(prelu, tmp_path, unsaved):
    sentences = []

    written = figures.draw(without(prelu, "neurons"), tmp_path, tell=sentences.append)

    assert written == [tmp_path / "fit"]
    assert len(sentences) == 5
    assert sentences[0] == (
        'Figure alignment is left out: `record.groups` of the run tiny must hold "neurons", but '
        "is ['centers']; add it and run again."
    )


def long_study(run, folder):
    """Twelve points of three keys, all with the same run."""
    labels = [f"power={p},noise={noise},seed={seed}" for p in (1, 3) for noise in (0.1, 0.2, 0.4)
              for seed in (0, 1)]  # fmt: skip
    return Study(run.scenario, tuple(Entry(label, run) for label in labels), folder)


def test_of_a_long_study_one_run_of_each_value_of_the_first_key_is_shown(prelu, tmp_path, unsaved):
    study = long_study(prelu, tmp_path)

    with pytest.warns(GflowWarning) as caught:
        figures.draw(study, tmp_path, "contributions")

    assert str(caught[0].message) == (
        "Figures of runs side by side show 2 of 12 runs (power=1,noise=0.1,seed=0; "
        "power=3,noise=0.1,seed=0); choose others with `gflow plot RUN --points`, or give a figure "
        "(label, run) pairs."
    )
    figure = figures.contributions(study)
    assert len(figure.axes) == 2
    assert figure.get_suptitle() == r"2 of 12 runs, $\alpha = 0.1$, seed = 0"
    assert figure.axes[1].get_title() == "pReLU, $p = 3$"


def test_of_many_values_the_first_the_last_and_some_between_are_shown():
    labels = [f"width={h},seed={seed}" for h in range(10) for seed in (0, 1)]

    shown = subjects.representatives([(label, None) for label in labels])
    with paper.spanning(1):
        few = subjects.representatives([(label, None) for label in labels])

    assert [label for label, _ in shown] == [f"width={h},seed=0" for h in (0, 3, 6, 9)]
    assert [label for label, _ in few] == ["width=0,seed=0", "width=9,seed=0"]


def test_several_figures_are_drawn_in_the_order_of_the_catalogue(prelu, tmp_path, unsaved):
    written = figures.draw(prelu, tmp_path, ["norms", "alignment"], tell=pytest.fail)

    assert [path.name for path in written] == ["alignment", "norms"]


def test_a_named_figure_that_cannot_be_drawn_is_refused_after_the_others(prelu, tmp_path, unsaved):
    with pytest.raises(NotDrawable) as error:
        figures.draw(prelu, tmp_path, ["norms", "escape", "input_space"])

    assert str(error.value).splitlines() == [
        "Figure input_space is left out: inputs must have two or three coordinates, the same "
        "number in all runs, but have 20; try `plane`.",
        "Figure escape is left out: `network.init_scale` must vary, but does not; add it to "
        "[vary].",
    ]


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"formats": ["jpg"]}, "`format` must be one of pdf, png, svg, gif, mp4, but is 'jpg'"),
        ({"formats": ["gif"]}, "`format` must be pdf or png or svg for norms, which is no movie"),
        ({"dpi": 0}, "`dpi` must be from 1 to 2400, but is 0; try 300."),
        ({"columns": 3}, "`columns` must be 1 or 2, but is 3; try 2."),
    ],
)
def test_a_form_that_is_none_is_refused(prelu, tmp_path, asked, words):
    with pytest.raises(GflowError) as error:
        figures.draw(prelu, tmp_path, "norms", **asked)

    assert str(error.value).startswith(words)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("columns", "inches"), [(1, 3.25), (2, 6.75)])
def test_a_figure_is_as_wide_and_as_fine_as_asked(prelu, tmp_path, columns, inches):
    (path,) = figures.draw(prelu, tmp_path, "norms", formats=["png"], dpi=80, columns=columns)

    assert Image.open(path).width == inches * 80


def test_an_svg_is_the_same_twice(prelu, tmp_path):
    files = [figures.draw(prelu, tmp_path / n, "norms", formats=["svg"])[0] for n in "ab"]

    assert files[0].read_bytes() == files[1].read_bytes()
    assert b"<svg" in files[0].read_bytes()[:1000]


def test_a_run_a_study_a_mapping_and_pairs_are_alike(both, tmp_path):
    study = Study(both[0][1].scenario, tuple(Entry(*pair) for pair in both), tmp_path)

    titles = [
        [ax.get_title() for ax in figures.contributions(runs).axes]
        for runs in (study, dict(both), both)
    ]

    assert titles == [["ReLU, $p = 1$", "pReLU, $p = 3$"]] * 3
    assert figures.contributions(both[1][1]).axes[0].get_title() == "pReLU, $p = 3$"


def test_a_figure_is_registered_where_it_is_drawn(prelu, tmp_path, monkeypatch):
    monkeypatch.setattr(figure, "FIGURES", dict(figure.FIGURES))
    monkeypatch.setattr(figures, "FIGURES", figure.FIGURES)

    @figure.registered(lambda study, name: study.scenario.name == "tiny")
    def toy(runs):
        """The figure of somebody else's file."""
        return figures.norms(runs)

    assert [kind.name for kind in figures.default(prelu)] == [*FLOWS, "toy"]
    assert [path.name for path in figures.draw(prelu, tmp_path, "toy")] == ["toy.pdf", "toy.png"]
    assert list(figures.known())[-1] == "toy" and figures.toy is figure.FIGURES["toy"].draw
