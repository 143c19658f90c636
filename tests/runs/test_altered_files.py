"""An altered or missing byte in any file of a run or study is detected, and the file named."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
from questions import SEEDS

import gflow
from gflow.errors import GflowWarning, RecordError
from gflow.runs import store
from gflow.runs.findings import read_findings, save_findings
from gflow.runs.index import write_index
from gflow.runs.verdicts import judge
from gflow.scenario import PREDICTIONS, parse_scenario

PARTS = ("scenario.toml", "manifest.json", "trajectory.nc", "network.npz")


@pytest.mark.parametrize("name", PARTS)
def test_one_altered_byte_anywhere_is_detected_and_the_file_named(folder, name):
    path = folder / name
    whole = path.read_bytes()
    rng = np.random.default_rng(0)

    for position in rng.integers(len(whole), size=40):
        altered = bytearray(whole)
        altered[position] ^= int(rng.integers(1, 256))
        path.write_bytes(altered)
        with pytest.raises(RecordError, match=name.replace(".", r"\.")):
            gflow.load(folder)

    path.write_bytes(whole)
    gflow.load(folder)


@pytest.mark.parametrize("name", PARTS)
def test_a_file_cut_short_anywhere_or_missing_is_detected_and_named(folder, name):
    path = folder / name
    whole = path.read_bytes()

    for length in [0, *np.random.default_rng(1).integers(len(whole), size=10), len(whole) - 1]:
        path.write_bytes(whole[:length])
        with pytest.raises(RecordError, match=name.replace(".", r"\.") + ".*altered or"):
            gflow.load(folder)

    path.unlink()
    with pytest.raises(RecordError, match=name.replace(".", r"\.") + ".*(is missing|give the)"):
        gflow.load(folder)


def test_a_manifest_that_was_edited_by_hand_is_not_trusted(folder):
    path = folder / "manifest.json"
    path.write_text(path.read_text().replace('"reason": "end_time"', '"reason": "end_loss"'))

    with pytest.raises(RecordError, match=r"manifest\.json: must have the checksum it carries"):
        gflow.load(folder)


def test_altered_verdicts_are_not_used(folder):
    run = gflow.load(folder)
    save_findings(folder, judge(run, ["balancedness"])[""])
    path = folder / "findings.json"
    assert read_findings(folder, ["balancedness"]) is not None

    path.write_text(path.read_text().replace("HOLDS", "FAILS"))

    for ids in (["balancedness"], None):
        with pytest.warns(GflowWarning, match=r"findings\.json.* judged anew"):
            assert read_findings(folder, ids) is None


def test_verdicts_of_other_predictions_or_another_run_are_not_used(folder):
    run = gflow.load(folder)
    save_findings(folder, judge(run, ["balancedness"])[""])

    assert read_findings(folder, ["balancedness", "energy-balance"]) is None
    store.save(replace(run, next_step=0.5), folder.parent / "other")
    shutil.copy(folder / "findings.json", folder.parent / "other")
    assert read_findings(folder.parent / "other", ["balancedness"]) is None


def test_verdicts_are_read_back_as_they_were_stored(folder):
    findings = judge(gflow.load(folder))[""]

    save_findings(folder, findings, list(PREDICTIONS))

    assert read_findings(folder, list(PREDICTIONS)) == findings


def test_an_altered_index_or_scenario_of_a_study_is_named(tmp_path):
    write_index(parse_scenario(SEEDS), tmp_path)
    index, scenario = tmp_path / "study.json", tmp_path / "scenario.toml"

    text = scenario.read_text()
    scenario.write_text(text.replace("[1, 2]", "[1, 3]"))
    with pytest.raises(RecordError, match=r"scenario\.toml: must be the scenario of the study"):
        gflow.load(tmp_path)
    scenario.write_text(text[:100])
    with pytest.raises(RecordError, match=r"scenario\.toml"):
        gflow.load(tmp_path)
    for text in (index.read_text().replace("seed=2", "seed=3"), '{"points": [{"label": "x"}]}'):
        index.write_text(text)
        with pytest.raises(RecordError, match=r"study\.json"):
            gflow.load(tmp_path)
