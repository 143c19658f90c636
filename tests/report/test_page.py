"""The page of a run or a study: what it says, what it leaves out, and what it may load."""

import base64
import json
import re
import sys
from html import escape

import numpy as np
import pytest
import xarray as xr
from drawing import changed, with_evidence, without
from pages import GRID, QUESTION
from typer.testing import CliRunner

from gflow import cli
from gflow.cli import Exit
from gflow.data.centers import Centers
from gflow.errors import MachineError
from gflow.report import page as pages
from gflow.report.frames import (
    FEWEST_NEURONS,
    FEWEST_TIMES,
    MOST_NEURONS,
    MOST_TIMES,
    Frames,
    reference_colors,
    reference_names,
)
from gflow.report.page import page
from gflow.runs import store
from gflow.runs.index import write_index
from gflow.runs.study import load
from gflow.scenario import parse_scenario


@pytest.fixture(scope="module")
def html(judged_study, tmp_path_factory):
    out = tmp_path_factory.mktemp("page") / "new" / "study.html"
    assert page(judged_study, out) == out
    return out.read_text(encoding="utf-8")


def text_of(html):
    """What a person reads, scripts and styles left out."""
    html = re.sub(r"<(script|style)[^>]*>.*?</\1>", "", html, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def values_of(html, id):
    return json.loads(re.search(rf'id="{id}-values">(.*?)</script>', html, re.DOTALL)[1])


def panels_in(html):
    return re.findall(r'data-panel="(\w+)"', html)


@pytest.fixture
def unjudged(prelu, monkeypatch):
    """Pages of runs that are not stored, without the minutes that judging and drawing take."""
    monkeypatch.setattr(pages, "judged", lambda result, stage: {"": ()})
    monkeypatch.setattr(pages, "_pictures", lambda result, stage: [])


def test_a_page_says_question_answer_verdicts_and_how_to_make_it_again(html):
    text = text_of(html)

    assert "power = 1 class averages" in text and "power = 3 subclass centers" in text
    assert "power = 4" in text and "waiting" in text
    assert "gflow run tiny.toml" in text and "linear = 8" in text and "jaxlib" in text
    assert "OUTSIDE 1 does not apply here" in text


def test_verdicts_that_deserve_it_come_first(html):
    first = html[html.index('id="point-1"') : html.index('id="point-2"')]

    judgments = re.findall(r'<details class="judgment (\w+)', first)
    assert judgments == ["fails", "undecided", "holds", "outside"]


def test_a_verdict_unfolds_to_statement_law_hypotheses_and_reason(html):
    outside = re.search(r"<details class=.judgment outside.*?</details>", html, re.DOTALL)
    unfolded = text_of(outside[0])

    assert unfolded.startswith(
        "OUTSIDE P5 closed-form It needs α = 0, and here α = 0.1. the statement of closed-form law"
    )
    assert " expected expected ≤ 1 measured measured by closed-form " in unfolded
    assert "assumes α = 0: α = 0.1, not met" in unfolded


def test_what_a_user_wrote_is_text(html):
    assert "<i>centers</i>" not in html and "<b>far</b>" not in html
    assert f"<h1>{escape(QUESTION)}</h1>" in html


def test_a_page_names_no_address_and_allows_only_its_own_scripts(html):
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', html)[1]
    scripts = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    markup = re.sub(r"<script.*?</script>", "", html, flags=re.DOTALL)

    assert re.findall(r'(?:src|href)="(?!data:|#point-\d+")[^"]*', markup) == []
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert "unsafe-eval" not in policy and re.search(r"script-src[^;]*unsafe", policy) is None
    assert [f"'{pages._hash(script)}'" in policy for script in scripts] == [True, True]


def test_figures_have_a_description(html):
    images = re.findall(r'<img alt="([^"]*)" src="data:image/png;base64,iVBOR', html)

    assert "How neurons turn: cosine to the nearest center and to the class average over time." in (
        images
    )
    assert all(re.findall(r'role="img" aria-label="([^"]*)"', html))


def test_frames_hold_the_recorded_cosines(html, prelu):
    values = values_of(html, "point-2")
    sent = np.frombuffer(base64.b64decode(values["cosines"]), "<i2") / values["unit"]

    neurons = [int(name.split()[1]) - 1 for name in values["neurons"]]
    at = np.searchsorted(prelu.record["time"].values, values["times"])
    recorded = prelu.record["cosine"].values[at][:, neurons]
    assert np.abs(sent.reshape(recorded.shape) - recorded).max() <= 0.5 / 32767 + 1e-7
    assert prelu.evidence.share[neurons].sum() >= 0.999


@pytest.mark.parametrize("most", [0, 1500, 10_000, 10**6])
def test_frames_keep_to_their_share_of_a_page_and_say_what_they_leave_out(relu, most):
    copies = [relu.record] * 20
    wide = xr.concat(copies, "neuron", data_vars="minimal", coords="minimal", compat="override")

    frames = Frames.of(with_evidence(relu, record=wide), most)

    T, references = len(wide["time"]), wide.sizes["reference"]
    cosines = len(frames.at) * len(frames.neurons) * references
    assert cosines <= max(most, FEWEST_TIMES * FEWEST_NEURONS * references)
    assert len(frames.neurons) <= MOST_NEURONS and len(frames.at) <= MOST_TIMES
    assert {frames.at[0], frames.at[-1]} == {0, T - 1}
    assert (f"{len(frames.at)} of {T} recorded times" in frames.omitted) == (len(frames.at) < T)
    assert f"the {len(frames.neurons)} heaviest of the" in frames.omitted


def test_a_cosine_that_is_nan_is_sent_as_unknown(prelu):
    cosine = prelu.record["cosine"].values.copy()
    cosine[0, :, -1] = np.nan
    frames = Frames.of(changed(prelu, cosine=cosine))

    values = frames.to_json()

    sent = np.frombuffer(base64.b64decode(values["cosines"]), "<i2")
    assert (sent == values["unknown"]).sum() == len(frames.neurons)


def test_sections_without_data_are_left_out(prelu, unjudged, tmp_path):
    html = page(without(prelu, "neurons"), tmp_path / "a.html").read_text(encoding="utf-8")

    assert panels_in(html) == ["outputs", "loss", "norms"]
    titles = re.findall(r"<h[23][^>]*>([^<]+)", html)
    assert titles == ["The flow", "How to make it again"]


def test_a_flow_that_never_moved_has_no_curves(prelu, unjudged, tmp_path):
    start = with_evidence(prelu, record=prelu.record.isel(time=slice(0, 1)))

    html = page(start, tmp_path / "a.html").read_text(encoding="utf-8")

    assert panels_in(html) == ["place", "map"]


def test_a_study_that_waits_is_a_table_of_its_points(tmp_path):
    scenario = parse_scenario(GRID)
    write_index(scenario, tmp_path / "study")

    html = page(load(tmp_path / "study")).read_text(encoding="utf-8")

    cells = re.findall(r"<t[hd](?: scope=.row.)?>([^<]+)</t[hd]>", html)
    assert cells[:6] == ["power = 1", "waiting", "power = 3", "waiting", "power = 4", "waiting"]


def test_every_reference_has_a_name_and_a_color():
    two = Centers(np.eye(3, 5), np.array([1, 1, -1]), "given")
    many = Centers(np.eye(3, 5), np.array([1, 1, 1]), "given", class_of=(0, 1, 2))

    assert reference_names(two) == ["μ₁", "μ₂", "μ₃", "μ̄₊", "μ̄₋"]
    assert reference_names(many) == ["μ₁", "μ₂", "μ₃", "μ̄₀", "μ̄₁", "μ̄₂"]
    for centers in (two, many):
        assert len(reference_colors(centers)) == len(centers.references)


def test_the_page_of_a_stored_run_lies_in_its_folder(prelu, unjudged, tmp_path):
    run = store.save(prelu, tmp_path / "run")

    assert page(run) == tmp_path / "run" / "report.html"


def test_without_the_extra_a_sentence_says_what_to_install(prelu, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "bokeh", None)

    with pytest.raises(MachineError) as error:
        page(prelu, tmp_path / "a.html")

    assert str(error.value) == (
        "`gflow report` must have jinja2 and bokeh, but bokeh is not installed; try pip install "
        "'gflow[report]'."
    )


def test_the_verb_prints_the_file_and_refuses_a_folder(judged_study, tmp_path):
    out = tmp_path / "a.html"

    written, refused = (
        CliRunner().invoke(cli.app, ["report", str(judged_study.folder), "--out", str(path)])
        for path in (out, tmp_path)
    )

    assert written.exit_code == Exit.OK and written.stdout.splitlines() == [str(out)]
    assert refused.exit_code == Exit.BAD_INPUT
    assert "`--out` must be a file, new or not, but" in refused.output
