"""Who computes the points of a grid: this process, several on this machine, or a Dask cluster.

One idea: a point is one call of `compute`, which takes the lock of its folder, and everything it
produces is in that folder.  So whoever computes a point needs to know of no other, the same grid
may be started twice, and the progress of a point is read from its lock, wherever it is computed.

Nothing here imports jax before a worker is pinned to its cores (see `gflow.runs.lane`).
"""

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    CancelledError,
    Future,
    ThreadPoolExecutor,
    wait,
)
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from gflow.errors import GflowError, ScenarioError
from gflow.runs import lock
from gflow.runs.failure import Failure, failure_of, forget_failure, save_failure
from gflow.runs.lane import Lane, share_cores
from gflow.runs.watch import Progress, Watch, unwatched
from gflow.scenario import Scenario

Announce = Callable[[str, Scenario], Watch]
"""Called with label and scenario before a point is computed; returns what to call at each step."""


class Task(NamedTuple):
    """A point to be computed; it can be sent to any process that sees the same folders."""

    label: str
    scenario: Scenario
    folder: Path
    """Its run folder, an absolute path, named as `gflow.runs.index` does."""
    fresh: bool = False
    """Compute anew what is stored already."""
    until: float | None = None
    """Continue the stored run to this flow time."""
    patient: bool = False
    """Wait for a point that another process computes, rather than skip it."""


class Report(NamedTuple):
    """What became of a task."""

    label: str
    failure: Failure | None = None
    busy: bool = False
    """Another process is computing it and was not waited for."""
    interrupted: bool = False
    progress: dict[str, Any] | None = None
    """The last progress; None if nothing was computed."""


Crew = Callable[[Sequence[Task], Announce], list[Report]]
"""A way of computing points: tasks -> their reports."""


def compute(task: Task, begin: Callable[[], Watch] = lambda: unwatched) -> Report:
    """Compute, judge and store one point of a grid, unless it is stored already.

    **Arguments:**

    - `task`: the point.
    - `begin`: called when the computation begins; returns what to call at each step.

    **Returns:** a `Report`. Whatever keeps the point from being computed is written into its
    folder and reported, not raised; only Ctrl-C is raised.
    """
    from gflow.runs.point import settle

    label, scenario, folder = task.label, task.scenario, task.folder
    # Whoever holds the lock of the folder computes the point; others leave it or wait.
    try:
        with lock.held(folder, task.patient) as own_lock:
            if own_lock is None:
                return Report(label, busy=True)
            relay = _Relay(own_lock, begin)
            try:
                run = settle(
                    scenario, folder, fresh=task.fresh, until=task.until, begin=relay.begin
                )
            # A point that fails, for whatever reason, must not end the computation of the others.
            except Exception as error:
                failure = failure_of(error)
                save_failure(folder, failure)
                return Report(label, failure)
            forget_failure(folder)
            interrupted = run.outcome.reason == "interrupted"
            return Report(label, interrupted=interrupted, progress=relay.last)
    # The lock itself could not be taken, so nothing can be written either.
    except GflowError as error:
        return Report(label, failure_of(error))


def serial(tasks: Sequence[Task], announce: Announce) -> list[Report]:
    """Compute points one after another in this process; Ctrl-C ends after the current one."""
    reports: list[Report] = []
    for task in tasks:
        reports.append(compute(task, functools.partial(announce, task.label, task.scenario)))
        if reports[-1].interrupted:
            break
    return reports


def processes(count: int) -> Crew:
    """Compute points in processes of this machine, each on its own share of the cores.

    Every process has the same number of cores, so a point's numbers do not depend on which one
    computed it; cores that are left over stay idle. Each starts Python anew, so a script that
    calls this needs `if __name__ == "__main__":`.

    **Arguments:**

    - `count`: number of processes.

    **Raises:** `ScenarioError` unless `count` is positive.
    """
    if count < 1:
        raise ScenarioError((f"`--workers` must be at least 1, but is {count}; try 2.",))

    def crew(tasks: Sequence[Task], announce: Announce) -> list[Report]:
        """Compute tasks in processes of this machine."""
        lanes = [Lane(cores) for cores in share_cores(count)[: len(tasks)]]
        idle = list(lanes)

        def run(task: Task) -> Report:
            lane = idle.pop()
            try:
                return _compute_in(lane, task)
            finally:
                idle.append(lane)

        # One thread per lane, which waits for its process; so there is always an idle lane.
        with ThreadPoolExecutor(len(lanes)) as threads:
            try:
                return _gather(lambda task: threads.submit(run, task), tasks, announce)
            finally:
                threads.shutdown(wait=False, cancel_futures=True)
                for lane in lanes:
                    lane.stop()

    return crew


