"""What a grid of flows survives: kills, crowds, full disks, altered bytes, and points that fail."""

import fcntl
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from dataclasses import replace

import numpy as np
import pytest
from processes import (
    assert_same_numbers,
    begun,
    finish,
    is_within,
    only_folder,
    prints,
    silent,
    start,
    wait_for,
)
from questions import SEEDS, SMALL

import gflow
from gflow import cli
from gflow.errors import DataError, RecordError
from gflow.runs import files, lock, store
from gflow.runs.experiment import simulate
from gflow.runs.failure import (
    Failure,
    failure_of,
    forget_failure,
    load_failure,
    save_failure,
)
from gflow.runs.findings import read_findings, save_findings
from gflow.runs.index import read_index, write_index
from gflow.runs.status import State, read_status
from gflow.runs.study import answer, load
from gflow.runs.verdicts import judge
from gflow.scenario import PREDICTIONS, parse_scenario

PARTS = ("scenario.toml", "manifest.json", "trajectory.nc", "network.npz")


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    run = simulate(parse_scenario(SMALL))
    return store.save(run, tmp_path_factory.mktemp("runs") / "small", "a line\n")


@pytest.fixture
def folder(stored, tmp_path):
    return shutil.copytree(stored.folder, tmp_path / "copy")


# --- Altered bytes ------------------------------------------------------------------------------


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
def test_a_file_cut_short_anywhere_is_detected_and_named(folder, name):
    path = folder / name
    whole = path.read_bytes()

    for length in [0, *np.random.default_rng(1).integers(len(whole), size=10), len(whole) - 1]:
        path.write_bytes(whole[:length])
        with pytest.raises(RecordError, match=name.replace(".", r"\.")):
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

    assert read_findings(folder, ["balancedness"]) is None and read_findings(folder) is None


def test_verdicts_of_other_predictions_or_another_run_are_not_used(folder):
    run = gflow.load(folder)
    save_findings(folder, judge(run, ["balancedness"])[""])

    assert read_findings(folder, ["balancedness", "energy-balance"]) is None
    store.save(replace(run, next_step=0.5), folder.parent / "other")
    shutil.copy(folder / "findings.json", folder.parent / "other")
    assert read_findings(folder.parent / "other", ["balancedness"]) is None


def test_stored_verdicts_are_those_that_were_found(folder):
    found = judge(gflow.load(folder))[""]

    save_findings(folder, found, list(PREDICTIONS))

    assert read_findings(folder, list(PREDICTIONS)) == found


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
    index.write_text(index.read_text().replace("seed=2", "seed=3"))
    with pytest.raises(RecordError, match=r"study\.json"):
        gflow.load(tmp_path)


# --- Locks --------------------------------------------------------------------------------------

HOLD = """
import sys, time
from pathlib import Path
from gflow.runs import lock
with lock.acquire(Path(sys.argv[1])) as mine:
    mine.publish({"t": 12.5, "seconds": 3.0})
    print("held", flush=True)
    time.sleep(600)
"""


def test_a_lock_is_seen_by_others_and_ends_with_a_process_that_is_killed(tmp_path):
    folder = tmp_path / "point"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None and holder.stdout.readline() == "held\n"

    assert lock.acquire(folder) is None
    (status,) = read_status(folder)
    assert (status.state, status.t, status.seconds) == (State.RUNNING, 12.5, 3.0)
    assert f"process {holder.pid} on" in status.reason

    holder.kill()
    holder.wait()
    assert lock.holder(folder) is None
    mine = lock.acquire(folder)
    assert mine is not None
    with mine:
        assert lock.holder(folder) is not None
    assert list(tmp_path.iterdir()) == []


def test_of_many_threads_one_at_a_time_holds_a_lock(tmp_path):
    inside, most, turns = [], [], []

    def work():
        while len(turns) < 200:
            mine = lock.acquire(tmp_path / "point")
            if mine is not None:
                with mine:
                    inside.append(1)
                    most.append(len(inside))
                    turns.append(1)
                    inside.pop()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert set(most) == {1} and list(tmp_path.iterdir()) == []


