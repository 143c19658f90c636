"""A run folder gives back what was put in, and says so when it cannot."""

import json
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from questions import GRID, OF_A_FILE, SMALL, samples

import gflow
from gflow.errors import RecordError, ScenarioError
from gflow.runs import store
from gflow.runs.continuation import continue_run
from gflow.runs.experiment import simulate
from gflow.runs.index import write_index
from gflow.runs.manifest import read_manifest
from gflow.runs.sealed import FORMAT
from gflow.scenario import parse_scenario


def test_loading_gives_back_the_run(stored):
    loaded = gflow.load(stored.folder)

    assert loaded.record.identical(stored.record)
    assert loaded.scenario == stored.scenario
    assert loaded.outcome == stored.outcome and loaded.effort == stored.effort
    assert loaded.test == stored.test and loaded.next_step == stored.next_step
    x = np.random.default_rng(0).standard_normal((5, 20))
    assert np.array_equal(loaded.network(x), stored.network(x))
    assert np.array_equal(loaded.centers.mu, stored.centers.mu)


@pytest.mark.slow
def test_a_run_on_a_file_of_samples_knows_its_centers_and_measures_its_noise(tmp_path):
    np.savez(tmp_path / "samples.npz", **samples(90))

    run = store.save(simulate(parse_scenario(OF_A_FILE, folder=tmp_path)), tmp_path / "run")

    # The mean of n = 90 squared lengths of D = 20 normals of size 0.02 has relative sd √(2/nD).
    assert run.evidence.alpha == pytest.approx(0.02 * np.sqrt(20), rel=4 * np.sqrt(2 / 1800) / 2)
    again = gflow.load(run.folder)
    assert again.evidence.alpha == run.evidence.alpha
    assert again.centers.origin == "given" and again.test == {}


def test_a_run_prints_as_a_card(stored):
    card = repr(stored)

    assert "Reached its end time at t = 200" in card and "accuracy" in card and "escape" in card
    assert str(stored.folder) in card and len(card.splitlines()) == 8


def test_a_stored_network_answers_in_float64_wherever_it_is_called_from(stored):
    inside = np.asarray(stored.network(stored.centers.mu))

    with jax.enable_x64(False):
        outside = stored.network(stored.centers.mu)

    assert outside.dtype == np.float64
    assert np.array_equal(np.asarray(outside), inside)


def test_a_run_carries_its_manifest(stored):
    manifest = read_manifest(stored.folder)

    assert manifest["program"] == "gflow" and manifest["format"] == FORMAT
    assert manifest["seconds"] > 0 and "diffrax" in manifest["versions"]


def test_folders_that_are_no_runs_are_told_apart(folder, tmp_path):
    with pytest.raises(RecordError, match="no such run folder"):
        gflow.load(tmp_path / "absent")
    with pytest.raises(RecordError, match=r"has no manifest\.json"):
        gflow.load(tmp_path)

    manifest = folder / "manifest.json"
    manifest.write_text("{")
    with pytest.raises(RecordError, match="must be JSON"):
        gflow.load(folder)
    manifest.write_text('{"program": "other"}')
    with pytest.raises(RecordError, match="of another program"):
        gflow.load(folder)


@pytest.mark.parametrize("name", ["manifest.json", "study.json"])
@pytest.mark.parametrize(
    ("format", "words"), [(FORMAT + 1, "newer gflow, so upgrade"), (FORMAT - 1, "by gflow 0.1")]
)
def test_folders_of_other_versions_are_refused_with_the_cure(folder, name, format, words):
    if name == "study.json":
        write_index(parse_scenario(GRID), folder)
    path = folder / name
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": format}))

    with pytest.raises(RecordError, match=words):
        gflow.load(folder)


def test_saving_replaces_the_folder_whole(stored, folder):
    (folder / "stale.txt").write_text("from before")

    store.save(replace(stored, next_step=0.125), folder)

    assert gflow.load(folder).next_step == 0.125
    assert not (folder / "stale.txt").exists()
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


@pytest.mark.slow
def test_extending_a_run_reaches_what_a_longer_one_does():
    # Both are within the solver's tolerance of the same flow.
    tight = ["flow.tolerance=1e-7", "flow.precision=float64"]
    short, whole = (
        simulate(parse_scenario(SMALL, overrides=[*tight, f"flow.end_time={end}"]))
        for end in (200, 400)
    )

    longer = continue_run(short, 400.0)

    assert longer.outcome.t == 400.0 and longer.scenario.flow.end_time == 400.0
    assert (np.diff(longer.record["time"]) > 0).all()
    assert longer.effort.steps > short.effort.steps
    gap = longer.state.weights.direction - whole.state.weights.direction
    assert float(jnp.abs(gap).max()) < 1e-5
    last, expected = longer.record.isel(time=-1), whole.record.isel(time=-1)
    assert float(last["loss"]) == pytest.approx(float(expected["loss"]), rel=1e-5)
    assert float(last["dissipated"]) == pytest.approx(float(expected["dissipated"]), rel=1e-5)


@pytest.mark.parametrize("until", [100.0, float("inf")])
def test_extending_backward_or_for_ever_is_refused(stored, until):
    with pytest.raises(ScenarioError, match="must be finite and later than the run's last time"):
        continue_run(stored, until)
