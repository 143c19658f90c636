"""Which figures are drawn of a result, by name or by default, and what is said of the others."""

import pytest
from drawing import FLOWS, without

from gflow.errors import GflowError, GflowWarning
from gflow.report import figure, figures, style
from gflow.runs.run import Entry
from gflow.runs.study import Study


@pytest.fixture
def unsaved(monkeypatch):
    """Figures are made but not written; their names stand for their files."""
    monkeypatch.setattr(style, "save", lambda figure, folder, name, pdf: [folder / name])


@pytest.mark.parametrize("name", FLOWS)
def test_draw_stores_a_figure_as_pdf_and_png(prelu, tmp_path, name):
    written = figures.draw(prelu, tmp_path / "figures", name, tell=pytest.fail)

    assert [path.name for path in written] == [f"{name}.pdf", f"{name}.png"]
    assert set((tmp_path / "figures").iterdir()) == set(written)
    for path, magic in zip(written, (b"%PDF", b"\x89PNG"), strict=True):
        assert path.read_bytes().startswith(magic)


def test_without_pdf_only_one_that_is_there_is_renewed(prelu, tmp_path):
    (tmp_path / "plane.pdf").write_text("out of date")

    written = [
        path.name
        for name in ("norms", "plane")
        for path in figures.draw(prelu, tmp_path, name, pdf=False)
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
        "`only` must be one of alignment, norms, fit, contributions, cosine_map, plane, "
        "closed_forms, fitting_law, rates, escape, sphere, power_map, bands, "
        "overview, robust_accuracy, radii, critical_radius, training, adversarial, but "
        "is 'alignmnt'; did you mean 'alignment'?"
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
