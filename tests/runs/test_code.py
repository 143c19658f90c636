"""Stored verdicts and radii are of today only while the code behind them is the same."""

import shutil
from pathlib import Path

import pytest

import gflow
from gflow.runs.code import code_hash, hash_of_rooms

HERE = Path(gflow.__file__).parent


@pytest.fixture
def copy(tmp_path):
    return Path(shutil.copytree(HERE, tmp_path / "gflow"))


def edited(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\n")


def test_the_hash_is_of_paths_and_bytes_alone(copy):
    assert hash_of_rooms(copy, "judges") == code_hash("judges") != code_hash("robustness")


@pytest.mark.parametrize(
    ("module", "judges", "radii"),
    [
        ("flow/losses.py", True, True),
        ("scenario/question.py", True, True),
        ("random.py", True, True),
        ("judges/fitting.py", True, False),
        ("laws/timescales.py", True, False),
        ("runs/study.py", False, False),
        ("report/card.py", False, False),
    ],
)
def test_changing_a_module_changes_the_hash_of_the_rooms_that_may_run_it(
    copy, module, judges, radii
):
    edited(copy / module)

    assert (hash_of_rooms(copy, "judges") != code_hash("judges")) is judges
    assert (hash_of_rooms(copy, "robustness") != code_hash("robustness")) is radii


def test_moving_a_module_changes_the_hash_however_deep_it_lies(copy):
    deep = copy / "data" / "kinds"
    deep.mkdir(exist_ok=True)
    shutil.move(copy / "data" / "mixture.py", deep / "mixture_moved.py")
    moved = hash_of_rooms(copy, "judges")

    assert moved != code_hash("judges")
    edited(deep / "mixture_moved.py")
    assert hash_of_rooms(copy, "judges") != moved
