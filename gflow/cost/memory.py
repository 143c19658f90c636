"""The memory that a scenario needs, by use, and whether this machine has it."""

import os
import sys

from gflow.cost.solver import SOLVERS
from gflow.data.dataset import outputs_of
from gflow.data.kind import Sizes
from gflow.errors import ScenarioError
from gflow.scenario import Scenario

ROWS = 1000
"""Samples per block when the velocity is evaluated."""

PROGRAM_BYTES = 560_000_000
"""Memory of the interpreter, the libraries and compiled code."""


def check_memory(scenario: Scenario, workers: int = 1) -> None:
    """Raise an error if a scenario does not fit into the memory of this machine.

    **Arguments:**

    - `scenario`: one flow or a grid, every point of which is checked.
    - `workers`: largest number of points computed at the same time.

    **Raises:** `ScenarioError` naming what is needed, what is available, and what to lower;
    `DataError` for a file of samples whose header cannot be read.
    """
    points = scenario.points()
    workers = min(workers, len(points))
    for point in points:
        parts = memory_of(point.scenario, point.scenario.data.sizes)
        place = ", point ".join(filter(None, (scenario.name, point.label)))
        if total(parts) > physical_memory():
            raise ScenarioError((f"{place}: {_too_large(parts)}",))
        if workers * total(parts) > physical_memory():
            most = physical_memory() // total(parts)
            raise ScenarioError(
                (
                    f"{place}: `--workers` must leave each process enough memory for a point, but "
                    f"{workers} need {gigabytes(workers * total(parts))} of "
                    f"{gigabytes(physical_memory())}; try --workers {most}.",
                )
            )


def _too_large(parts: dict[str, int]) -> str:
    largest = max(parts, key=lambda name: parts[name])
    return (
        "`data.samples` × `data.dimension` and `network.width` must fit in memory, but need "
        f"{gigabytes(total(parts))} of {gigabytes(physical_memory())}, most of it for the "
        f"{largest}; {_CURES[largest]}."
    )


def memory_of(scenario: Scenario, sizes: Sizes) -> dict[str, int]:
    """Peak memory of a flow in bytes, by use."""
    n, m, D, K = sizes[:4]
    h, record = scenario.network.width, scenario.record
    real = 4 if scenario.flow.precision == "float32" else 8
    T = _times(scenario)
    stages = SOLVERS[scenario.solver].stages
    # Samples are drawn before the flow starts, so only the larger of the two counts.
    drawing = {"drawing of samples": 24 * n * D}
    flow = {
        "samples": (8 + real) * n * D,
        "test samples": 8 * m * D + 16 * m * h,
        "blocks of rows": 4 * min(n, ROWS) * h * real,
        "solver": (stages + 4) * (weights_of(scenario, sizes) + 2 * h) * 8,
        "features": 0 if scenario.network.certifiable else n * h * real,
        "record": T * h * (K + 2) * 8 if "neurons" in record.groups else 0,
        # Each time by itself, and then all of them together.
        "recorded directions": 2 * T * h * D * 8 if "directions" in record.groups else 0,
        "orthogonal directions": 16 * (n + D) * D if "orthogonal" in record.groups else 0,
    }
    return {"program": PROGRAM_BYTES} | max(drawing, flow, key=total)


def disk_of(scenario: Scenario, sizes: Sizes) -> int:
    """Bytes of a stored record and network at most; what varies little takes less, compressed."""
    h, groups, T = scenario.network.width, scenario.recorded_groups, _times(scenario)
    # Of each neuron two float32 numbers for each center and average, two logarithms and a sign.
    each = 8 * (sizes.K + 2) + 17 if "neurons" in groups else 0
    each += 8 * sizes.D if "directions" in groups else 0
    return T * h * each + 8 * weights_of(scenario, sizes)


def _times(scenario: Scenario) -> int:
    """Recorded times, about 100 of which are not scheduled."""
    record = scenario.record
    return record.linear + record.geometric + len(record.times) + 100


def weights_of(scenario: Scenario, sizes: Sizes) -> int:
    """Number of hidden and output weights, without those that are negligibly few."""
    network = scenario.network
    return network.weight_count(sizes.D, outputs_of(network.grain, sizes.K, sizes.C))


def total(parts: dict[str, int]) -> int:
    """Sum over all uses."""
    return sum(parts.values())


_CURES = {
    "program": "use a larger machine",
    "drawing of samples": "lower data.samples or data.dimension",
    "samples": "lower data.samples or data.dimension",
    "test samples": "lower data.test_samples",
    "blocks of rows": "lower network.width",
    "solver": "lower network.width or data.dimension",
    "features": "lower data.samples or network.width",
    "record": "lower record.linear and record.geometric",
    "recorded directions": 'leave "directions" out of record.groups',
    "orthogonal directions": 'leave "orthogonal" out of record.groups',
}


def physical_memory() -> int:
    """Memory of this machine in bytes; without end where the system does not say."""
    if not hasattr(os, "sysconf"):
        return sys.maxsize
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def gigabytes(size: int) -> str:
    """A number of bytes as text."""
    return f"{short(size / 1e9)} GB"


def short(number: float) -> str:
    """A number as text, with one decimal if it is below 10."""
    return f"{number:,.1f}" if number < 10 else f"{number:,.0f}"
