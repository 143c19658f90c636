"""Who computes the points of a grid, and that it does not matter who does."""

import os
import signal
import socket
import subprocess
import sys

import pytest
from processes import (
    assert_same_numbers,
    begun,
    finish,
    grid_command,
    is_within,
    only_folder,
    prints,
    silent,
    start,
    start_grid,
    wait_for,
)
from questions import SEEDS, SMALL

from gflow.cli import Exit
from gflow.runs import lock
from gflow.runs.lane import share_cores
from gflow.runs.manifest import read_manifest
from gflow.runs.status import State, read_status
from gflow.runs.study import answer, load
from gflow.runs.workers import Task, compute, processes, serial
from gflow.scenario import parse_scenario

CORES = sorted(os.sched_getaffinity(0))


@pytest.fixture(scope="module")
def one_thread(tmp_path_factory):
    """The grid, computed one point after another on one core."""
    folder = tmp_path_factory.mktemp("serial")
    finish(start(*grid_command(folder), cores=CORES[:1]))
    return load(only_folder(folder / "runs"))


def alive(pid):
    """Whether a process is there and not only waiting to be counted."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def holders(study):
    """Processes that compute points."""
    holders = (lock.holder(status.folder) for status in read_status(study))
    return {values["pid"] for values in holders if values and "pid" in values}


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_cores_are_shared_evenly(count):
    shares = share_cores(count)

    assert len(shares) == count and len({len(share) for share in shares}) == 1
    assert len(shares[0]) == max(len(CORES) // count, 1)
    assert all(share <= set(CORES) for share in shares)
    if count <= len(CORES):
        assert sum(map(len, shares)) == len(frozenset().union(*shares))


def test_a_point_that_another_process_computes_is_left_to_it(tmp_path):
    folder = tmp_path / "point"
    own_lock = lock.acquire(folder)
    assert own_lock is not None

    with own_lock:
        report = compute(Task("point", parse_scenario(SMALL), folder))

    assert report.busy and report.failure is None and not folder.exists()


def test_a_folder_that_is_not_named_for_its_question_is_not_written(tmp_path):
    report = compute(Task("point", parse_scenario(SMALL), tmp_path / "point-00000000"))

    assert report.failure is not None and report.failure.kind == "RecordError"
    assert "must be named for its question" in report.failure.text


def test_one_point_that_cannot_be_locked_does_not_stop_the_others(tmp_path):
    (tmp_path / "file").write_text("")
    scenario = parse_scenario(SMALL)
    tasks = [Task(str(i), scenario, tmp_path / "file" / f"x{i}") for i in range(2)]

    reports = serial(tasks, silent)

    assert [report.failure.kind for report in reports] == ["RecordError"] * 2


@pytest.mark.slow
def test_two_workers_give_the_numbers_of_one_process_to_the_bit(tmp_path, one_thread):
    # Sums are split among threads, so equality to the bit needs as many of them: one each.
    cores = CORES[:2] if len(CORES) > 1 else CORES
    process = start(*grid_command(tmp_path), "--workers", 2, cores=cores)
    output = finish(process)

    assert process.returncode == Exit.OK, output
    study = load(only_folder(tmp_path / "runs"))
    assert_same_numbers(study, one_thread)
    for run in study.runs:
        manifest = read_manifest(run.folder)
        assert manifest["threads"] == 1 and manifest["cores"] == os.cpu_count()
    assert "power=1,seed=1: t = 200 of 200" in output and "power=3,seed=2: t = 200 of 200" in output


@pytest.mark.slow
def test_a_worker_that_is_killed_costs_its_point_only(tmp_path, one_thread):
    process, study = start_grid(tmp_path, "--workers", 2, cores=CORES[:2])
    running = wait_for(lambda: [s for s in begun(study, State.RUNNING) if s.t], "a point")
    os.kill(lock.holder(running[0].folder)["pid"], signal.SIGKILL)

    output = finish(process)

    assert process.returncode == Exit.INTERNAL and "ended abruptly" in output
    rest = load(study)
    assert [(s.label, s.kind) for s in rest.unanswered] == [(running[0].label, "BrokenProcessPool")]
    assert len(rest.entries) == 3
    again, _ = start_grid(tmp_path, cores=CORES[:1])
    assert finish(again) and again.returncode == Exit.OK
    assert_same_numbers(load(study), one_thread)


@pytest.mark.slow
def test_ctrl_c_stops_all_workers_and_keeps_finished_points(tmp_path, one_thread):
    process, study = start_grid(tmp_path, "--workers", 2, cores=CORES[:2])
    wait_for(lambda: is_within(study), "a point after the first")
    workers = holders(study)

    process.send_signal(signal.SIGINT)
    output = finish(process)

    assert process.returncode == Exit.INTERRUPTED and "finished points are kept" in output
    assert "Traceback" not in output
    assert workers and not any(alive(pid) for pid in workers)
    statuses = read_status(study)
    assert {s.state for s in statuses} <= {State.FINISHED, State.STOPPED, State.WAITING}
    finished = [s.folder for s in statuses if s.state is State.FINISHED]
    before = [prints(folder) for folder in finished]
    again, _ = start_grid(tmp_path, cores=CORES[:1])
    assert finish(again) and again.returncode == Exit.OK
    assert finished and [prints(folder) for folder in finished] == before
    assert_same_numbers(load(study), one_thread)


@pytest.mark.slow
def test_workers_end_with_a_parent_that_is_killed(tmp_path):
    process, study = start_grid(tmp_path, "--workers", 2)
    workers = wait_for(lambda: len(pids := holders(study)) == 2 and pids, "workers")

    process.kill()
    process.wait()

    wait_for(lambda: not any(alive(pid) for pid in workers), "the end of all workers")
    # A process is counted as ended a moment before the last of its threads gives back its locks.
    wait_for(lambda: not begun(study, State.RUNNING), "the end of all locks")


@pytest.mark.slow
def test_workers_can_be_called_from_python(tmp_path, one_thread):
    study = answer(parse_scenario(SEEDS), tmp_path, False, silent, crew=processes(2))

    assert [run.outcome for run in study.runs] == [run.outcome for run in one_thread.runs]


# --- Dask ---------------------------------------------------------------------------------------


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def dask_command(*args):
    code = "import sys; from dask.__main__ import main; sys.argv[0] = 'dask'; main()"
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, args)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


@pytest.fixture
def cluster(tmp_path):
    """A Dask scheduler and two workers of one thread each, as processes on this machine."""
    address = f"tcp://127.0.0.1:{free_port()}"
    port = address.rpartition(":")[2]
    scheduler = dask_command("scheduler", "--host", "127.0.0.1", "--port", port, "--no-dashboard")
    workers = [
        dask_command(
            "worker", address, "--nthreads", 1, "--no-nanny", "--no-dashboard",
            "--local-directory", tmp_path / f"dask{i}",
        )
        for i in range(2)
    ]  # fmt: skip
    yield address, workers
    for process in (*workers, scheduler):
        process.kill()
        process.wait()


@pytest.mark.slow
def test_dask_computes_a_grid_though_a_worker_is_killed(tmp_path, cluster, one_thread):
    address, workers = cluster
    process, study = start_grid(tmp_path, "--dask", address)
    pid = wait_for(lambda: holders(study) & {worker.pid for worker in workers}, "a worker").pop()
    os.kill(pid, signal.SIGKILL)

    output = finish(process)

    assert process.returncode == Exit.OK, output
    whole = load(study)
    assert [label for label, _ in whole.entries] == [label for label, _ in one_thread.entries]
    assert [run.outcome.complete for run in whole.runs] == 4 * [True]


@pytest.mark.slow
def test_a_scheduler_that_does_not_answer_is_said(tmp_path):
    process = start(*grid_command(tmp_path), "--dask", f"tcp://127.0.0.1:{free_port()}")

    output = finish(process)

    assert process.returncode == Exit.BAD_INPUT and "Traceback" not in output
    assert "`--dask` must be the address of a Dask scheduler" in output
