"""Maps of what networks become are checked by the data they draw."""

import numpy as np
import pytest
from evidences import altered
from made_up import judged, own
from questions import SMALL

from gflow.judges.radii_at_centers import radii_at_centers
from gflow.judges.selection import late_at_escape
from gflow.report import figures
from gflow.report.figure import NotDrawable
from gflow.runs import store
from gflow.runs.experiment import simulate
from gflow.runs.findings import save_findings
from gflow.runs.run import Entry
from gflow.runs.study import Study
from gflow.scenario import parse_scenario

STARTS = """
[vary]
"network.power" = [3, 4]
"network.init_scale" = [1e-2, 1e-4]
"""


def test_the_map_shows_certified_distances_marks_and_radii_over_the_power(run, study):
    ax = figures.conjecture_map(study).axes[0]

    # Rows are noise, columns powers; of two seeds the first is shown.
    seed = study.scenario.points()[0].scenario.seed
    expected = [[own(p, noise, seed)[1] for p in (1, 3)] for noise in (0.01, 0.02, 0.4)]
    image = ax.get_images()[0].get_array()
    np.testing.assert_allclose(image[:2], expected[:2])
    assert image[2, 0] == pytest.approx(expected[2][0])
    radius = f"{radii_at_centers(run.evidence).certified.min():.2f}".lstrip("0")
    assert [text.get_text() for text in ax.texts] == [radius] * 6
    # At p = 3 and α = .4 a made-up bound of 1.2 certifies nothing.
    assert len([patch for patch in ax.patches if patch.get_hatch()]) == 1


def test_the_map_frames_what_the_conjecture_is_about(study):
    ax = figures.conjecture_map(study).axes[0]
    frame = [line for line in ax.lines if line.get_gid() == "hypotheses"]

    # All made-up verdicts are HOLDS: the frame is the border of 2 by 3 cells.
    assert len(frame) == 2 * (2 + 3)


def test_late_neurons_are_drawn_beside_the_law(run, tmp_path):
    scenario = parse_scenario(SMALL + STARTS)
    entries = []
    for number, point in enumerate(scenario.points()):
        stored = store.save(simulate(point.scenario), tmp_path / str(number))
        assert stored.folder is not None
        save_findings(stored.folder, judged(0.05, 0.06 + 0.03 * number))
        entries.append(Entry(point.label, stored))
    ax = figures.critical_power(Study(scenario, tuple(entries), tmp_path)).axes[0]

    share = ax.get_images()[0].get_array()
    late = [late_at_escape(run.evidence, 0.9) for _, run in entries]
    np.testing.assert_array_equal(share, np.reshape(late, (2, 2)))
    assert {line.get_gid() for line in ax.lines} >= {"law 0.3", "law 0.1", "law 0.03"}
    filled = [line.get_markerfacecolor() != "none" for line in ax.lines
              if line.get_gid() == "distance"]  # fmt: skip
    assert filled == [True, True, False, False]


def test_late_neurons_are_those_that_are_not_void_and_at_no_center_at_escape(run):
    start = run.record["cosine"].values[0, :, : run.centers.K]
    own = run.record["sign"].values[0][:, None] == run.centers.label[None]
    awake = (np.where(own, start, -1).max(axis=1) > 0).mean()

    def later(value):
        return lambda cosine: np.where(np.arange(len(cosine))[:, None, None] > 0, value, cosine)

    assert 0 < awake <= 1
    assert late_at_escape(altered(run.evidence, cosine=later(0.5)), 0.9) == pytest.approx(awake)
    assert late_at_escape(altered(run.evidence, cosine=later(0.95)), 0.9) == 0


def test_maps_say_what_must_vary(run):
    for draw, words in (
        (figures.conjecture_map, "`network.power` and another key must vary"),
        (figures.critical_power, "`network.init_scale` must vary"),
    ):
        with pytest.raises(NotDrawable) as caught:
            draw(run)
        assert str(caught.value).startswith(words)
