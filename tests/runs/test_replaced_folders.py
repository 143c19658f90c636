"""Folders are replaced as a whole, also while they are read, and on full disks."""

import subprocess
import sys
import threading
from dataclasses import replace

import pytest
from processes import prints

import gflow
from gflow.runs import files, store


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
                steps.add(gflow.load(folder).next_step)
            except Exception as error:
                errors.append(error)

    steps = {run.next_step}
    writers = [threading.Thread(target=write, args=(step,)) for step in (0.25, 0.5)]
    reader = threading.Thread(target=read)
    for thread in (*writers, reader):
        thread.start()
    for thread in writers:
        thread.join()
    done.set()
    reader.join()

    assert errors == []
    assert steps <= {run.next_step, 0.25, 0.5}
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