def test_a_lock_file_that_was_removed_meanwhile_gives_no_right(tmp_path, monkeypatch):
    folder, flock = tmp_path / "point", fcntl.flock
    first, second = lock.acquire(folder), []

    def slow(descriptor, how):
        # Between opening the file and locking it, its holder leaves and another comes.
        if not second:
            second.append(None)
            first.__exit__()
            second[0] = lock.acquire(folder)
        flock(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", slow)

    assert lock.acquire(folder) is None
    assert second[0] is not None and lock.holder(folder) is not None


# --- Replacing folders --------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("swap", [True, False])
def test_readers_never_fail_while_writers_replace_a_folder(folder, monkeypatch, swap):
    # Without a swap in one act the folder is away for a moment, as on some network disks.
    if not swap:
        monkeypatch.setattr(files, "_exchange", lambda stage, folder: False)
    run = gflow.load(folder)
    errors, done = [], threading.Event()

    def write(step):
        try:
            for _ in range(8):
                store.save(replace(run, next_step=step), folder)
        except Exception as error:
            errors.append(error)

    def read():
        while not done.is_set():
            try:
                seen.add(gflow.load(folder).next_step)
            except Exception as error:
                errors.append(error)

    seen = {run.next_step}
    writers = [threading.Thread(target=write, args=(step,)) for step in (0.25, 0.5)]
    reader = threading.Thread(target=read)
    for thread in (*writers, reader):
        thread.start()
    for thread in writers:
        thread.join()
    done.set()
    reader.join()

    assert errors == []
    assert seen <= {run.next_step, 0.25, 0.5}
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_a_reader_waits_for_a_folder_that_is_away_for_a_moment(folder):
    away = folder.with_name(f".{folder.name}.1-abc.old")
    folder.rename(away)
    back = threading.Timer(0.5, away.rename, (folder,))
    back.start()

    assert gflow.load(folder).outcome.complete
    back.join()


def test_what_killed_writers_left_is_put_back_or_removed(folder):
    name, parent = folder.name, folder.parent
    (parent / f".{name}.1-abc.partial").mkdir()
    (parent / f".{name}.checkpoint.npz.1.partial").write_bytes(b"half")
    folder.rename(parent / f".{name}.1-abc.old")

    files.sweep(folder)

    assert gflow.load(folder).outcome.complete
    assert [path.name for path in parent.iterdir()] == [name]


# --- Full disks ---------------------------------------------------------------------------------

SAVE_IN_VAIN = """
import resource, sys
from pathlib import Path
from gflow.errors import DataError, RecordError
from gflow.runs import store
folder = Path(sys.argv[1])
run = store.load(folder)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
try:
    store.save(run, folder)
except RecordError as error:
    print(error)
"""


@pytest.mark.slow
@pytest.mark.parametrize("limit", [100, 3000, 20_000])
def test_a_write_that_fails_leaves_the_old_run_and_says_so(folder, limit):
    before = prints(folder)

    done = subprocess.run(
        [sys.executable, "-c", SAVE_IN_VAIN, str(folder), str(limit)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert "must be written, but cannot be (File too large)" in done.stdout
    assert prints(folder) == before
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_a_failure_that_cannot_be_written_is_not_another_failure(tmp_path):
    (tmp_path / "point").write_text("a file where a folder should be")

    save_failure(tmp_path / "point", Failure("MemoryError", "no memory"))

    assert (tmp_path / "point").is_file()


@pytest.mark.parametrize(
    ("error", "words", "is_traced"),
    [
        (DataError("`y` must hold only +1 and -1."), "`y` must hold only +1 and -1.", False),
        (MemoryError(), "not enough memory; use fewer samples", True),
        (ZeroDivisionError("division by zero"), "ZeroDivisionError: division by zero", True),
    ],
)
def test_a_failure_says_what_happened_and_where_if_it_is_not_the_users(
    tmp_path, error, words, is_traced
):
    save_failure(tmp_path / "point", failure_of(error))

    failure = load_failure(tmp_path / "point")

    assert failure is not None and failure.kind == type(error).__name__
    assert words in failure.text and bool(failure.traceback) == is_traced
    forget_failure(tmp_path / "point")
    assert load_failure(tmp_path / "point") is None


# --- Points that fail ---------------------------------------------------------------------------


def samples():
    """Arrays of a small file of samples."""
    rng = np.random.default_rng(0)
    subclass = rng.integers(3, size=60)
    x = np.eye(3, 20)[subclass] + 0.02 * rng.standard_normal((60, 20))
    y = np.where(subclass < 2, 1, -1)
    return {"X": x, "y": y, "subclass": subclass, "centers": np.eye(3, 20)}


@pytest.fixture(scope="module")
def troubled(tmp_path_factory):
    """A grid whose first and last points are sound, and what `gflow run` said of it."""
    folder = tmp_path_factory.mktemp("troubled")
    sound = samples()
    hole = sound["X"].copy()
    hole[7, 3] = np.nan
    # The velocity of the first step overflows.
    for name, x in {"sound": sound["X"], "huge": 1e20 * sound["X"], "hole": hole}.items():
        np.savez(folder / f"{name}.npz", **{**sound, "X": x})
    np.savez(folder / "last.npz", **{**sound, "X": sound["X"][:, ::-1]})
    data = SMALL[SMALL.index("[data]") : SMALL.index("[network]")]
    text = SMALL.replace(data, '[data]\nkind = "file"\npath = "sound.npz"\n')
    text += '[checks]\npredictions = ["balancedness"]\n'
    text += '[vary]\n"data.path" = ["sound.npz", "huge.npz", "hole.npz", "last.npz"]\n'
    (folder / "grid.toml").write_text(text)
    process = start("run", folder / "grid.toml", "--out", folder / "runs")
    return folder, finish(process), process.returncode


@pytest.mark.slow
def test_points_that_fail_do_not_stop_the_others(troubled):
    folder, said, code = troubled
    study = only_folder(folder / "runs")

    states = [(s.state, s.kind, s.reason) for s in read_status(study)]

    assert [state for state, _, _ in states] == [
        State.FINISHED, State.STOPPED, State.FAILED, State.FINISHED,
    ]  # fmt: skip
    assert states[1][2] == "not_finite"
    assert states[2][1] == "DataError" and "row 7 is not" in states[2][2]
    assert code == cli.BAD_INPUT
    assert "NOT_FINITE" in said and "row 7 is not" in said and "Traceback" not in said


@pytest.mark.slow
def test_a_failure_is_written_where_the_run_would_be(troubled):
    place = read_index(only_folder(troubled[0] / "runs"))[2]

    failure = load_failure(place.folder)

    assert failure is not None and failure.kind == "DataError" and failure.traceback == ""
    assert [path.name for path in place.folder.iterdir()] == ["failure.json"]


@pytest.mark.slow
def test_check_and_plot_say_which_points_are_missing(troubled):
    study = only_folder(troubled[0] / "runs")
    check, plot = start("check", study), start("plot", study, "--only", "fit")

    said, drawn = finish(check), finish(plot)

    assert check.returncode == cli.BAD_INPUT and plot.returncode == cli.OK
    assert "Not answered: 1 of the study's points." in said and "failed" in said
    assert "Not drawn: path=" in drawn and "hole.npz: `X`" in drawn and "fit.pdf" in drawn


@pytest.mark.slow
def test_a_point_that_is_mended_is_computed_and_the_others_are_left(troubled, tmp_path):
    folder = shutil.copytree(troubled[0] / "runs", tmp_path / "runs")
    study = only_folder(folder)
    places = read_index(study)
    before = prints(places[0].folder)
    shutil.rmtree(places[3].folder)

    finish(start("run", study))

    assert read_status(study)[3].state is State.FINISHED
    assert prints(places[0].folder) == before


@pytest.mark.slow
def test_samples_that_changed_since_the_study_began_are_refused(troubled, tmp_path):
    study = shutil.copytree(only_folder(troubled[0] / "runs"), tmp_path / "study")
    path = troubled[0] / "last.npz"
    before = path.read_bytes()
    shutil.rmtree(read_index(study)[3].folder)
    sound = samples()

    np.savez(path, **{**sound, "X": 1.01 * sound["X"]})
    finish(start("run", study))
    path.write_bytes(before)

    last = read_status(study)[3]
    assert last.kind == "DataError" and "must be as it was when the study began" in last.reason


def test_a_study_without_any_run_can_be_loaded(tmp_path):
    write_index(parse_scenario(SEEDS), tmp_path)

    study = load(tmp_path)

    assert study.entries == () and len(study.unanswered) == 4
    assert {status.state for status in study.unanswered} == {State.WAITING}
    assert "power=1,seed=1: waiting" in repr(study)
    with pytest.raises(KeyError, match="power=1,seed=2: waiting"):
        study["power=1,seed=2"]
    assert np.isnan(study.table["loss"].values).all()


def test_a_point_with_altered_files_is_missing_and_said_to_be(stored, tmp_path):
    places = write_index(parse_scenario(SEEDS), tmp_path)
    for place in places[:2]:
        shutil.copytree(stored.folder, place.folder)
    (places[1].folder / "network.npz").write_bytes(b"")

    study = load(tmp_path)

    assert [label for label, _ in study.entries] == [places[0].label]
    assert [status.state for status in study.unanswered] == [State.FAILED, *2 * [State.WAITING]]
    assert study.unanswered[0].kind == "RecordError"
    assert "network.npz" in study.unanswered[0].reason


# --- Kills and crowds ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The grid, answered in one go."""
    return answer(parse_scenario(SEEDS), tmp_path_factory.mktemp("whole"), False, silent)


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["between", "within"])
def test_after_kill_9_the_same_command_ends_as_if_nothing_had_been(tmp_path, undisturbed, moment):
    (tmp_path / "grid.toml").write_text(SEEDS)
    args = ("run", tmp_path / "grid.toml", "--out", tmp_path / "runs", "--quiet")
    first = start(*args)
    study = only_folder(tmp_path / "runs")
    wait_for(lambda: (study / "study.json").is_file(), "the index")
    at = is_within if moment == "within" else lambda study: begun(study, State.FINISHED)
    wait_for(lambda: at(study), moment)
    first.kill()
    first.wait()
    finished = [s.folder for s in begun(study, State.FINISHED)]
    before = [prints(folder) for folder in finished]
    assert finished and not begun(study, State.RUNNING)

    again = start(*args)
    said = finish(again)

    assert again.returncode == cli.OK, said
    assert [prints(folder) for folder in finished] == before
    assert_same_numbers(load(study), undisturbed)
    assert [p.name for p in study.iterdir() if p.name.startswith(".")] == []


@pytest.mark.slow
def test_two_processes_on_one_grid_share_its_points(tmp_path, undisturbed):
    (tmp_path / "grid.toml").write_text(SEEDS)
    args = ("run", tmp_path / "grid.toml", "--out", tmp_path / "runs")

    both = [start(*args), start(*args)]
    said = [finish(process) for process in both]

    assert [process.returncode for process in both] == [cli.OK, cli.OK], said
    assert_same_numbers(load(only_folder(tmp_path / "runs")), undisturbed)
    assert [text.count("HOLDS") for text in said] == [4, 4]
    # Whoever computes a flow tells of its end, so each was computed once; both had a share.
    ends = [re.findall(r"^(power=\S+): t = 200 of 200", text, re.MULTILINE) for text in said]
    assert sorted(ends[0] + ends[1]) == [label for label, _ in undisturbed.entries]
    assert all(ends)


@pytest.mark.slow
def test_editing_the_scenario_file_while_it_runs_changes_nothing(tmp_path, undisturbed):
    path = tmp_path / "grid.toml"
    path.write_text(SEEDS)
    process = start("run", path, "--out", tmp_path / "runs", "--quiet")
    study = only_folder(tmp_path / "runs")
    wait_for(lambda: (study / "study.json").is_file(), "the index")

    path.write_text(SEEDS.replace("end_time = 200", "end_time = 20"))
    said = finish(process)

    assert process.returncode == cli.OK, said
    assert_same_numbers(load(study), undisturbed)


@pytest.mark.slow
def test_the_index_lists_every_point_before_the_first_is_computed(tmp_path):
    (tmp_path / "grid.toml").write_text(SEEDS)
    process = start("run", tmp_path / "grid.toml", "--out", tmp_path / "runs", "--quiet")
    study = only_folder(tmp_path / "runs")
    wait_for(lambda: (study / "study.json").is_file(), "the index")

    places = read_index(study)
    states = [status.state for status in read_status(study)]
    os.kill(process.pid, signal.SIGKILL)
    process.wait()

    assert [place.label for place in places] == [
        "power=1,seed=1", "power=1,seed=2", "power=3,seed=1", "power=3,seed=2",
    ]  # fmt: skip
    assert places[3].varied == {"network.power": 3, "seed": 2}
    assert State.FINISHED not in states and states[1:] == 3 * [State.WAITING]
    assert json.loads((study / "study.json").read_text())["points"][0]["folder"]
