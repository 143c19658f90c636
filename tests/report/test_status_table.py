"""States of points and of whole folders, at three widths, from fixed plain values."""

from pathlib import Path

import pytest

from gflow.report.status_table import shelf_lines, status_lines
from gflow.runs.shelf import Result
from gflow.runs.status import State, Status

GOLDEN = Path(__file__).parent / "golden"

HOME = Path("runs/noise-1a2b3c4d")

POINTS = (
    Status(
        "power=1,noise=0.1", HOME / "a", State.FINISHED, t=16000.0, seconds=12.34, verdict="HOLDS",
        verdicts={"HOLDS": 11, "OUTSIDE": 9},
    ),
    Status(
        "power=1,noise=0.3", HOME / "b", State.STOPPED, "max_steps", t=8.125, seconds=3.0,
        verdict="UNDECIDED", verdicts={"HOLDS": 1, "FAILS": 2, "UNDECIDED": 10, "OUTSIDE": 9},
    ),
    Status(
        "power=3,noise=0.1", HOME / "c", State.RUNNING, "process 7 on host", t=1e-3, seconds=60.0,
    ),
    Status("power=3,noise=0.3", HOME / "d", State.WAITING),
    Status(
        "power=3,noise=0.5", HOME / "e", State.FAILED,
        "runs/noise-1a2b3c4d/e/trajectory.nc: must have the checksum in\nmanifest.json, but has "
        "another.", kind="RecordError",
    ),
)  # fmt: skip

SHELF = (
    Result(HOME, True, POINTS),
    Result(Path("runs/quick-5e6f7a8b"), True, POINTS[:1]),
    Result(Path("runs/alone-9c0d1e2f"), False, (POINTS[0]._replace(label=""),)),
    Result(Path("runs/broken"), False, (POINTS[4]._replace(label=""),)),
)

TABLES = {
    "status": lambda width: status_lines(POINTS, width),
    "shelf": lambda width: shelf_lines(SHELF, width),
}


@pytest.mark.parametrize("width", [60, 100, 140])
@pytest.mark.parametrize("name", TABLES)
def test_states_are_printed_like_this(name, width):
    lines = TABLES[name](width)

    expected = (GOLDEN / f"{name}-{width}.txt").read_text(encoding="utf-8")
    assert "\n".join([*lines, ""]) == expected
    assert all(len(line) <= width or " " not in line.strip() for line in lines)
