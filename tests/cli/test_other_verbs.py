"""The verbs `plot`, `attack`, `theory`, `schema` and `doctor`."""

import json

import pytest
from commands import call

from gflow.cli import Exit
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


def test_theory_lists_the_predictions_or_explains_one_also_as_json(ran):
    listed = json.loads(call("theory", "--json").output)
    one = call("theory", "P17").output
    standing = json.loads(call("theory", ran[0] / "runs", "--json").output)

    assert [row["number"] for row in listed] == [f"P{n}" for n in range(1, 29)]
    assert "conjecture-1" in one and "Min and Vidal" in one and "verdict" not in one
    assert json.loads(call("theory", "conjecture-1", "--json").output) == listed[16]
    assert standing[16]["id"] == "conjecture-1" and standing[16]["verdict"] == "HOLDS"
    wrong = call("theory", "P99")
    assert wrong.exit_code == Exit.BAD_INPUT and "P17 conjecture-1" in wrong.stderr


def test_schema_is_a_json_schema():
    assert "network" in json.loads(call("schema").output)["properties"]


def test_doctor_says_what_this_machine_is():
    facts = json.loads(call("doctor", "--json").output)

    assert facts["jax"] and int(facts["cores"]) >= 1 and "GFlop/s" in facts["matrix product"]