def dask(address: str) -> Crew:
    """Compute points on a Dask cluster whose workers see the same folders as this process.

    Its scheduler gives the points of a worker that is lost to another one. Ctrl-C withdraws the
    points that have not begun; those under way finish in their folders.

    **Arguments:**

    - `address`: of the scheduler, as `dask scheduler` prints it.
    """

    def crew(tasks: Sequence[Task], announce: Announce) -> list[Report]:
        """Compute tasks on the workers of a cluster."""
        with _client(address) as client:
            executor = client.get_executor(pure=False)
            try:
                return _gather(lambda task: executor.submit(compute, task), tasks, announce)
            finally:
                executor.shutdown(wait=False)

    return crew


class _Relay:
    """Passes the progress of a point on, and writes it into the point's lock."""

    def __init__(self, own_lock: lock.Lock, announce: Callable[[], Watch]):
        self.lock = own_lock
        self.announce = announce
        self.last: dict[str, Any] | None = None
        own_lock.publish({})

    def begin(self) -> Watch:
        """The computation begins."""
        self.watch = self.announce()
        return self

    def __call__(self, progress: Progress) -> None:
        self.last = progress._asdict()
        self.lock.publish(self.last)
        self.watch(progress)


def _gather(
    submit: Callable[[Task], Future], tasks: Sequence[Task], announce: Announce
) -> list[Report]:
    """Submit all tasks, and pass on the progress in their locks until they are done."""
    futures = {submit(task): task for task in tasks}
    board = _Board(announce)
    pending: set[Future] = set(futures)
    reports: dict[str, Report] = {}
    while pending:
        done, pending = wait(pending, timeout=lock.INTERVAL, return_when=FIRST_COMPLETED)
        for future in done:
            report = _report(future, futures[future])
            reports[report.label] = report
            board.show(futures[future], report.progress)
        for future in pending:
            board.show(futures[future], lock.holder(futures[future].folder))
    return [reports[task.label] for task in tasks]


def _report(future: Future, task: Task) -> Report:
    try:
        return future.result()
    except KeyboardInterrupt:
        return Report(task.label, interrupted=True)
    except (Exception, CancelledError) as error:
        # No fault of the point: its worker was lost, or cannot import gflow.
        return Report(task.label, failure_of(error))


class _Board:
    """Progress of points that are computed elsewhere, as read from their locks."""

    def __init__(self, announce: Announce):
        self.announce = announce
        self.watches: dict[str, Watch] = {}
        self.last: dict[str, Progress] = {}

    def show(self, task: Task, values: Mapping[str, Any] | None) -> None:
        """Pass on the progress of a task if there is any and it is new."""
        if values is None or "fraction" not in values:
            return
        progress = Progress(*(values[name] for name in Progress._fields))
        if self.last.get(task.label) == progress:
            return
        if task.label not in self.watches:
            self.watches[task.label] = self.announce(task.label, task.scenario)
        self.last[task.label] = progress
        self.watches[task.label](progress)


_LOST = Failure(
    "BrokenProcessPool",
    "The process that computed it ended abruptly: it was killed, or there was not enough memory; "
    "use fewer samples, neurons, or --workers.",
)


def _compute_in(lane: Lane, task: Task) -> Report:
    """Compute a task in the process of a lane; if the process is lost, the task failed."""
    try:
        return lane.call(compute, task)
    except BrokenProcessPool:
        if lane.stopped:
            return Report(task.label, interrupted=True)
        save_failure(task.folder, _LOST)
        return Report(task.label, _LOST)


@contextmanager
def _client(address: str) -> Iterator[Any]:
    """A connection to a Dask scheduler."""
    try:
        from distributed import Client
    except ImportError:
        raise ScenarioError(
            ("`--dask` must have Dask, but it is not installed; try pip install 'gflow[dask]'.",)
        ) from None
    try:
        client = Client(address, timeout=10, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        raise ScenarioError(
            (
                f"`--dask` must be the address of a Dask scheduler, but {address} does not answer "
                f"({type(error).__name__}); try what `dask scheduler` prints, such as "
                "tcp://HOST:8786.",
            )
        ) from None
    with client:
        yield client
