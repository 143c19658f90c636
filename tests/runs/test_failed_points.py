"""Points of a grid that fail, or whose files do, and what is output of them."""

import shutil

import numpy as np
import pytest
from processes import finish, only_folder, prints, start
from questions import OF_A_FILE, SEEDS, samples

from gflow.cli import Exit
from gflow.errors import DataError
from gflow.runs.failure import (
    Failure,
    failure_of,
    forget_failure,
    load_failure,
    save_failure,
)
from gflow.runs.index import read_index, write_index
from gflow.runs.status import State, read_status
from gflow.runs.study import load
from gflow.scenario import parse_scenario


def test_a_failure_that_cannot_be_written_is_not_another_failure(tmp_path):
    (tmp_path / "point").write_text("a file where a folder should be")

    save_failure(tmp_path / "point", Failure("MemoryError", "no memory"))

    assert (tmp_path / "point").is_file()


@pytest.mark.parametrize(
    ("error", "kind", "words", "is_traced"),
    [
        (DataError("`y` must hold +1."), "DataError", "`y` must hold +1.", False),
        (MemoryError(), "MachineError", "not enough memory; use fewer samples", True),
        (ImportError("no x", name="x"), "MachineError", "x: must be installed as gflow", True),
        (ZeroDivisionError("by zero"), "ZeroDivisionError", "ZeroDivisionError: by zero", True),
    ],
)
def test_a_failure_says_what_happened_and_where_if_it_is_not_the_users(
    tmp_path, error, kind, words, is_traced
):
    save_failure(tmp_path / "point", failure_of(error))

    failure = load_failure(tmp_path / "point")

    assert failure is not None and failure.kind == kind
    assert words in failure.text and bool(failure.traceback) == is_traced
    forget_failure(tmp_path / "point")
    assert load_failure(tmp_path / "point") is None


@pytest.fixture(scope="module")
def troubled(tmp_path_factory):
    """A grid whose first and last points are sound, and what `gflow run` said of it."""
    folder = tmp_path_factory.mktemp("troubled")
    sound = samples()
    hole = sound["X"].copy()
    hole[7, 3] = np.nan
    # The velocity of the first step overflows.
    for name, x in {"sound": sound["X"], "huge": 1e9 * sound["X"], "hole": hole}.items():
        np.savez(folder / f"{name}.npz", **{**sound, "X": x})
    np.savez(folder / "last.npz", **{**sound, "X": sound["X"][:, ::-1]})
    text = OF_A_FILE + '[checks]\npredictions = ["balancedness"]\n'
    text += '[vary]\n"data.path" = ["sound.npz", "huge.npz", "hole.npz", "last.npz"]\n'
    (folder / "grid.toml").write_text(text)
    process = start("run", folder / "grid.toml", "--out", folder / "runs")
    return folder, finish(process), process.returncode


@pytest.mark.slow
def test_points_that_fail_do_not_stop_the_others(troubled):
    folder, output, code = troubled
    study = only_folder(folder / "runs")

    states = [(s.state, s.kind, s.reason) for s in read_status(study)]

    assert [state for state, _, _ in states] == [
        State.FINISHED, State.STOPPED, State.FAILED, State.FINISHED,
    ]  # fmt: skip
    assert states[1][2] == "not_finite"
    assert states[2][1] == "DataError" and "row 7 is not" in states[2][2]
    assert code == Exit.BAD_INPUT
    assert "NOT_FINITE" in output and "row 7 is not" in output and "Traceback" not in output


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

    output, drawn = finish(check), finish(plot)

    assert check.returncode == Exit.BAD_INPUT and plot.returncode == Exit.OK
    assert "Not answered: 1 of 4 points, path=" in output and "failed" in output
    assert "Not drawn: path=" in drawn and "hole.npz: `X`" in drawn and "fit.pdf" in drawn


@pytest.mark.slow
def test_a_point_that_is_corrected_is_computed_and_the_others_are_left(troubled, tmp_path):
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


def test_a_point_with_altered_files_is_reported_as_failed(stored, tmp_path):
    places = write_index(parse_scenario(SEEDS), tmp_path)
    for place in places[:2]:
        shutil.copytree(stored.folder, place.folder)
    (places[1].folder / "network.npz").write_bytes(b"")

    study = load(tmp_path)

    assert [label for label, _ in study.entries] == [places[0].label]
    assert [status.state for status in study.unanswered] == [State.FAILED, *2 * [State.WAITING]]
    assert study.unanswered[0].kind == "RecordError"
    assert "network.npz" in study.unanswered[0].reason
