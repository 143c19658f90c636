"""What was altered in a folder is not used, and it is said so, with what is done about it."""

import os
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from questions import GRID

import gflow
from gflow.errors import GflowWarning, RecordError
from gflow.robustness.norm import NORMS
from gflow.runs import store
from gflow.runs.findings import read_findings, save_findings
from gflow.runs.radii import read_witnesses
from gflow.runs.run import Entry
from gflow.runs.study import Study, save_table
from gflow.runs.verdicts import judge
from gflow.scenario import RobustnessTable, parse_scenario

TABLE = RobustnessTable(norms=("l1",), attacked=3)


@pytest.fixture(scope="module")
def complete(stored, tmp_path_factory):
    """A run folder with verdicts and radii."""
    folder = shutil.copytree(stored.folder, tmp_path_factory.mktemp("complete") / "run")
    run = gflow.attack(gflow.load(folder), TABLE)
    save_findings(folder, judge(run, ["balancedness"])[""])
    return folder


@pytest.fixture
def folder(complete, tmp_path):
    return shutil.copytree(complete, tmp_path / "copy")


def alter(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("name", ["robustness.nc", "robustness.json"])
def test_altered_radii_are_named_and_measured_anew(folder, name):
    before = gflow.load(folder).evidence.robustness.radii["l1"]
    alter(folder / name)

    with pytest.warns(GflowWarning, match=rf"{name}: must .*, so its radii are not used and are m"):
        run = gflow.load(folder)
    assert run.evidence.robustness is None
    with pytest.warns(GflowWarning, match="measured anew"):
        after = gflow.attack(run, TABLE).evidence.robustness.radii["l1"]

    np.testing.assert_array_equal(after.certified, before.certified)
    assert gflow.load(folder).evidence.robustness.radii["l1"].attacked == pytest.approx(
        before.attacked
    )


def test_radii_whose_arrays_are_missing_are_named(folder):
    (folder / "robustness.nc").unlink()

    with pytest.warns(GflowWarning, match=r"robustness\.nc: must .* but is missing or empty"):
        gflow.load(folder)
    with (
        pytest.warns(GflowWarning, match=r"robustness\.nc"),
        pytest.raises(RecordError, match="must hold perturbations in l1"),
    ):
        read_witnesses(folder, NORMS["l1"])


def test_altered_verdicts_are_named_and_judged_anew(folder):
    alter(folder / "findings.json")

    with pytest.warns(GflowWarning, match=r"findings\.json: must .*not used and are judged anew"):
        assert read_findings(folder) is None


def test_nothing_is_said_of_what_is_missing_or_about_another_run(folder):
    # Warnings are errors here.
    store.save(replace(gflow.load(folder), next_step=0.5), folder.parent / "other")
    for name in ("robustness.json", "robustness.nc", "findings.json"):
        shutil.copy(folder / name, folder.parent / "other")
    for name in ("robustness.json", "findings.json"):
        (folder / name).unlink()

    for one in (folder, folder.parent / "other"):
        assert read_findings(one) is None and gflow.load(one).evidence.robustness is None


def test_a_table_that_was_altered_is_named_and_made_anew(folder):
    run = gflow.load(folder)
    study = Study(parse_scenario(GRID), (Entry("power=3", run),), folder.parent)
    save_table(study)
    whole = {path.name: path.read_bytes() for path in folder.parent.glob("table.*")}
    save_table(study)

    for name in ("table.csv", "table.nc"):
        alter(folder.parent / name)
        with pytest.warns(GflowWarning, match=rf"{name}: must be what .* It is made anew\."):
            save_table(study)
        assert (folder.parent / name).read_bytes() == whole[name]

    # One that is older than a verdict is out of date, which is no news.
    alter(folder.parent / "table.csv")
    save_findings(folder, judge(run, ["balancedness"])[""])
    os.utime(folder.parent / "table.csv", ns=(0, 0))
    os.utime(folder.parent / "table.nc", ns=(0, 0))
    save_table(study)


def test_the_command_line_says_it_in_a_sentence(folder):
    alter(folder / "findings.json")

    told = subprocess.run(
        [sys.executable, "-m", "gflow", "status", str(folder)], capture_output=True, text=True
    )

    lines = told.stderr.splitlines()
    assert len(lines) == 1 and lines[0].startswith(f"Note: {folder / 'findings.json'}: must ")
    assert lines[0].endswith("judged anew.")
