"""A run folder is written by one process at a time."""

import fcntl
import subprocess
import sys
import threading

from gflow.runs import lock
from gflow.runs.status import State, read_status

HOLD = """
import sys, time
from pathlib import Path
from gflow.runs import lock
with lock.acquire(Path(sys.argv[1])) as own_lock:
    own_lock.publish({"t": 12.5, "seconds": 3.0})
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
    own_lock = lock.acquire(folder)
    assert own_lock is not None
    with own_lock:
        assert lock.holder(folder) is not None
    assert list(tmp_path.iterdir()) == []


def test_of_many_threads_one_at_a_time_holds_a_lock(tmp_path):
    inside, most, turns = [], [], []

    def work():
        while len(turns) < 200:
            own_lock = lock.acquire(tmp_path / "point")
            if own_lock is not None:
                with own_lock:
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
