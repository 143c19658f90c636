"""The verbs `plot`, `attack`, `theory`, `schema` and `doctor`."""

import json

import pytest
from commands import call, only_study

from gflow.cli import Exit
from gflow.judges.catalogue import ALL
from gflow.runs.findings import read_findings
from gflow.runs.study import load


@pytest.mark.slow
def test_plot_draws_one_figure_from_the_folder(study, tmp_path):
    result = call("plot", study, "--only", "alignment", "--out", tmp_path / "drawn")

    assert result.exit_code == Exit.OK
    names = sorted(path.name for path in (tmp_path / "drawn").iterdir())
    assert names == ["alignment.pdf", "alignment.png"]


def test_an_attack_leaves_no_run_without_verdicts(study):
    result = call("attack", study, "--samples", "5")

    assert result.exit_code == Exit.OK, result.output
    assert all(read_findings(run.folder) for run in load(study).runs)
    # Robust accuracies are read at any radius, of radii that are stored.
    options = ("--samples", "5", "--at", "0.3", "--at", "0.1", "--json")
    rows = json.loads(call("attack", study, *options).stdout)
    assert [[at["radius"] for at in row["accuracy"]] for row in rows] == [[0.1, 0.3]] * 2
    wrong = call("attack", study, "--at=-1")
    assert wrong.exit_code == Exit.BAD_INPUT and "`--at` must be a radius >= 0" in wrong.stderr


def test_an_attack_on_what_is_no_subspace_or_share_is_refused(study):
    place = call("attack", study, "--within", "manifold")
    share = call("attack", study, "--universal", "95")

    assert place.exit_code == share.exit_code == Exit.BAD_INPUT
    for part in ("`--within` must be samples, off_samples,", "but is manifold; try off_samples."):
        assert part in " ".join(place.stderr.split())
    assert "`--universal` must be a share from 0 to 1, but is 95; try 0.95." in " ".join(
        share.stderr.split()
    )


def test_theory_lists_the_predictions_or_explains_one_also_as_json(ran, tmp_path, monkeypatch):
    # One prediction is explained with the verdicts under `runs` of the working directory.
    monkeypatch.chdir(tmp_path)
    listed = json.loads(call("theory", "--json").output)
    one = call("theory", "P17").output
    standing = json.loads(call("theory", ran[0] / "runs", "--json").output)

    assert [row["number"] for row in listed] == [one.number for one in ALL]
    assert "conjecture-1" in one and "Min and Vidal" in one and "Stored verdicts" not in one
    assert json.loads(call("theory", "conjecture-1", "--json").output) == listed[16]
    assert standing[16]["id"] == "conjecture-1" and standing[16]["verdict"] == "HOLDS"
    wrong = call("theory", "P99")
    assert wrong.exit_code == Exit.BAD_INPUT and "P17 conjecture-1" in wrong.stderr


def test_theory_filters_by_paper_needs_and_verdict(ran):
    def numbers(*options):
        return {row["number"] for row in json.loads(call("theory", *options, "--json").output)}

    assert numbers("--needs", "layers") >= {"P29"} and "P17" not in numbers("--needs", "layers")
    assert "P18" in numbers("--needs", "study") and "P5" not in numbers("--needs", "study")
    assert {"P5", "P7"} <= numbers("--needs", "α = 0") and "P20" not in numbers("--needs", "α = 0")
    assert numbers("--paper", "conjecture 1") == {"P17"}
    holds = numbers(ran[0] / "runs", "--verdict", "holds")
    assert "P17" in holds and holds.isdisjoint(numbers(ran[0] / "runs", "--verdict", "outside"))
    refused = call("theory", "--verdict", "FAILS")
    assert refused.exit_code == Exit.BAD_INPUT and "which holds no verdicts" in refused.stderr
    wrong = call("theory", ran[0] / "runs", "--verdict", "good")
    assert wrong.exit_code == Exit.BAD_INPUT and "`--verdict` must be HOLDS" in wrong.stderr


def test_one_prediction_is_printed_with_its_hypotheses_criterion_and_stored_verdicts(
    ran, monkeypatch
):
    monkeypatch.chdir(ran[0])
    one = " ".join(call("theory", "P19").output.split())

    assert "neuron at every center" in one and "`LARGEST_TILT`" in one
    assert "Stored verdicts" in " ".join(call("theory", "P17").output.split())


def test_markdown_has_a_row_for_every_prediction_judged_or_not(ran):
    rows = call("theory", ran[0] / "runs", "--markdown").output.splitlines()[2:]

    assert [row.split(" | ")[0] for row in rows] == [f"| {one.number}" for one in ALL]
    assert any("not judged here" in row for row in rows)


def test_schema_is_a_json_schema():
    assert "network" in json.loads(call("schema").output)["properties"]


def test_doctor_says_what_this_machine_is():
    facts = json.loads(call("doctor", "--json").output)

    assert facts["jax"] and int(facts["cores"]) >= 1 and "GFlop/s" in facts["matrix product"]


def test_plot_takes_figures_points_forms_and_widths(study, tmp_path):
    options = ["--only", "norms", "--only", "contributions", "--points", "network.power=3"]
    result = call("plot", study, *options, "--format", "svg", "--columns", "1")

    assert result.exit_code == Exit.OK, result.output
    # The figures of some points do not take the place of those of all.
    folder = study / "figures" / "network.power=3"
    assert sorted(path.name for path in folder.iterdir()) == ["contributions.svg", "norms.svg"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            ("--only", "norms", "--only", "escape"),
            "Figure escape is left out: `network.init_scale`",
        ),
        (("--only", "norms,nroms"), "but is 'nroms'; did you mean 'norms'?"),
        (("--points", "network.power=2"), "there are network.power = 1, 3."),
        (("--format", "bmp"), "`format` must be one of pdf, png, svg, gif, mp4"),
        (("--columns", "3"), "`columns` must be 1 or 2, but is 3"),
        (("--dpi", "0"), "`dpi` must be from 1 to 2400, but is 0"),
    ],
)
def test_what_cannot_be_plotted_is_bad_input(ran, tmp_path, options, words):
    result = call("plot", only_study(ran[0]), "--out", tmp_path, *options)

    assert result.exit_code == Exit.BAD_INPUT and words in result.stderr


def test_plot_lists_the_figures_and_those_drawn_by_default(ran):
    alone, of_run = call("plot", "--list"), call("plot", only_study(ran[0]), "--list")

    assert alone.exit_code == of_run.exit_code == Exit.OK
    assert "  plane            Where neurons go in the plane of two centers" in alone.output
    assert "* alignment " in of_run.output and "  bands " in of_run.output
    assert call("plot").exit_code == Exit.BAD_INPUT
