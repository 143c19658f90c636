"""Starting gflow in processes, as a user does, and waiting for what they do."""

import os
import subprocess
import sys
import time
from pathlib import Path

from questions import SEEDS

from gflow.runs.status import State, read_status

PATIENCE = 300.0
"""Seconds after which a test gives up; busy machines are slow."""

ON_CORES = """
import os, sys
os.sched_setaffinity(0, map(int, sys.argv[1].split(",")))
os.execv(sys.executable, [sys.executable, "-m", "gflow", *sys.argv[2:]])
"""


def start(*args, cores=None, **options) -> subprocess.Popen:
    """Start `gflow` in a process, restricted to some cores."""
    cores = cores or os.sched_getaffinity(0)
    return subprocess.Popen(
        [sys.executable, "-c", ON_CORES, ",".join(map(str, cores)), *map(str, args)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        **options,
    )


def start_grid(folder: Path, *options, **more) -> tuple[subprocess.Popen, Path]:
    """Start `gflow run` on a grid of four flows; its process, and its study once it is there."""
    process = start(*grid_command(folder), *options, **more)
    study = only_folder(folder / "runs")
    wait_for(lambda: (study / "study.json").is_file(), "the index")
    return process, study


def grid_command(folder: Path) -> tuple:
    """Arguments that run a grid of four flows, whose file is written into a folder."""
    (folder / "grid.toml").write_text(SEEDS)
    return "run", folder / "grid.toml", "--out", folder / "runs"


def finish(process: subprocess.Popen) -> str:
    """Wait for a process to end and return its output."""
    return process.communicate(timeout=PATIENCE)[0]


def wait_for(condition, what: str):
    """Wait until a condition returns something true, and return that."""
    last = time.monotonic() + PATIENCE
    while time.monotonic() < last:
        if result := condition():
            return result
        time.sleep(0.02)
    raise AssertionError(f"waited in vain for {what}")


def only_folder(folder: Path) -> Path:
    """The only study or run in a folder, once it exists."""
    return wait_for(
        lambda: next((p for p in folder.glob("*") if p.is_dir()), None), f"a folder in {folder}"
    )


def prints(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Modification time and content of every file in a run folder."""
    return {p.name: (p.stat().st_mtime_ns, p.read_bytes()) for p in sorted(folder.iterdir())}


def silent(label, scenario):
    return lambda progress: None


def interrupted(when):
    """Announces points whose computation gets Ctrl-C when `when(label, t)` is true."""

    def announce(label, scenario):
        def watch(progress):
            if when(label, progress.t):
                raise KeyboardInterrupt

        return watch

    return announce


def assert_same_numbers(study, expected):
    assert [label for label, _ in study.entries] == [label for label, _ in expected.entries]
    for a, b in zip(study.runs, expected.runs, strict=True):
        assert a.record.identical(b.record) and a.outcome == b.outcome


def begun(study, state):
    return [s for s in read_status(study) if s.state is state]


def is_within(study):
    """Whether one point is finished and another is past its first step."""
    running = begun(study, State.RUNNING)
    return len(begun(study, State.FINISHED)) >= 1 and any(s.t for s in running)
