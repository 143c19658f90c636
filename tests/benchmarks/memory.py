"""Memory: the compiler's account of one velocity, and the peak of a whole flow.

A flow runs in a process of its own, whose peak is read when it ends.  `samples` is their size in
float64, `announced` what `gflow show` says.
"""

import subprocess
import sys
from pathlib import Path

import jax

from gflow.cost import estimate
from gflow.flow.field import FlowState
from gflow.runs.experiment import simulate
from gflow.runs.problem import prepare
from gflow.scenario import Scenario, parse_scenario

SIZES = ((2000, 200), (20_000, 500), (20_000, 2000))


def question(samples: int, width: int) -> Scenario:
    return parse_scenario(
        "[data]\ndimension = 1000\nsubclasses = 10\npositive_subclasses = 6\nnoise = 0.1\n"
        f"samples = {samples}\n[network]\nwidth = {width}\npower = 3\ninit_scale = 1e-7\n"
        "[flow]\nend_time = 50.0\n"
    )


def temporaries(scenario: Scenario) -> int:
    """Bytes of temporaries in one compiled velocity."""
    with jax.enable_x64(True):
        problem = prepare(scenario)
        state = FlowState.begin(problem.weights)
        velocity = jax.jit(lambda s, x: problem.field(0.0, s, x))
        return velocity.lower(state, problem.samples).compile().memory_analysis().temp_size_in_bytes


def peak(samples: int, width: int) -> int:
    """Peak memory in bytes of a process that computes the flow."""
    code = f"from memory import flow; flow({samples}, {width})"
    here = sys.path[0]
    worker = subprocess.run(
        [sys.executable, "-c", code], cwd=here, check=True, capture_output=True, text=True
    )
    return int(worker.stdout.split()[-1])


def flow(samples: int, width: int) -> None:
    simulate(question(samples, width))
    # `ru_maxrss` would begin at the peak of the process that started this one.
    status = Path("/proc/self/status").read_text()
    print(1024 * int(status.partition("VmHWM:")[2].split()[0]))


COLUMNS = ("temporaries", "n × h", "samples", "announced", "peak")


def main() -> None:
    print(f"{'n':>6} {'h':>5} " + " ".join(f"{name:>11}" for name in COLUMNS))
    for samples, width in SIZES:
        scenario = question(samples, width)
        sizes = (
            temporaries(scenario),
            4 * samples * width,
            8 * samples * scenario.data.dimension,
            estimate(scenario, 1e11).memory_bytes,
            peak(samples, width),
        )
        print(f"{samples:>6} {width:>5} " + " ".join(f"{m / 1e6:>8.0f} MB" for m in sizes))
