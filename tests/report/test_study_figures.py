"""Figures of a study over seeds are checked by the data they draw."""

from dataclasses import replace

import pytest
from made_up import judged
from matplotlib.colors import to_hex
from questions import SMALL

from gflow.judges.conjecture import OWN_BAR
from gflow.report import figures
from gflow.report.figure import NotDrawable
from gflow.report.study_figures import OWN
from gflow.runs import store
from gflow.runs.findings import save_findings
from gflow.runs.run import Entry
from gflow.runs.seed_band import over_seeds
from gflow.runs.study import Study
from gflow.scenario import parse_scenario


def test_bands_show_the_bracket_of_every_power_over_the_first_numeric_key(study):
    (ax,) = figures.bands(study).axes

    searched, certified = (over_seeds(study.table, column, "data.noise") for column in OWN)
    curves = {
        kind: [c for c in ax.lines if c.get_gid() == kind] for kind in ("searched", "certified")
    }
    for drawn, expected in ((curves["searched"], searched), (curves["certified"], certified)):
        assert [line.get_xdata().tolist() for line in drawn] == [c.x.tolist() for c in expected]
        assert [line.get_ydata().tolist() for line in drawn] == [c.mean.tolist() for c in expected]
    assert [line.get_label() for line in curves["certified"]] == ["$p = 1$", "$p = 3$"]
    assert len({to_hex(line.get_color()) for line in curves["certified"]}) == 2
    shade = ax.collections[1].get_paths()[0].vertices[:, 1]
    assert shade.min() == searched[1].low.min() and shade.max() == certified[1].high.max()
    assert [c.get_ydata()[0] for c in ax.lines if c.get_gid() == "bar"] == [OWN_BAR]
    assert ax.get_xlabel() == r"noise $\alpha$" and ax.get_xscale() == "log"


def test_an_overview_shows_distances_and_the_neurons_of_a_run_of_each_power(study):
    # The stored runs are one run of p = 3; the first one is shown as one of p = 1.
    (label, run), *others = study.entries
    relu = replace(run.evidence, scenario=study.scenario.points()[0].scenario)
    entries = (Entry(label, replace(run, evidence=relu)), *others)
    axes = figures.overview(replace(study, entries=entries)).axes

    distance, first, second, left, right = axes[:5]
    assert distance.get_title(loc="left") == "(a)"
    assert {c.get_gid() for c in distance.lines} >= {"searched", "certified", "bar"}
    assert [ax.get_title(loc="left") for ax in (first, left, right)] == ["(b)", "(c)", "(d)"]
    titles = ["ReLU, $p = 1$", "pReLU, $p = 3$"]
    for bars, image, title in zip((first, second), (left, right), titles, strict=True):
        assert bars.get_title().startswith(title) and image.get_title().startswith(title)
        assert bars.patches and image.images


def test_published_estimates_stand_beside_the_brackets_of_the_published_question(study):
    # The sizes are part of the question alone: the stored runs stay as small as they are.
    sizes = {"dimension": 1000, "subclasses": 10, "positive_subclasses": 6, "samples": 20_000}
    scenario = study.scenario
    published = scenario.model_copy(
        update={
            "data": scenario.data.model_copy(update=sizes),
            "network": scenario.network.model_copy(update={"width": 2000}),
        }
    )
    drawn = [
        [line for line in figures.overview(one).axes[0].lines if line.get_gid() == "published"]
        for one in (study, replace(study, scenario=published))
    ]

    assert drawn[0] == []
    # Published values are .028 to .090 for F and .8e-5 to 2.7e-5 for F^(3); sup |F^(3)| is 1.
    K1 = study.runs[0].centers.K1
    assert [line.get_ydata().tolist() for line in drawn[1]] == [
        pytest.approx([0.028 / K1**0.5, 0.090 / K1**0.5]),
        pytest.approx([0.8e-5, 2.7e-5]),
    ]


@pytest.mark.parametrize(
    ("vary", "reason"),
    [
        ('[vary]\n"network.power" = [1, 3]\n', "a `seed` must vary"),
        ("[vary]\nseed = {count = 2}\n", "a key with numbers must vary beside `seed`"),
        (
            '[vary]\n"network.power" = [1, 3]\nseed = {count = 2}\n',
            "the own distance of Conjecture 1",
        ),
    ],
)
def test_bands_are_left_out_with_a_reason(run, tmp_path, vary, reason):
    scenario = parse_scenario(SMALL + vary)
    bare = Study(scenario, tuple(Entry(p.label, run) for p in scenario.points()), tmp_path)

    with pytest.raises(NotDrawable) as error:
        figures.draw(bare, tmp_path, "bands")

    assert str(error.value).startswith(f"Figure bands is left out: {reason}")


def test_a_run_alone_has_no_bands(run):
    with pytest.raises(NotDrawable, match="`seed` must vary"):
        figures.bands(run)


def test_bands_are_drawn_again_after_a_new_verdict(study, tmp_path):
    copies = tuple(
        Entry(label, store.save(run, tmp_path / label)) for label, run in study.entries[:2]
    )
    few = Study(study.scenario, copies, tmp_path)
    for _, run in copies:
        save_findings(run.folder, judged(0.1, 0.2))

    assert len(figures.draw(few, tmp_path / "f", "bands", keep=True, tell=pytest.fail)) == 2
    assert figures.draw(few, tmp_path / "f", "bands", keep=True, tell=pytest.fail) == []
    save_findings(copies[0].run.folder, judged(0.3, 0.4))
    assert len(figures.draw(few, tmp_path / "f", "bands", keep=True, tell=pytest.fail)) == 2
